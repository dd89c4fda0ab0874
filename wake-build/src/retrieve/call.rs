//! Calls of retrievers: everything that one exec is asked for at once.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use wake_model::{PkgKey, PkgName, PkgSource};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};

use super::protocol::{MOST_REQUESTS, PkgWanted};
use super::references::Standpoint;
use crate::instance::Instances;
use crate::load::OpenNeed;
use crate::pkg_place::PkgPlace;
use crate::resolve::Outline;
use crate::retriever::Retriever;

/// One call of an exec.
#[derive(Clone)]
pub(super) struct Call {
    /// The place of the exec's package.
    pub(super) retriever: PkgPlace,
    /// The name of that package, without a version.
    pub(super) name: PkgName,
    /// Its key.
    pub(super) key: PkgKey,
    /// The exec, with every reference resolved.
    pub(super) exec: Value,
    /// The packages it is asked for, sorted.
    pub(super) asked: Vec<Asked>,
}

/// A package that is asked for, and its dependents.
#[derive(Clone)]
pub(super) struct Asked {
    /// The request.
    pub(super) wanted: PkgWanted,
    /// The needs that it meets.
    pub(super) needs: Vec<OpenNeed>,
}

/// A need whose retriever can be asked.
pub(super) struct ReadyNeed {
    pub(super) need: OpenNeed,
    /// The retriever that meets it.
    pub(super) by: Retriever,
    /// The place of the retriever's package.
    pub(super) place: PkgPlace,
    /// The request.
    pub(super) wanted: PkgWanted,
}

impl Call {
    /// Returns its label.
    pub(super) fn label(&self) -> String {
        format!("retriever {}", self.retriever.label())
    }

    /// Returns whether its exec asks for the network.
    pub(super) fn uses_network(&self) -> bool {
        self.exec.get("network").and_then(Value::as_bool).unwrap_or_default()
    }

    /// Returns the exec with the requests as standard input.
    pub(super) fn with_requests(&self) -> Value {
        let mut exec = self.exec.clone();
        let requests: Vec<Value> = self.asked.iter().map(|asked| asked.wanted.json()).collect();
        exec["config"] = json!({ "config": exec["config"].take(), "requests": requests });
        exec
    }

    /// Returns the place of the first need that asks for it.
    pub(super) fn written_at(
        &self,
        outline: &Outline<'_>,
    ) -> Option<wake_steps::diagnostic::Place> {
        self.asked.first()?.written_at(outline)
    }
}

impl Asked {
    /// Returns the place of the first need.
    pub(super) fn written_at(
        &self,
        outline: &Outline<'_>,
    ) -> Option<wake_steps::diagnostic::Place> {
        let OpenNeed { by, key } = self.needs.first()?;
        outline.written_at(by, key)
    }
}

/// Returns the retriever that meets a need.
pub(super) fn retriever(need: &OpenNeed, outline: &Outline<'_>) -> Option<Retriever> {
    let pkg = outline.pkg(&need.by)?;
    match &outline.get(&need.by, &need.key)?.from {
        PkgSource::Retriever(exec) => Retriever::of(exec, &pkg.decl.pkgs).ok(),
        _ => None,
    }
}

/// Returns the calls that meet `ready`: one for each exec, or more if that would be too large.
pub(super) fn calls(
    ready: Vec<ReadyNeed>,
    outline: &Outline<'_>,
    instances: &Instances,
) -> Result<Vec<Call>, Failure> {
    let mut calls: BTreeMap<(PkgPlace, String), Call> = BTreeMap::new();
    let mut errors = Vec::new();
    for ReadyNeed { need, by, place, wanted } in ready {
        let exec = match outline.get(&need.by, &need.key).map(|get| &get.from) {
            Some(PkgSource::Retriever(exec)) => exec,
            _ => continue,
        };
        let key = outline.pkg(&place).map(|pkg| pkg.decl.info.key());
        let Some(pkg) = key.as_ref().and_then(|key| instances.get(key)) else { continue };
        let standpoint = Standpoint { key: &by.key, pkg, instances };
        let exec = match standpoint.resolved(exec) {
            Ok(mut exec) => {
                exec.as_object_mut().map(|fields| fields.remove("type"));
                exec
            }
            Err(error) => {
                let at = outline.written_at(&need.by, &need.key);
                errors.push(Diagnostic::error(Class::Evaluation, error.to_string()).at(at));
                continue;
            }
        };
        let slot = (place.clone(), wake_model::json::canonical(&exec));
        let new = || Call {
            retriever: place,
            name: by.name,
            key: pkg.key.clone(),
            exec,
            asked: Vec::new(),
        };
        let call = calls.entry(slot).or_insert_with(new);
        match call.asked.iter_mut().find(|asked| asked.wanted == wanted) {
            Some(asked) => asked.needs.push(need),
            None => call.asked.push(Asked { wanted, needs: vec![need] }),
        }
    }
    if !errors.is_empty() {
        return Err(Failure { diagnostics: errors });
    }
    let parts = calls.into_values().flat_map(|mut call| {
        call.asked.sort_by(|one, other| one.wanted.order().cmp(&other.wanted.order()));
        let parts = call.asked.chunks(MOST_REQUESTS).map(<[Asked]>::to_vec);
        let parts: Vec<Call> = parts.map(|asked| Call { asked, ..call.clone() }).collect();
        parts
    });
    Ok(parts.collect())
}
