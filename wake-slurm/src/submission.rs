//! A submission, as arguments of `sbatch` and a script.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// A program to run on some node.
#[derive(Clone, Debug)]
pub struct Submission {
    /// Its name in the queue.
    pub name: String,
    /// The program and its arguments on the node.
    pub words: Vec<Word>,
    /// The number of array tasks, each of which runs on any node; none for a single job that is not an array.
    pub tasks: Option<u32>,
    /// The directory to start in; if the node does not have it, the job exits with [`NO_DIRECTORY`].
    pub dir: PathBuf,
    /// The output file on the node; for tasks, followed by `.NUMBER`.
    pub output: PathBuf,
    /// The resources that it needs.
    pub needs: Needs,
}

/// A word of the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// This text.
    Said(OsString),
    /// The number of the task.
    Task,
    /// The name of the node.
    Node,
    /// This prefix, followed by the numbers of the assigned GPUs, such as `0,2`; omitted if none are assigned.
    Graphics(&'static str),
}

impl<T: AsRef<OsStr>> From<T> for Word {
    fn from(word: T) -> Self {
        Word::Said(word.as_ref().to_owned())
    }
}

/// The resources that a program needs on its node; none leaves the site's default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// CPUs.
    pub processors: Option<u32>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// GPUs.
    pub graphics: u32,
    /// The time limit in seconds.
    pub seconds: Option<u64>,
}

/// A site's settings for submissions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// The cluster, if there are several.
    pub cluster: Option<String>,
    /// The partition.
    pub partition: Option<String>,
    /// The account to charge.
    pub account: Option<String>,
    /// Further arguments of `sbatch`, which override all others.
    pub arguments: Vec<String>,
}

/// The exit code of a job whose node does not have the directory to start in. Source: `sysexits.h`, `EX_NOINPUT`.
pub const NO_DIRECTORY: u8 = 66;

const MIB: u64 = 1 << 20;

/// Returns the arguments of `sbatch`, which reads the script from its standard input.
pub(crate) fn arguments(submission: &Submission, site: &Site) -> Vec<OsString> {
    let Submission { name, words: _, tasks, dir: _, output, needs } = submission;
    let Needs { processors, memory, graphics, seconds } = needs;
    let Site { cluster, partition, account, arguments } = site;
    let option = |name: &str, value: &OsStr| {
        let mut option = OsString::from(name);
        option.push(value);
        option
    };
    let text = |name: &str, value: &str| option(name, OsStr::new(value));
    let number = |name: &str, value: u64| text(name, &value.to_string());
    let mut all: Vec<OsString> =
        ["--parsable", "--no-requeue", "--nodes=1", "--ntasks=1"].map(Into::into).into();
    all.push(text("--job-name=", name));
    // If the node lacked any other directory, Slurm would silently start the job elsewhere.
    all.push("--chdir=/".into());
    let mut output = literal(output.as_os_str());
    if let Some(tasks) = tasks {
        output.push(".%a");
        all.push(text("--array=", &format!("0-{}", tasks.saturating_sub(1))));
    }
    all.push(option("--output=", &output));
    all.push("--open-mode=append".into());
    all.extend(processors.map(|many| number("--cpus-per-task=", many.into())));
    all.extend(memory.map(|bytes| {
        let mut option = number("--mem=", bytes.div_ceil(MIB).max(1));
        option.push("M");
        option
    }));
    if *graphics > 0 {
        all.push(number("--gres=gpu:", (*graphics).into()));
    }
    // Slurm's time limits are in minutes.
    all.extend(seconds.map(|seconds| number("--time=", seconds.div_ceil(60).max(1))));
    all.extend(cluster.as_ref().map(|name| text("--clusters=", name)));
    all.extend(partition.as_ref().map(|name| text("--partition=", name)));
    all.extend(account.as_ref().map(|name| text("--account=", name)));
    all.extend(arguments.iter().map(Into::into));
    all
}

/// Escapes a path for `sbatch`, which replaces patterns that begin with `%`.
fn literal(path: &OsStr) -> OsString {
    let doubled = path.as_bytes().iter().flat_map(|&byte| {
        let times = if byte == b'%' { 2 } else { 1 };
        std::iter::repeat_n(byte, times)
    });
    OsString::from_vec(doubled.collect())
}

/// Returns the script that a node runs; the program replaces the shell, so that signals reach it.
pub(crate) fn script(submission: &Submission) -> Vec<u8> {
    let mut script = b"#!/bin/sh\ncd ".to_vec();
    script.extend(quoted(submission.dir.as_os_str().as_bytes()));
    script.extend(format!(" || exit {NO_DIRECTORY}\nexec").into_bytes());
    for word in &submission.words {
        script.push(b' ');
        match word {
            Word::Said(word) => script.extend(quoted(word.as_bytes())),
            Word::Task => script.extend(b"\"$SLURM_ARRAY_TASK_ID\""),
            Word::Node => script.extend(b"\"$SLURMD_NODENAME\""),
            Word::Graphics(before) => script
                .extend(format!("${{SLURM_JOB_GPUS:+\"{before}$SLURM_JOB_GPUS\"}}").into_bytes()),
        }
    }
    script.push(b'\n');
    script
}

fn quoted(word: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'\''];
    for &byte in word {
        match byte {
            b'\'' => quoted.extend(b"'\\''"),
            byte => quoted.push(byte),
        }
    }
    quoted.push(b'\'');
    quoted
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn submission() -> Submission {
        Submission {
            name: "wake-7".to_owned(),
            words: vec!["/a b/wake".into(), "it's".into(), "$HOME".into()],
            tasks: None,
            dir: "/s/100%".into(),
            output: "/s/100%/log".into(),
            needs: Needs::default(),
        }
    }

    fn line(submission: &Submission, site: &Site) -> String {
        let all = arguments(submission, site);
        all.iter().map(|word| word.to_str().unwrap()).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn unset_resources_are_left_to_the_site() {
        let expected = "--parsable --no-requeue --nodes=1 --ntasks=1 --job-name=wake-7 --chdir=/ --output=/s/100%%/log --open-mode=append";
        assert_eq!(line(&submission(), &Site::default()), expected);
    }

    #[test]
    fn each_task_has_a_number_and_an_output_file() {
        let words = vec!["wake".into(), Word::Graphics("--graphics="), Word::Task, Word::Node];
        let tasks = Submission { tasks: Some(3), words, ..submission() };
        let told = line(&tasks, &Site::default());
        assert!(told.contains(" --array=0-2 --output=/s/100%%/log.%a "), "{told}");
        let script = String::from_utf8(script(&tasks)).unwrap();
        let end = "exec 'wake' ${SLURM_JOB_GPUS:+\"--graphics=$SLURM_JOB_GPUS\"} \"$SLURM_ARRAY_TASK_ID\" \"$SLURMD_NODENAME\"\n";
        assert!(script.ends_with(end), "{script}");
    }

    #[test]
    fn amounts_are_rounded_up_to_slurms_units() {
        let needs = |needs| line(&Submission { needs, ..submission() }, &Site::default());
        let none = Needs::default();
        assert!(needs(Needs { processors: Some(3), ..none }).ends_with("--cpus-per-task=3"));
        for (memory, said) in [(1, 1), (MIB, 1), (MIB + 1, 2), (3 << 30, 3072)] {
            let told = needs(Needs { memory: Some(memory), ..none });
            assert!(told.ends_with(&format!("--mem={said}M")), "{told}");
        }
        for (seconds, said) in [(1, 1), (60, 1), (61, 2), (43_200, 720)] {
            let told = needs(Needs { seconds: Some(seconds), ..none });
            assert!(told.ends_with(&format!("--time={said}")), "{told}");
        }
        assert!(needs(Needs { graphics: 2, ..none }).ends_with("--gres=gpu:2"));
    }

    #[test]
    fn the_arguments_of_the_site_come_last() {
        let site = Site {
            cluster: Some("north".to_owned()),
            partition: Some("long".to_owned()),
            account: Some("lab".to_owned()),
            arguments: vec!["--qos=low".to_owned()],
        };
        let told = line(&submission(), &site);
        let end = "--clusters=north --partition=long --account=lab --qos=low";
        assert!(told.ends_with(end), "{told}");
    }

    #[test]
    fn words_are_quoted_for_the_shell() {
        let one = "#!/bin/sh\ncd '/s/100%' || exit 66\nexec '/a b/wake' 'it'\\''s' '$HOME'\n";
        assert_eq!(String::from_utf8(script(&submission())).unwrap(), one);
    }
}
