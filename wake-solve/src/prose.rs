//! Versions and places in messages.

use wake_model::PkgName;

use crate::known::Pkg;
use crate::task::{Task, Wanted};
use crate::universe::Standing;

/// The maximum number of items in a list; the others are counted.
const MOST_PIECES: usize = 4;

/// Describes ascending releases of a package as intervals of existing ones: `1.2.0 to 1.2.7 and 1.4.0`.
pub(crate) fn versions(pkg: &Pkg, releases: &[usize]) -> String {
    let version = |release: usize| &pkg.releases[release].version;
    // A pre-release that is not selected does not interrupt an interval: nobody expects it in `1.0.0 to 1.2.0`.
    let counts =
        |release: &usize| !version(*release).is_pre_release() || releases.contains(release);
    let existing: Vec<usize> = pkg.usable().filter(counts).collect();
    let place = |release: usize| existing.binary_search(&release).unwrap_or(release);
    let runs: Vec<&[usize]> =
        releases.chunk_by(|&one, &next| place(one) + 1 == place(next)).collect();
    let said = |run: &&[usize]| match **run {
        [] => String::new(),
        [only] => version(only).to_string(),
        [first, .., last] => format!("{} to {}", version(first), version(last)),
    };
    let mut pieces: Vec<String> = runs.iter().take(MOST_PIECES).map(said).collect();
    let rest: usize = runs.iter().skip(MOST_PIECES).map(|run| run.len()).sum();
    if rest > 0 {
        pieces.push(format!("{rest} more"));
    }
    list(&pieces)
}

/// Lists the newest usable versions of a package, newest first: `2.1.0, 2.0.0, 1.9.3 and 4 older`.
pub(crate) fn existing(pkg: &Pkg) -> Option<String> {
    const SHOWN: usize = 8;
    let usable: Vec<usize> = pkg.usable().rev().collect();
    let (shown, rest) = usable.split_at(usable.len().min(SHOWN));
    let shown = shown.iter().map(|&release| pkg.releases[release].version.to_string());
    let shown = shown.collect::<Vec<_>>().join(", ");
    match rest.len() {
        _ if usable.is_empty() => None,
        0 => Some(shown),
        older => Some(format!("{shown} and {older} older")),
    }
}

/// Returns the releases that may not be used and for which `is_meant` holds, newest first, with the reason and what
/// would allow them.
pub(crate) fn refused<'a>(
    pkg: &'a Pkg,
    is_meant: impl Fn(usize) -> bool + 'a,
) -> impl Iterator<Item = (usize, &'a str, Option<&'a str>)> {
    let usable: Vec<usize> = pkg.usable().collect();
    let refused = (0..pkg.releases.len()).rev().filter(move |release| !usable.contains(release));
    refused.filter(move |release| is_meant(*release)).filter_map(|release| {
        match &pkg.releases[release].standing {
            Standing::Usable => None,
            Standing::OnlyLocked { because } => Some((release, because.as_str(), None)),
            Standing::Unusable { because, help } => {
                Some((release, because.as_str(), help.as_deref()))
            }
        }
    })
}

/// Describes a wish as a sentence: `//libs/net needs acme/http ^2 (libs/net/PKG.libsonnet:4:11)`.
pub(crate) fn asked(task: &Task<'_>, wanted: Wanted) -> String {
    match wanted {
        Wanted::Exact(number) => {
            let exact = &task.exact[number];
            format!("{} must be {}", exact.name, exact.version)
        }
        Wanted::Demand(number) => {
            let demand = &task.demands[number];
            let at = demand.at.as_ref().map(|at| format!(" ({at})")).unwrap_or_default();
            format!("{} needs {} {}{at}", demand.by, demand.name, demand.requirement)
        }
    }
}

/// Returns the package and the versions of a wish.
pub(crate) fn wanted(task: &Task<'_>, wanted: Wanted) -> (PkgName, String) {
    match wanted {
        Wanted::Exact(number) => {
            let exact = &task.exact[number];
            (exact.name.clone(), format!("={}", exact.version))
        }
        Wanted::Demand(number) => {
            let demand = &task.demands[number];
            (demand.name.clone(), demand.requirement.to_string())
        }
    }
}

/// Joins words: `a`, `a and b`, `a, b and c`.
pub(crate) fn list(pieces: &[String]) -> String {
    match pieces {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}
