//! Instantiating packages: their files are examined and their inputs computed, dependencies first.

mod ways;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use rayon::prelude::*;
use serde_json::Value;
use serde_json::value::RawValue;
use wake_eval::{Answer, Answers, NoAnswers, Op, Read, Topic, Way};
use wake_model::declared::{LateDecl, ModuleSource};
use wake_model::json::{push_list, push_object, push_text};
use wake_model::place::pkg_prefix;
use wake_model::{BlobDigest, NameMap, PkgInfo, PkgKey, RelPath};

pub(crate) use self::ways::Ways;
use crate::evaluate::Evaluator;
use crate::files::{FileState, can_be_named};
use crate::load::LoadedPkg;
use crate::order::levels;
use crate::pkg_place::PkgPlace;
use crate::resolve::ResolvedPkg;
use crate::source_text::find_literal;
use crate::view::push_outside;
use crate::written::JsonValue;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};

/// A package whose inputs are known.
#[derive(Debug)]
pub(crate) struct PkgInstance {
    /// Its key.
    pub key: PkgKey,
    /// Where it is.
    pub place: PkgPlace,
    /// The value of its inputs function, as canonical JSON.
    inputs: Box<str>,
    /// Its name and version, as canonical JSON.
    pub info: Box<str>,
    /// Its view for functions of other packages, until it is dropped.
    told: Option<Arc<PackageView>>,
    /// Its view for its own functions, if many ask.
    own: OnceLock<Arc<RawValue>>,
    /// The files that it names, sorted; all of them were examined.
    pub files: Box<[RelPath]>,
    /// Its dependencies, by its own keys for them.
    deps: NameMap<PkgKey>,
    /// The views of the packages that it names, until they are dropped.
    pub pkgs: Box<[Arc<PackageView>]>,
    /// Where the functions of its modules are.
    pub modules: NameMap<ModuleSource>,
    /// Its import library.
    imports: Vec<RelPath>,
    /// Whether its commands may use the network.
    pub may_reach_network: bool,
    /// The trace output of its evaluations.
    pub trace: Vec<String>,
    /// The files and directories that its evaluations read.
    pub reads: Vec<Read>,
    /// Its metadata, if other packages are needed to compute it.
    pub metadata: Option<Value>,
    /// The files that others may import besides those that it names, computed on demand.
    sources: OnceLock<Box<[RelPath]>>,
}

/// How often a package's own view is built anew before it is kept.
const FEW: usize = 4;

/// A package as functions of other packages see it.
#[derive(Debug)]
pub(crate) struct PackageView {
    /// The package's key.
    pub key: PkgKey,
    /// The key as a topic.
    pub topic: Topic,
    /// The view as JSON text.
    pub text: Arc<str>,
}

impl PkgInstance {
    /// Returns whether the package names a file.
    pub(crate) fn names(&self, path: &RelPath) -> bool {
        self.files.binary_search(path).is_ok()
    }

    /// Returns its dependency with this key.
    pub(crate) fn dep(&self, key: &str) -> Option<&PkgKey> {
        self.deps.get(key)
    }

    /// Returns its import library.
    pub(crate) fn import_dirs(&self) -> &[RelPath] {
        &self.imports
    }

    /// Returns what is known before its modules are: its own view without files, inputs and modules.
    fn bare(&self) -> Arc<RawValue> {
        let text = self.text("./", &[], &self.imports, &|out| out.push_str("{}"));
        RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned()).into()
    }

    /// Returns the view of its own functions, as canonical JSON.
    pub(crate) fn own(&self) -> Arc<RawValue> {
        match self.modules.len() {
            // Most packages ask only once.
            0..=FEW => self.make_own(),
            _ => self.own.get_or_init(|| self.make_own()).clone(),
        }
    }

    fn make_own(&self) -> Arc<RawValue> {
        let text = self.text("./", &self.files, &self.imports, &|out| out.push_str(&self.inputs));
        // Canonical text is valid JSON.
        RawValue::from_string(text).unwrap_or_else(|_| RawValue::NULL.to_owned()).into()
    }

    /// Returns the view of functions of other packages, as canonical JSON.
    pub(crate) fn outside(&self) -> Arc<str> {
        let told = self.told.as_ref().map(|told| told.text.clone());
        told.unwrap_or_else(|| self.make_outside())
    }

    /// Returns the value of its inputs function, as the package itself sees it.
    pub(crate) fn inputs(&self) -> Value {
        serde_json::from_str(&self.inputs).unwrap_or_default()
    }

    /// Drops what only functions need; it is built again on demand.
    pub(crate) fn put_away(&mut self) {
        self.told = None;
        self.own.take();
        self.pkgs = Box::default();
    }

    fn make_outside(&self) -> Arc<str> {
        let prefix = pkg_prefix(&self.key);
        let inputs: JsonValue<'_> = serde_json::from_str(&self.inputs).unwrap_or_default();
        self.text(&prefix, &self.files, &[], &|out| push_outside(&inputs, &|_| &prefix, out)).into()
    }

    /// Returns a view, with its `files` below `prefix`.
    fn text(
        &self,
        prefix: &str,
        files: &[RelPath],
        imports: &[RelPath],
        push_inputs: &dyn Fn(&mut String),
    ) -> String {
        let paths = files.iter().map(|path| prefix.len() + path.as_str().len() + 3);
        let size = 256 + paths.sum::<usize>() + self.inputs.len() + 48 * self.deps.len();
        let mut out = String::with_capacity(size);
        out.push_str("{\"files\":");
        let mut whole = String::with_capacity(prefix.len() + 64);
        push_list(files.iter(), &mut out, |path, out| {
            whole.clear();
            whole.push_str(prefix);
            whole.push_str(path.as_str());
            push_text(&whole, out);
        });
        if !imports.is_empty() {
            out.push_str(",\"imports\":");
            push_list(imports.iter(), &mut out, |path, out| push_text(&path.dotted(), out));
        }
        out.push_str(",\"inputs\":");
        push_inputs(&mut out);
        out.push_str(",\"key\":");
        push_text(self.key.as_str(), &mut out);
        out.push_str(",\"modules\":");
        push_list(self.modules.keys(), &mut out, |name, out| push_text(name, out));
        out.push_str(",\"pkgInfo\":");
        out.push_str(&self.info);
        out.push_str(",\"pkgs\":");
        let pkgs = self.deps.iter().map(|(name, key)| (name.as_str(), key.as_str()));
        push_object(pkgs, &mut out, |_, key, out| push_text(key, out));
        out.push('}');
        out
    }

    /// Returns the file at `path`, or all files of the directory there.
    pub(crate) fn files_below(&self, path: &RelPath) -> &[RelPath] {
        below(&self.files, path)
    }
}

/// Returns those of the sorted `files` that are `path` or below it.
fn below<'f>(files: &'f [RelPath], path: &RelPath) -> &'f [RelPath] {
    if path.is_root() {
        return files;
    }
    if let Ok(at) = files.binary_search(path) {
        return &files[at..=at];
    }
    // Other names with the same prefix can be sorted between a directory and its content.
    let is_before = |file: &RelPath| {
        let (file, dir) = (file.as_str(), path.as_str());
        file < dir || (file.starts_with(dir) && file.as_bytes().get(dir.len()) < Some(&b'/'))
    };
    let rest = &files[files.partition_point(is_before)..];
    &rest[..rest.partition_point(|file| file.starts_with(path))]
}

/// Every package of a build, instantiated.
pub(crate) type Instances = BTreeMap<PkgKey, Box<PkgInstance>>;

/// Instantiates the packages in `pkgs`, independent ones in parallel. `order` lists dependencies first.
pub(crate) fn instantiate(
    order: &[PkgKey],
    mut pkgs: BTreeMap<PkgKey, ResolvedPkg>,
    evaluator: &Evaluator,
) -> Result<Instances, Failure> {
    let mut instances = Instances::new();
    let needs = |key: &PkgKey| pkgs.get(key).into_iter().flat_map(|pkg| pkg.deps.values());
    let levels = levels(order, needs).into_iter().map(|level| level.into_iter().cloned().collect());
    for level in levels.collect::<Vec<Vec<PkgKey>>>() {
        // Declarations are dropped along the way: they take much memory if there are many packages.
        let level: Vec<_> = level.into_iter().filter_map(|key| pkgs.remove_entry(&key)).collect();
        let results: Vec<_> = level
            .into_par_iter()
            .map(|(key, pkg)| instantiate_one(key, pkg, &instances, evaluator))
            .collect();
        let mut errors = Vec::new();
        for result in results {
            match result {
                Ok(instance) => {
                    instances.insert(instance.key.clone(), Box::new(instance));
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

fn instantiate_one(
    key: PkgKey,
    resolved: ResolvedPkg,
    instances: &Instances,
    evaluator: &Evaluator,
) -> Result<PkgInstance, Vec<Diagnostic>> {
    if !resolved.sound {
        check_files(&resolved, evaluator)?;
    }
    let ResolvedPkg {
        pkg: LoadedPkg { place, decl, reads, trace, .. },
        deps,
        may_reach_network,
        ..
    } = resolved;
    let mut instance = PkgInstance {
        may_reach_network,
        place,
        inputs: "{}".into(),
        info: info(&decl.info).into(),
        told: None,
        own: OnceLock::new(),
        key,
        files: decl.files.into(),
        pkgs: deps.values().filter_map(|key| told(key, instances)).collect(),
        deps,
        modules: NameMap::default(),
        imports: decl.imports,
        trace,
        reads: lasting(reads),
        metadata: None,
        sources: OnceLock::new(),
    };
    instance.modules = match decl.modules {
        Some(modules) => modules,
        None => late_modules(&mut instance, instances, evaluator).map_err(|d| vec![d])?,
    };
    if decl.has_inputs {
        let answers = PkgAnswers { ways: instance.ways(instances), evaluator };
        let op = Op::Inputs { pkg: instance.make_own() };
        let inputs = evaluator.evaluate(&instance.place, op, &answers);
        let inputs = inputs.map_err(|failed| vec![failed.into()])?;
        let value: JsonValue<'_> = serde_json::from_str(inputs.value.get()).unwrap_or_default();
        instance.inputs = value.canonical().into();
        instance.trace.extend(inputs.trace);
        instance.reads.extend(lasting(inputs.reads));
    }
    let (key, topic) = (instance.key.clone(), Topic::Pkg(instance.key.as_str().into()));
    instance.told = Some(Arc::new(PackageView { key, topic, text: instance.make_outside() }));
    Ok(instance)
}

/// Returns the modules of a package that needs other packages to list them.
fn late_modules(
    instance: &mut PkgInstance,
    instances: &Instances,
    evaluator: &Evaluator,
) -> Result<NameMap<ModuleSource>, Diagnostic> {
    let answers = PkgAnswers { ways: instance.ways(instances), evaluator };
    let op = Op::Modules { pkg: instance.bare() };
    let late = evaluator.evaluate(&instance.place, op, &answers)?;
    let decl: LateDecl = serde_json::from_str(late.value.get()).map_err(|error| {
        let label = instance.place.label();
        let message = format!("{label}: unexpected value in its modules: {error}");
        Diagnostic::error(Class::Internal, message)
    })?;
    // Most of it was reported when the package was loaded.
    let new = late.trace.into_iter().filter(|line| !instance.trace.contains(line));
    let new: Vec<String> = new.collect();
    instance.trace.extend(new);
    instance.reads.extend(lasting(late.reads));
    instance.metadata = Some(decl.metadata);
    Ok(decl.modules)
}

/// Returns the reads of files and directories: everything else follows from these.
pub(crate) fn lasting(mut reads: Vec<Read>) -> Vec<Read> {
    reads.retain(|read| match read {
        Read::File { .. } | Read::List { .. } | Read::Import { .. } => true,
        Read::Named { .. } | Read::Option { .. } | Read::Pkg { .. } | Read::Module { .. } => false,
    });
    reads.shrink_to_fit();
    reads
}

/// Returns the canonical JSON of a package's name and version.
fn info(info: &PkgInfo) -> String {
    serde_json::to_value(info).map(|value| wake_model::json::canonical(&value)).unwrap_or_default()
}

fn told(key: &PkgKey, instances: &Instances) -> Option<Arc<PackageView>> {
    instances.get(key)?.told.clone()
}

/// Checks the files of a package.
fn check_files(pkg: &ResolvedPkg, evaluator: &Evaluator) -> Result<(), Vec<Diagnostic>> {
    let mut errors = Vec::new();
    for path in &pkg.pkg.decl.files {
        errors.push(match evaluator.files.glance_in(&pkg.pkg.place, path) {
            Ok(seen) if can_be_named(path, seen.as_ref()) => continue,
            Ok(Some(FileState::Absent)) => at_fault(pkg, path, "does not exist", evaluator),
            Ok(Some(FileState::Dir)) => at_fault(pkg, path, "is a directory", evaluator)
                .help(format!("use `wake.dir('{}')` for its contents", path.dotted())),
            Ok(Some(FileState::Link(target))) => {
                let what = format!("is a link to `{target}`, outside the package");
                at_fault(pkg, path, &what, evaluator)
            }
            Ok(_) => at_fault(pkg, path, "is a device, a socket or a pipe", evaluator),
            Err(error) => Diagnostic::error(Class::Environment, error.to_string()),
        });
    }
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn at_fault(pkg: &ResolvedPkg, path: &RelPath, what: &str, evaluator: &Evaluator) -> Diagnostic {
    let LoadedPkg { place, reads, .. } = &pkg.pkg;
    let written = find_literal(evaluator.files, place, reads, path.as_str());
    Diagnostic::error(
        Class::Evaluation,
        format!("file `{}` of {} {what}", path.dotted(), place.label()),
    )
    .at(written)
}

/// Answers evaluations before anything is planned: packages, but no modules.
pub(crate) struct PkgAnswers<'a> {
    /// The packages so far, and those that the asking package names.
    pub ways: Ways<'a>,
    /// Evaluates.
    pub evaluator: &'a Evaluator<'a>,
}

impl Answers for PkgAnswers<'_> {
    fn epoch(&self) -> Option<u64> {
        Some(self.evaluator.epoch)
    }

    fn pkg(&self, key: &str) -> Option<Arc<str>> {
        self.ways.instances.get(key).map(|pkg| pkg.outside())
    }

    fn module(&self, id: &Value) -> Answer {
        NoAnswers.module(id)
    }

    fn library(&self, key: &str) -> Option<Arc<str>> {
        self.ways.library(key, self.evaluator)
    }

    fn option(&self, name: &str) -> Option<Arc<str>> {
        self.evaluator.option(name)
    }

    fn way(&self, way: &Way) -> Option<BlobDigest> {
        self.ways.digest(way, self.evaluator)
    }

    fn named(&self, way: &Way) -> Option<BlobDigest> {
        self.ways.named(way)
    }

    fn called(&self, way: &Way) -> Option<String> {
        self.ways.label(way)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_directory_excludes_files_with_the_same_name_prefix() {
        let texts = ["a", "a!", "b-c", "b.c/x", "b/a", "b/c/d", "b/e", "b0", "c/d"];
        let files: Vec<RelPath> = texts.iter().map(|file| file.parse().unwrap()).collect();
        assert!(files.is_sorted());
        for path in ["a", "b", "b/c", "b.c", "b0", "c", "d", "0", ".", "b/c/d", "b/c/d/e", "b/"] {
            let path: RelPath = path.parse().unwrap();
            let expected: Vec<_> =
                files.iter().filter(|file| file.starts_with(&path)).cloned().collect();
            assert_eq!(below(&files, &path), expected, "{path}");
        }
    }
}
