//! One evaluation of a package file for several of its modules.
//!
//! Values in scopes outside the module functions may be evaluated for one module and reused for the next. Everything
//! read for them is therefore reported for every later module. If such a value results from a call that involves the
//! current module, such as a reference, no further module is evaluated here: evaluation from scratch defines the
//! result, and this is only an optimisation.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use jrsonnet_evaluator::{ObjValue, Result, State};

use super::env::Env;
use super::ops::{learn, module};
use super::standard;
use super::world::{Instance, Surroundings, World};
use crate::Limits;
use crate::outcome::EvaluatedText;
use crate::prepare::Mode;
use crate::wire::request::{RequestParts, Task};

/// The package whose file was last evaluated for one of its modules.
#[derive(Default)]
pub(crate) struct LastPkg(RefCell<Option<SharedPkg>>);

struct SharedPkg {
    epoch: u64,
    root: PathBuf,
    own_text: Box<str>,
    /// `None` if its modules are evaluated one by one.
    evaluated: Option<EvaluatedPkg>,
}

struct EvaluatedPkg {
    env: Env,
    state: State,
    own: Rc<Instance>,
    functions: Option<ObjValue>,
}

impl LastPkg {
    /// Evaluates `request` if it is for a module function in a package file, and nothing fails.
    pub(crate) fn evaluate(
        &self,
        request: &RequestParts<'_>,
        around: &Surroundings,
        limits: &Limits,
    ) -> Option<EvaluatedText> {
        let Task::Module { file: None, name, pkg: pkg_text, config, merge } = &request.task else {
            return None;
        };
        let epoch = request.epoch?;
        let mut last = self.0.borrow_mut();
        if !last.as_ref().is_some_and(|last| last.is_of(epoch, request.root, pkg_text)) {
            last.take().into_iter().for_each(SharedPkg::clear);
            let evaluated = EvaluatedPkg::new(pkg_text, around, limits);
            let (root, own_text) = (request.root.to_owned(), (*pkg_text).into());
            *last = Some(SharedPkg { epoch, root, own_text, evaluated });
        }
        let last = last.as_mut()?;
        let config = module::ConfigRequest::of(*config, *merge).ok()?;
        match last.evaluated.as_ref()?.module(name, config) {
            Ok(text) => Some(text),
            Err(unshared) => {
                let pkg = last.evaluated.take();
                pkg.into_iter().for_each(|pkg| pkg.env.clear());
                if let Unshared::Failed = unshared {
                    last.evaluated = EvaluatedPkg::new(pkg_text, around, limits);
                }
                None
            }
        }
    }
}

/// Why a module cannot be evaluated here.
enum Unshared {
    /// Something failed; the error is found by evaluating from scratch.
    Failed,
    /// A value in the package file involves the module being evaluated.
    Mixed,
}

impl SharedPkg {
    fn is_of(&self, epoch: u64, root: &Path, own_text: &str) -> bool {
        self.epoch == epoch && self.root == root && *self.own_text == *own_text
    }

    fn clear(self) {
        self.evaluated.into_iter().for_each(|pkg| pkg.env.clear());
    }
}

impl EvaluatedPkg {
    fn new(own: &str, around: &Surroundings, limits: &Limits) -> Option<EvaluatedPkg> {
        let env = Env::new(World::new(around.clone()), limits, None, Mode::Values);
        let state = super::state_of(&env);
        let evaluated = super::within(&env, &state, || -> Result<_> {
            let own = learn(&env, own)?;
            let functions = env.world.shared(|| module::functions(&env, &state))?;
            Ok((own, functions))
        });
        match evaluated {
            Ok((own, functions)) if standard::take_trace().is_empty() => {
                Some(EvaluatedPkg { env, state, own, functions })
            }
            _ => {
                standard::take_trace();
                env.clear();
                None
            }
        }
    }

    /// Evaluates the module `name`, unless something prevents it.
    fn module(
        &self,
        name: &str,
        config: module::ConfigRequest,
    ) -> std::result::Result<EvaluatedText, Unshared> {
        let EvaluatedPkg { env, state, own, functions } = self;
        env.next_module();
        let evaluate = || module::inline(env, state, functions, name, config, own.clone());
        let text = super::within(env, state, evaluate);
        let trace = standard::take_trace();
        match text {
            _ if env.is_mixed.get() || !trace.is_empty() => Err(Unshared::Mixed),
            Ok(text) => Ok(EvaluatedText { text, reads: env.world.take_reads(), trace }),
            Err(_) => Err(Unshared::Failed),
        }
    }
}
