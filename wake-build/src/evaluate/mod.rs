//! Evaluations, cached by what they read.
//!
//! The cache has two levels, because what an evaluation reads is known only once it has run. Under the key of the
//! application, the memo holds the *names* of what it last read; under that key together with the current
//! content of those names, it holds the result. Reverting the sources therefore finds
//! the older result, and a changed comment has no further effect.

mod lanes;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};
use wake_eval::{
    Answer, Answers, EvalError, Evaluated, Kind, Line, NoAnswers, Op, Pool, Read, Request,
    Response, Sources, Way, argument_place,
};
use wake_model::encode::{Domain, Encoder, digest_bytes};
use wake_model::{BlobDigest, Digest, RelPath};
use wake_store::{ConfinedPath, Store};

pub(crate) use self::lanes::{Lanes, Question, Work};
use crate::files::{FileState, Files};
use crate::options::{BuildOptions, RootDecl};
use crate::pkg_place::PkgPlace;
use crate::source_text::place;
use crate::sources::DirSources;
use wake_model::place::PKG_FILE;
use wake_steps::diagnostic::{Class, Diagnostic, Failure, Place};
use wake_steps::profile::{Profile, SpanKind};
use wake_steps::shell_line::shell_word;

/// The longest chain of links followed in a package: as many as Linux follows.
pub(crate) const LINKS: usize = 40;

/// A result, and what it depends on.
#[derive(Clone, Debug)]
pub(crate) struct CachedEvaluation {
    /// The value, as JSON text.
    pub value: Box<RawValue>,
    /// What was read.
    pub reads: Vec<Read>,
    /// The output of `std.trace`.
    pub trace: Vec<String>,
}

/// An evaluation that failed.
#[derive(Debug)]
pub(crate) struct FailedEvaluation {
    /// The error.
    pub diagnostic: Box<Diagnostic>,
    /// Whether it failed because a module needs a config and got none.
    pub needs_config: bool,
    /// What was read up to the error.
    pub reads: Vec<Read>,
}

impl From<Box<Diagnostic>> for FailedEvaluation {
    fn from(diagnostic: Box<Diagnostic>) -> FailedEvaluation {
        FailedEvaluation { diagnostic, needs_config: false, reads: Vec::new() }
    }
}

impl From<FailedEvaluation> for Box<Diagnostic> {
    fn from(failed: FailedEvaluation) -> Box<Diagnostic> {
        failed.diagnostic
    }
}

impl From<FailedEvaluation> for Diagnostic {
    fn from(failed: FailedEvaluation) -> Diagnostic {
        *failed.diagnostic
    }
}

impl From<FailedEvaluation> for Failure {
    fn from(failed: FailedEvaluation) -> Failure {
        (*failed.diagnostic).into()
    }
}

/// Applies functions of packages, and caches the results.
pub(crate) struct Evaluator<'a> {
    /// The evaluators.
    pub pool: &'a Pool,
    /// The store, where results are kept.
    pub store: &'a Store,
    /// The checkout.
    pub files: &'a Files<'a>,
    /// Where intermediate data is spooled.
    pub spare: ConfinedPath,
    /// The options of the build.
    pub options: BuildOptions<'a>,
    /// Distinguishes the answers of one plan from those of another.
    pub epoch: u64,
    /// Counts evaluations.
    pub tally: EvalCounts,
    /// Records where the time goes.
    pub profile: &'a Profile,
}

/// Counts of evaluations.
#[derive(Debug, Default)]
pub(crate) struct EvalCounts {
    /// All of them.
    pub all: AtomicUsize,
    /// Those that were cached.
    pub cached: AtomicUsize,
}

/// An application whose result is not cached.
struct PendingEvaluation {
    pkg: PkgPlace,
    key: Digest,
    shapes: Vec<Shape<'static>>,
}

/// The most sets of names kept for one application.
const SHAPES: usize = 4;

impl Evaluator<'_> {
    /// Applies `op` in the package at `pkg`, unless its result for the same sources is cached.
    ///
    /// Only values are cached: an error is found again each time, with its places.
    pub(crate) fn evaluate(
        &self,
        pkg: &PkgPlace,
        op: Op,
        answers: &dyn Answers,
    ) -> Result<CachedEvaluation, FailedEvaluation> {
        let asked = match self.look_up(pkg, &op, answers) {
            Ok(known) => return Ok(known),
            Err(asked) => asked,
        };
        let mut line = self.pool.line();
        line.put(self.request(pkg, op), answers, (asked, ()));
        let not_asked = || Diagnostic::error(Class::Internal, "nothing was asked".to_owned());
        self.serve(&mut line)
            .map_or_else(|| Err(Box::new(not_asked()).into()), |((), _, result)| result)
    }

    /// Returns the cached result of an application, or else the key to store it under.
    fn look_up(
        &self,
        pkg: &PkgPlace,
        op: &Op,
        answers: &dyn Answers,
    ) -> Result<CachedEvaluation, PendingEvaluation> {
        self.tally.all.fetch_add(1, Ordering::Relaxed);
        let mut span = self.profile.begin(SpanKind::Evaluation, || title(op, pkg));
        let key = self.key_of(op, pkg);
        let shapes = self.shapes(&key);
        if let Some(known) = shapes.iter().find_map(|names| self.recall(&key, names, pkg, answers))
        {
            self.tally.cached.fetch_add(1, Ordering::Relaxed);
            span.note("remembered", || true);
            return Ok(known);
        }
        // The evaluator reports its time.
        span.forget();
        Err(PendingEvaluation { pkg: pkg.clone(), key, shapes })
    }

    fn request(&self, pkg: &PkgPlace, op: Op) -> Request {
        Request { pkg: pkg.label(), root: self.files.absolute_in(pkg, &RelPath::root()), op }
    }

    /// Waits for the first pending evaluation and caches its result; none if nothing is pending.
    fn serve<A: Answers, T>(
        &self,
        line: &mut Line<'_, A, (PendingEvaluation, T)>,
    ) -> Option<(T, Op, Result<CachedEvaluation, FailedEvaluation>)> {
        let first = || line.first().map(|(request, (asked, _))| title(&request.op, &asked.pkg));
        let mut span = self.profile.begin(SpanKind::Evaluation, || first().unwrap_or_default());
        let Response { request, tag: (asked, tag), outcome, service, answers } = line.wait()?;
        let PendingEvaluation { pkg, key, shapes } = asked;
        if let Some(service) = service {
            let title = || title(&request.op, &pkg);
            self.profile.evaluator(service.process, service.began, title);
        }
        span.note("remembered", || false);
        let failed = |error: EvalError| {
            let diagnostic = said_of(&request.op, &pkg, &error, diagnose(&pkg, &error, &answers));
            let diagnostic = match &error.option {
                Some(name) => self.at_setting(name, diagnostic),
                None => diagnostic,
            };
            let EvalError { needs_config, reads, .. } = error;
            FailedEvaluation { diagnostic: Box::new(diagnostic), needs_config, reads }
        };
        let result = outcome.map_err(failed).map(|evaluated| {
            self.remember(&key, shapes, &evaluated);
            let Evaluated { value, reads, trace } = evaluated;
            CachedEvaluation { value, reads, trace }
        });
        Some((tag, request.op, result))
    }

    /// Writes new cache entries to the store if there are many. A write error is reported at the end.
    pub(crate) fn put_away(&self) {
        const MUCH: usize = 4 << 20;
        if self.store.memo().pending_bytes() > MUCH {
            let _ = self.store.flush_memo();
        }
    }

    /// Returns the place where `op` built `value`; none if it cannot be found out.
    pub(crate) fn locate(
        &self,
        pkg: &PkgPlace,
        op: &Op,
        value: &Value,
        answers: &dyn Answers,
    ) -> Option<Place> {
        let op = Op::Locate { op: Box::new(op.clone()), value: value.clone() };
        let found = self.pool.evaluate(&self.request(pkg, op), answers).ok()?;
        let found: wake_eval::Place = serde_json::from_str(found.value.get()).ok()?;
        Some(place_of(pkg, &found, None, answers))
    }

    /// Returns the key of an application: engine, library, function, arguments. Neither label nor directory.
    ///
    /// A package file takes no arguments that would tell one package from another, so its digest is part of the key:
    /// otherwise every package would be compared with what others read.
    fn key_of(&self, op: &Op, pkg: &PkgPlace) -> Digest {
        let op = match op {
            Op::Pkg => {
                let file = RelPath::parse(PKG_FILE).unwrap_or_default();
                let digest = self.file(pkg, &file);
                serde_json::to_string(&json!({"Pkg": digest}))
            }
            // Its file says which packages it names, and what is read from them is identified by the way there.
            Op::Modules { .. } => {
                let file = RelPath::parse(PKG_FILE).unwrap_or_default();
                serde_json::to_string(&json!({"Modules": self.file(pkg, &file)}))
            }
            op => serde_json::to_string(op),
        };
        application_key(&op.unwrap_or_default())
    }

    fn shapes(&self, key: &Digest) -> Vec<Shape<'static>> {
        self.store
            .memo()
            .get(key)
            .and_then(|bytes| serde_json::from_slice(&bytes).ok())
            .unwrap_or_default()
    }

    fn recall(
        &self,
        key: &Digest,
        names: &[Name<'_>],
        pkg: &PkgPlace,
        answers: &dyn Answers,
    ) -> Option<CachedEvaluation> {
        let now: Vec<Read> = names.iter().map(|name| self.read(name, pkg, answers)).collect();
        let bytes = self.store.memo().get(&result_key(key, &now))?;
        let Entry { value, trace } = serde_json::from_slice(&bytes).ok()?;
        Some(CachedEvaluation { value, reads: now, trace })
    }

    fn remember(&self, key: &Digest, shapes: Vec<Shape<'static>>, evaluated: &Evaluated) {
        let Evaluated { value, reads, trace } = evaluated;
        let mut shapes: Vec<Shape<'_>> = shapes;
        let names: Shape<'_> = reads.iter().map(Name::of).collect();
        if shapes.first() != Some(&names) {
            shapes.retain(|shape| *shape != names);
            shapes.insert(0, names);
            shapes.truncate(SHAPES);
            if let Ok(bytes) = serde_json::to_vec(&shapes) {
                self.store.memo().put(*key, bytes);
            }
        }
        let entry = EntryRef { value, trace };
        if let Ok(bytes) = serde_json::to_vec(&entry) {
            self.store.memo().put(result_key(key, reads), bytes);
        }
    }

    /// Returns the value of an option, as [`Answers::option`] does.
    pub(crate) fn option(&self, name: &str) -> Option<Arc<str>> {
        self.options.setting(name, || self.root_decl())
    }

    /// Checks the options, once everything has been evaluated.
    pub(crate) fn check_options(&self) -> Result<(), Diagnostic> {
        self.options.check(|| self.root_decl())
    }

    /// Moves an error to the place where the option is set; there is none for the command line.
    fn at_setting(&self, option: &str, error: Diagnostic) -> Diagnostic {
        let Diagnostic { place: read, mut notes, .. } = error.clone();
        if let Some(Place { file, line, column, .. }) = read {
            notes.insert(0, format!("the option is read at {file}:{line}:{column}"));
        }
        let Some((argument, keys)) = self.options.set_at(option) else {
            return Diagnostic { class: Class::Usage, place: None, notes, ..error };
        };
        let root = PkgPlace::Checkout(RelPath::root());
        let sources = DirSources::new(&self.files.absolute_in(&root, &RelPath::root()));
        let file = RelPath::parse(PKG_FILE).unwrap_or_default();
        let text = sources.read(&file).ok().flatten().and_then(|text| String::from_utf8(text).ok());
        let set = text.and_then(|text| argument_place(PKG_FILE, &text, argument, &keys));
        Diagnostic { place: set.map(|found| place(&root, &found, None)), notes, ..error }
    }

    fn root_decl(&self) -> RootDecl {
        let root = PkgPlace::Checkout(RelPath::root());
        let file = RelPath::parse(PKG_FILE).unwrap_or_default();
        if self.file(&root, &file).is_none() {
            return Ok(None);
        }
        let CachedEvaluation { value, reads, .. } = self.evaluate(&root, Op::Pkg, &NoAnswers)?;
        let decl = serde_json::from_str(value.get()).map_err(|error| {
            let message = format!("{}: unexpected value: {error}", root.label());
            Diagnostic::error(Class::Internal, message)
        })?;
        Ok(Some((decl, reads)))
    }

    /// Reads the current content of a name.
    fn read(&self, name: &Name<'_>, pkg: &PkgPlace, answers: &dyn Answers) -> Read {
        match name {
            Name::File(path) => {
                Read::File { path: path.as_ref().clone(), digest: self.file(pkg, path) }
            }
            Name::List(dir) => {
                Read::List { path: dir.as_ref().clone(), digest: self.files.listing(pkg, dir) }
            }
            Name::Import(way) => {
                Read::Import { way: way.as_ref().clone(), digest: answers.way(way) }
            }
            Name::Named(way) => {
                Read::Named { way: way.as_ref().clone(), digest: answers.named(way) }
            }
            Name::Option(name) => {
                let text = answers.option(name);
                Read::Option {
                    name: name.as_ref().to_owned(),
                    digest: text.map(|text| BlobDigest::of(text.as_bytes())),
                }
            }
            Name::Pkg(key) => {
                let text = answers.pkg(key);
                Read::Pkg {
                    key: key.as_ref().to_owned(),
                    digest: text.map(|text| BlobDigest::of(text.as_bytes())),
                }
            }
            Name::Module(id) => {
                Read::Module { id: id.as_ref().to_owned(), digest: module_digest(id, answers) }
            }
        }
    }

    /// Returns the digest of a file of a package; none if there is no readable file.
    pub(crate) fn file(&self, pkg: &PkgPlace, path: &RelPath) -> Option<BlobDigest> {
        self.file_through(pkg, path, LINKS)
    }

    /// The same through at most `links` links.
    fn file_through(&self, pkg: &PkgPlace, path: &RelPath, links: usize) -> Option<BlobDigest> {
        match self.files.look_at_source(pkg, path) {
            Ok(FileState::File { blob, .. }) => Some(blob),
            // A link is followed: the file it leads to in the package was read.
            Ok(FileState::Link(target)) => {
                let target = crate::files::link_inside(path, &target)?;
                self.file_through(pkg, &target, links.checked_sub(1)?)
            }
            Ok(FileState::Absent | FileState::Dir | FileState::Other) | Err(_) => None,
        }
    }
}

fn module_digest(id: &str, answers: &dyn Answers) -> Option<BlobDigest> {
    let id: Value = serde_json::from_str(id).ok()?;
    match answers.module(&id) {
        Answer::Ready(text) => Some(BlobDigest::of(text.as_bytes())),
        Answer::Pending | Answer::Unknown => None,
    }
}

/// What a read looked at, without the content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Name<'a> {
    #[serde(rename = "f")]
    File(Cow<'a, RelPath>),
    #[serde(rename = "l")]
    List(Cow<'a, RelPath>),
    #[serde(rename = "i")]
    Import(Cow<'a, Way>),
    #[serde(rename = "n")]
    Named(Cow<'a, Way>),
    #[serde(rename = "o")]
    Option(Cow<'a, str>),
    #[serde(rename = "p")]
    Pkg(Cow<'a, str>),
    #[serde(rename = "m")]
    Module(Cow<'a, str>),
}

/// The names of everything that an evaluation read.
type Shape<'a> = Vec<Name<'a>>;

impl Name<'_> {
    fn of(read: &Read) -> Name<'_> {
        match read {
            Read::File { path, .. } => Name::File(Cow::Borrowed(path)),
            Read::List { path, .. } => Name::List(Cow::Borrowed(path)),
            Read::Import { way, .. } => Name::Import(Cow::Borrowed(way)),
            Read::Named { way, .. } => Name::Named(Cow::Borrowed(way)),
            Read::Option { name, .. } => Name::Option(Cow::Borrowed(name)),
            Read::Pkg { key, .. } => Name::Pkg(Cow::Borrowed(key)),
            Read::Module { id, .. } => Name::Module(Cow::Borrowed(id)),
        }
    }
}

#[derive(Deserialize)]
struct Entry {
    value: Box<RawValue>,
    trace: Vec<String>,
}

#[derive(Serialize)]
struct EntryRef<'a> {
    value: &'a RawValue,
    trace: &'a [String],
}

/// Describes an application, for profiles.
fn title(op: &Op, pkg: &PkgPlace) -> String {
    let pkg = pkg.label();
    match op {
        Op::Pkg => format!("evaluate {pkg}"),
        Op::Modules { .. } => format!("evaluate modules of {pkg}"),
        Op::Inputs { .. } => format!("evaluate inputs of {pkg}"),
        Op::Module { name, .. } => format!("evaluate {pkg}:{name}"),
        Op::Expr { label, .. } => format!("evaluate {label}"),
        Op::Locate { .. } => format!("locate a value of {pkg}"),
    }
}

fn application_key(op: &str) -> Digest {
    let mut bytes = Vec::with_capacity(op.len() + 96);
    let mut encoder = Encoder::new(&mut bytes);
    encoder.list(3);
    encoder.text(wake_eval::ENGINE);
    encoder.uint(u64::from(wake_eval::API_VERSION));
    encoder.text(op);
    digest_bytes(Domain::Evaluation, &bytes)
}

fn result_key(key: &Digest, reads: &[Read]) -> Digest {
    let mut bytes = Vec::with_capacity(64 * reads.len() + 64);
    let mut encoder = Encoder::new(&mut bytes);
    encoder.list(reads.len() + 1);
    encoder.digest(key);
    for read in reads {
        let (kind, name, digest) = match read {
            Read::File { path, digest } => ("file", Cow::Borrowed(path.as_str()), digest),
            Read::List { path, digest } => ("list", Cow::Borrowed(path.as_str()), digest),
            Read::Import { way, digest } => ("import", Cow::Owned(way.to_string()), digest),
            Read::Named { way, digest } => ("named", Cow::Owned(way.to_string()), digest),
            Read::Option { name, digest } => ("option", Cow::Borrowed(name.as_str()), digest),
            Read::Pkg { key, digest } => ("pkg", Cow::Borrowed(key.as_str()), digest),
            Read::Module { id, digest } => ("module", Cow::Borrowed(id.as_str()), digest),
        };
        encoder.list(3);
        encoder.text(kind);
        encoder.text(&name);
        match digest {
            Some(digest) => encoder.digest(&digest.0),
            None => encoder.none(),
        }
    }
    digest_bytes(Domain::Evaluation, &bytes)
}

/// Adds the module for which an evaluation failed, if its place does not tell, and the configuration, if one was given.
fn said_of(op: &Op, pkg: &PkgPlace, error: &EvalError, diagnostic: Diagnostic) -> Diagnostic {
    /// The most characters of a configuration that are shown.
    const SHOWN: usize = 200;
    if let (Op::Expr { label, .. }, None) = (op, &error.place) {
        // The code lies in the package but does not belong to it.
        let message = match label.starts_with('<') {
            true => error.message.clone(),
            false => format!("`{label}`: {}", error.message),
        };
        return Diagnostic { message, ..diagnostic };
    }
    let Op::Module { config, file, name, .. } = op else { return diagnostic };
    let module = pkg.module_label(name);
    if error.needs_config {
        return diagnostic
            .note(format!("evaluated for `{module}`, which has no default config"))
            .help(format!(
                "give it a config: `wake build {} --config KEY=VALUE`",
                shell_word(&module)
            ));
    }
    let Some(config) = config else {
        return match file {
            Some(_) => diagnostic,
            None => diagnostic.note(format!("evaluated for `{module}`")),
        };
    };
    let mut config = config.get().to_owned();
    if let Some((cut, _)) = config.char_indices().nth(SHOWN) {
        config.truncate(cut);
        config.push('…');
    }
    diagnostic.note(format!("evaluated for `{module}` with the config {config}"))
}

/// Converts an error for a user in the workspace: paths are relative to its root.
pub(crate) fn diagnose(pkg: &PkgPlace, error: &EvalError, answers: &dyn Answers) -> Diagnostic {
    let class = match error.kind {
        Kind::User | Kind::Limit(_) => Class::Evaluation,
        Kind::Crash => Class::Internal,
    };
    let pkg_label = pkg.label();
    let names_pkg = error.place.is_some() || error.message.contains(&format!("`{pkg_label}`"));
    let in_pkg = |message: &str| match names_pkg {
        true => message.to_owned(),
        false => format!("{pkg_label}: {message}"),
    };
    let place = |found, label| place_of(pkg, found, label, answers);
    let diagnostic = Diagnostic::error(class, in_pkg(&error.message))
        .at(error.place.as_ref().map(|found| place(found, error.label.clone())));
    let notes = error.frames.iter().map(|frame| {
        let at = place(&frame.place, None);
        format!("{} at {}:{}:{}", frame.desc, at.file, at.line, at.column)
    });
    let diagnostic = notes.fold(diagnostic, Diagnostic::note);
    error.hints.iter().fold(diagnostic, Diagnostic::help)
}

/// Converts a place from an evaluation of the package at `pkg`, which may be in a package that it imports from.
fn place_of(
    pkg: &PkgPlace,
    found: &wake_eval::Place,
    label: Option<String>,
    answers: &dyn Answers,
) -> Place {
    let shown = place(pkg, found, label);
    match Way::parse(&found.file) {
        Some(way) => {
            Place { file: answers.called(&way).unwrap_or_else(|| found.file.clone()), ..shown }
        }
        None => shown,
    }
}
