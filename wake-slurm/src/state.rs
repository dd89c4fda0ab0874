//! What Slurm says of a job: the lines of `scontrol --oneliner show job`.

use std::fmt;

use crate::submission::NO_DIRECTORY;

/// A job as Slurm knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlurmJob {
    /// How far it is.
    pub state: SlurmState,
    /// The node that it runs or ran on.
    pub node: Option<String>,
}

/// How far a job is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SlurmState {
    /// It waits in the queue.
    Waiting {
        /// Why, in the word of Slurm.
        reason: Option<String>,
    },
    /// It runs, or is about to begin or to end.
    Running,
    /// It has ended.
    Ended(SlurmEnd),
}

/// How a job ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlurmEnd {
    /// In the word of Slurm: `COMPLETED`, `FAILED`, `CANCELLED`, `TIMEOUT`, `NODE_FAIL` and the like.
    pub word: String,
    /// Why, in the word of Slurm.
    pub reason: Option<String>,
    /// What its program returned.
    pub code: u8,
    /// The signal that ended it; for Slurm itself also another number.
    pub signal: u8,
}

/// The number in the place of a signal that says that a file for what the job writes could not be opened on its node.
const NO_OUTPUT_FILE: u8 = 53;

impl SlurmEnd {
    /// Whether the program never began, because its node could not open the file for what it writes.
    pub fn had_no_output_file(&self) -> bool {
        self.signal == NO_OUTPUT_FILE
    }

    /// Whether the program never began, because its node does not have the directory that it was to begin in.
    pub fn had_no_directory(&self) -> bool {
        self.code == NO_DIRECTORY && self.signal == 0
    }

    /// Whether somebody ended it: a person, or another job that goes first.
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
            // What kept it until then says nothing of its end.
            (_, _, Some(reason)) if !self.was_cancelled() => write!(f, " ({reason})"),
            _ => Ok(()),
        }
    }
}

/// What a line says of tasks of an array, with their numbers, of which those that wait share one; none if it says nothing of any.
pub(crate) fn tasks(line: &str) -> Option<(Vec<u32>, SlurmJob)> {
    Some((numbers(field(line, "ArrayTaskId")?)?, job(line)?))
}

/// `3`, `0-2,5`, `0-8:4`; how many may run at once, `0-9%2`, is passed over.
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

/// The value of a word `NAME=VALUE` of a line.
fn field<'l>(line: &'l str, name: &str) -> Option<&'l str> {
    // What people may write, such as comments, comes behind all that is looked for.
    let is_it = |word: &&str| word.split_once('=').is_some_and(|(key, _)| key == name);
    let (_, value) = line.split_whitespace().find(is_it)?.split_once('=')?;
    Some(value).filter(|value| !matches!(*value, "" | "(null)" | "None"))
}

/// What a line says; none if it says nothing of a job.
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
        // Each of these has a node: `COMPLETING`, `CONFIGURING`, `RUNNING`, `SUSPENDED` and the like.
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

    /// Lines of Slurm 22.05, without much of what stands there.
    #[test]
    fn a_line_says_how_far_a_job_is() {
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
    fn a_line_says_of_which_tasks_it_is() {
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
    fn an_end_says_what_is_worth_knowing() {
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
