//! Daily waits: an edit while `wake build --watch` runs, and `wake affected`. The other tools have neither.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::fault::{At, Fault};
use crate::measure::{self, Sample};
use crate::repository::{Edition, Repository};
use crate::tool::Tool;

/// The time without an edit after which a watching build has checked everything once more.
const QUIET: Duration = Duration::from_secs(4);
/// The pause between two edits.
const PAUSE: Duration = Duration::from_millis(150);
/// The number of edits per round of the other measurements.
const EDITS: u32 = 4;

/// The measured times.
#[derive(Debug, Default)]
pub(crate) struct Daily {
    /// The times from an edit of a leaf to the end of the build that it causes.
    answers: Vec<Duration>,
    /// `wake affected` with a revision that is new to it.
    first: Option<Sample>,
    /// `wake affected` with a known revision.
    affected: Vec<Sample>,
}

/// Measures both, or returns `None` for a tool that has neither.
pub(crate) fn measure(
    tool: &dyn Tool,
    repository: &Repository,
    rounds: usize,
) -> Result<Option<Daily>, Fault> {
    let watch = ["--message-format", "json", "build", "--watch", "//..."];
    let Some(command) = tool.command(&watch) else { return Ok(None) };
    let mut daily = Daily::default();
    watched(command, tool, repository, rounds, &mut daily)?;
    affected(tool, repository, rounds, &mut daily)?;
    Ok(Some(daily))
}

fn watched(
    mut command: Command,
    tool: &dyn Tool,
    repository: &Repository,
    rounds: usize,
    daily: &mut Daily,
) -> Result<(), Fault> {
    let program = command.get_program().to_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().at(Path::new(&program))?;
    let result = edited(&mut child, tool, repository, rounds, daily);
    let _ = child.kill();
    let _ = child.wait();
    result
}

fn edited(
    child: &mut Child,
    tool: &dyn Tool,
    repository: &Repository,
    rounds: usize,
    daily: &mut Daily,
) -> Result<(), Fault> {
    let Some(events) = child.stdout.take() else { return Err(ended(tool)) };
    let mut events = BufReader::new(events);
    built(&mut events, tool)?;
    std::thread::sleep(QUIET);
    let edits = EDITS * u32::try_from(rounds).unwrap_or(1);
    for number in 1..=edits {
        let edition = Edition { note: 0, text: 50_000_000 + number };
        let start = Instant::now();
        repository.edit(&tool.place().checkout(), repository.last(), edition)?;
        built(&mut events, tool)?;
        daily.answers.push(start.elapsed());
        std::thread::sleep(PAUSE);
    }
    Ok(())
}

/// Reads events until a build has finished.
fn built(events: &mut BufReader<ChildStdout>, tool: &dyn Tool) -> Result<(), Fault> {
    let mut line = String::new();
    loop {
        line.clear();
        if events.read_line(&mut line).at(&tool.place().log())? == 0 {
            return Err(ended(tool));
        }
        if line.contains("\"kind\":\"finished\"") {
            return match line.contains("\"exit\":0") {
                true => Ok(()),
                false => Err(ended(tool)),
            };
        }
    }
}

fn ended(tool: &dyn Tool) -> Fault {
    Fault::Silent { tool: tool.name(), tail: "it ended, or a build failed, while watching".into() }
}

fn affected(
    tool: &dyn Tool,
    repository: &Repository,
    rounds: usize,
    daily: &mut Daily,
) -> Result<(), Fault> {
    let (checkout, log) = (tool.place().checkout(), tool.place().log());
    let git = |words: &[&str]| {
        let mut git = Command::new("git");
        git.current_dir(&checkout).args(["-c", "user.name=n", "-c", "user.email=e@example.org"]);
        git.args(words);
        measure::run(&mut git, &log)
    };
    git(&["init", "-q"])?;
    git(&["add", "-A"])?;
    git(&["commit", "-q", "-m", "base"])?;
    repository.edit(&checkout, repository.last(), Edition { note: 0, text: 60_000_000 })?;
    for round in 0..=rounds {
        let Some(mut command) = tool.command(&["affected"]) else { return Ok(()) };
        let sample = measure::run(&mut command, &log)?;
        match round {
            0 => daily.first = Some(sample),
            _ => daily.affected.push(sample),
        }
    }
    let git_dir = checkout.join(".git");
    std::fs::remove_dir_all(&git_dir).at(&git_dir)
}

impl Daily {
    /// The lines to print below the table.
    pub(crate) fn lines(&self, tool: &str) -> String {
        let mut text = String::new();
        let mut answers: Vec<f64> =
            self.answers.iter().map(|time| time.as_secs_f64() * 1000.0).collect();
        answers.sort_by(f64::total_cmp);
        if let (Some(median), Some(longest)) = (answers.get(answers.len() / 2), answers.last()) {
            let _ = writeln!(
                text,
                "While watching, {tool} builds an edited leaf in {median:.0} ms (median of {}; longest {longest:.0} ms), of which it waits 10 ms for further edits.",
                answers.len()
            );
        }
        let mut cpus: Vec<f64> =
            self.affected.iter().map(|sample| sample.cpu.as_secs_f64()).collect();
        cpus.sort_by(f64::total_cmp);
        if let (Some(first), Some(median)) = (&self.first, cpus.get(cpus.len() / 2)) {
            let _ = writeln!(
                text,
                "`{tool} affected` after a one-line edit takes {median:.2} s of processor time (median of {}); with a revision that is new to it, {:.2} s.",
                cpus.len(),
                first.cpu.as_secs_f64()
            );
        }
        text
    }
}
