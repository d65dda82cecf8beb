//! The watcher's command line. Exit codes are 0 done, 1 failed, 2 wrong usage.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use reqwest::Url;
use secrecy::SecretString;
use tokio::runtime::{Handle, Runtime};
use tokio_util::sync::CancellationToken;

use super::send::is_loopback;
use super::terminal::{Format, Rehearsal, Terminal};
use super::{Changes, Follower, Listener, Looking, Options, Retry, WatchError, follow};

/// Requests of `--once` before it gives up.
const ATTEMPTS_ONCE: u32 = 6;

const EXAMPLES: &str = "\
Examples:
  edge-watch                             follow this directory
  edge-watch ~/work/shop --project shop  follow another, under a name of its own
  edge-watch --dry-run                   see what would be sent and what would not
  edge-watch --once --json               bring the router in step and end

What .gitignore (also outside git), .edgeignore, .git/info/exclude and git's global rules ignore is not
sent, nor are binaries, lock files, generated files, files above 512 KiB, and files that hold a secret.

Exit codes: 0 done, 1 failed, 2 wrong usage.";

/// Keeps the router's copy of a directory in step.
#[derive(Debug, Parser)]
#[command(name = "edge-watch", version, max_term_width = 100, after_help = EXAMPLES)]
pub struct Cli {
    /// Directory to follow
    #[arg(value_name = "DIR", default_value = ".")]
    directory: PathBuf,
    /// The router's address
    #[arg(
        long,
        visible_alias = "server",
        value_name = "URL",
        env = "EDGE_ROUTER_URL",
        default_value = "http://127.0.0.1:4000"
    )]
    proxy: String,
    /// A client key, or the master key (better in the environment: arguments can be seen by others)
    #[arg(long, env = "EDGE_ROUTER_KEY", hide_env_values = true)]
    key: Option<String>,
    /// Name of the project (default: that of the directory)
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// End when the router is in step
    #[arg(long)]
    once: bool,
    /// Show what would be sent, and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Print one JSON object for each batch (with --dry-run: for each file)
    #[arg(long)]
    json: bool,
    /// Look for changes every 2 s instead of being told (for network file systems)
    #[arg(long)]
    poll: bool,
    /// Where it is kept what the router has (default: the user's state directory)
    #[arg(long, value_name = "DIR", env = "EDGE_WATCH_STATE_DIR")]
    state_dir: Option<PathBuf>,
}

/// Runs the watcher to its end.
pub fn run(cli: Cli) -> ExitCode {
    let format = if cli.json { Format::Json } else { Format::Text };
    let mut terminal = Terminal::new(format);
    let result = start(cli, &mut terminal);
    terminal.clear();
    match result {
        Ok(()) | Err(WatchError::Stopped) => match terminal.failure() {
            None => ExitCode::SUCCESS,
            Some(why) => {
                terminal.say(&format!("error: standard output cannot be written: {why}"));
                ExitCode::from(1)
            }
        },
        Err(error) => {
            terminal.say(&format!("error: {error}"));
            ExitCode::from(if error.is_usage() { 2 } else { 1 })
        }
    }
}

fn start(cli: Cli, terminal: &mut Terminal) -> Result<(), WatchError> {
    let server = address(&cli.proxy)?;
    if server.scheme() == "http" && !is_loopback(&server) {
        terminal.notice("texts and the key travel to the router unencrypted: use https");
    }
    // All but sending is done on this thread.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| WatchError::Client(error.to_string()))?;
    let result = with_runtime(cli, server, &runtime, terminal);
    runtime.shutdown_background();
    result
}

fn with_runtime(
    cli: Cli,
    server: Url,
    runtime: &Runtime,
    terminal: &mut Terminal,
) -> Result<(), WatchError> {
    let stop = CancellationToken::new();
    runtime.spawn(stop_on_signal(stop.clone()));
    let most = cli.once.then_some(ATTEMPTS_ONCE);
    let options = Options {
        root: cli.directory,
        project: cli.project,
        server,
        key: cli.key.filter(|key| !key.is_empty()).map(SecretString::from),
        state: cli.state_dir.or_else(state_directory),
        retry: Retry { most, ..Retry::default() },
    };
    let handle = runtime.handle();
    let mut follower = if cli.dry_run {
        rehearsing(options, handle, &stop, terminal)?
    } else {
        Follower::open(options, handle.clone(), stop.clone(), terminal)?
    };
    terminal.of_project(follower.project(), follower.root());
    if cli.dry_run {
        follower.rehearse(&mut Rehearsal(terminal))
    } else if cli.once {
        follower.sync(Changes::All, terminal)
    } else {
        let looking = if cli.poll { Looking::Polling } else { Looking::Watching };
        follow(follower, looking, (handle, &stop), terminal)
    }
}

/// A dry run goes beside a watcher that is at work: it then compares with nothing.
fn rehearsing(
    options: Options,
    handle: &Handle,
    stop: &CancellationToken,
    terminal: &mut Terminal,
) -> Result<Follower, WatchError> {
    let alone = Options { state: None, ..options.clone() };
    match Follower::open(options, handle.clone(), stop.clone(), terminal) {
        Err(WatchError::State(why)) => {
            terminal.notice(&format!("{why}: showing every file"));
            Follower::open(alone, handle.clone(), stop.clone(), terminal)
        }
        result => result,
    }
}

fn address(text: &str) -> Result<Url, WatchError> {
    let wrong = || WatchError::Address { text: text.to_owned() };
    let url: Url = text.parse().map_err(|_| wrong())?;
    let sound = matches!(url.scheme(), "http" | "https")
        && url.has_host()
        && url.username().is_empty()
        && url.password().is_none();
    if sound { Ok(url) } else { Err(wrong()) }
}

/// Where programs of this user keep what they remember.
fn state_directory() -> Option<PathBuf> {
    let named =
        |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = std::env::home_dir().filter(|home| home.is_absolute());
    let base = named("XDG_STATE_HOME").or_else(|| {
        if cfg!(windows) {
            named("LOCALAPPDATA")
        } else if cfg!(target_os = "macos") {
            home.map(|home| home.join("Library").join("Application Support"))
        } else {
            home.map(|home| home.join(".local").join("state"))
        }
    });
    base.map(|base| base.join("edge-watch"))
}

async fn stop_on_signal(stop: CancellationToken) {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            stop.cancel();
            return;
        }
    }
    if tokio::signal::ctrl_c().await.is_ok() {
        stop.cancel();
    }
}
