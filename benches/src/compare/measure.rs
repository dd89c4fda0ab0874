//! Runs one process and measures it.

use std::fs;
use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::fault::{At, Fault};

/// The cost of one run.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// From before its start until after its end.
    pub(crate) wall: Duration,
    /// Processor time of the process and of all its descendants that were waited for.
    pub(crate) cpu: Duration,
}

/// Runs `command` with its output in the file `log`.
pub(crate) fn run(command: &mut Command, log: &Path) -> Result<Sample, Fault> {
    let program = PathBuf::from(command.get_program());
    redirect(command, log)?;
    let start = Instant::now();
    let child = command.spawn().at(&program)?;
    let (status, cpu) = wait(child.id()).at(&program)?;
    let wall = start.elapsed();
    succeeded(&program, status, log)?;
    Ok(Sample { wall, cpu })
}

/// Runs `command` once more and returns its peak memory in bytes.
///
/// Samples the sum of the proportional set sizes of the process, of its descendants that run the same program, and of its
/// `server` if it has one; commands that it runs do not count. Sampling slows the process down, so its time is not reported.
pub(crate) fn peak_memory(
    command: &mut Command,
    server: Option<u32>,
    log: &Path,
) -> Result<u64, Fault> {
    let program = PathBuf::from(command.get_program());
    redirect(command, log)?;
    let mut child = command.spawn().at(&program)?;
    let executable = fs::canonicalize(&program).at(&program)?;
    let server = server.map(|pid| PathBuf::from(format!("/proc/{pid}")));
    let mut peak = 0;
    let status = loop {
        let of_server = server.as_deref().and_then(proportional).unwrap_or(0);
        peak = peak.max(family_memory(child.id(), &executable) + of_server);
        if let Some(status) = child.try_wait().at(&program)? {
            break status;
        }
        std::thread::sleep(Duration::from_millis(1));
    };
    succeeded(&program, status, log)?;
    Ok(peak)
}

/// The last lines of a log.
pub(crate) fn tail(log: &Path) -> String {
    let text = fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n")
}

fn redirect(command: &mut Command, log: &Path) -> Result<(), Fault> {
    let file = File::create(log).at(log)?;
    let twin = file.try_clone().at(log)?;
    command.stdin(Stdio::null()).stdout(file).stderr(twin);
    Ok(())
}

fn succeeded(program: &Path, status: ExitStatus, log: &Path) -> Result<(), Fault> {
    if status.success() {
        return Ok(());
    }
    let tool = program.display().to_string();
    Err(Fault::Failed { tool, status: status.to_string(), tail: tail(log) })
}

/// Waits for a child and returns the usage of this child alone, which the standard library does not offer.
fn wait(pid: u32) -> std::io::Result<(ExitStatus, Duration)> {
    let mut status = 0;
    // SAFETY: `rusage` holds integers only, for which all zeros are valid.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    loop {
        // SAFETY: both pointers are to live locals of the types that wait4 writes.
        let found = unsafe { libc::wait4(pid.cast_signed(), &raw mut status, 0, &raw mut usage) };
        if found >= 0 {
            break;
        }
        let error = std::io::Error::last_os_error();
        if error.kind() != std::io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
    let cpu = duration(usage.ru_utime) + duration(usage.ru_stime);
    Ok((ExitStatus::from_raw(status), cpu))
}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_secs(time.tv_sec.unsigned_abs())
        + Duration::from_micros(time.tv_usec.unsigned_abs())
}

/// The memory of the processes at and below `pid` that run `executable`. Processes that have ended do not count.
fn family_memory(pid: u32, executable: &Path) -> u64 {
    let mut sum = 0;
    let mut open = vec![(pid, Vec::new())];
    while let Some((pid, parent)) = open.pop() {
        let proc = PathBuf::from(format!("/proc/{pid}"));
        let words = fs::read(proc.join("cmdline")).unwrap_or_default();
        // A process with its parent's command line is about to execute another program, and shares its parent's memory.
        let is_itself = words != parent;
        if is_itself && fs::read_link(proc.join("exe")).is_ok_and(|path| path == executable) {
            sum += proportional(&proc).unwrap_or(0);
        }
        let Ok(tasks) = fs::read_dir(proc.join("task")) else { continue };
        for task in tasks.flatten() {
            let children = fs::read_to_string(task.path().join("children")).unwrap_or_default();
            let children = children.split_whitespace().filter_map(|pid| pid.parse().ok());
            open.extend(children.map(|pid| (pid, words.clone())));
        }
    }
    sum
}

fn proportional(proc: &Path) -> Option<u64> {
    let text = fs::read_to_string(proc.join("smaps_rollup")).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
