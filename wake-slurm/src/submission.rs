//! What Slurm is asked for, as arguments of `sbatch` and as a script.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// A program that is to be run on some node.
#[derive(Clone, Debug)]
pub struct Submission {
    /// What people see in the queue.
    pub name: String,
    /// The program and its arguments, as they are on the node.
    pub words: Vec<Word>,
    /// How often it is run, each time on whichever node there is; none: once, and not as a task of an array.
    pub tasks: Option<u32>,
    /// Where it begins, which the node must have: where it has not, the job ends with [`NO_DIRECTORY`].
    pub dir: PathBuf,
    /// Where what it writes goes, on the node; of tasks with `.NUMBER` behind it.
    pub output: PathBuf,
    /// What it needs.
    pub needs: Needs,
}

/// A word of what is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// This one.
    Said(OsString),
    /// The number of the task.
    Task,
    /// The name of the node.
    Node,
    /// This, and behind it the numbers of the graphics processors that it is given, such as `0,2`; no word where it is given none.
    Graphics(&'static str),
}

impl<T: AsRef<OsStr>> From<T> for Word {
    fn from(word: T) -> Self {
        Word::Said(word.as_ref().to_owned())
    }
}

/// What a program needs of its node; what is none is as the site has it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Needs {
    /// Processors.
    pub processors: Option<u32>,
    /// Bytes of memory.
    pub memory: Option<u64>,
    /// Graphics processors.
    pub graphics: u32,
    /// Seconds that it may take.
    pub seconds: Option<u64>,
}

/// How jobs are submitted at a site.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Site {
    /// The cluster, where there are several.
    pub cluster: Option<String>,
    /// The partition.
    pub partition: Option<String>,
    /// The account that pays.
    pub account: Option<String>,
    /// Further arguments of `sbatch`, which count more than all others.
    pub arguments: Vec<String>,
}

/// What a job returns whose node does not have the directory that it is to begin in. Source: `sysexits.h`, `EX_NOINPUT`.
pub const NO_DIRECTORY: u8 = 66;

const MIB: u64 = 1 << 20;

/// The arguments of `sbatch`, which reads the script from its standard input.
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
    // Slurm would begin somewhere else where the node does not have another one.
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
    // Slurm counts in minutes.
    all.extend(seconds.map(|seconds| number("--time=", seconds.div_ceil(60).max(1))));
    all.extend(cluster.as_ref().map(|name| text("--clusters=", name)));
    all.extend(partition.as_ref().map(|name| text("--partition=", name)));
    all.extend(account.as_ref().map(|name| text("--account=", name)));
    all.extend(arguments.iter().map(Into::into));
    all
}

/// A path that `sbatch` takes as it is: a `%` stands before what it would fill in.
fn literal(path: &OsStr) -> OsString {
    let doubled = path.as_bytes().iter().flat_map(|&byte| {
        let times = if byte == b'%' { 2 } else { 1 };
        std::iter::repeat_n(byte, times)
    });
    OsString::from_vec(doubled.collect())
}

/// The script that a node runs: the program takes the place of the shell, so that signals reach it.
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
    fn what_nobody_asks_for_is_left_to_the_site() {
        let expected = "--parsable --no-requeue --nodes=1 --ntasks=1 --job-name=wake-7 --chdir=/ --output=/s/100%%/log --open-mode=append";
        assert_eq!(line(&submission(), &Site::default()), expected);
    }

    #[test]
    fn each_task_has_a_number_and_writes_a_file_of_its_own() {
        let words = vec!["wake".into(), Word::Graphics("--graphics="), Word::Task, Word::Node];
        let tasks = Submission { tasks: Some(3), words, ..submission() };
        let told = line(&tasks, &Site::default());
        assert!(told.contains(" --array=0-2 --output=/s/100%%/log.%a "), "{told}");
        let script = String::from_utf8(script(&tasks)).unwrap();
        let end = "exec 'wake' ${SLURM_JOB_GPUS:+\"--graphics=$SLURM_JOB_GPUS\"} \"$SLURM_ARRAY_TASK_ID\" \"$SLURMD_NODENAME\"\n";
        assert!(script.ends_with(end), "{script}");
    }

    #[test]
    fn amounts_are_rounded_up_to_what_slurm_counts_in() {
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
    fn what_the_site_says_comes_last() {
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
    fn a_shell_reads_the_words_as_they_are() {
        let one = "#!/bin/sh\ncd '/s/100%' || exit 66\nexec '/a b/wake' 'it'\\''s' '$HOME'\n";
        assert_eq!(String::from_utf8(script(&submission())).unwrap(), one);
    }
}
