//! The `wake` object: one file per family of calls.

mod call;
mod exec;
mod file;
mod module;
mod pkg;

use jrsonnet_evaluator::{ObjValueBuilder, Val};

use super::env::Env;
pub(crate) use call::{Call, Param, Spec, check_takes, text_list};
pub(crate) use exec::ExecDecl;
pub(crate) use module::{Exec, ModuleDecl, module_function};
pub(crate) use pkg::PkgDecl;

/// Every call of the object.
static CALLS: [&Spec; 9] = [
    &pkg::PKG_INFO,
    &pkg::GET_PKG,
    &pkg::PKG,
    &module::MODULE,
    &exec::EXEC,
    &file::FILE,
    &file::REF,
    &file::DIR,
    &module::MODULE_ID,
];

/// The object that functions receive as `wake`.
pub(crate) fn wake(env: &Env) -> Val {
    let mut builder = ObjValueBuilder::with_capacity(CALLS.len() + 3);
    for spec in CALLS.into_iter().filter(|spec| spec.member) {
        let name = spec.name.trim_start_matches("wake.");
        builder.method(name, call::native(env, spec, String::new()));
    }
    for (name, kind) in [("GLOBAL", "global"), ("HOST", "host"), ("EMPTY", "empty")] {
        let mut constant = ObjValueBuilder::with_capacity(1);
        constant.field("type").value(kind);
        builder.field(name).hide().value(constant.build());
    }
    Val::Obj(builder.build())
}

/// The parameters of the builtin that the engine calls `name` in its frames.
pub(crate) fn spec(name: &str) -> Option<&'static Spec> {
    CALLS.into_iter().find(|spec| spec.name == name)
}

/// The names that the object has, for suggestions.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    let calls = CALLS
        .into_iter()
        .filter(|spec| spec.member)
        .map(|spec| spec.name.trim_start_matches("wake."));
    calls.chain(["GLOBAL", "HOST", "EMPTY"])
}
