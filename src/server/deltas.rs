//! What watchers send, and what is kept of it: `/v1/context/*`. Decides nothing about projects
//! (`context` does); says it in JSON.

use axum::Json;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::body::Payload;
use super::edge::Arrival;
use super::error::Failure;
use crate::context::Known;
use crate::delta::{Acknowledged, Delta, ProjectPath};
use crate::pipeline::Caller;
use crate::state::AppState;
use crate::wire;

/// `POST /v1/context/delta`: what changed in a project.
pub(super) async fn delta(
    State(state): State<AppState>,
    caller: Caller,
    arrival: Arrival,
    Payload(body): Payload,
) -> Result<Json<Acknowledged>, Failure> {
    if body.trim_ascii().is_empty() {
        return Err(Failure::invalid("the request has no body: send a delta as a JSON object"));
    }
    // Megabytes of it would hold up requests.
    let read = tokio::task::spawn_blocking(move || wire::read_request::<Delta>(&body)).await;
    let delta = read.map_err(|_| Failure::internal())??;
    Ok(Json(state.runtime.projects.apply(delta, caller.reader(), arrival.at).await?))
}

/// A project without its files.
#[derive(Debug, Serialize)]
struct Summary {
    project: String,
    version: u64,
    root: Option<String>,
    files_total: u64,
    bytes: u64,
    tokens: u64,
    changed_at: String,
}

impl From<Known> for Summary {
    fn from(Known { name, facts }: Known) -> Self {
        Self {
            project: name.as_ref().to_owned(),
            version: facts.version,
            root: facts.root.as_deref().map(str::to_owned),
            files_total: facts.files,
            bytes: facts.bytes,
            tokens: facts.tokens,
            changed_at: facts.changed_at.to_string(),
        }
    }
}

/// `GET /v1/context/stats`: the projects that the caller may be given.
pub(super) async fn stats(State(state): State<AppState>, caller: Caller) -> Json<Value> {
    let projects = &state.runtime.projects;
    let listed: Vec<Summary> =
        projects.list(&caller.reader()).into_iter().map(Summary::from).collect();
    let sum = |of: fn(&Summary) -> u64| listed.iter().map(of).sum::<u64>();
    Json(json!({
        "projects_total": listed.len(),
        "files_total": sum(|one| one.files_total),
        "bytes": sum(|one| one.bytes),
        "tokens": sum(|one| one.tokens),
        "error": projects.fault().map(|fault| fault.to_string()),
        "projects": listed,
    }))
}

/// `?content=`, the path of a file whose text is asked for.
#[derive(Debug, Deserialize)]
pub(super) struct Asked {
    content: Option<String>,
}

/// One file without its text.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    path: &'a ProjectPath,
    hash: String,
    bytes: u32,
    tokens: u32,
    version: u64,
    changed_at: String,
}

/// `GET /v1/context/{project}`: its files, or with `?content=` the text of one.
pub(super) async fn one(
    State(state): State<AppState>,
    caller: Caller,
    name: Result<Path<String>, PathRejection>,
    asked: Result<Query<Asked>, QueryRejection>,
) -> Result<Json<Value>, Failure> {
    let name = named(name)?;
    let Query(Asked { content }) = asked.map_err(|_| {
        Failure::invalid("the query cannot be read: /v1/context/PROJECT?content=PATH")
            .with_param("content")
    })?;
    let projects = &state.runtime.projects;
    let project = projects.inspect(&name, &caller.reader()).await?;
    if let Some(path) = content {
        let path = ProjectPath::parse(&path)
            .map_err(|error| Failure::invalid(error.to_string()).with_param("content"))?;
        let Some(entry) = project.files.get(&path) else {
            return Err(Failure::unknown_file(&path));
        };
        let mut texts = projects.texts(&name, &[entry.hash]).await;
        let Some(text) = texts.remove(&entry.hash) else {
            return Err(Failure::unknown_file(&path));
        };
        return Ok(Json(json!({
            "project": project.name,
            "version": project.version,
            "path": path,
            "hash": entry.hash,
            "content": text,
        })));
    }
    let files: Vec<Listed<'_>> = project
        .files
        .iter()
        .map(|(path, file)| Listed {
            path,
            hash: file.hash.to_string(),
            bytes: file.bytes,
            tokens: file.tokens,
            version: file.version,
            changed_at: file.changed_at.to_string(),
        })
        .collect();
    Ok(Json(json!({
        "project": project.name,
        "version": project.version,
        "root": project.root,
        "files_total": files.len(),
        "bytes": files.iter().map(|file| u64::from(file.bytes)).sum::<u64>(),
        "tokens": files.iter().map(|file| u64::from(file.tokens)).sum::<u64>(),
        "files": files,
    })))
}

/// `DELETE /v1/context/{project}`: forgets it, older texts and what conversations were shown of it.
pub(super) async fn remove(
    State(state): State<AppState>,
    caller: Caller,
    name: Result<Path<String>, PathRejection>,
) -> Result<Json<Value>, Failure> {
    let name = named(name)?;
    state.runtime.projects.remove(&name, &caller.reader()).await?;
    Ok(Json(json!({ "project": name, "deleted": true })))
}

fn named(name: Result<Path<String>, PathRejection>) -> Result<String, Failure> {
    let Path(name) = name.map_err(|_| {
        Failure::invalid("the project's name in the path is not UTF-8").with_param("project")
    })?;
    Ok(name)
}
