//! A progress bar on stderr, shown only where stderr is a terminal.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::pull::{Phase, Progress};

pub(in crate::cli) struct Bar {
    bar: ProgressBar,
    name: String,
}

impl Bar {
    pub(in crate::cli) fn new(name: &str) -> Self {
        let bar = ProgressBar::new_spinner();
        bar.enable_steady_tick(Duration::from_millis(120));
        Self { bar, name: name.to_owned() }
    }

    pub(in crate::cli) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

impl Progress for Bar {
    fn phase(&self, phase: Phase, total: Option<u64>) {
        let template = match (phase, total) {
            (_, None) => "{spinner} {msg} ({elapsed})",
            (Phase::Converting, Some(_)) => "{msg} {wide_bar} {pos}/{len} tensors",
            (
                Phase::Waiting | Phase::Downloading | Phase::Unpacking | Phase::Verifying,
                Some(_),
            ) => "{msg} {wide_bar} {bytes}/{total_bytes}",
        };
        let style =
            ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bar.set_style(style);
        self.bar.set_position(0);
        if let Some(total) = total {
            self.bar.set_length(total);
        }
        self.bar.set_message(format!("{phase} {}", self.name));
    }

    fn done(&self, steps: u64) {
        self.bar.set_position(steps);
    }
}
