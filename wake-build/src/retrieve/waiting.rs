//! Why no retriever can be asked: retrievers that wait for each other, or for something missing.

use std::collections::BTreeSet;

use wake_steps::diagnostic::{Class, Diagnostic, Failure};

use super::call::retriever;
use crate::load::OpenNeed;
use crate::order::{Link, cycle_error, way_around};
use crate::resolve::Outline;

/// Returns the errors if none of `open` can be met; `all` also has those that may not be asked for.
pub(super) fn not_to_be_met(
    open: &[&OpenNeed],
    all: &BTreeSet<OpenNeed>,
    outline: Outline<'_>,
) -> Failure {
    let onward = |need: &&OpenNeed| {
        let next = blocker(need, all, &outline)?;
        Some((next.key.clone(), next))
    };
    let mut way = Vec::new();
    for first in open {
        let mut members: Vec<&OpenNeed> = vec![first];
        while let Some((_, next)) = members.last().and_then(onward) {
            if members.contains(&next) {
                way = way_around(&members, onward);
                break;
            }
            members.push(next);
        }
        if !way.is_empty() {
            break;
        }
    }
    if way.is_empty() {
        let message = "a retriever cannot be asked: its package is unknown";
        let at = open.first().and_then(|need| outline.written_at(&need.by, &need.key));
        let unknown = Diagnostic::error(Class::Resolution, message).at(at);
        let doubts = outline.into_doubts();
        return match doubts.is_empty() {
            true => unknown.into(),
            false => Failure { diagnostics: doubts },
        };
    }
    let link = |at: usize| -> Link {
        let (need, _): &(&OpenNeed, String) = &way[at];
        let (next, _) = &way[(at + 1) % way.len()];
        outline.link(&next.by, &next.key, label(need, &outline))
    };
    cycle_error(Class::Resolution, "retrievers", (0..way.len()).map(link).collect())
        .help("get a retriever's dependencies from a local path, a registry, or a retriever that does not need it")
        .into()
}

/// Returns the label of the retriever that is to meet a need.
fn label(need: &OpenNeed, outline: &Outline<'_>) -> String {
    let by = retriever(need, outline);
    let place = by.as_ref().and_then(|by| outline.dep(&need.by, &by.key));
    match (place, by) {
        (Some(place), _) => place.label(),
        (None, Some(by)) => by.name.to_string(),
        (None, None) => need.key.clone(),
    }
}

/// Returns a need that has to be met before the retriever of another need can be asked.
fn blocker<'n>(
    need: &OpenNeed,
    all: &'n BTreeSet<OpenNeed>,
    outline: &Outline<'_>,
) -> Option<&'n OpenNeed> {
    let by = retriever(need, outline)?;
    match outline.dep(&need.by, &by.key) {
        Some(place) => {
            let reach = outline.reach(place);
            // Its own need explains more than those of its dependencies.
            let own = all.iter().find(|other| other.by == *place);
            own.or_else(|| all.iter().find(|other| reach.contains(&other.by)))
        }
        None => all.get(&OpenNeed { by: need.by.clone(), key: by.key }),
    }
}
