use proptest::prelude::*;
use rstest::rstest;

use super::*;

fn path(text: &str) -> ProjectPath {
    ProjectPath::parse(text).unwrap()
}

#[rstest]
#[case(".env")]
#[case("deploy/.env.production")]
#[case(".env~")]
#[case("prod.env")]
#[case(".envrc")]
#[case("tls/server.pem")]
#[case("tls/server.KEY")]
#[case("id_rsa")]
#[case("keys/id_ed25519.bak")]
#[case("credentials")]
#[case("credentials.json")]
#[case("config/secrets.yml")]
#[case(".npmrc")]
#[case("home/.netrc")]
#[case("a.p12")]
#[case("passwords.kdbx")]
#[case("my-service-account-3.json")]
#[case("terraform.tfstate.backup")]
#[case(".ssh/known_hosts")]
#[case(".kube/config")]
fn a_file_of_secrets_is_known_by_its_name(#[case] name: &str) {
    assert!(by_name(&path(name)).is_some());
}

#[rstest]
#[case(".env.example")]
#[case(".env.local.sample")]
#[case("example.env")]
#[case("src/environment.rs")]
#[case("src/credentials.rs")]
#[case("src/secrets.py")]
#[case("src/keys.rs")]
#[case("monkey.txt")]
#[case("service.json")]
fn an_ordinary_name_is_no_secret(#[case] name: &str) {
    assert_eq!(by_name(&path(name)), None);
}

/// Put together here, so that this file holds none of them.
#[rstest]
#[case(&["AKIA", "IOSFODNN7EXAMPLE"])]
#[case(&["ghp_", "16C7e42F292c6912E7710c838347Ae178B4a"])]
#[case(&["github_pat_", "11ABCDEFG0abcdefghij_klmnopqrst"])]
#[case(&["glpat-", "ABCdef123456_7890xyz"])]
#[case(&["xoxb-", "123456789012-abcdefABCDEF"])]
#[case(&["AIza", "SyA1bC2dE3fG4hI5jK6lM7nO8pQ9rS0tU1v"])]
#[case(&["sk-", "abcdefghijklmnopqrstuvwxyz012345"])]
#[case(&["sk-ant-", "api03-AbCdEfGh12345678"])]
#[case(&["sk-proj-", "AbCdEfGh_12345678"])]
#[case(&["sk_live_", "4eC39HqLyjWDarjtT1zdp7dc"])]
#[case(&["eyJ", "hbGciOiJIUzI1NiJ9.", "eyJ", "zdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"])]
#[case(&["npm_", "abcdefghijklmnopqrstuvwxyz0123456789"])]
#[case(&["hf_", "abcdefghijklmnopqrstuvwxyzABCDEFGH"])]
#[case(&["-----BEGIN RSA ", "PRIVATE KEY-----\nMIIEpAIBAAKCAQEA75qLJ8aVbnqK\n"])]
#[case(&["-----BEGIN ", "PRIVATE KEY-----\\nMIIEpAIBAAKCAQEA75qLJ8aVbnqK\\n"])]
#[case(&["-----BEGIN OPENSSH ", "PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAAA\n"])]
#[case(&["-----BEGIN PGP ", "PRIVATE KEY BLOCK-----\n\nlQOYBF2lnPIBCAC5cupUxwlfr\n"])]
fn a_token_is_known_by_its_look_wherever_it_stands(#[case] parts: &[&str]) {
    let token = parts.concat();
    for text in [
        token.clone(),
        format!("fn main() {{\n    call(\"{token}\");\n}}\n"),
        format!("see\\n{token}, and more"),
        format!("# caf\u{e9}: {token}"),
    ] {
        assert!(in_text(&path("src/a.rs"), &text).is_some(), "{text}");
    }
}

#[rstest]
#[case("a.py", &["password", " = \"hunter2hunter2\""])]
#[case("a.js", &["const api", "Key = 'k3Jx92mQpL0vB7'"])]
#[case("a.json", &["{\"user\": \"x\", \"client_", "secret\": \"9fK2mX7qLw4TzP\"}"])]
#[case("a.rs", &["const API_", "TOKEN: &str = \"Zx81kQ0vWm3r\";"])]
#[case("a.py", &["os.environ[\"SECRET", "_KEY\"] = \"d8f7Gh2kQ9wErT5y\""])]
#[case("a.yaml", &["pass", "word: d8f7Gh2kQ9wErT5y"])]
#[case("a.java", &["builder.pass", "word(\"Tr0ub4dor&3\")"])]
#[case("a.md", &["postgres://app:", "Zx81kQ0vWm3r@db/shop"])]
#[case("a.yaml", &["kind: Secret\nmetadata: {}\n", "data:\n  a: YQ==\n"])]
fn a_drawn_value_under_the_name_of_a_secret_is_one(#[case] name: &str, #[case] text: &[&str]) {
    assert!(in_text(&path(name), &text.concat()).is_some());
}

#[rstest]
#[case("a.rs", "let password = prompt(\"Password: \")?;")]
#[case("a.rs", "let token = self.next_token2();")]
#[case("a.py", "password = \"changeme12345\"")]
#[case("a.py", "api_key = \"${API_KEY_2}\"")]
#[case("a.py", "api_key = os.environ[\"OPENAI_API_KEY_2\"]")]
#[case("a.rs", "#[error(\"a token may have 4096 signs\")]")]
#[case("a.json", "{\"password_hash\": \"5f4dcc3b5aa765d61d8327deb882cf99\"}")]
#[case("a.toml", "max_tokens = 8192")]
#[case("a.toml", "api_keys = [\"${OPENAI_API_KEY}\"]")]
#[case("a.css", ".sk-folding-cube-with-some-shadow { }")]
#[case("a.rs", "mask-1234567890abcdefghij")]
#[case("a.md", "sk-xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx")]
#[case("a.md", "postgres://user:password@localhost/db")]
#[case("a.yaml", "token: my-token-2")]
fn ordinary_code_is_no_secret(#[case] name: &str, #[case] text: &str) {
    assert_eq!(in_text(&path(name), text), None);
}

#[test]
fn the_mere_head_of_a_key_is_no_key() {
    let text = ["if text.contains(\"-----BEGIN RSA ", "PRIVATE KEY-----\") { no }"].concat();
    assert_eq!(in_text(&path("a.rs"), &text), None);
}

proptest! {
    #[test]
    fn no_text_makes_it_fall_over(text in "\\PC{0,80}", name in "[a-z]{1,4}\\.(yaml|rs)") {
        let _ = in_text(&path(&name), &text);
    }

    #[test]
    fn a_token_is_found_in_any_surroundings(
        before in "(?s)(.*[ \n\"'=:,;(])?", after in "(?s)([ \n\"',;)].*)?",
        token in "[A-Za-z0-9]{36}",
    ) {
        let text = format!("{before}ghp_{token}{after}");
        prop_assert!(in_text(&path("a.txt"), &text).is_some());
    }
}
