//! Packages and modules as functions see them.

use std::collections::BTreeMap;
use std::rc::Rc;

use jrsonnet_evaluator::function::FuncVal;
use jrsonnet_evaluator::val::ThunkValue;
use jrsonnet_evaluator::{ObjValueBuilder, Result, Thunk, Val};
use jrsonnet_gcmodule::trace_acyclic;
use serde::Deserialize;
use serde_json::Value;

use super::api::module_function;
use super::convert::from_json;
use super::env::Env;

/// A package with its inputs: its own, or another's as seen from outside.
#[derive(Debug, Deserialize)]
pub(crate) struct Instance {
    pub(crate) key: String,
    #[serde(rename = "pkgInfo")]
    pub(crate) pkg_info: Value,
    #[serde(default)]
    pub(crate) files: Vec<String>,
    #[serde(default)]
    pub(crate) inputs: Value,
    #[serde(default)]
    pub(crate) pkgs: BTreeMap<String, String>,
    #[serde(default)]
    pub(crate) modules: Vec<String>,
}

impl Instance {
    /// With its files sorted, which looking for them relies on.
    pub(crate) fn sorted(mut self) -> Self {
        if !self.files.is_sorted() {
            self.files.sort_unstable();
        }
        self
    }

    /// Whether `path` is one of the files, or a directory above some of them.
    pub(crate) fn holds(&self, path: &str) -> Option<Held> {
        if self.files.binary_search_by(|file| file.as_str().cmp(path)).is_ok() {
            return Some(Held::File);
        }
        let dir = if path.ends_with('/') { path.to_owned() } else { format!("{path}/") };
        let next = self.files.partition_point(|file| file.as_str() < dir.as_str());
        self.files.get(next).is_some_and(|file| file.starts_with(&dir)).then_some(Held::Dir)
    }

    /// Where the package's files stand when another one looks at them.
    pub(crate) fn outside(&self) -> String {
        format!("./.wake/pkgs/{}", self.key)
    }

    /// What a reference to the package itself gives.
    pub(crate) fn reference(&self) -> Value {
        let field = |name: &str| self.pkg_info.get(name).cloned().unwrap_or(Value::Null);
        serde_json::json!({
            "type": "pkg",
            "name": field("name"),
            "version": field("version"),
            "namespace": field("namespace"),
            "path": self.outside(),
        })
    }
}

/// How a package holds a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Held {
    File,
    Dir,
}

/// The `pkg` argument: everything in it is made only when it is looked at.
pub(crate) fn pkg(env: &Env, instance: &Rc<Instance>) -> Val {
    let mut builder = ObjValueBuilder::with_capacity(6);
    builder.field("key").hide().value(instance.key.as_str());
    for part in [Part::PkgInfo, Part::Files, Part::Inputs] {
        builder.field(part.name()).thunk(Thunk::new(LazyPart { instance: instance.clone(), part }));
    }
    let mut pkgs = ObjValueBuilder::with_capacity(instance.pkgs.len());
    for (key, id) in &instance.pkgs {
        pkgs.field(key.as_str()).thunk(Thunk::new(LazyPkg { env: env.clone(), id: id.clone() }));
    }
    builder.field("pkgs").value(pkgs.build());
    let mut modules = ObjValueBuilder::with_capacity(instance.modules.len());
    for name in &instance.modules {
        let function: FuncVal = module_function(env, &instance.key, name);
        modules.field(name.as_str()).value(Val::Func(function));
    }
    builder.field("modules").value(modules.build());
    Val::Obj(builder.build())
}

/// The `module` argument of a module's own functions.
pub(crate) fn module(env: &Env, name: &str, config: &Value, pkg: Val, inputs: Thunk<Val>) -> Val {
    let mut builder = ObjValueBuilder::with_capacity(5);
    builder.field("name").value(name);
    builder.field("config").value(from_json(config));
    builder.field("pkg").value(pkg);
    builder.field("inputs").thunk(inputs);
    let dependencies = env.modules.borrow();
    let mut modules = ObjValueBuilder::with_capacity(dependencies.len());
    for (key, id) in dependencies.iter() {
        modules
            .field(key.as_str())
            .thunk(Thunk::new(LazyModule { env: env.clone(), id: id.clone() }));
    }
    builder.field("modules").value(modules.build());
    Val::Obj(builder.build())
}

#[derive(Clone, Copy)]
enum Part {
    PkgInfo,
    Files,
    Inputs,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Part::PkgInfo => "pkgInfo",
            Part::Files => "files",
            Part::Inputs => "inputs",
        }
    }
}

struct LazyPart {
    instance: Rc<Instance>,
    part: Part,
}

struct LazyPkg {
    env: Env,
    id: String,
}

struct LazyModule {
    env: Env,
    id: Value,
}

trace_acyclic!(LazyPart, LazyPkg, LazyModule);

impl ThunkValue for LazyPart {
    type Output = Val;

    fn get(&self) -> Result<Val> {
        Ok(match self.part {
            Part::PkgInfo => from_json(&self.instance.pkg_info),
            Part::Files => Val::Arr(
                self.instance.files.iter().map(|file| Val::string(file.as_str())).collect(),
            ),
            Part::Inputs => from_json(&self.instance.inputs),
        })
    }
}

impl ThunkValue for LazyPkg {
    type Output = Val;

    fn get(&self) -> Result<Val> {
        let instance = self.env.instance(&self.id)?;
        Ok(pkg(&self.env, &instance))
    }
}

impl ThunkValue for LazyModule {
    type Output = Val;

    fn get(&self) -> Result<Val> {
        let instance = self.env.module(&self.id)?;
        let mut builder = ObjValueBuilder::with_capacity(2);
        for name in ["inputs", "outputs"] {
            builder.field(name).value(from_json(instance.get(name).unwrap_or(&Value::Null)));
        }
        Ok(Val::Obj(builder.build()))
    }
}
