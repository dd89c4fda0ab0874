//! The functions that rewritten texts call, bound in the files that call them.

use std::any::Any;

use jrsonnet_evaluator::{ContextInitializer, InitialContextBuilder, Source, Thunk, Val};
use jrsonnet_gcmodule::trace_acyclic;

use super::api;
use super::env::Env;
use super::standard;
use crate::prepare::Call;

/// Binds in each file the functions that its text calls.
pub(crate) struct Functions {
    env: Env,
}

trace_acyclic!(Functions);

impl Functions {
    pub(crate) fn new(env: Env) -> Functions {
        Functions { env }
    }
}

impl ContextInitializer for Functions {
    fn populate(&self, source: Source, builder: &mut InitialContextBuilder) {
        let sources = self.env.sources.borrow();
        // Most package files call none.
        if sources.is_empty() {
            return;
        }
        let name = source.source_path().to_string();
        let Some(source) = sources.get(&name) else { return };
        for call in Call::ALL.into_iter().filter(|call| source.calls.has(*call)) {
            match call {
                Call::Own => {
                    let function = api::field_own(&self.env, name.clone());
                    builder.bind(call.name(), Thunk::evaluated(Val::Func(function)));
                }
                call => standard::bind(call, builder),
            }
        }
        standard::bind_patterns(&source.patterns, builder);
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}
