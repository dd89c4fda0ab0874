//! The events of steps.

use wake_model::{ActionDigest, RunRecord};

use crate::event::{ActionFinished, Status};

/// The event of a step to which nothing more happens, with what is known of each.
pub(super) fn finished(id: usize, label: String, status: Status, why: &str) -> ActionFinished {
    ActionFinished {
        id,
        label,
        status,
        key: None,
        outcome: None,
        exit: None,
        why: why.to_owned(),
        dur_ms: 0,
        sandbox_us: 0,
        cpu_us: 0,
        rss_max: 0,
        outputs: None,
        stdout: None,
        stderr: None,
        stdout_tail: String::new(),
        stderr_tail: String::new(),
        faults: Vec::new(),
        command: String::new(),
        execution: None,
        ready_ms: None,
        start_ms: None,
        t_ms: 0,
    }
}

/// Adds what the record of its command says.
pub(super) fn describe(
    event: &mut ActionFinished,
    key: &ActionDigest,
    record: &RunRecord,
    command: String,
) {
    event.key = Some(key.to_string());
    event.outcome = Some(record.outcome.to_string());
    event.exit = Some(record.outcome.exit_code());
    event.dur_ms = record.usage.wall_us / 1000;
    event.cpu_us = record.usage.user_us + record.usage.sys_us;
    event.rss_max = record.usage.peak_bytes;
    event.stdout = record.stdout.as_ref().map(|log| log.blob.to_string());
    event.stderr = record.stderr.as_ref().map(|log| log.blob.to_string());
    event.command = command;
}

/// The last 4 KiB as text; what is not UTF-8 is replaced.
pub(super) fn tail(bytes: &[u8]) -> String {
    const LONGEST: usize = 4096;
    let start = bytes.len().saturating_sub(LONGEST);
    String::from_utf8_lossy(&bytes[start..]).into_owned()
}
