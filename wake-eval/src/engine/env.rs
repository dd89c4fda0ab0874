//! The state of one evaluation.

use std::cell::{Cell, Ref, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::rc::Rc;

use jrsonnet_evaluator::rustc_hash::FxHashMap;
use jrsonnet_evaluator::{IStr, ObjValue, Result};
use jrsonnet_gcmodule::trace_acyclic;
use serde_json::Value;
use wake_model::RelPath;
use wake_model::nearest::nearest;

use super::budget::Budget;
use super::declarations::Declarations;
use super::module_id::ModuleId;
use super::note::{Nature, Note, Origin, Spot};
use super::reference::{Reference, WrittenReference};
use super::text;
use super::world::{Instance, ModuleAnswer, OpenLibrary, World};
use crate::prepare::{Calls, Mode, Origins, RefusalKind, prepare};
use crate::{Limit, Limits};

/// The state of one evaluation, shared by everything that runs in it.
#[derive(Clone)]
pub(crate) struct Env(Rc<Inner>);

// `clear` drops the engine's values in it, so the collector need not look inside.
trace_acyclic!(Env);

pub(crate) struct Inner {
    /// What the evaluation can query.
    pub(crate) world: World,
    /// The remaining budget.
    pub(crate) budget: Budget,
    hunt: Option<Hunt>,
    mode: Mode,
    /// The Jsonnet texts that were loaded, by file name.
    pub(crate) texts: RefCell<BTreeMap<String, Rc<str>>>,
    /// Generated texts that replace files, by name.
    pub(crate) overlays: RefCell<FxHashMap<String, String>>,
    /// The texts that were rewritten for the engine, by the names under which the engine knows them.
    pub(crate) sources: RefCell<FxHashMap<String, Rc<SourceText>>>,
    /// The directory of the expression, if an expression is evaluated.
    pub(crate) expression_dir: RefCell<RelPath>,
    /// The import library of the package.
    pub(crate) library_dirs: RefCell<Vec<RelPath>>,
    /// The packages that files can import from.
    pub(crate) pkgs: RefCell<ImportablePkgs>,
    /// The part of the package that is needed.
    pub(crate) part: Cell<PkgPart>,
    /// The arguments of pkg() that are evaluated before it is known what they may refer to.
    pub(crate) early: Cell<Early>,
    /// The function being evaluated.
    pub(crate) phase: Cell<Phase>,
    /// The package that the code belongs to, once it has an instance.
    pub(crate) own: RefCell<Option<Rc<Instance>>>,
    /// The name of the current module.
    pub(crate) module: RefCell<Option<IStr>>,
    /// Whether the current module's function has no default config, and none was given.
    pub(crate) lacks_config: Cell<bool>,
    /// The dependencies of the current module, by key.
    pub(crate) modules: RefCell<Rc<BTreeMap<String, Rc<ModuleId>>>>,
    /// The inputs of the current module, once they are known.
    pub(crate) module_inputs: RefCell<Option<Value>>,
    /// The paths that the module's `files` create, once they are known.
    pub(crate) created: RefCell<BTreeSet<String>>,
    /// The `wake` object, once it has been requested.
    pub(crate) wake: RefCell<Option<ObjValue>>,
    /// The `wake` object that the package file received, if it has been replaced since.
    package_wake: RefCell<Option<ObjValue>>,
    /// The number of replacements: calls on an earlier object may be cached and not be made again.
    turn: Cell<u32>,
    /// Whether a call on an earlier object involved the current module.
    pub(crate) is_mixed: Cell<bool>,
    /// What calls on the `wake` object declared.
    pub(crate) declarations: Declarations,
    /// The references behind the objects that are promises.
    pub(crate) promises: RefCell<FxHashMap<ObjValue, Rc<Reference>>>,
}

/// The packages that a file of the current package can import from.
#[derive(Debug, Default)]
pub(crate) enum ImportablePkgs {
    /// They are not known yet.
    #[default]
    Unknown,
    /// There is no current package.
    None,
    /// The dependencies of this package.
    NamedBy(Rc<Instance>),
}

/// The part of a package's declaration that is needed; nothing else is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PkgPart {
    /// Everything except the results of functions.
    Whole,
    /// What requires the dependencies: modules and metadata.
    Late,
    /// The function `inputs`.
    Inputs,
    /// The module functions.
    Functions,
}

/// The arguments of pkg() that are evaluated before packages are loaded and options are set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Early {
    /// Those that packages are loaded from.
    #[default]
    Finding,
    /// Those that may use dependencies, in a package that has none.
    Alone,
    /// Those that set options.
    Settings,
}

/// The function being evaluated, which determines what references may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The body of `PKG.libsonnet`, or an expression from the command line.
    Pkg,
    /// The package's `inputs`.
    PkgInputs,
    /// The body of a module function, and `outputs`.
    ModuleBody,
    /// The module's `inputs`.
    ModuleInputs,
    /// The module's `files`.
    ModuleFiles,
    /// The module's `outputs`, if they are a function of the module.
    ModuleOutputs,
    /// The module's `exec`.
    ModuleExec,
}

/// A text that was rewritten for the engine.
pub(crate) struct SourceText {
    /// The original text.
    pub(crate) text: Rc<str>,
    /// The mapping of places back to the original.
    pub(crate) origins: Origins,
    /// The added functions it calls.
    pub(crate) calls: Calls,
    /// The format patterns it uses.
    pub(crate) patterns: Vec<Box<str>>,
}

/// Where to stop when an evaluation is repeated to find a place.
#[derive(Debug, Clone)]
pub(crate) enum Hunt {
    /// At the call that returns this value.
    Value(Value),
    /// At the first call of this builtin; the spot is inside it.
    Call(String, Spot),
    /// At the call that was given this reference.
    Reference(WrittenReference),
}

impl Deref for Env {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Env {
    pub(crate) fn new(world: World, limits: &Limits, hunt: Option<Hunt>, mode: Mode) -> Self {
        Env(Rc::new(Inner {
            world,
            budget: Budget::new(limits),
            hunt,
            mode,
            texts: RefCell::default(),
            overlays: RefCell::default(),
            sources: RefCell::default(),
            expression_dir: RefCell::default(),
            library_dirs: RefCell::default(),
            pkgs: RefCell::default(),
            part: Cell::new(PkgPart::Whole),
            early: Cell::default(),
            phase: Cell::new(Phase::Pkg),
            own: RefCell::default(),
            module: RefCell::default(),
            lacks_config: Cell::default(),
            modules: RefCell::default(),
            module_inputs: RefCell::default(),
            created: RefCell::default(),
            wake: RefCell::default(),
            package_wake: RefCell::default(),
            turn: Cell::new(0),
            is_mixed: Cell::new(false),
            declarations: Declarations::default(),
            promises: RefCell::default(),
        }))
    }

    /// Drops the engine's values, which refer back to this environment.
    pub(crate) fn clear(&self) {
        self.wake.take();
        self.package_wake.take();
        self.declarations.clear();
        self.promises.take();
        self.own.take();
    }
}

impl Inner {
    /// Rewrites a text for the engine, and records how to map its places back. The engine knows it as `name`; for
    /// people it is the file `file`.
    pub(crate) fn prepare(&self, name: &str, file: &str, text: Rc<str>) -> Result<Option<String>> {
        let limits = &self.budget.limits;
        self.budget.check_source(file, text.len())?;
        let prepared = prepare(&text, self.mode, limits.nesting).map_err(|refusal| {
            let place = text::place(file, &text, refusal.at);
            let note = match refusal.kind {
                RefusalKind::Syntax => Note::new(format!("syntax error: {}", refusal.message)),
                RefusalKind::Nesting => Note::too_much(Limit::Depth, refusal.message),
            };
            note.origin(Origin::At(place))
        })?;
        // The engine itself can answer all later questions about a text that is unchanged.
        let Some((changed, origins)) = prepared.changed else { return Ok(None) };
        let (calls, patterns) = (prepared.calls, prepared.patterns);
        let source = SourceText { text, origins, calls, patterns };
        self.sources.borrow_mut().insert(name.to_owned(), Rc::new(source));
        Ok(Some(changed))
    }

    /// Returns `std.thisFile` of the file that the engine knows as `name`: its path relative to where imports of the
    /// expression start, or else to the package's directory.
    pub(crate) fn this_file(&self, name: &str) -> String {
        let name = name.trim_start_matches("virtual:");
        let dir = self.expression_dir.borrow();
        if dir.is_root() || name.starts_with(['@', '<']) {
            return name.to_owned();
        }
        let (mut above, mut inside): (Vec<_>, Vec<_>) =
            (dir.as_str().split('/').collect(), name.split('/').collect());
        let common = above.iter().zip(&inside).take_while(|(one, other)| one == other).count();
        above.drain(..common);
        inside.drain(..common);
        "../".repeat(above.len()) + &inside.join("/")
    }

    /// Returns the turn of a `wake` object; `None` for other objects.
    pub(crate) fn turn_of(&self, object: &ObjValue) -> Option<u32> {
        if self.wake.borrow().as_ref() == Some(object) {
            return Some(self.turn.get());
        }
        (self.package_wake.borrow().as_ref() == Some(object)).then_some(0)
    }

    /// Returns the turn of the current `wake` object.
    pub(crate) fn turn(&self) -> u32 {
        self.turn.get()
    }

    /// Prepares for the next module of a package whose file has been evaluated: its functions receive a new `wake`
    /// object, and everything about the previous module is forgotten.
    pub(crate) fn next_module(&self) {
        let wake = self.wake.take();
        if self.turn.replace(self.turn.get() + 1) == 0 {
            self.package_wake.replace(wake);
        }
        self.is_mixed.set(false);
        self.world.begin();
        self.budget.renew();
        self.module.take();
        self.lacks_config.set(false);
        self.modules.take();
        self.module_inputs.take();
        self.created.take();
        self.declarations.clear();
        self.promises.take();
    }

    pub(crate) fn hunt(&self) -> Option<&Hunt> {
        self.hunt.as_ref()
    }

    /// Returns the limit for nested calls. Expressions that report their place are calls themselves.
    pub(crate) fn depth(&self) -> usize {
        match self.mode {
            Mode::Values => self.budget.limits.depth,
            Mode::Places => self.budget.limits.depth.saturating_mul(8),
        }
    }

    /// Returns the current package; an error if there is none.
    pub(crate) fn own(&self) -> Result<Rc<Instance>> {
        let own: Ref<'_, _> = self.own.borrow();
        own.clone().ok_or_else(|| {
            Note::new("there is no package here: `pkg` is available only inside one").into()
        })
    }

    /// Returns the package to import from: each of `keys` is a key in the `pkgs` of the package before it.
    pub(crate) fn library(&self, keys: &[String]) -> Result<Rc<OpenLibrary>> {
        let (own, none) = (self.pkgs.borrow(), BTreeMap::new());
        let own = match &*own {
            ImportablePkgs::NamedBy(instance) => instance.pkgs()?,
            ImportablePkgs::None => &none,
            ImportablePkgs::Unknown if self.early.get() == Early::Alone => &none,
            ImportablePkgs::Unknown => {
                let message = match self.early.get() {
                    Early::Settings => {
                        "`options` and `profiles` are evaluated before packages are loaded, and cannot depend on one"
                    }
                    Early::Finding | Early::Alone => {
                        "packages are loaded from `pkgInfo`, `files` and `pkgs`, which cannot depend on one of them"
                    }
                };
                return Err(Note::new(message).nature(Nature::NeedsPkgs).into());
            }
        };
        let mut library: Option<Rc<OpenLibrary>> = None;
        for (at, key) in keys.iter().enumerate() {
            let pkgs = library.as_ref().map_or(own, |library| &library.library.pkgs);
            let found = match pkgs.get(key) {
                Some(pkg) => self.world.library(pkg)?,
                None => None,
            };
            let Some(found) = found else {
                let of = match at {
                    0 => String::new(),
                    _ => format!(" of `@{}`", keys[..at].join("/@")),
                };
                let note = Note::new(format!("there is no package `{key}` in `pkgs`{of}"));
                let note = note.suggest(nearest(key, pkgs.keys().map(String::as_str)));
                return Err(match pkgs.is_empty() && at == 0 {
                    true => note.hint(format!(
                        "add `pkgs={{ {key}: wake.getPkg(wake.pkgInfo('{key}', '^1')) }}`, with `from='../{key}'` if it is in the workspace"
                    )),
                    false => note,
                }
                .into());
            };
            library = Some(found);
        }
        library.ok_or_else(|| Note::new("the way to a package is empty").into())
    }

    /// Returns the instance of another package, which is requested only once.
    pub(crate) fn instance(&self, key: &str) -> Result<Rc<Instance>> {
        let own = self.own.borrow();
        let others = own.iter().filter_map(|own| own.pkgs().ok());
        let others = others.flat_map(|pkgs| pkgs.values().map(String::as_str));
        let instance = self.world.pkg(key, others)?;
        instance
            .ok_or_else(|| Note::new(format!("there is no package `{key}` in this build")).into())
    }

    /// Returns the instance of a module; if it is pending, an error that carries the id.
    pub(crate) fn module(&self, id: &ModuleId) -> Result<Rc<Value>> {
        let modules = self.modules.borrow();
        let others = modules.values().map(|other| other.text());
        match self.world.module(id.text(), others)? {
            ModuleAnswer::Ready(value, _) => Ok(value),
            ModuleAnswer::Pending => Err(Note::new("a dependency is not built yet")
                .nature(Nature::Pending(id.value().clone()))
                .into()),
            ModuleAnswer::Unknown => {
                Err(Note::new(format!("there is no module {}", id.text())).into())
            }
        }
    }
}
