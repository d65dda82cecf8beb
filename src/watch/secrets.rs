//! Which files hold a secret and stay on this machine: by name, and by what stands in them. Pure. A
//! file is judged whole, and rather withheld for nothing than told by mistake.

mod assigned;
mod shapes;

use crate::delta::ProjectPath;

/// Words in a name that say that a file only shows what the real one looks like.
const HARMLESS: [&str; 7] =
    ["example", "sample", "template", "dist", "defaults", "schema", "skeleton"];

/// Directories whose every file is withheld.
const DIRECTORIES: [&str; 5] = [".ssh", ".gnupg", ".aws", ".azure", ".password-store"];

/// What kind of secret a file of this name holds.
pub(super) fn by_name(path: &ProjectPath) -> Option<&'static str> {
    let whole = path.as_str().to_ascii_lowercase();
    let (parents, name) = whole.rsplit_once('/').unwrap_or(("", &whole));
    if parents.split('/').any(|part| DIRECTORIES.contains(&part)) {
        return Some("a directory of credentials");
    }
    if name.split(['.', '-', '_']).any(|word| HARMLESS.contains(&word)) {
        return None;
    }
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    if is_environment(name, extension) {
        Some("an environment file")
    } else if is_key(name, extension) {
        Some("a key file")
    } else if is_credentials(name, extension) || is_login(parents, name) {
        Some("a credentials file")
    } else {
        None
    }
}

fn is_environment(name: &str, extension: &str) -> bool {
    let dotted = name
        .strip_prefix(".env")
        .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()));
    dotted || name == ".envrc" || extension == "env"
}

fn is_key(name: &str, extension: &str) -> bool {
    matches!(
        extension,
        "pem"
            | "key"
            | "p12"
            | "pfx"
            | "p8"
            | "kdbx"
            | "kdb"
            | "jks"
            | "keystore"
            | "ppk"
            | "ovpn"
            | "keytab"
            | "mobileprovision"
    ) || ["id_rsa", "id_dsa", "id_ecdsa", "id_ed25519"].iter().any(|key| name.starts_with(key))
}

fn is_credentials(name: &str, extension: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    let data = extension == name
        || !name.contains('.')
        || matches!(
            extension,
            "json"
                | "yml"
                | "yaml"
                | "toml"
                | "ini"
                | "cfg"
                | "conf"
                | "csv"
                | "txt"
                | "xml"
                | "properties"
                | "enc"
                | "bak"
                | "old"
        );
    let named = |words: &[&str]| words.iter().any(|word| stem.starts_with(word));
    (data && (named(&["credential", "client_secret"]) || matches!(stem, "secret" | "secrets")))
        || (extension == "json"
            && ["service-account", "service_account", "serviceaccount", "adminsdk", "gcp-key"]
                .iter()
                .any(|word| name.contains(word)))
        || extension == "tfvars"
        || name.contains(".tfstate")
}

/// Files in which programs keep a login.
fn is_login(parents: &str, name: &str) -> bool {
    let inside = |directory: &str| parents.rsplit('/').next() == Some(directory);
    matches!(
        name,
        ".npmrc"
            | ".netrc"
            | "_netrc"
            | ".pypirc"
            | ".pgpass"
            | ".my.cnf"
            | ".git-credentials"
            | ".htpasswd"
            | ".dockercfg"
            | ".vault-token"
            | ".vault_pass"
            | "kubeconfig"
    ) || (name == "config.json" && inside(".docker"))
        || (name == "config" && inside(".kube"))
}

/// What kind of secret stands in a text.
pub(super) fn in_text(path: &ProjectPath, text: &str) -> Option<&'static str> {
    let name = path.name().to_ascii_lowercase();
    let extension = name.rsplit_once('.').map_or("", |(_, extension)| extension);
    shapes::find(text)
        .or_else(|| assigned::in_url(text))
        .or_else(|| assigned::find(text, assigned::Quoting::of(extension)))
        .or_else(|| is_kubernetes_secret(extension, text).then_some("a Kubernetes secret"))
}

fn is_kubernetes_secret(extension: &str, text: &str) -> bool {
    let line = |wanted: &str| text.lines().any(|line| line.trim_end() == wanted);
    matches!(extension, "yaml" | "yml")
        && line("kind: Secret")
        && (line("data:") || line("stringData:"))
}

#[cfg(test)]
mod tests;
