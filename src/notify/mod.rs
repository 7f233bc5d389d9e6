//! Tells people about passes: by mail, by webhook.
//!
//! Each target has a worker and a queue of its own: a mail server that hangs keeps neither
//! other targets waiting nor a pass. What cannot be delivered is dropped in the end, and
//! counted in the next report that arrives.

mod mail;
mod repeat;
mod webhook;

use crate::config::settings::{ReportSettings, Way};
use crate::sync::report::{PassRecord, Reason, Report};
use repeat::Memory;
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

/// Waits between attempts to deliver one report.
const WAITS: [Duration; 4] = [
    Duration::from_secs(5),
    Duration::from_secs(60),
    Duration::from_secs(300),
    Duration::from_secs(1800),
];
/// Reports that wait for one target; more are dropped.
const QUEUE: usize = 256;

/// Passes on the records of passes to all targets until told to stop.
pub async fn run(
    settings: Vec<ReportSettings>,
    mut records: mpsc::UnboundedReceiver<PassRecord>,
    stop: CancellationToken,
) {
    let workers = TaskTracker::new();
    let mut queues = Vec::new();
    for target in settings {
        let (sender, queue) = mpsc::channel(QUEUE);
        queues.push((target.name.clone(), sender));
        workers.spawn(work(target, queue, stop.clone()));
    }
    loop {
        let record = tokio::select! {
            () = stop.cancelled() => break,
            record = records.recv() => match record {
                Some(record) => record,
                None => break,
            },
        };
        for (name, queue) in &queues {
            if queue.try_send(record.clone()).is_err() {
                tracing::warn!(report = %name, pass = record.number, "too many reports wait for this target; this one is dropped");
            }
        }
    }
    drop(queues);
    workers.close();
    workers.wait().await;
}

async fn work(
    target: ReportSettings,
    mut queue: mpsc::Receiver<PassRecord>,
    stop: CancellationToken,
) {
    let mut memory = Memory::default();
    let mut lost = 0;
    while let Some(record) = queue.recv().await {
        let is_wanted =
            target.connections.is_empty() || target.connections.contains(&record.connection);
        if !is_wanted {
            continue;
        }
        let Some(reason) = memory.decide(target.on, &record, now()) else { continue };
        let report = Report { reason, record, lost };
        let delivered = tokio::select! {
            () = stop.cancelled() => return,
            delivered = deliver(&target, &report) => delivered,
        };
        if delivered {
            lost = 0;
        } else {
            lost += 1;
            memory.undo(&report.record);
        }
    }
}

async fn deliver(target: &ReportSettings, report: &Report) -> bool {
    let mut waits = WAITS.iter();
    loop {
        let error = match send(target, report).await {
            Ok(()) => {
                tracing::info!(report = %target.name, pass = report.record.number, reason = ?report.reason, "reported");
                return true;
            }
            Err(error) => error,
        };
        let Some(wait) = waits.next() else {
            tracing::error!(report = %target.name, pass = report.record.number, "the report is given up: {error}");
            return false;
        };
        tracing::warn!(report = %target.name, pass = report.record.number, again_in = ?wait, "the report was not delivered: {error}");
        tokio::time::sleep(*wait).await;
    }
}

/// Sends one report to one target, now.
///
/// # Errors
/// It was not taken; the text says why.
pub async fn send(target: &ReportSettings, report: &Report) -> Result<(), String> {
    match &target.way {
        Way::Mail(mail) => mail::send(mail, report).await,
        Way::Webhook(webhook) => webhook::send(webhook, report).await,
    }
}

/// A report that only tries whether it arrives.
pub fn test() -> Report {
    let record = PassRecord { connection: "test".to_owned(), ..PassRecord::default() };
    Report { reason: Reason::Test, record, lost: 0 }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs().cast_signed())
}
