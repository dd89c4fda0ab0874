//! What one evaluation knows and remembers.

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

// What it holds of the engine's values is dropped by `clear`, so the collector need not look inside.
trace_acyclic!(Env);

pub(crate) struct Inner {
    /// What the evaluation can ask.
    pub(crate) world: World,
    /// How much it may still use.
    pub(crate) budget: Budget,
    hunt: Option<Hunt>,
    mode: Mode,
    /// The Jsonnet texts that were loaded, by file name.
    pub(crate) texts: RefCell<BTreeMap<String, Rc<str>>>,
    /// Texts that stand for files that nobody wrote, by name.
    pub(crate) overlays: RefCell<FxHashMap<String, String>>,
    /// All texts that the engine was given changed, by the names that it knows them by.
    pub(crate) sources: RefCell<FxHashMap<String, Rc<SourceText>>>,
    /// The directory of the expression, if that is what is evaluated.
    pub(crate) expression_dir: RefCell<RelPath>,
    /// Where imports are looked for that are not found beside the importing file.
    pub(crate) library_dirs: RefCell<Vec<RelPath>>,
    /// The packages that imports can name.
    pub(crate) pkgs: RefCell<ImportablePkgs>,
    /// What of a package is wanted.
    pub(crate) part: Cell<PkgPart>,
    /// Which arguments of pkg() are looked at before it is known what they may name.
    pub(crate) early: Cell<Early>,
    /// What is being evaluated right now.
    pub(crate) phase: Cell<Phase>,
    /// The package that the code belongs to, once it has an instance.
    pub(crate) own: RefCell<Option<Rc<Instance>>>,
    /// The name of the module at hand.
    pub(crate) module: RefCell<Option<IStr>>,
    /// Whether that has a function without a default config, and was given none.
    pub(crate) lacks_config: Cell<bool>,
    /// The dependencies of the module at hand, by key.
    pub(crate) modules: RefCell<Rc<BTreeMap<String, Rc<ModuleId>>>>,
    /// The inputs of the module at hand, once they are known.
    pub(crate) module_inputs: RefCell<Option<Value>>,
    /// The paths that the module's `files` create, once they are known.
    pub(crate) created: RefCell<BTreeSet<String>>,
    /// The `wake` object, once something has asked for it.
    pub(crate) wake: RefCell<Option<ObjValue>>,
    /// The one that the package file received, where another one has taken its place.
    package_wake: RefCell<Option<ObjValue>>,
    /// How often that has happened: calls of an earlier one may be remembered and not made again.
    turn: Cell<u32>,
    /// Whether a call of an earlier one had to do with the module at hand.
    pub(crate) is_mixed: Cell<bool>,
    /// What calls of the `wake` object declared.
    pub(crate) declarations: Declarations,
    /// The references behind the objects that are promises.
    pub(crate) promises: RefCell<FxHashMap<ObjValue, Rc<Reference>>>,
}

/// The packages that a file of the package at hand can import from.
#[derive(Debug, Default)]
pub(crate) enum ImportablePkgs {
    /// They are still to be found.
    #[default]
    Unknown,
    /// There is no package at hand.
    None,
    /// Those that this one names.
    NamedBy(Rc<Instance>),
}

/// What of that which a package says is wanted: nothing else is computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PkgPart {
    /// All but what its functions give.
    Whole,
    /// What takes the packages that it names: modules and metadata.
    Late,
    /// The function `inputs`.
    Inputs,
    /// The functions of modules.
    Functions,
}

/// Which arguments of pkg() are looked at before packages are found and options set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Early {
    /// Those by which packages are found.
    #[default]
    Finding,
    /// Those that may need packages, of a package that names none.
    Alone,
    /// What options are set to.
    Settings,
}

/// Which function is being evaluated: it decides what a reference may name.
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
    /// The module's `outputs`, as far as they are a function of the module.
    ModuleOutputs,
    /// The module's `exec`.
    ModuleExec,
}

/// A text that the engine was given changed.
pub(crate) struct SourceText {
    /// As it was written.
    pub(crate) text: Rc<str>,
    /// The way back to that.
    pub(crate) origins: Origins,
    /// What it calls besides.
    pub(crate) calls: Calls,
    /// Patterns that it fills in.
    pub(crate) patterns: Vec<Box<str>>,
}

/// What to stop at when an evaluation is repeated to find a place.
#[derive(Debug, Clone)]
pub(crate) enum Hunt {
    /// The call whose result is this value.
    Value(Value),
    /// The first call of this builtin, and a spot inside it.
    Call(String, Spot),
    /// The call that was given this reference.
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

    /// Lets go of the engine's values: they refer back to this.
    pub(crate) fn clear(&self) {
        self.wake.take();
        self.package_wake.take();
        self.declarations.clear();
        self.promises.take();
        self.own.take();
    }
}

impl Inner {
    /// Makes of a text what the engine is to see, and remembers how to find its places again. The engine knows it as
    /// `name`; to people it is the file `file`.
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
        // Of a text that stays as it is the engine knows all that is asked later.
        let Some((changed, origins)) = prepared.changed else { return Ok(None) };
        let (calls, patterns) = (prepared.calls, prepared.patterns);
        let source = SourceText { text, origins, calls, patterns };
        self.sources.borrow_mut().insert(name.to_owned(), Rc::new(source));
        Ok(Some(changed))
    }

    /// What a file calls itself that the engine knows as `name`: its path from where imports of the expression start,
    /// or else from the package's directory.
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

    /// The turn of an object that functions receive as `wake`; none for others.
    pub(crate) fn turn_of(&self, object: &ObjValue) -> Option<u32> {
        if self.wake.borrow().as_ref() == Some(object) {
            return Some(self.turn.get());
        }
        (self.package_wake.borrow().as_ref() == Some(object)).then_some(0)
    }

    /// Which `wake` object is the one at hand.
    pub(crate) fn turn(&self) -> u32 {
        self.turn.get()
    }

    /// Makes ready for the next module of a package whose file has been evaluated: its functions receive a `wake` of
    /// their own, and nothing is known of the module before it.
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

    /// Calls inside calls. What says where it stands is a call itself.
    pub(crate) fn depth(&self) -> usize {
        match self.mode {
            Mode::Values => self.budget.limits.depth,
            Mode::Places => self.budget.limits.depth.saturating_mul(8),
        }
    }

    /// The package at hand; an error where there is none.
    pub(crate) fn own(&self) -> Result<Rc<Instance>> {
        let own: Ref<'_, _> = self.own.borrow();
        own.clone().ok_or_else(|| {
            Note::new("there is no package here: `pkg` is available only inside one").into()
        })
    }

    /// The package to import from that is called so by `keys`, each the key of one in the package before it.
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
        library.ok_or_else(|| Note::new("a way to a package names none").into())
    }

    /// The instance of another package, asked for once.
    pub(crate) fn instance(&self, key: &str) -> Result<Rc<Instance>> {
        let own = self.own.borrow();
        let others = own.iter().filter_map(|own| own.pkgs().ok());
        let others = others.flat_map(|pkgs| pkgs.values().map(String::as_str));
        let instance = self.world.pkg(key, others)?;
        instance
            .ok_or_else(|| Note::new(format!("there is no package `{key}` in this build")).into())
    }

    /// The instance of a module; pending is an error that carries the id.
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
