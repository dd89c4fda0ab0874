//! The `wake` object: one file per family of functions.

mod call;
mod file;
mod fetch;
mod host;
mod own;
mod pkg_info;
mod option;
mod program;
mod image_name;
mod exec;
mod image;
mod pkg;
mod test;
mod module;

use std::ops::ControlFlow;

use jrsonnet_evaluator::{IStr, ObjValueBuilder, Result, Val, Visibility};

use super::env::Env;
use super::lazy::{self, Fields};
pub(crate) use call::Spec;
pub(crate) use call::{Param, check_takes};
pub(crate) use exec::ExecDecl;
pub(crate) use module::{ModuleDecl, ModuleExec, module_function};
pub(crate) use own::field_own;
pub(crate) use pkg::{PkgDecl, check_module_function};

/// All functions of the object.
static CALLS: [&Spec; 16] = [
    &pkg_info::PKG_INFO,
    &pkg::GET_PKG,
    &pkg::PKG,
    &module::MODULE,
    &option::OPTION,
    &program::PROGRAM,
    &exec::EXEC,
    &image::IMAGE,
    &file::FILE,
    &file::REF,
    &file::DIR,
    &fetch::FETCH,
    &host::HOST,
    &own::OWN,
    &own::FIELD_OWN,
    &module::MODULE_ID,
];

/// The constants of the object, and their types.
const CONSTANTS: [(&str, &str); 4] =
    [("GLOBAL", "global"), ("HOST", "host"), ("EMPTY", "empty"), ("ENTRYPOINT", "entrypoint")];

/// Words that occur in most package files and values, in addition to the names of the API.
const WORDS: [&str; 15] = [
    "config", "dump", "empty", "exec", "file", "from", "host", "inputs", "key", "outputs", "path",
    "std", "thisFile", "type", "wake",
];

thread_local! {
    /// The words of the API. The engine would otherwise create each string again once nothing refers to it.
    static HELD: Vec<IStr> = {
        let params = CALLS.into_iter().flat_map(|spec| spec.params).map(|param| param.name);
        let calls = CALLS.into_iter().map(|spec| spec.name);
        names().chain(calls).chain(params).chain(WORDS).map(IStr::from).collect()
    };
}

/// Keeps the words of the API alive in the engine from one evaluation to the next.
pub(crate) fn hold_words() {
    HELD.with(|_| ());
}

/// Returns the `wake` object that functions receive; one per evaluation.
pub(crate) fn wake(env: &Env) -> Val {
    let object = env.wake.borrow().clone();
    Val::Obj(object.unwrap_or_else(|| {
        let object = lazy::object(Wake { env: env.clone(), turn: env.turn() });
        env.wake.replace(Some(object.clone()));
        object
    }))
}

struct Wake {
    env: Env,
    turn: u32,
}

impl Fields for Wake {
    fn each(&self, each: &mut dyn FnMut(&str, Visibility) -> ControlFlow<()>) -> ControlFlow<()> {
        names().try_for_each(|name| each(name, Visibility::Hidden))
    }

    fn value(&self, name: &str) -> Result<Option<Val>> {
        if let Some(spec) = members().find(|spec| spec.short() == name) {
            let function = call::native_of_turn(&self.env, spec, String::new(), self.turn);
            return Ok(Some(Val::Func(function)));
        }
        let constant = CONSTANTS.into_iter().find(|(constant, _)| *constant == name);
        Ok(constant.map(|(_, kind)| {
            let mut builder = ObjValueBuilder::with_capacity(1);
            builder.field("type").value(kind);
            Val::Obj(builder.build())
        }))
    }
}

fn members() -> impl Iterator<Item = &'static Spec> {
    CALLS.into_iter().filter(|spec| spec.member)
}

/// Returns the builtin that the engine calls `name` in its frames.
pub(crate) fn spec(name: &str) -> Option<&'static Spec> {
    CALLS.into_iter().find(|spec| spec.name == name)
}

/// Iterates over the members of the object, for suggestions.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    members().map(Spec::short).chain(CONSTANTS.map(|(name, _)| name))
}
