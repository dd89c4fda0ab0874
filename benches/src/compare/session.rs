//! Brings each tool into the state that a scenario starts from, and measures it.

use std::collections::BTreeMap;
use std::fs;
use std::fs::{File, FileTimes};
use std::time::{Duration, SystemTime};

use crate::fault::{At, Fault};
use crate::floor::Floor;
use crate::measure::{self, Sample};
use crate::repository::{Edition, Repository};
use crate::scenario::Scenario;
use crate::tool::Tool;

/// The measurements of one tool in one scenario.
#[derive(Clone, Debug, Default)]
pub(crate) struct Series {
    /// One sample per round, in order: the same round of two tools forms a pair.
    pub(crate) samples: Vec<Sample>,
    /// Actions that ran in the last round.
    pub(crate) ran: Option<usize>,
    /// Peak memory in bytes, from a separate run.
    pub(crate) peak: u64,
}

/// All measurements.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    /// Keyed by the index of the scenario in [`Scenario::ALL`] and of the tool in the list of tools.
    pub(crate) series: BTreeMap<(usize, usize), Series>,
    /// Times of the bare walk over the same files, one per round of the no-op.
    pub(crate) floor: Vec<Duration>,
    /// Number of files and directories in the walk.
    pub(crate) floor_files: usize,
    /// Number of files in each tool's store after a cold build.
    pub(crate) store_files: Vec<Option<usize>>,
}

/// The tools to compare.
pub(crate) struct Session<'a> {
    pub(crate) repository: &'a Repository,
    pub(crate) tools: &'a [Box<dyn Tool>],
    pub(crate) rounds: usize,
}

impl<'a> Session<'a> {
    /// Makes every tool's checkout.
    pub(crate) fn new(
        repository: &'a Repository,
        tools: &'a [Box<dyn Tool>],
        rounds: usize,
    ) -> Result<Self, Fault> {
        for tool in tools {
            tool.place().check_out(repository)?;
            tool.describe(repository)?;
        }
        Ok(Session { repository, tools, rounds })
    }

    /// Measures every scenario, round by round, and within a round tool by tool, rotating which comes first.
    ///
    /// On an error, `findings` has the measurements made before it.
    pub(crate) fn run(&self, findings: &mut Findings) -> Result<(), Fault> {
        for (row, scenario) in Scenario::ALL.into_iter().enumerate() {
            // Work that an edit or a new file leaves for later builds is not part of the next scenario.
            if scenario == Scenario::Noop {
                self.settle()?;
            }
            for round in 0..self.rounds {
                for place in 0..self.tools.len() {
                    let column = (place + round) % self.tools.len();
                    let turn = Turn { scenario, column, edit: edit(row, round) };
                    let (sample, ran) = self.sample(turn)?;
                    let series = findings.series.entry((row, column)).or_default();
                    series.samples.push(sample);
                    series.ran = ran;
                }
                self.walk(scenario, findings)?;
            }
            for column in 0..self.tools.len() {
                let turn = Turn { scenario, column, edit: edit(row, self.rounds) };
                let peak = self.peak(turn)?;
                findings.series.entry((row, column)).or_default().peak = peak;
            }
            if scenario == Scenario::Cold {
                findings.store_files = self.tools.iter().map(|tool| store_files(&**tool)).collect();
            }
            self.compare_outputs()?;
            eprintln!("measured: {}", scenario.title());
        }
        Ok(())
    }

    /// Builds everything once, and once more with nothing to do.
    pub(crate) fn build_once(&self) -> Result<(), Fault> {
        for tool in self.tools {
            measure::run(&mut tool.build(), &tool.place().log())?;
        }
        self.settle()
    }

    fn settle(&self) -> Result<(), Fault> {
        std::thread::sleep(TICKS);
        for tool in self.tools {
            measure::run(&mut tool.build(), &tool.place().log())?;
        }
        Ok(())
    }

    fn walk(&self, scenario: Scenario, findings: &mut Findings) -> Result<(), Fault> {
        if scenario == Scenario::Noop {
            let floor = Floor::new(&self.tools[0].place().checkout())?;
            findings.floor_files = floor.len();
            findings.floor.push(floor.stat());
        }
        Ok(())
    }

    fn sample(&self, turn: Turn) -> Result<(Sample, Option<usize>), Fault> {
        self.prepare(turn)?;
        let tool = &*self.tools[turn.column];
        let log = tool.place().log();
        let sample = measure::run(&mut tool.build(), &log)?;
        let output = fs::read(&log).at(&log)?;
        let ran = tool.ran(&String::from_utf8_lossy(&output));
        self.check_work(turn.scenario, tool, ran)?;
        Ok((sample, ran))
    }

    fn peak(&self, turn: Turn) -> Result<u64, Fault> {
        self.prepare(turn)?;
        let tool = &*self.tools[turn.column];
        measure::peak_memory(&mut tool.build(), tool.server(), &tool.place().log())
    }

    fn check_work(
        &self,
        scenario: Scenario,
        tool: &dyn Tool,
        ran: Option<usize>,
    ) -> Result<(), Fault> {
        let Some(expected) = tool.expected(scenario, self.repository) else { return Ok(()) };
        let Some(found) = ran else {
            let tail = measure::tail(&tool.place().log());
            return Err(Fault::Silent { tool: tool.name(), tail });
        };
        if found == expected {
            return Ok(());
        }
        Err(Fault::Work { tool: tool.name(), scenario: scenario.title(), found, expected })
    }

    fn prepare(&self, turn: Turn) -> Result<(), Fault> {
        // ninja does not see an edit in the same clock tick as the last build's outputs.
        std::thread::sleep(TICKS);
        let (tool, repository) = (&*self.tools[turn.column], self.repository);
        let checkout = tool.place().checkout();
        match turn.scenario {
            Scenario::Cold => tool.forget()?,
            Scenario::Noop => {}
            Scenario::Touched => {
                let path = repository.first_file(&checkout, repository.first());
                let file = File::options().write(true).open(&path).at(&path)?;
                file.set_times(FileTimes::new().set_modified(SystemTime::now())).at(&path)?;
                // Files get the time of the last tick, so outputs made immediately would look older than this file.
                std::thread::sleep(TICKS);
            }
            Scenario::Leaf => {
                let edition = Edition { note: 0, text: turn.edit };
                repository.edit(&checkout, repository.last(), edition)?;
            }
            Scenario::Deep => {
                let edition = Edition { note: 0, text: turn.edit };
                repository.edit(&checkout, repository.first(), edition)?;
            }
            Scenario::CutOff => {
                // The text stays that of the previous measurement, so that only the note changes.
                let edition = Edition { note: turn.edit, text: CUT_OFF_TEXT };
                self.reach_cut_off(tool)?;
                repository.edit(&checkout, repository.first(), edition)?;
            }
            Scenario::Checkout => {
                tool.forget_checkout()?;
                tool.place().check_out(repository)?;
                tool.describe(repository)?;
            }
        }
        // Otherwise, dirty pages from the preparation would be written back during the measurement.
        rustix::fs::sync();
        Ok(())
    }

    /// Builds once with the text that all rounds of the cut-off share.
    fn reach_cut_off(&self, tool: &dyn Tool) -> Result<(), Fault> {
        let checkout = tool.place().checkout();
        let path = self.repository.first_file(&checkout, self.repository.first());
        let text = fs::read_to_string(&path).at(&path)?;
        if text.contains(&format!("text {CUT_OFF_TEXT:08}")) {
            return Ok(());
        }
        let edition = Edition { note: 0, text: CUT_OFF_TEXT };
        self.repository.edit(&checkout, self.repository.first(), edition)?;
        measure::run(&mut tool.build(), &tool.place().log()).map(drop)
    }

    /// Checks that every tool built the same bytes for the last package.
    fn compare_outputs(&self) -> Result<(), Fault> {
        let reference = &*self.tools[0];
        let Some(left) = reference.output(self.repository.last()) else { return Ok(()) };
        let expected = fs::read(&left).at(&left)?;
        for tool in &self.tools[1..] {
            let Some(right) = tool.output(self.repository.last()) else { continue };
            if fs::read(&right).at(&right)? != expected {
                return Err(Fault::Differ { left, right });
            }
        }
        Ok(())
    }
}

/// One measurement to make.
#[derive(Clone, Copy, Debug)]
struct Turn {
    scenario: Scenario,
    /// The index of the tool.
    column: usize,
    /// The number written into the edited file: different in each round, the same for every tool.
    edit: u32,
}

fn edit(row: usize, round: usize) -> u32 {
    (row * 1000 + round + 1) as u32
}

const CUT_OFF_TEXT: u32 = 99_999_999;

/// A few ticks of the clock that file times come from.
const TICKS: Duration = Duration::from_millis(50);

fn store_files(tool: &dyn Tool) -> Option<usize> {
    let mut files = 0;
    let mut open = vec![tool.store()?.to_owned()];
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(dir).ok()?.flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => open.push(entry.path()),
                _ => files += 1,
            }
        }
    }
    Some(files)
}
