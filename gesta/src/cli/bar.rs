//! Progress: a bar on a terminal, a line at every quarter elsewhere.

use std::io::IsTerminal as _;
use std::sync::atomic::{AtomicUsize, Ordering};

use indicatif::{ProgressBar, ProgressStyle};

use crate::out;

/// Lines that progress is told in where there is no terminal.
const STEPS: usize = 4;

/// How far the job is.
pub(crate) struct Bar {
    bar: Option<ProgressBar>,
    all: usize,
    told: AtomicUsize,
}

impl Bar {
    /// A bar over `all` tasks.
    pub(crate) fn new(all: usize) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:40} {pos}/{len} tasks  {elapsed}");
            ProgressBar::new(all as u64).with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
        });
        Self { bar, all, told: AtomicUsize::new(0) }
    }

    /// `done` tasks have ended.
    pub(crate) fn reach(&self, done: usize) {
        let step = done * STEPS / self.all.max(1);
        match &self.bar {
            Some(bar) => bar.set_position(done as u64),
            None if step > self.told.swap(step, Ordering::Relaxed) => {
                self.say(&format!("{done} of {} tasks done", self.all))
            }
            None => {}
        }
    }

    /// Shows a line without breaking the bar.
    pub(crate) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.println(text),
            // A line of progress that nobody reads is no reason to fail the job.
            None => drop(out::line(text)),
        }
    }

    /// The end.
    pub(crate) fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish();
        }
    }
}
