//! The table, as Markdown.

use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::fault::{At, Fault};
use crate::repository::{Repository, Shape};
use crate::scenario::Scenario;
use crate::session::{Findings, Series};
use crate::tool::Tool;

/// The section for one size: command, commit, machine, table.
pub(crate) fn section(
    repository: &Repository,
    tools: &[Box<dyn Tool>],
    rounds: usize,
    findings: &Findings,
) -> String {
    let mut text = format!("{}\n\n", heading(repository, tools));
    let _ = writeln!(text, "- `benches/compare {}`", arguments());
    let _ = writeln!(text, "- commit {}", commit());
    let _ = writeln!(text, "- {}", machine());
    let _ = writeln!(
        text,
        "- medians of {rounds}; `× ninja` is the median of the ratios of paired runs\n"
    );
    text.push_str(
        "| work | tool | actions | wall s | least s | processor s | × ninja | peak MiB |\n",
    );
    text.push_str("|---|---|---:|---:|---:|---:|---:|---:|\n");
    for (row, scenario) in Scenario::ALL.into_iter().enumerate() {
        for (column, tool) in tools.iter().enumerate() {
            if let Some(series) = findings.series.get(&(row, column)) {
                let ratio = ratio(findings, row, column, scenario);
                line(&mut text, scenario, tool.name(), series, ratio);
            }
        }
    }
    text.push_str(&footing(tools, findings));
    text
}

/// Replaces the section of the same heading in the file, or adds it at the end.
pub(crate) fn record(path: &Path, section: &str) -> Result<(), Fault> {
    let old = fs::read_to_string(path).unwrap_or_default();
    let heading = section.lines().next().unwrap_or_default();
    let lines: Vec<&str> = old.lines().collect();
    let start = lines.iter().position(|line| *line == heading).unwrap_or(lines.len());
    let rest = lines.get(start + 1..).unwrap_or_default();
    let length = rest.iter().position(|line| line.starts_with("## ")).unwrap_or(rest.len());
    let mut text = lines[..start].join("\n");
    if start > 0 {
        text.push_str(if start == lines.len() { "\n\n" } else { "\n" });
    }
    text.push_str(section);
    let after = &rest[length..];
    if !after.is_empty() {
        let _ = write!(text, "\n{}\n", after.join("\n"));
    }
    fs::write(path, text).at(path)
}

fn heading(repository: &Repository, tools: &[Box<dyn Tool>]) -> String {
    let Shape { files, large, large_size, tool, .. } = repository.shape;
    let mut what = format!("{} packages × {files} files", repository.packages.len());
    if large > 0 {
        let _ = write!(what, " and {large} of {} KiB", large_size >> 10);
    }
    if tool > 0 {
        let _ = write!(what, ", a program of {} KiB", tool >> 10);
    }
    let others: Vec<&str> = tools.iter().skip(NINJA + 1).map(|tool| tool.name()).collect();
    match others.is_empty() {
        true => format!("## {what}"),
        false => format!("## {what}, with {}", others.join(" and ")),
    }
}

fn line(text: &mut String, scenario: Scenario, tool: &str, series: &Series, ratio: Option<f64>) {
    let walls = sorted(series.samples.iter().map(|sample| seconds(sample.wall)));
    let cpus = sorted(series.samples.iter().map(|sample| seconds(sample.cpu)));
    let ran = series.ran.map_or_else(|| "?".to_owned(), |ran| ran.to_string());
    let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
    let _ = writeln!(
        text,
        "| {} | {tool} | {ran} | {:.3} | {:.3} | {:.3} | {ratio} | {:.0} |",
        scenario.title(),
        median(&walls),
        walls.first().copied().unwrap_or_default(),
        median(&cpus),
        series.peak as f64 / f64::from(1 << 20),
    );
}

fn footing(tools: &[Box<dyn Tool>], findings: &Findings) -> String {
    let mut text = String::new();
    let floor = sorted(findings.floor.iter().copied().map(seconds));
    let noop = findings.series.get(&(NOOP, WAKE));
    if let Some(noop) = noop {
        let pairs = noop.samples.iter().zip(&findings.floor);
        let ratios = sorted(pairs.map(|(sample, floor)| seconds(sample.wall) / seconds(*floor)));
        let _ = writeln!(
            text,
            "\nReading the metadata of the same {} files and directories on two threads takes {:.3} s; wake's no-op takes {:.2} times as long.",
            findings.floor_files,
            median(&floor),
            median(&ratios)
        );
        let touched = findings.series.get(&(TOUCHED, WAKE));
        if let Some(ratio) = touched.map(|touched| paired(touched, noop)) {
            let _ = writeln!(text, "Touched without a change: {ratio:.2} times wake's own no-op.");
        }
    }
    for (column, tool) in tools.iter().enumerate().skip(NINJA + 1) {
        let _ = writeln!(text, "{}", beside(tool.name(), column, findings));
    }
    for (tool, files) in tools.iter().zip(&findings.store_files) {
        if let (Some(files), Some(cold)) = (files, findings.series.get(&(COLD, WAKE))) {
            let actions = cold.ran.unwrap_or(1).max(1) as f64;
            let _ = writeln!(
                text,
                "Files in {}'s store after the cold build: {files}, {:.2} per action.",
                tool.name(),
                *files as f64 / actions
            );
        }
    }
    text
}

// Rows in the order of `Scenario::ALL`, columns in the order of `tools` in `main`.
const COLD: usize = 0;
const NOOP: usize = 1;
const TOUCHED: usize = 2;
const WAKE: usize = 0;
const NINJA: usize = 1;

/// The ratio to ninja in the same scenario; for a clean checkout, to ninja's no-op, because ninja has no cache.
fn ratio(findings: &Findings, row: usize, column: usize, scenario: Scenario) -> Option<f64> {
    let row_of_ninja = if scenario == Scenario::Checkout { NOOP } else { row };
    let ninja = findings.series.get(&(row_of_ninja, NINJA))?;
    Some(paired(findings.series.get(&(row, column))?, ninja))
}

/// wake's times relative to those of another tool in the same scenario.
fn beside(tool: &str, column: usize, findings: &Findings) -> String {
    let ratio = |(row, scenario): (usize, Scenario)| {
        let wake = findings.series.get(&(row, WAKE))?;
        let other = findings.series.get(&(row, column))?;
        Some(format!("{} {:.3}", scenario.title(), paired(wake, other)))
    };
    let ratios: Vec<String> = Scenario::ALL.into_iter().enumerate().filter_map(ratio).collect();
    let time = format!("wake's time relative to {tool}: {}.", ratios.join("; "));
    match tool {
        "wake before" => format!("{time}\n{}", beside_itself(column, findings)),
        _ => time,
    }
}

/// wake's processor time and memory relative to those of an earlier wake.
fn beside_itself(column: usize, findings: &Findings) -> String {
    let both = |row: usize| {
        Some((findings.series.get(&(row, WAKE))?, findings.series.get(&(row, column))?))
    };
    let told = |(row, scenario): (usize, Scenario)| {
        let (now, before) = both(row)?;
        let pairs = now.samples.iter().zip(&before.samples);
        let cpu = median(&sorted(pairs.map(|(now, old)| seconds(now.cpu) / seconds(old.cpu))));
        let memory = now.peak as f64 / before.peak as f64;
        Some(format!("{} {cpu:.3} and {memory:.3}", scenario.title()))
    };
    let told: Vec<String> = Scenario::ALL.into_iter().enumerate().filter_map(told).collect();
    format!("Its processor time and peak memory relative to before: {}.", told.join("; "))
}

fn paired(left: &Series, right: &Series) -> f64 {
    let pairs = left.samples.iter().zip(&right.samples);
    median(&sorted(pairs.map(|(left, right)| seconds(left.wall) / seconds(right.wall))))
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

fn sorted(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values
}

fn median(sorted: &[f64]) -> f64 {
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[length / 2],
        length => f64::midpoint(sorted[length / 2 - 1], sorted[length / 2]),
    }
}

/// The arguments of this program, without those that only name local paths.
fn arguments() -> String {
    let mut shown = vec![];
    let mut typed = std::env::args().skip(1);
    while let Some(argument) = typed.next() {
        if ["--wake", "--before", "--record", "--dir"].contains(&argument.as_str()) {
            typed.next();
        } else {
            shown.push(argument);
        }
    }
    shown.join(" ")
}

fn commit() -> String {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let Some(name) = git(&["rev-parse", "--short=12", "HEAD"]) else { return "unknown".to_owned() };
    match git(&["status", "--porcelain", "--untracked-files=no"]) {
        Some(changes) if !changes.is_empty() => format!("{name} with changes"),
        _ => name,
    }
}

fn machine() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let field = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name))?.to_owned();
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let processor = field(&read("/proc/cpuinfo"), "model name").unwrap_or_default();
    let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
    let gib = memory.trim_end_matches(" kB").parse::<u64>().unwrap_or_default() >> 20;
    let kernel = read("/proc/sys/kernel/osrelease");
    format!("{cores} cores of {processor}, {gib} GiB, Linux {}", kernel.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_replaced_where_it_stands() {
        let path = std::env::temp_dir().join(format!("wake-benches-record-{}", std::process::id()));
        let old = "# Results\n\n## 1 packages\n\nold\n\n## 2 packages\n\nkept\n";
        fs::write(&path, old).expect("a file");
        record(&path, "## 1 packages\n\nnew\n").expect("a result");
        record(&path, "## 3 packages\n\nadded\n").expect("a result");
        let found = fs::read_to_string(&path).expect("a file");
        fs::remove_file(&path).expect("a file");
        let expected = "# Results\n\n## 1 packages\n\nnew\n\n## 2 packages\n\nkept\n\n## 3 packages\n\nadded\n";
        assert_eq!(found, expected);
    }

    #[test]
    fn the_median_is_the_middle() {
        assert_eq!(median(&[1.0, 2.0, 9.0]), 2.0);
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), 3.0);
    }
}
