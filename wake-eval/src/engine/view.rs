//! Packages and modules as functions see them.

use std::ops::ControlFlow;
use std::rc::Rc;

use jrsonnet_evaluator::{ObjValueBuilder, Result, Thunk, Val, Visibility};
use serde_json::Value;

use super::api::module_function;
use super::env::Env;
use super::json::from_json;
use super::lazy::{self, Fields};
use super::world::Instance;

/// Creates the `pkg` argument, all of whose fields are lazy.
pub(crate) fn pkg(env: &Env, instance: &Rc<Instance>) -> Val {
    Val::Obj(lazy::object(Pkg { env: env.clone(), instance: instance.clone() }))
}

/// Creates the `module` argument of a module's own functions.
pub(crate) fn module(env: &Env, name: &str, config: &Value, pkg: Val, inputs: Thunk<Val>) -> Val {
    let mut builder = ObjValueBuilder::with_capacity(5);
    builder.field("name").value(name);
    builder.field("config").value(from_json(config));
    builder.field("pkg").value(pkg);
    builder.field("inputs").thunk(inputs);
    builder.field("modules").value(lazy::object(Dependencies { env: env.clone() }));
    Val::Obj(builder.build())
}

struct Pkg {
    env: Env,
    instance: Rc<Instance>,
}

impl Pkg {
    const FIELDS: [(&str, Visibility); 6] = [
        ("files", Visibility::Normal),
        ("inputs", Visibility::Normal),
        ("key", Visibility::Hidden),
        ("modules", Visibility::Normal),
        ("pkgInfo", Visibility::Normal),
        ("pkgs", Visibility::Normal),
    ];
}

impl Fields for Pkg {
    fn each(&self, each: &mut dyn FnMut(&str, Visibility) -> ControlFlow<()>) -> ControlFlow<()> {
        Self::FIELDS.into_iter().try_for_each(|(name, shown)| each(name, shown))
    }

    fn value(&self, name: &str) -> Result<Option<Val>> {
        let Pkg { env, instance } = self;
        let (env, instance) = (env.clone(), instance.clone());
        Ok(Some(match name {
            "files" => {
                Val::Arr(instance.files()?.iter().map(|file| Val::string(file.istr())).collect())
            }
            "inputs" => from_json(instance.inputs()?),
            "key" => Val::string(&*instance.key),
            "modules" => Val::Obj(lazy::object(Modules { env, instance })),
            "pkgInfo" => from_json(&instance.pkg_info()?),
            "pkgs" => Val::Obj(lazy::object(Pkgs { env, instance })),
            _ => return Ok(None),
        }))
    }
}

/// The dependencies of a package.
struct Pkgs {
    env: Env,
    instance: Rc<Instance>,
}

impl Fields for Pkgs {
    fn each(&self, each: &mut dyn FnMut(&str, Visibility) -> ControlFlow<()>) -> ControlFlow<()> {
        let keys = self.instance.pkgs().into_iter().flat_map(|pkgs| pkgs.keys());
        keys.into_iter().try_for_each(|key| each(key, Visibility::Normal))
    }

    fn shown(&self, name: &str) -> Option<Visibility> {
        self.instance.pkgs().is_ok_and(|pkgs| pkgs.contains_key(name)).then_some(Visibility::Normal)
    }

    fn value(&self, name: &str) -> Result<Option<Val>> {
        let Some(key) = self.instance.pkgs()?.get(name) else { return Ok(None) };
        let instance = self.env.instance(key)?;
        Ok(Some(pkg(&self.env, &instance)))
    }
}

/// The functions that return the ids of a package's modules.
struct Modules {
    env: Env,
    instance: Rc<Instance>,
}

impl Fields for Modules {
    fn each(&self, each: &mut dyn FnMut(&str, Visibility) -> ControlFlow<()>) -> ControlFlow<()> {
        let names = self.instance.modules().into_iter().flatten();
        names.into_iter().try_for_each(|name| each(name, Visibility::Normal))
    }

    fn value(&self, name: &str) -> Result<Option<Val>> {
        let has = self.instance.modules()?.iter().any(|module| module == name);
        Ok(has.then(|| Val::Func(module_function(&self.env, &self.instance.key, name))))
    }
}

/// The visible part of the current module's dependencies.
struct Dependencies {
    env: Env,
}

impl Fields for Dependencies {
    fn each(&self, each: &mut dyn FnMut(&str, Visibility) -> ControlFlow<()>) -> ControlFlow<()> {
        self.env.modules.borrow().keys().try_for_each(|key| each(key, Visibility::Normal))
    }

    fn shown(&self, name: &str) -> Option<Visibility> {
        self.env.modules.borrow().contains_key(name).then_some(Visibility::Normal)
    }

    fn value(&self, name: &str) -> Result<Option<Val>> {
        let modules = self.env.modules.borrow();
        let Some(id) = modules.get(name) else { return Ok(None) };
        let instance = self.env.module(id)?;
        let mut builder = ObjValueBuilder::with_capacity(2);
        for name in ["inputs", "outputs"] {
            builder.field(name).value(from_json(instance.get(name).unwrap_or(&Value::Null)));
        }
        Ok(Some(Val::Obj(builder.build())))
    }
}
