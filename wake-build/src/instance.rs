//! Instantiating packages: their files looked at, their inputs computed, dependencies first.

use std::collections::BTreeMap;
use std::sync::Arc;

use rayon::prelude::*;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use wake_eval::{Answer, Answers, NoAnswers, Op, Read, Topic};
use wake_model::{PkgKey, RelPath};

use crate::diagnostic::{Class, Diagnostic, Failure};
use crate::evaluate::Evaluator;
use crate::files::{Seen, link_inside};
use crate::resolve::{Resolved, ResolvedPkg};
use crate::source_text::find_literal;
use crate::target::label;
use crate::view::{outside, pkg_prefix};

/// A package that modules can be made from.
#[derive(Debug)]
pub(crate) struct PkgInstance {
    /// Its key.
    pub key: PkgKey,
    /// Its directory.
    pub dir: RelPath,
    /// What its own functions see, as canonical JSON.
    pub own: Arc<RawValue>,
    /// Its name and version, as its own functions see them.
    pub info: Value,
    /// The packages on the longest way down from it.
    pub depth: usize,
    /// What functions of others see, as JSON text.
    pub outside: Arc<str>,
    /// What that is about.
    topic: Topic,
    /// Its files, sorted: what lies at each path that it names.
    pub files: Vec<(RelPath, Seen)>,
    /// The packages that it names, and what functions are told of them.
    pub pkgs: Vec<(PkgKey, Topic, Arc<str>)>,
    /// The files of its modules.
    pub modules: BTreeMap<String, RelPath>,
    /// What its evaluations traced.
    pub trace: Vec<String>,
    /// What its evaluations read.
    pub reads: Vec<Read>,
}

impl PkgInstance {
    /// What lies at `path`, if the package names it.
    pub(crate) fn file(&self, path: &RelPath) -> Option<&Seen> {
        let at = self.files.binary_search_by(|(file, _)| file.cmp(path)).ok()?;
        Some(&self.files[at].1)
    }

    /// The file at `path`, or all files of the directory there.
    pub(crate) fn files_below(&self, path: &RelPath) -> &[(RelPath, Seen)] {
        below(&self.files, path)
    }
}

/// Those of the sorted `files` that are `path` or lie in it.
fn below<'f, T>(files: &'f [(RelPath, T)], path: &RelPath) -> &'f [(RelPath, T)] {
    if path.is_root() {
        return files;
    }
    if let Ok(at) = files.binary_search_by(|(file, _)| file.cmp(path)) {
        return &files[at..=at];
    }
    // Names that only begin alike may be sorted between a directory's name and what is in it.
    let is_before = |(file, _): &(RelPath, T)| {
        let (file, dir) = (file.as_str(), path.as_str());
        file < dir || (file.starts_with(dir) && file.as_bytes().get(dir.len()) < Some(&b'/'))
    };
    let rest = &files[files.partition_point(is_before)..];
    &rest[..rest.partition_point(|(file, _)| file.starts_with(path))]
}

/// Every package of a build, instantiated.
pub(crate) type Instances = BTreeMap<PkgKey, PkgInstance>;

/// Instantiates every package; those that do not need each other in parallel.
pub(crate) fn instantiate(
    resolved: &Resolved,
    evaluator: &Evaluator,
) -> Result<Instances, Failure> {
    let mut instances = Instances::new();
    for (depth, level) in levels(resolved).into_iter().enumerate() {
        let results: Vec<_> = level
            .par_iter()
            .filter_map(|key| Some((*key, resolved.pkgs.get(*key)?)))
            .map(|(key, pkg)| instantiate_one(key, pkg, depth, &instances, evaluator))
            .collect();
        let mut errors = Vec::new();
        for result in results {
            match result {
                Ok(instance) => {
                    instances.insert(instance.key.clone(), instance);
                }
                Err(diagnostics) => errors.extend(diagnostics),
            }
        }
        if !errors.is_empty() {
            return Err(Failure { diagnostics: errors });
        }
    }
    Ok(instances)
}

/// The keys in groups, each needing only groups before it.
fn levels(resolved: &Resolved) -> Vec<Vec<&PkgKey>> {
    let mut depth: BTreeMap<&PkgKey, usize> = BTreeMap::new();
    let mut levels: Vec<Vec<&PkgKey>> = Vec::new();
    for key in &resolved.order {
        let Some(pkg) = resolved.pkgs.get(key) else { continue };
        let below = pkg.deps.values().filter_map(|dep| depth.get(dep)).max();
        let level = below.map_or(0, |deepest| deepest + 1);
        depth.insert(key, level);
        if levels.len() <= level {
            levels.resize_with(level + 1, Vec::new);
        }
        levels[level].push(key);
    }
    levels
}

fn instantiate_one(
    key: &PkgKey,
    resolved: &ResolvedPkg,
    depth: usize,
    instances: &Instances,
    evaluator: &Evaluator,
) -> Result<PkgInstance, Vec<Diagnostic>> {
    let pkg = &resolved.pkg;
    let files = look_at_files(resolved, evaluator)?;
    let decl = &pkg.decl;
    let paths: Vec<String> = decl.files.iter().map(RelPath::dotted).collect();
    let mut own = json!({
        "key": key,
        "pkgInfo": decl.info,
        "files": paths,
        "inputs": {},
        "pkgs": resolved.deps,
        "modules": decl.modules.keys().collect::<Vec<_>>(),
    });
    let mut trace = pkg.trace.clone();
    let mut reads = pkg.reads.clone();
    if decl.has_inputs {
        let answers = PkgAnswers { instances, epoch: evaluator.epoch };
        let op = Op::Inputs { pkg: wake_model::json::text(&own) };
        let inputs = evaluator.evaluate(&pkg.dir, op, &answers).map_err(|d| vec![d])?;
        own["inputs"] = serde_json::from_str(inputs.value.get()).unwrap_or_default();
        trace.extend(inputs.trace);
        reads.extend(inputs.reads);
    }
    let text = wake_model::json::text(&own);
    let info = own["pkgInfo"].clone();
    let prefix = pkg_prefix(key);
    own["inputs"] = outside(&own["inputs"], &|_| prefix.clone());
    own["files"] = decl.files.iter().map(|path| format!("{prefix}{path}")).collect();
    let outside = wake_model::json::canonical(&own).into();
    let modules = decl.modules.clone();
    Ok(PkgInstance {
        key: key.clone(),
        dir: pkg.dir.clone(),
        own: text,
        info,
        depth,
        outside,
        topic: Topic::Pkg(key.to_string().into()),
        files,
        pkgs: resolved.deps.values().filter_map(|key| told(key, instances)).collect(),
        modules,
        trace,
        reads,
    })
}

fn told(key: &PkgKey, instances: &Instances) -> Option<(PkgKey, Topic, Arc<str>)> {
    let pkg = instances.get(key)?;
    Some((pkg.key.clone(), pkg.topic.clone(), pkg.outside.clone()))
}

fn look_at_files(
    pkg: &ResolvedPkg,
    evaluator: &Evaluator,
) -> Result<Vec<(RelPath, Seen)>, Vec<Diagnostic>> {
    let dir = &pkg.pkg.dir;
    let mut files = Vec::with_capacity(pkg.pkg.decl.files.len());
    let mut errors = Vec::new();
    for path in &pkg.pkg.decl.files {
        match evaluator.files.fetch(&dir.join(path)) {
            Ok(Seen::Absent) => errors.push(at_fault(pkg, path, "does not exist", evaluator)),
            Ok(Seen::Dir) => errors.push(
                at_fault(pkg, path, "is a directory", evaluator)
                    .help(format!("take what is in it: `wake.dir('{}')`", path.dotted())),
            ),
            Ok(Seen::Other) => {
                errors.push(at_fault(pkg, path, "is a device, a socket or a pipe", evaluator));
            }
            Ok(Seen::Link(target)) if link_inside(path, &target).is_none() => {
                let what = format!("is a link that leaves the package, to `{target}`");
                errors.push(at_fault(pkg, path, &what, evaluator));
            }
            Ok(seen) => files.push((path.clone(), seen)),
            Err(error) => errors.push(Diagnostic::error(Class::Environment, error.to_string())),
        }
    }
    if errors.is_empty() { Ok(files) } else { Err(errors) }
}

fn at_fault(pkg: &ResolvedPkg, path: &RelPath, what: &str, evaluator: &Evaluator) -> Diagnostic {
    let dir = &pkg.pkg.dir;
    let place = find_literal(evaluator.files, dir, &pkg.pkg.reads, path.as_str());
    Diagnostic::error(
        Class::Evaluation,
        format!("file `{}` of {} {what}", path.dotted(), label(dir)),
    )
    .at(place)
}

/// Answers for evaluations before anything is planned: packages, but no modules.
pub(crate) struct PkgAnswers<'a> {
    /// The packages so far.
    pub instances: &'a Instances,
    /// Tells its answers from those of another plan.
    pub epoch: u64,
}

impl Answers for PkgAnswers<'_> {
    fn epoch(&self) -> Option<u64> {
        Some(self.epoch)
    }

    fn pkg(&self, key: &str) -> Option<Arc<str>> {
        self.instances.get(key).map(|instance| instance.outside.clone())
    }

    fn module(&self, id: &Value) -> Answer {
        NoAnswers.module(id)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn files_of_a_directory_are_told_from_those_whose_names_begin_alike() {
        let texts = ["a", "a!", "b-c", "b.c/x", "b/a", "b/c/d", "b/e", "b0", "c/d"];
        let files: Vec<(RelPath, ())> = texts.iter().map(|f| (f.parse().unwrap(), ())).collect();
        assert!(files.is_sorted());
        for path in ["a", "b", "b/c", "b.c", "b0", "c", "d", "0", ".", "b/c/d", "b/c/d/e", "b/"] {
            let path: RelPath = path.parse().unwrap();
            let expected: Vec<_> =
                files.iter().filter(|(file, ())| file.starts_with(&path)).cloned().collect();
            assert_eq!(below(&files, &path), expected, "{path}");
        }
    }
}
