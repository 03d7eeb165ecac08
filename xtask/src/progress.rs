//! One line per step on standard error: a spinner on a terminal, plain lines elsewhere.

use std::cell::Cell;
use std::io::{IsTerminal, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};

/// Without a terminal, a long step says that it is alive this often.
const HEARTBEAT: Duration = Duration::from_secs(30);

/// A step under way.
pub(crate) struct Progress {
    label: String,
    started: Instant,
    last_sign: Cell<Instant>,
    message: Cell<String>,
    bar: Option<ProgressBar>,
}

impl Progress {
    pub(crate) fn start(label: &str) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {prefix} [{elapsed}] {wide_msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            ProgressBar::new_spinner().with_style(style).with_prefix(label.to_owned())
        });
        if bar.is_none() {
            eprintln!("{label} ...");
        }
        let now = Instant::now();
        Self {
            label: label.to_owned(),
            started: now,
            last_sign: Cell::new(now),
            message: Cell::default(),
            bar,
        }
    }

    /// What the step is doing at the moment.
    pub(crate) fn message(&self, message: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(message.to_owned()),
            None => self.message.set(message.to_owned()),
        }
    }

    /// Call often while the step lasts.
    pub(crate) fn tick(&self) {
        match &self.bar {
            Some(bar) => bar.tick(),
            None if self.last_sign.get().elapsed() >= HEARTBEAT => {
                self.last_sign.set(Instant::now());
                let message = self.message.take();
                eprintln!("{} ... {} {message}", self.label, seconds(self.started.elapsed()));
                self.message.set(message);
            }
            None => {}
        }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn done(self) {
        self.finish("done");
    }

    pub(crate) fn failed(self) {
        self.finish("FAILED");
    }

    fn finish(self, outcome: &str) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        eprintln!("{}: {outcome} in {}", self.label, seconds(self.started.elapsed()));
    }
}

/// A duration for people.
pub(crate) fn seconds(duration: Duration) -> String {
    if duration.as_secs() >= 60 {
        format!("{} min {:02} s", duration.as_secs() / 60, duration.as_secs() % 60)
    } else {
        format!("{:.1} s", duration.as_secs_f64())
    }
}
