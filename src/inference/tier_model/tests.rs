use rstest::rstest;

use super::*;

/// Measured on the held-out fifth by the training program, likeliest tier.
const ACCURACY: f32 = 0.802;

fn embedded() -> TierModel {
    TierModel::embedded().unwrap()
}

#[rstest]
#[case::empty("")]
#[case::blank(" \n\t\r\n")]
#[case::nul("\0\0\0")]
#[case::emoji("👩‍👩‍👧‍👦🏳️‍🌈")]
#[case::bidi("\u{202e}txet\u{202c} \u{feff}")]
#[case::combining("Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘")]
#[case::unseen("ᚠᛇᚻ ᛒᛦᚦ")]
fn any_text_has_five_probabilities(#[case] text: &str) {
    let scores = embedded().scores(text).unwrap();
    assert!(scores.iter().all(|score| (0.0..=1.0).contains(score)), "{scores:?}");
    assert!((scores.iter().sum::<f32>() - 1.0).abs() < 1e-4, "{scores:?}");
}

#[test]
fn a_text_of_a_megabyte_counts_with_its_head_and_tail() {
    let model = embedded();
    let long = format!("rename this variable {} thanks", "日本 x ".repeat(100_000));
    let cut = crate::inference::tokens::considered(&long).into_owned();
    assert_eq!(model.scores(&long).unwrap(), model.scores(&cut).unwrap());
}

#[test]
fn the_same_text_has_the_same_scores() {
    let text = "write a parser for a small config format, with tests";
    assert_eq!(embedded().scores(text).unwrap(), embedded().scores(text).unwrap());
}

#[rstest]
#[case("thanks!", Tier::Trivial)]
#[case("fix the typo in the word recieve", Tier::Trivial)]
#[case("what does this error message mean?", Tier::Operational)]
fn plain_cases_get_their_tier(#[case] text: &str, #[case] tier: Tier) {
    let scores = embedded().scores(text).unwrap();
    let best = scores.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1)).unwrap().0;
    assert_eq!(best, tier.index(), "{scores:?}");
}

#[test]
fn the_model_was_trained_on_the_data_beside_it() {
    let mut hash = blake3::Hasher::new();
    for path in data() {
        hash.update(&std::fs::read(path).unwrap());
    }
    assert_eq!(embedded().config().data_blake3, hash.finalize().to_hex().as_str());
}

/// Two points under what the model card says: weights, tokenizer, kernels and data still fit each other.
#[test]
fn held_out_prompts_get_the_tier_of_their_label() {
    #[derive(serde::Deserialize)]
    struct Line {
        prompt: String,
        tier: Tier,
    }
    let lines = data().into_iter().flat_map(|path| {
        let text = std::fs::read_to_string(path).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Line>>()
    });
    let lines: Vec<Line> = lines.filter(|line| held_out(&line.prompt)).collect();
    let model = embedded();
    let right = |line: &&Line| {
        let scores = model.scores(&line.prompt).unwrap();
        scores.iter().all(|score| *score <= scores[line.tier.index()])
    };
    let part = |lines: &[Line]| lines.iter().filter(right).count();
    let halves = lines.split_at(lines.len() / 2);
    let hits = std::thread::scope(|scope| {
        let other = scope.spawn(|| part(halves.1));
        part(halves.0) + other.join().unwrap()
    });
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let accuracy = hits as f32 / lines.len() as f32;
    assert!(accuracy >= ACCURACY - 0.02, "{accuracy} of {}", lines.len());
}

/// The training files in the order of their names.
fn data() -> Vec<std::path::PathBuf> {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("models").join(FOLDER).join("data");
    let files = std::fs::read_dir(data).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> =
        files.filter(|path| path.extension().is_some_and(|name| name == "jsonl")).collect();
    files.sort();
    files
}

/// A models folder with the embedded model, its configuration changed.
fn folder(change: impl FnOnce(&mut serde_json::Value)) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let model = dir.path().join(FOLDER);
    std::fs::create_dir(&model).unwrap();
    let mut config = serde_json::to_value(embedded().config()).unwrap();
    change(&mut config);
    std::fs::write(model.join(CONFIG), config.to_string()).unwrap();
    let tokenizer = include_bytes!("../../../models/tier-classifier/tokenizer.json");
    std::fs::write(model.join(TOKENIZER), tokenizer).unwrap();
    std::fs::write(
        model.join(WEIGHTS),
        include_bytes!("../../../models/tier-classifier/model.safetensors"),
    )
    .unwrap();
    dir
}

#[test]
fn a_models_folder_overrides_the_embedded_model() {
    let dir = folder(|config| {
        config["temperature"] = 1000.0.into();
        config["prior"] = serde_json::json!([1, 1, 1, 1, 1]);
    });
    let flat = TierModel::open(Some(dir.path())).unwrap().scores("hi").unwrap();
    assert!(flat.iter().all(|score| (score - 0.2).abs() < 0.05), "{flat:?}");
}

#[test]
fn the_prior_weighs_the_probabilities() {
    let scores = |prior: serde_json::Value| {
        let dir = folder(|config| config["prior"] = prior);
        TierModel::open(Some(dir.path())).unwrap().scores("sort this list of names").unwrap()
    };
    let plain = scores(serde_json::json!([1, 1, 1, 1, 1]));
    let doubled = scores(serde_json::json!([1, 1, 2, 1, 1]));
    assert!((doubled.iter().sum::<f32>() - 1.0).abs() < 1e-5, "{doubled:?}");
    let ratio = (doubled[2] / doubled[1]) / (plain[2] / plain[1]);
    assert!((ratio - 2.0).abs() < 1e-3, "{ratio}");
}

#[test]
fn a_models_folder_without_a_classifier_keeps_the_embedded_one() {
    let dir = tempfile::tempdir().unwrap();
    let model = TierModel::open(Some(dir.path())).unwrap();
    assert_eq!(model.config(), embedded().config());
}

#[test]
fn a_models_folder_that_does_not_exist_is_an_error() {
    let error = TierModel::open(Some(Path::new("/does/not/exist"))).unwrap_err();
    assert_eq!(error.to_string(), "models folder /does/not/exist does not exist");
}

#[rstest]
#[case::version("version", 99.into(), "version 99 is not 3")]
#[case::labels("labels", serde_json::json!(["deep", "trivial"]), "labels must be")]
#[case::temperature("temperature", 0.into(), "temperature must be above 0")]
#[case::prior("prior", serde_json::json!([1, 1, 0, 1, 1]), "prior must be 5 numbers above 0")]
#[case::layers("layers", 99.into(), "model.safetensors: no tensor layer.")]
#[case::heads("heads", 7.into(), "model.safetensors: the tables do not fit")]
#[case::missing("seed", serde_json::Value::Null, "config.json")]
fn a_model_that_does_not_fit_is_refused_with_its_file(
    #[case] key: &str,
    #[case] value: serde_json::Value,
    #[case] says: &str,
) {
    let dir = folder(|config| config[key] = value);
    let error = TierModel::open(Some(dir.path())).unwrap_err().to_string();
    assert!(error.contains(says) && error.contains(FOLDER), "{error}");
}

#[test]
fn damaged_weights_are_refused() {
    let dir = folder(|_| ());
    std::fs::write(dir.path().join(FOLDER).join(WEIGHTS), b"not weights").unwrap();
    let error = TierModel::open(Some(dir.path())).unwrap_err().to_string();
    assert!(error.contains(WEIGHTS), "{error}");
}
