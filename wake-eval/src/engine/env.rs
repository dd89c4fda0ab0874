//! What one evaluation knows and remembers.

use std::cell::{Cell, Ref, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Deref;
use std::rc::Rc;

use jrsonnet_evaluator::rustc_hash::{FxHashMap, FxHashSet};
use jrsonnet_evaluator::{IStr, ObjValue, Result};
use jrsonnet_gcmodule::trace_acyclic;
use serde_json::Value;
use wake_model::package::PKG_FILE;
use wake_model::{BlobDigest, RelPath};

use super::World;
use super::api::{ExecDecl, ModuleDecl, PkgDecl, PkgInfo, PkgRequest};
use super::instance::Instance;
use super::module_id::ModuleId;
use super::note::{Nature, Note};
use super::resolve::{Reference, Written};
use super::told::KnownModule;
use crate::Limits;
use crate::error::Limit;
use crate::outcome::{Read, list_digest};
use crate::sources::ListEntry;

/// The state of one evaluation, shared by everything that runs in it.
#[derive(Clone)]
pub(crate) struct Env(Rc<Inner>);

// What it holds of the engine's values is dropped by `clear`, so the collector need not look inside.
trace_acyclic!(Env);

pub(crate) struct Inner {
    world: World,
    hunt: Option<Hunt>,
    nodes: Cell<usize>,
    text_bytes: Cell<usize>,
    /// In no order, some of them more than once.
    reads: RefCell<Vec<Read>>,
    listings: RefCell<FxHashMap<RelPath, Option<Rc<[ListEntry]>>>>,
    /// The Jsonnet texts that were loaded, by file name.
    pub(crate) texts: RefCell<BTreeMap<String, Rc<str>>>,
    /// Texts that stand for files that nobody wrote, by name.
    pub(crate) overlays: RefCell<FxHashMap<String, String>>,
    /// What is being evaluated right now.
    pub(crate) phase: Cell<Phase>,
    /// The package that the code belongs to, once it has an instance.
    pub(crate) own: RefCell<Option<Rc<Instance>>>,
    /// The dependencies of the module at hand, by key.
    pub(crate) modules: RefCell<Rc<BTreeMap<String, Rc<ModuleId>>>>,
    /// The inputs of the module at hand, once they are known.
    pub(crate) module_inputs: RefCell<Option<Value>>,
    /// The paths that the module's `files` create, once they are known.
    pub(crate) created: RefCell<BTreeSet<String>>,
    /// The `wake` object, once something has asked for it.
    pub(crate) wake: RefCell<Option<ObjValue>>,
    pub(crate) promises: RefCell<FxHashMap<ObjValue, Rc<Reference>>>,
    /// What `pkgInfo` gave.
    pub(crate) infos: RefCell<FxHashMap<ObjValue, Rc<PkgInfo>>>,
    pub(crate) pkgs: RefCell<FxHashMap<ObjValue, Rc<PkgDecl>>>,
    pub(crate) module_decls: RefCell<FxHashMap<ObjValue, ModuleDecl>>,
    pub(crate) requests: RefCell<FxHashMap<ObjValue, Rc<PkgRequest>>>,
    /// Files of the package that a search found, as it wrote them.
    pub(crate) found: RefCell<FxHashSet<IStr>>,
    /// Directories that are no other package, nor below one.
    pub(crate) inside: RefCell<FxHashSet<RelPath>>,
    pub(crate) execs: RefCell<FxHashMap<ObjValue, Rc<ExecDecl>>>,
    /// What `pkg.modules` gave.
    pub(crate) ids: RefCell<FxHashMap<ObjValue, Rc<ModuleId>>>,
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
    /// The module's `exec`.
    ModuleExec,
}

/// What to stop at when an evaluation is repeated to find a place.
#[derive(Debug, Clone)]
pub(crate) enum Hunt {
    /// The call whose result is this value.
    Value(Value),
    /// The first call of this builtin, and a spot inside it.
    Call(String, super::note::Spot),
    /// The call that was given this reference.
    Reference(Written),
}

impl Deref for Env {
    type Target = Inner;

    fn deref(&self) -> &Inner {
        &self.0
    }
}

impl Env {
    pub(crate) fn new(world: World, hunt: Option<Hunt>) -> Self {
        Env(Rc::new(Inner {
            nodes: Cell::new(world.limits.nodes),
            text_bytes: Cell::new(world.limits.text_bytes),
            world,
            hunt,
            reads: RefCell::new(Vec::with_capacity(16)),
            listings: RefCell::default(),
            texts: RefCell::default(),
            overlays: RefCell::default(),
            phase: Cell::new(Phase::Pkg),
            own: RefCell::default(),
            modules: RefCell::default(),
            module_inputs: RefCell::default(),
            created: RefCell::default(),
            wake: RefCell::default(),
            promises: RefCell::default(),
            infos: RefCell::default(),
            pkgs: RefCell::default(),
            module_decls: RefCell::default(),
            requests: RefCell::default(),
            found: RefCell::default(),
            inside: RefCell::default(),
            execs: RefCell::default(),
            ids: RefCell::default(),
        }))
    }

    /// Lets go of the engine's values: they refer back to this.
    pub(crate) fn clear(&self) {
        self.wake.take();
        self.promises.take();
        self.infos.take();
        self.pkgs.take();
        self.module_decls.take();
        self.requests.take();
        self.execs.take();
        self.ids.take();
        self.own.take();
    }
}

impl Inner {
    pub(crate) fn limits(&self) -> &Limits {
        &self.world.limits
    }

    pub(crate) fn hunt(&self) -> Option<&Hunt> {
        self.hunt.as_ref()
    }

    /// The package at hand; an error where there is none.
    pub(crate) fn own(&self) -> Result<Rc<Instance>> {
        let own: Ref<'_, _> = self.own.borrow();
        own.clone().ok_or_else(|| {
            Note::new("there is no package here: `pkg` is known only inside one").into()
        })
    }

    /// What was read, sorted; asked for once, at the end.
    pub(crate) fn take_reads(&self) -> Vec<Read> {
        let mut reads = self.reads.take();
        reads.sort_unstable();
        reads.dedup();
        reads
    }

    /// The bytes of a file, recorded.
    pub(crate) fn read(&self, path: &RelPath) -> Result<Option<Vec<u8>>> {
        let bytes = self.world.sources.read(path).map_err(|error| Note::new(error.to_string()))?;
        let digest = bytes.as_deref().map(BlobDigest::of);
        self.record(Read::File { path: path.clone(), digest });
        self.record_no_border(path);
        Ok(bytes)
    }

    /// Notes that no directory on the way to `path` is a package of its own: the file is read only while
    /// that holds.
    fn record_no_border(&self, path: &RelPath) {
        let mut above = path.parent();
        while let Some(dir) = above.filter(|dir| !dir.is_root()) {
            if let Ok(path) = dir.child(PKG_FILE) {
                self.record(Read::File { path, digest: None });
            }
            above = dir.parent();
        }
    }

    /// Whether a file was looked for in vain.
    pub(crate) fn is_absent(&self, path: &RelPath) -> bool {
        self.reads.borrow().contains(&Read::File { path: path.clone(), digest: None })
    }

    /// The entries of a directory sorted by name, recorded; each directory is listed once.
    pub(crate) fn list(&self, dir: &RelPath) -> Result<Option<Rc<[ListEntry]>>> {
        if let Some(known) = self.listings.borrow().get(dir) {
            return Ok(known.clone());
        }
        let entries = self.world.sources.list(dir).map_err(|error| Note::new(error.to_string()))?;
        let entries = entries.map(|mut entries| {
            entries.sort_unstable_by(|left, right| left.name.cmp(&right.name));
            entries
        });
        self.record(Read::List { path: dir.clone(), digest: entries.as_deref().map(list_digest) });
        let entries: Option<Rc<[ListEntry]>> = entries.map(Into::into);
        self.listings.borrow_mut().insert(dir.clone(), entries.clone());
        Ok(entries)
    }

    /// The instance of another package, asked for once.
    pub(crate) fn instance(&self, key: &str) -> Result<Rc<Instance>> {
        let own = self.own.borrow();
        let others = own.iter().filter_map(|own| own.pkgs().ok());
        let others = others.flat_map(|pkgs| pkgs.values().map(String::as_str));
        let known = self.world.told.pkg(&*self.world.ask, key, others)?;
        let digest = known.as_ref().map(|known| known.digest);
        self.record(Read::Pkg { key: key.to_owned(), digest });
        match known {
            Some(known) => Ok(known.value),
            None => Err(Note::new(format!("there is no package `{key}` in this build")).into()),
        }
    }

    /// The instance of a module; pending is an error that carries the id.
    pub(crate) fn module(&self, id: &ModuleId) -> Result<Rc<Value>> {
        let known = self.world.told.module(&*self.world.ask, id.text(), &self.modules.borrow())?;
        let digest = match &known {
            KnownModule::Ready(known) => Some(known.digest),
            KnownModule::Pending | KnownModule::Unknown => None,
        };
        self.record(Read::Module { id: id.text().to_owned(), digest });
        match known {
            KnownModule::Ready(known) => Ok(known.value),
            KnownModule::Pending => Err(Note::new("a dependency is not built yet")
                .nature(Nature::Pending(id.value().clone()))
                .into()),
            KnownModule::Unknown => {
                Err(Note::new(format!("there is no module {}", id.text())).into())
            }
        }
    }

    /// Takes one value, and the bytes of a text, from what a result may hold.
    pub(crate) fn spend(&self, text: usize) -> Result<()> {
        let Some(left) = self.nodes.get().checked_sub(1) else {
            return Err(self.too_much(
                Limit::Nodes,
                format!("the result holds more than {} values", self.world.limits.nodes),
            ));
        };
        self.nodes.set(left);
        let Some(left) = self.text_bytes.get().checked_sub(text) else {
            let message = format!(
                "the result holds more than {} bytes of text",
                self.world.limits.text_bytes
            );
            return Err(self.too_much(Limit::Text, message));
        };
        self.text_bytes.set(left);
        Ok(())
    }

    /// Refuses a source text that the parser, which recurses, might not survive.
    pub(crate) fn check_source(&self, name: &str, bytes: usize) -> Result<()> {
        let limit = self.world.limits.source_bytes;
        if bytes <= limit {
            return Ok(());
        }
        Err(self.too_much(
            Limit::Source,
            format!("`{name}` has {bytes} bytes: a source may have {limit}"),
        ))
    }

    pub(crate) fn too_much(&self, limit: Limit, message: String) -> jrsonnet_evaluator::Error {
        Note::new(message).nature(Nature::Limit(limit)).into()
    }

    fn record(&self, read: Read) {
        self.reads.borrow_mut().push(read);
    }
}
