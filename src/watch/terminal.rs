//! What a human or a program sees: data on stdout, the rest on stderr, a status line only where
//! stderr is a terminal. Nothing here moves by itself: an idle watcher is idle.

use std::io::{self, Write};
use std::path::Path;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde::Serialize;

use super::{Kind, Listener, Told};

/// What stdout is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Text,
    /// One JSON object on each line.
    Json,
}

pub(super) struct Terminal {
    format: Format,
    project: String,
    line: ProgressBar,
    tokens: u64,
    /// The human was told that the server is in step, or out of reach.
    said: Said,
    failure: Option<io::Error>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Said {
    Nothing,
    InStep,
}

/// What a dry run says of a file.
#[derive(Serialize)]
struct Would<'a> {
    op: &'a str,
    path: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<&'a str>,
}

impl Terminal {
    pub(super) fn new(format: Format) -> Self {
        let line = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        line.set_style(
            ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_bar()),
        );
        Self { format, project: String::new(), line, tokens: 0, said: Said::Nothing, failure: None }
    }

    pub(super) fn of_project(&mut self, project: &str, root: &Path) {
        project.clone_into(&mut self.project);
        self.line.set_message(format!("{project}: reading {}", root.display()));
    }

    /// Removes the status line.
    pub(super) fn clear(&self) {
        self.line.finish_and_clear();
    }

    /// Why stdout could not be written. A reader that has seen enough is no failure.
    pub(super) fn failure(&self) -> Option<&io::Error> {
        self.failure.as_ref().filter(|error| error.kind() != io::ErrorKind::BrokenPipe)
    }

    /// A line for the human.
    pub(super) fn say(&self, text: &str) {
        self.line.suspend(|| {
            // Nobody is left to be told.
            let _ = writeln!(io::stderr().lock(), "{text}");
        });
    }

    fn data(&mut self, text: &str) {
        let result = self.line.suspend(|| {
            let mut out = io::stdout().lock();
            writeln!(out, "{text}").and_then(|()| out.flush())
        });
        if let Err(error) = result {
            self.failure.get_or_insert(error);
        }
    }

    fn json<T: Serialize>(&mut self, value: &T) {
        match serde_json::to_string(value) {
            Ok(text) => self.data(&text),
            Err(error) => self.say(&format!("error: {error}")),
        }
    }
}

impl Listener for Terminal {
    fn told(&mut self, batch: &Told) {
        self.tokens = batch.tokens;
        if self.format == Format::Json {
            self.json(batch);
        }
        let (project, counts) = (&self.project, batch.counts);
        self.line.set_message(format!(
            "{project}: version {}, {} files, {} tokens; sent {} (+{} ~{} -{}) in {} ms",
            batch.version,
            batch.files_total,
            batch.tokens,
            counts.all(),
            counts.added,
            counts.modified,
            counts.deleted,
            batch.elapsed_ms
        ));
    }

    fn in_step(&mut self, version: u64, files: usize) {
        if self.said == Said::InStep {
            return;
        }
        self.said = Said::InStep;
        if self.format == Format::Text {
            let line = format!(
                "project `{}` is in step: version {version}, {files} files, {} tokens",
                self.project, self.tokens
            );
            self.data(&line);
        }
    }

    fn withheld(&mut self, path: &str, why: &str) {
        self.say(&format!("withheld: {path} ({why})"));
    }

    fn unreachable(&mut self, why: &str, wait: Duration) {
        let text = format!(
            "the router does not take deltas ({why}); trying again in {:.1} s",
            wait.as_secs_f64()
        );
        if self.line.is_hidden() {
            self.say(&text);
        } else {
            self.line.set_message(format!("{}: {text}", self.project));
        }
    }

    fn reached(&mut self) {
        if self.line.is_hidden() {
            self.say("the router takes deltas again");
        }
    }

    fn notice(&mut self, text: &str) {
        self.say(text);
    }
}

/// Shows a dry run.
pub(super) struct Rehearsal<'a>(pub(super) &'a mut Terminal);

impl Listener for Rehearsal<'_> {
    fn would_tell(&mut self, kind: Kind, path: &str, bytes: usize) {
        match self.0.format {
            Format::Text => self.0.data(&format!("{kind:<9}{bytes:>9}  {path}")),
            Format::Json => {
                let op = kind.to_string();
                self.0.json(&Would { op: &op, path, bytes: Some(bytes), why: None });
            }
        }
    }

    fn withheld(&mut self, path: &str, why: &str) {
        self.left_out("withheld", path, why);
    }

    fn skipped(&mut self, path: &str, why: &str) {
        self.left_out("skipped", path, why);
    }

    fn notice(&mut self, text: &str) {
        self.0.say(text);
    }
}

impl Rehearsal<'_> {
    fn left_out(&mut self, op: &str, path: &str, why: &str) {
        match self.0.format {
            Format::Text => self.0.data(&format!("{op:<9}{:>9}  {path} ({why})", "")),
            Format::Json => self.0.json(&Would { op, path, bytes: None, why: Some(why) }),
        }
    }
}
