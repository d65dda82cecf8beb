//! A router's half of the deltas, as strict as the contract, and as forgetful and deaf as a test wants.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use edge_router::delta::{self, Acknowledged, Change, ContentHash, Delta, ProjectPath};
use parking_lot::Mutex;
use serde_json::json;

/// What happens to one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Takes,
    /// As if it never came.
    LosesRequest,
    /// Takes it, and the answer does not arrive.
    LosesAnswer,
    /// Has lost everything before it looks at the request.
    Forgets,
    Refuses(u16),
}

#[derive(Default)]
struct Copy {
    version: u64,
    files: BTreeMap<ProjectPath, Arc<str>>,
    last: Option<(Bytes, Acknowledged)>,
    moods: VecDeque<Mood>,
    deltas: Vec<Delta>,
    /// Every byte that came, in the order in which it came.
    received: Vec<u8>,
    sizes: Vec<usize>,
    keys: BTreeSet<String>,
    largest: Option<usize>,
}

#[derive(Clone)]
pub struct ProjectServer {
    pub base: String,
    copy: Arc<Mutex<Copy>>,
}

impl ProjectServer {
    pub async fn start() -> Self {
        let copy = Arc::<Mutex<Copy>>::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let app = Router::new()
            .route("/v1/context/delta", post(take))
            .layer(DefaultBodyLimit::disable())
            .with_state(Arc::clone(&copy));
        tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
        Self { base, copy }
    }

    /// What happens to the next requests; those after them are taken.
    pub fn will(&self, moods: impl IntoIterator<Item = Mood>) {
        self.copy.lock().moods.extend(moods);
    }

    pub fn takes_everything(&self) {
        self.copy.lock().moods.clear();
    }

    /// Bodies above so many bytes are too large.
    pub fn takes_at_most(&self, bytes: usize) {
        self.copy.lock().largest = Some(bytes);
    }

    pub fn files(&self) -> BTreeMap<String, String> {
        let copy = self.copy.lock();
        copy.files.iter().map(|(path, text)| (path.to_string(), text.to_string())).collect()
    }

    pub fn text(&self, path: &str) -> Option<String> {
        self.copy.lock().files.get(&ProjectPath::parse(path).unwrap()).map(|text| text.to_string())
    }

    pub fn count(&self) -> usize {
        self.copy.lock().files.len()
    }

    pub fn version(&self) -> u64 {
        self.copy.lock().version
    }

    /// The deltas that came since this was last asked.
    pub fn deltas(&self) -> Vec<Delta> {
        std::mem::take(&mut self.copy.lock().deltas)
    }

    /// Lengths of all bodies in bytes.
    pub fn sizes(&self) -> Vec<usize> {
        self.copy.lock().sizes.clone()
    }

    pub fn keys(&self) -> Vec<String> {
        self.copy.lock().keys.iter().cloned().collect()
    }

    pub fn received(&self) -> String {
        String::from_utf8(self.copy.lock().received.clone()).unwrap()
    }
}

async fn take(State(copy): State<Arc<Mutex<Copy>>>, headers: HeaderMap, body: Bytes) -> Response {
    let mut copy = copy.lock();
    let key = headers.get("authorization").and_then(|key| key.to_str().ok()).unwrap_or_default();
    copy.keys.insert(key.to_owned());
    copy.sizes.push(body.len());
    if copy.received.len() < 1 << 20 {
        copy.received.extend_from_slice(&body);
    }
    if copy.largest.is_some_and(|largest| body.len() > largest) {
        return refusal(413, "the body is too large", 0);
    }
    let mood = copy.moods.pop_front().unwrap_or(Mood::Takes);
    match mood {
        Mood::LosesRequest => return refusal(503, "busy", 0),
        Mood::Refuses(status) => return refusal(status, "because", 0),
        Mood::Forgets => {
            let moods = std::mem::take(&mut copy.moods);
            *copy = Copy { moods, ..Copy::default() };
        }
        Mood::Takes | Mood::LosesAnswer => {}
    }
    let repeated = copy.last.as_ref().filter(|(last, _)| *last == body).map(|(_, ack)| ack.clone());
    let result = match repeated {
        Some(acknowledged) => Ok(acknowledged),
        None => copy.take(&body),
    };
    match (mood, result) {
        (Mood::LosesAnswer, _) => refusal(503, "busy", 0),
        (_, Ok(acknowledged)) => axum::Json(acknowledged).into_response(),
        (_, Err((status, message))) => refusal(status, &message, copy.version),
    }
}

fn refusal(status: u16, message: &str, server_version: u64) -> Response {
    let body = json!({"error": {"message": message, "server_version": server_version}});
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

type Refused = (u16, String);

impl Copy {
    fn take(&mut self, body: &Bytes) -> Result<Acknowledged, Refused> {
        let delta: Delta =
            serde_json::from_slice(body).map_err(|error| (400, error.to_string()))?;
        if delta.version <= delta.base_version {
            return Err((400, "version is not above base_version".into()));
        }
        if delta.base_version != 0 && delta.base_version != self.version {
            return Err((409, "another base".into()));
        }
        let mut files = if delta.base_version == 0 { BTreeMap::new() } else { self.files.clone() };
        let mut named = BTreeSet::new();
        for file in &delta.files {
            if !named.insert(&file.path) {
                return Err((400, format!("{} stands there twice", file.path)));
            }
            change(&mut files, &file.path, &file.change, delta.base_version)?;
        }
        let known: BTreeSet<&str> = files.keys().map(ProjectPath::as_str).collect();
        for path in &known {
            if path.match_indices('/').any(|(at, _)| known.contains(&path[..at])) {
                return Err((409, format!("{path} is below a file")));
            }
        }
        self.version = delta.version;
        self.files = files;
        let acknowledged = Acknowledged {
            project: delta.project.clone(),
            version: delta.version,
            files_total: self.files.len() as u64,
            tokens: self.files.values().map(|text| text.len() as u64 / 4).sum(),
        };
        self.last = Some((body.clone(), acknowledged.clone()));
        self.deltas.push(delta);
        Ok(acknowledged)
    }
}

fn change(
    files: &mut BTreeMap<ProjectPath, Arc<str>>,
    path: &ProjectPath,
    change: &Change,
    base_version: u64,
) -> Result<(), Refused> {
    let stale = |what: &str| (409, format!("{path}: {what}"));
    let before = |base: &ContentHash| {
        files
            .get(path)
            .filter(|text| ContentHash::of(text.as_bytes()) == *base)
            .cloned()
            .ok_or_else(|| stale("base_hash is another"))
    };
    if base_version == 0 && !matches!(change, Change::Add { .. }) {
        return Err((400, "with base_version 0 there is only add".into()));
    }
    let (hash, text): (_, Arc<str>) = match change {
        Change::Delete { base_hash } => {
            before(base_hash)?;
            files.remove(path);
            return Ok(());
        }
        Change::Add { hash, content } => (hash, content.as_str().into()),
        Change::Modify { base_hash, hash, diff } => {
            let text = delta::apply(&before(base_hash)?, diff);
            (hash, text.map_err(|error| stale(&error.to_string()))?.into())
        }
    };
    if ContentHash::of(text.as_bytes()) != *hash {
        return Err(stale("comes to another text"));
    }
    files.insert(path.clone(), text);
    Ok(())
}
