//! Finds the file and lays the layers over each other: defaults, built-in catalogue, file,
//! variables, flags. Reads files; what they mean is decided in `validate`.

use std::path::{Path as FilePath, PathBuf};

use figment::Figment;
use figment::providers::Serialized;
use serde_json::{Map, Value, json};

use super::document::{self, Document};
use super::environment::{self, Environment, Interpolation};
use super::problem::{ConfigErrors, Origin, Path, Problem, Report, Segment};
use super::raw::RawConfig;
use super::read::{self, Hints};
use super::{Config, shape, validate};

/// Name of the configuration file in the working directory and in the user's configuration directory.
pub const FILE_NAME: &str = "edge-router.toml";

const BUILT_IN: &str = include_str!("../../models/catalog.toml");

/// Which configuration is meant.
#[derive(Clone, Debug, Default)]
pub struct ConfigSource {
    /// `--config`. `None`: `edge-router.toml` in the working directory, else in the user's
    /// configuration directory, else none.
    pub path: Option<PathBuf>,
    pub overrides: Overrides,
}

/// Flags of the command line that are keys of the configuration.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    pub host: Option<String>,
    pub port: Option<u16>,
    pub quality: Option<f32>,
}

impl ConfigSource {
    /// The file that would be read.
    pub fn locate(&self, environment: &Environment) -> Option<PathBuf> {
        if let Some(path) = &self.path {
            return Some(path.clone());
        }
        let here = environment.working_dir.join(FILE_NAME);
        if here.is_file() {
            return Some(here);
        }
        environment.user_config_dir().map(|dir| dir.join(FILE_NAME)).filter(|path| path.is_file())
    }
}

/// Reads the configuration that `source` means.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load(source: &ConfigSource, environment: &Environment) -> Result<Config, ConfigErrors> {
    let Some(file) = source.locate(environment) else {
        let base = environment.working_dir.clone();
        return compile(Input { text: "", file: None, base, source }, environment, Vec::new());
    };
    let full = environment.working_dir.join(&file);
    let text = std::fs::read(&full)
        .map_err(|error| error.to_string())
        .and_then(|bytes| String::from_utf8(bytes).map_err(|_| "not UTF-8 text".to_owned()))
        .map_err(|why| ConfigErrors {
            problems: vec![Problem::file(file.clone(), 0, format!("cannot be read: {why}"))],
        })?;
    let base = full.parent().map_or_else(|| environment.working_dir.clone(), FilePath::to_owned);
    let mut notes = Vec::new();
    let mut all = environment.clone();
    if let Ok(dot_env) = std::fs::read_to_string(base.join(".env")) {
        let unread;
        (all, unread) = environment.with_dot_env(&dot_env);
        notes.extend(unread.iter().map(|line| format!(".env:{line}: not NAME=value, left out")));
    }
    let input = Input { text: &text, file: Some(shown(&file, environment)), base, source };
    compile(input, &all, notes)
}

/// Reads a configuration from a text, as if it stood in `edge-router.toml` in the working directory.
///
/// # Errors
/// Everything that is wrong with it.
pub fn load_text(text: &str, environment: &Environment) -> Result<Config, ConfigErrors> {
    let base = environment.working_dir.clone();
    let source = ConfigSource::default();
    let input = Input { text, file: Some(PathBuf::from(FILE_NAME)), base, source: &source };
    compile(input, environment, Vec::new())
}

/// Messages name the file in the working directory by its bare name.
fn shown(file: &FilePath, environment: &Environment) -> PathBuf {
    file.strip_prefix(&environment.working_dir).unwrap_or(file).to_owned()
}

struct Input<'a> {
    text: &'a str,
    /// As messages show it; `None`: there is no file.
    file: Option<PathBuf>,
    /// Relative paths begin here.
    base: PathBuf,
    source: &'a ConfigSource,
}

fn compile(
    input: Input<'_>,
    environment: &Environment,
    notes: Vec<String>,
) -> Result<Config, ConfigErrors> {
    let mut report = Report::default();
    report.notes = notes;
    let mut hints = Hints::default();
    let file = input.file.clone().unwrap_or_default();
    let Document { tree, origins, problems } = document::parse(input.text, &file, &Path::root());
    report.origins = origins;
    for problem in problems {
        report.syntax(problem);
    }
    let (variables, flags) = (
        variables(environment, &mut report, &mut hints),
        flags(&input.source.overrides, &mut report),
    );
    let mut tree = merge(&[Value::Object(tree), variables, flags])?;
    fill_in(&mut tree, &Path::root(), environment, (&mut report, &mut hints));
    shape::check(&mut tree, &mut report);
    expand_home(&mut tree, environment);
    let raw: RawConfig = read::read(&mut tree, &Path::root(), &mut hints, &mut report);
    let built_in = built_in(environment, &mut report);
    let surroundings = validate::Surroundings {
        base: input.base,
        file: input.file.map(|file| environment.working_dir.join(file)),
    };
    validate::compile(raw, built_in, surroundings, report)
}

/// The built-in catalogue: `catalog.toml` in `EDGE_ROUTER_MODELS_DIR`, else the one inside the program.
fn built_in(environment: &Environment, report: &mut Report) -> RawConfig {
    let dir = environment.non_empty("EDGE_ROUTER_MODELS_DIR");
    let file = dir.map_or_else(
        || PathBuf::from("models/catalog.toml"),
        |dir| FilePath::new(dir).join("catalog.toml"),
    );
    let own = dir.and_then(|_| std::fs::read_to_string(&file).ok());
    let root = validate::built_in_root();
    let Document { tree, origins, problems } =
        document::parse(own.as_deref().unwrap_or(BUILT_IN), &file, &root);
    report.origins.extend(origins);
    for problem in problems {
        report.syntax(problem);
    }
    let mut tree = Value::Object(tree);
    let mut hints = Hints::default();
    fill_in(&mut tree, &root, environment, (report, &mut hints));
    read::read(&mut tree, &root, &mut hints, report)
}

/// The built-in providers that need a key, each with the variables that enable it.
pub fn built_in_keys() -> Vec<(String, Vec<String>)> {
    let Document { tree, .. } = document::parse(BUILT_IN, FilePath::new(""), &Path::root());
    let providers = tree.get("providers").and_then(Value::as_array).cloned().unwrap_or_default();
    let keys = |provider: &Value| {
        let keys = provider.get("api_keys")?.as_array()?.iter().filter_map(Value::as_str);
        let name = |key: &str| key.trim_start_matches("${").trim_end_matches('}').to_owned();
        Some((provider.get("id")?.as_str()?.to_owned(), keys.map(name).collect()))
    };
    providers.iter().filter_map(keys).collect()
}

fn merge(layers: &[Value]) -> Result<Value, ConfigErrors> {
    let failed = |error: String| ConfigErrors {
        problems: vec![Problem { origin: Origin::Unwritten, key: String::new(), message: error }],
    };
    let figment =
        layers.iter().fold(Figment::new(), |all, layer| all.merge(Serialized::defaults(layer)));
    let merged = figment.find_value("").map_err(|error| failed(error.to_string()))?;
    serde_json::to_value(merged).map_err(|error| failed(error.to_string()))
}

/// `EDGE_ROUTER__SECTION__KEY=value`. The value stays text until the key's type is known.
fn variables(environment: &Environment, report: &mut Report, hints: &mut Hints) -> Value {
    let mut tree = Value::Object(Map::new());
    for (name, value) in &environment.variables {
        let Some(keys) = name.strip_prefix(environment::PREFIX) else { continue };
        // Compose files and unit files pass on what they do not have as an empty text.
        if value.trim().is_empty() {
            continue;
        }
        let keys: Vec<String> = keys.split("__").map(str::to_lowercase).collect();
        let path = keys.iter().fold(Path::root(), |path, key| path.key(key));
        report.origins.put(path.clone(), Origin::Variable(name.clone()));
        if shape::is_in_list(&path) {
            report.problem(&path, shape::WHOLE_LIST);
            continue;
        }
        let mut place = &mut tree;
        for key in &keys {
            if !place.is_object() {
                *place = json!({});
            }
            place = &mut place[key.as_str()];
        }
        *place = Value::String(value.clone());
        hints.from_text.insert(path);
    }
    tree
}

/// JSON has no number for what is none; as text it is told as a mistake.
fn number(value: f32) -> Value {
    if value.is_finite() { json!(value) } else { json!(value.to_string()) }
}

fn flags(overrides: &Overrides, report: &mut Report) -> Value {
    let Overrides { host, port, quality } = overrides;
    let given = [
        ("server", "host", "--host", host.as_ref().map(|host| json!(host))),
        ("server", "port", "--port", port.map(|port| json!(port))),
        ("classifier", "quality", "--quality", quality.map(number)),
    ];
    let mut tree = json!({});
    for (section, key, flag, value) in given {
        let Some(value) = value else { continue };
        tree[section][key] = value;
        report.origins.put(Path::root().key(section).key(key), Origin::Flag(flag));
    }
    tree
}

/// Completes every text from the environment.
fn fill_in(
    value: &mut Value,
    path: &Path,
    environment: &Environment,
    (report, hints): (&mut Report, &mut Hints),
) {
    match value {
        Value::Object(table) => {
            for (key, value) in table {
                fill_in(value, &path.key(key), environment, (&mut *report, &mut *hints));
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter_mut().enumerate() {
                fill_in(value, &path.index(index), environment, (&mut *report, &mut *hints));
            }
        }
        Value::String(text) if text.contains("${") => {
            match environment::interpolate(text, environment) {
                Ok(filled) => {
                    *text = filled;
                    hints.from_text.insert(path.clone());
                    hints.private.insert(path.clone());
                }
                // An empty key counts as none.
                Err(Interpolation::Unset(_)) if is_api_key(path) => text.clear(),
                Err(error) => {
                    report.problem(path, error);
                    report.mark_broken(path.clone());
                }
            }
        }
        _ => {}
    }
}

/// The settings that are paths may begin with `~/`.
fn expand_home(tree: &mut Value, environment: &Environment) {
    let Some(home) = environment.non_empty("HOME") else { return };
    for pointer in ["/server/data_dir", "/network/ca_file"] {
        let Some(Value::String(path)) = tree.pointer_mut(pointer) else { continue };
        if let Some(rest) = path.strip_prefix("~/") {
            *path = FilePath::new(home).join(rest).display().to_string();
        }
    }
}

fn is_api_key(path: &Path) -> bool {
    path.segments().iter().any(|segment| matches!(segment, Segment::Key(key) if key == "api_keys"))
}
