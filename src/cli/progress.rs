//! A progress bar over a pass. Without a terminal it shows nothing.

use crate::sync::{Phase, Status};
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A bar that follows a pass until it is finished.
pub(super) struct Bar {
    bar: ProgressBar,
    task: JoinHandle<()>,
}

impl Bar {
    /// Starts to follow.
    pub(super) fn new(mut status: watch::Receiver<Status>) -> Bar {
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
            bar.set_style(style);
        }
        bar.enable_steady_tick(Duration::from_millis(120));
        let shown = bar.clone();
        let task = tokio::spawn(async move {
            loop {
                shown.set_message(line(&status.borrow_and_update()));
                if status.changed().await.is_err() {
                    return;
                }
            }
        });
        Bar { bar, task }
    }

    /// Takes the bar away.
    pub(super) async fn finish(self) {
        self.task.abort();
        // An aborted task ends with an error that says so.
        let _ = self.task.await;
        self.bar.finish_and_clear();
    }
}

fn line(status: &Status) -> String {
    let counts: Vec<String> =
        status.received.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    match status.phase {
        Phase::Idle => String::new(),
        Phase::Fetching => format!("fetching: {}", counts.join(", ")),
        Phase::Committing => format!("committing: {}", counts.join(", ")),
    }
}
