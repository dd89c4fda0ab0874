//! Promises: references to things that do not exist yet.

use std::ops::ControlFlow;
use std::rc::Rc;

use jrsonnet_evaluator::ordering::{FieldIndex, SuperDepth};
use jrsonnet_evaluator::{
    EnumFields, EnumFieldsHandler, FieldVisibility, GetFor, HasFieldIncludeHidden, IStr,
    ObjValueBuilder, ObjectCore, Result, SupThis, Val, Visibility,
};
use jrsonnet_gcmodule::trace_acyclic;

use super::env::Env;
use super::note::{Note, Origin};
use super::reference::Reference;

/// What to do instead of computing with a promise.
pub(crate) const MOVE: &str = "move the expression into `inputs`, `files` or `exec=function(wake, module) ...`, which run once it is known";

/// Creates a promise as a value, which can be passed on; accessing anything inside is an error.
pub(crate) fn value(env: &Env, reference: Reference) -> Val {
    let reference = Rc::new(reference);
    let mut builder = ObjValueBuilder::new();
    builder.extend_with_core(Opaque { reference: reference.clone() });
    let object = builder.build();
    env.promises.borrow_mut().insert(object.clone(), reference);
    Val::Obj(object)
}

#[derive(Debug)]
struct Opaque {
    reference: Rc<Reference>,
}

trace_acyclic!(Opaque);

impl Opaque {
    fn refuse(&self) -> Note {
        Note::new(format!(
            "`{}` is not known yet: it is a promise, and cannot be used in a computation",
            self.reference.written
        ))
        .hint(MOVE)
        .origin(Origin::Reference(self.reference.written.clone()))
    }
}

/// The one visible field, so that converting the object to a string triggers the error.
const FIELD: &str = "promise";

impl ObjectCore for Opaque {
    fn enum_fields_core(
        &self,
        depth: &mut SuperDepth,
        handler: &mut EnumFieldsHandler<'_>,
    ) -> bool {
        let field = EnumFields::Normal(Visibility::Normal);
        handler(*depth, FieldIndex::default(), FIELD.into(), field) == ControlFlow::Continue(())
    }

    fn has_field_include_hidden_core(&self, _name: IStr) -> HasFieldIncludeHidden {
        HasFieldIncludeHidden::Exists
    }

    fn get_for_core(&self, _key: IStr, _this: SupThis, _omit: bool) -> Result<GetFor> {
        Err(self.refuse().into())
    }

    fn field_visibility_core(&self, _field: IStr) -> FieldVisibility {
        FieldVisibility::Found(Visibility::Normal)
    }

    fn run_assertions_core(&self, _this: SupThis) -> Result<()> {
        Ok(())
    }
}
