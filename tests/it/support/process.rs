//! The program itself as a process of its own, which can be killed.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use parking_lot::Mutex;
use serde_json::Value;

/// Where the program is: where nextest says, if it has moved it, else where it was built.
pub fn program() -> String {
    let built = env!("CARGO_BIN_EXE_edge-router");
    std::env::var("NEXTEST_BIN_EXE_edge-router").unwrap_or_else(|_| built.to_owned())
}

/// A running `edge-router serve`. Killed when dropped.
pub struct Process {
    pub base: String,
    pub http: reqwest::Client,
    child: Mutex<Child>,
}

impl Process {
    /// Starts on the configuration `edge-router.toml` and the data in `dir`, and waits until it is
    /// ready.
    pub async fn start(dir: &Path) -> Self {
        Self::start_as(dir, Command::new(program())).await
    }

    /// As [`Self::start`], through another command: its arguments are those of the program.
    pub async fn start_as(dir: &Path, mut command: Command) -> Self {
        command.args(["serve", "--port", "0"]).current_dir(dir).env_clear();
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", dir);
        let log = std::fs::File::create(dir.join("log")).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(log).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let read = move || {
            let mut ready = String::new();
            BufReader::new(out).read_line(&mut ready).map(|_| ready)
        };
        let ready = tokio::task::spawn_blocking(read).await.unwrap().unwrap();
        let base = ready
            .split_whitespace()
            .find(|word| word.starts_with("http://"))
            .unwrap_or_else(|| panic!("no address in {ready:?}: {}", log_of(dir)))
            .to_owned();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { base, http, child: Mutex::new(child) }
    }

    pub async fn chat(&self, body: &Value) -> reqwest::Result<reqwest::Response> {
        self.http.post(format!("{}/v1/chat/completions", self.base)).json(body).send().await
    }

    pub async fn budget(&self) -> reqwest::Result<Value> {
        self.http.get(format!("{}/v1/budget", self.base)).send().await?.json().await
    }

    pub fn id(&self) -> u32 {
        self.child.lock().id()
    }

    /// `kill -9`, and its end.
    pub fn kill_nine(&self) {
        let mut child = self.child.lock();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// SIGTERM, to the end of the drain.
    pub async fn stop(self) {
        let id = self.id().to_string();
        assert!(Command::new("kill").arg(id).status().unwrap().success());
        for _ in 0..1_000 {
            let status = self.child.lock().try_wait().unwrap();
            if let Some(status) = status {
                assert!(status.success(), "{status}");
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("did not stop within 20 seconds");
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let mut child = self.child.lock();
        let _ = child.kill();
        let _ = child.wait();
    }
}

/// What the process has logged so far.
fn log_of(dir: &Path) -> String {
    std::fs::read_to_string(dir.join("log")).unwrap_or_default()
}
