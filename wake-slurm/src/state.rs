//! The state of a job, parsed from the lines of `scontrol --oneliner show job`.

use std::fmt;

use crate::submission::NO_DIRECTORY;

/// A job as reported by Slurm.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlurmJob {
    /// Its state.
    pub state: SlurmState,
    /// The node that it runs or ran on.
    pub node: Option<String>,
}

/// The state of a job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlurmState {
    /// It waits in the queue.
    Waiting {
        /// Slurm's word for the reason.
        reason: Option<String>,
    },
    /// It is running, starting or completing.
    Running,
    /// It has ended.
    Ended(SlurmEnd),
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlurmEnd {
    /// Slurm's word for its final state: `COMPLETED`, `FAILED`, `CANCELLED`, `TIMEOUT`, `NODE_FAIL` and the like.
    pub word: String,
    /// Slurm's word for the reason.
    pub reason: Option<String>,
    /// The exit code of its program.
    pub code: u8,
    /// The signal that ended it, or a number of Slurm's own.
    pub signal: u8,
}

/// The number in place of a signal if the job's output file could not be opened on its node.
const NO_OUTPUT_FILE: u8 = 53;

impl SlurmEnd {
    /// Whether the program never started because its node could not open the output file.
    pub fn had_no_output_file(&self) -> bool {
        self.signal == NO_OUTPUT_FILE
    }

    /// Whether the program never started because its node does not have the directory to start it in.
    pub fn had_no_directory(&self) -> bool {
        self.code == NO_DIRECTORY && self.signal == 0
    }

    /// Whether it was cancelled by a user or preempted by another job.
    pub fn was_cancelled(&self) -> bool {
        self.word == "CANCELLED" || self.word == "PREEMPTED"
    }
}

/// `NODE_FAIL`, `FAILED (exit code 3)`, `FAILED (signal 9)`, `FAILED (BadConstraints)`.
impl fmt::Display for SlurmEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let SlurmEnd { word, reason, code, signal } = self;
        f.write_str(word)?;
        match (code, signal, reason.as_deref()) {
            (_, 1..=31, _) => write!(f, " (signal {signal})"),
            (1.., _, _) => write!(f, " (exit code {code})"),
            // The reason of a cancelled job is why it was waiting, not why it ended.
            (_, _, Some(reason)) if !self.was_cancelled() => write!(f, " ({reason})"),
            _ => Ok(()),
        }
    }
}

/// Parses a line about array tasks: their numbers (waiting tasks share a line) and state. Returns none if it is about something else.
pub(crate) fn tasks(line: &str) -> Option<(Vec<u32>, SlurmJob)> {
    Some((numbers(field(line, "ArrayTaskId")?)?, job(line)?))
}

/// Parses `3`, `0-2,5` or `0-8:4`; a limit on how many run at once, `0-9%2`, is ignored.
fn numbers(text: &str) -> Option<Vec<u32>> {
    let text = text.split('%').next()?;
    let mut all = Vec::new();
    for part in text.split(',') {
        let (range, step) = part.split_once(':').unwrap_or((part, "1"));
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (first.parse::<u32>().ok()?, last.parse::<u32>().ok()?);
        all.extend((first..=last).step_by(step.parse().ok().filter(|&step| step > 0)?));
    }
    Some(all)
}

/// Returns the value of the word `NAME=VALUE` in a line.
fn field<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    // Fields with free text, such as comments, come after all fields that are read.
    let is_it = |word: &&str| word.split_once('=').is_some_and(|(key, _)| key == name);
    let (_, value) = line.split_whitespace().find(is_it)?.split_once('=')?;
    Some(value).filter(|value| !matches!(*value, "" | "(null)" | "None"))
}

/// Parses a line about a job; none if it is about something else.
pub(crate) fn job(line: &str) -> Option<SlurmJob> {
    let field = |name: &str| field(line, name);
    let word = field("JobState")?;
    let reason = field("Reason").map(str::to_owned);
    let state = match word {
        "PENDING" | "REQUEUED" | "REQUEUE_FED" | "REQUEUE_HOLD" | "SPECIAL_EXIT"
        | "RESV_DEL_HOLD" => SlurmState::Waiting { reason },
        "BOOT_FAIL" | "CANCELLED" | "COMPLETED" | "DEADLINE" | "FAILED" | "NODE_FAIL"
        | "OUT_OF_MEMORY" | "PREEMPTED" | "REVOKED" | "TIMEOUT" => {
            let (code, signal) = field("ExitCode")?.split_once(':')?;
            let (code, signal) = (code.parse().ok()?, signal.parse().ok()?);
            SlurmState::Ended(SlurmEnd { word: word.to_owned(), reason, code, signal })
        }
        // All others have a node: `COMPLETING`, `CONFIGURING`, `RUNNING`, `SUSPENDED` and the like.
        _ => SlurmState::Running,
    };
    Some(SlurmJob { state, node: field("NodeList").map(str::to_owned) })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn end(word: &str, reason: Option<&str>, code: u8, signal: u8) -> SlurmEnd {
        SlurmEnd { word: word.to_owned(), reason: reason.map(str::to_owned), code, signal }
    }

    /// Lines of Slurm 22.05, shortened.
    #[test]
    fn the_state_of_a_job_is_parsed_from_a_line() {
        let job = |state, node: Option<&str>| SlurmJob { state, node: node.map(str::to_owned) };
        let ended =
            |word, reason, code, signal| SlurmState::Ended(end(word, Some(reason), code, signal));
        let waits = SlurmState::Waiting { reason: Some("Resources".to_owned()) };
        for (line, expected) in [
            (
                "JobId=1 JobName=j UserId=root(0) JobState=PENDING Reason=Resources Dependency=(null) ExitCode=0:0 ReqNodeList=(null) NodeList= NumNodes=1 Command=/x",
                job(waits, None),
            ),
            (
                "JobId=6 JobState=FAILED Reason=NonZeroExitCode ExitCode=3:0 ReqNodeList=(null) ExcNodeList=(null) NodeList=n1 BatchHost=n1 Command=/x JobState=RUNNING",
                job(ended("FAILED", "NonZeroExitCode", 3, 0), Some("n1")),
            ),
            (
                "JobId=7 JobState=RUNNING Reason=None ExitCode=0:0 NodeList=n2",
                job(SlurmState::Running, Some("n2")),
            ),
            (
                "JobId=5 JobState=FAILED Reason=JobLaunchFailure ExitCode=0:53 NodeList=n2",
                job(ended("FAILED", "JobLaunchFailure", 0, 53), Some("n2")),
            ),
            (
                "JobId=8 JobState=NODE_FAIL Reason=NodeDown ExitCode=0:0 NodeList=n2",
                job(ended("NODE_FAIL", "NodeDown", 0, 0), Some("n2")),
            ),
        ] {
            assert_eq!(self::job(line), Some(expected), "{line}");
        }
        for strange in ["", "hello", "JobId=1", "JobState=FAILED ExitCode=x"] {
            assert_eq!(self::job(strange), None, "{strange}");
        }
    }

    #[test]
    fn the_numbers_of_tasks_are_parsed_from_a_line() {
        let waits = SlurmJob {
            state: SlurmState::Waiting { reason: Some("Resources".to_owned()) },
            node: None,
        };
        let line = |tasks: &str| {
            format!("JobId=9 ArrayJobId=9 ArrayTaskId={tasks} JobState=PENDING Reason=Resources")
        };
        for (said, numbers) in [
            ("3", vec![3]),
            ("0-2,5", vec![0, 1, 2, 5]),
            ("0-8:4", vec![0, 4, 8]),
            ("7-9%2", vec![7, 8, 9]),
        ] {
            assert_eq!(tasks(&line(said)), Some((numbers, waits.clone())), "{said}");
        }
        for strange in ["", "x", "1-", "1-2:0", "-1"] {
            assert_eq!(tasks(&line(strange)), None, "{strange}");
        }
        assert_eq!(tasks("JobId=9 JobState=PENDING"), None);
    }

    #[test]
    fn an_end_is_displayed_with_code_signal_or_reason() {
        for (end, said) in [
            (end("FAILED", Some("NonZeroExitCode"), 3, 0), "FAILED (exit code 3)"),
            (end("FAILED", Some("JobLaunchFailure"), 0, 9), "FAILED (signal 9)"),
            (end("FAILED", Some("JobLaunchFailure"), 0, 53), "FAILED (JobLaunchFailure)"),
            (end("NODE_FAIL", None, 0, 0), "NODE_FAIL"),
            (end("CANCELLED", Some("JobHeldUser"), 0, 0), "CANCELLED"),
        ] {
            assert_eq!(end.to_string(), said);
        }
    }
}
