//! Objects whose fields are created on first access.

use std::fmt;
use std::ops::ControlFlow;

use jrsonnet_evaluator::ordering::{FieldIndex, SuperDepth};
use jrsonnet_evaluator::{
    EnumFields, EnumFieldsHandler, FieldVisibility, GetFor, HasFieldIncludeHidden, IStr, ObjValue,
    ObjValueBuilder, ObjectCore, Result, SupThis, Val, Visibility,
};
use jrsonnet_gcmodule::Trace;

/// The fields of an object. An implementation must not refer to anything that refers back to the object.
pub(crate) trait Fields: 'static {
    /// Calls `each` with the name and visibility of each field until it breaks.
    fn each(&self, each: &mut dyn FnMut(&str, Visibility) -> ControlFlow<()>) -> ControlFlow<()>;

    /// Returns the visibility of the field `name`; `None` if there is no such field.
    fn shown(&self, name: &str) -> Option<Visibility> {
        let mut found = None;
        let _ = self.each(&mut |field, shown| {
            found = (field == name).then_some(shown);
            if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        found
    }

    /// Returns the field `name`; called once per field. `None` if there is no such field.
    fn value(&self, name: &str) -> Result<Option<Val>>;
}

/// Creates an object with these fields.
pub(crate) fn object(fields: impl Fields) -> ObjValue {
    let mut builder = ObjValueBuilder::new();
    builder.extend_with_core(Core(fields));
    builder.build()
}

struct Core<F>(F);

// The collector need not look inside: the contract of `Fields` rules out cycles.
impl<F: Fields> Trace for Core<F> {
    fn is_type_tracked() -> bool {
        false
    }
}

impl<F> fmt::Debug for Core<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("lazy fields")
    }
}

impl<F: Fields> ObjectCore for Core<F> {
    fn enum_fields_core(
        &self,
        depth: &mut SuperDepth,
        handler: &mut EnumFieldsHandler<'_>,
    ) -> bool {
        let mut index = FieldIndex::default();
        let flow = self.0.each(&mut |name, shown| {
            let at = index;
            index = index.next();
            handler(*depth, at, name.into(), EnumFields::Normal(shown))
        });
        flow == ControlFlow::Continue(())
    }

    fn has_field_include_hidden_core(&self, name: IStr) -> HasFieldIncludeHidden {
        match self.0.shown(&name) {
            Some(_) => HasFieldIncludeHidden::Exists,
            None => HasFieldIncludeHidden::NotFound,
        }
    }

    fn get_for_core(&self, key: IStr, _this: SupThis, omit: bool) -> Result<GetFor> {
        if omit {
            return Ok(GetFor::NotFound);
        }
        Ok(self.0.value(&key)?.map_or(GetFor::NotFound, GetFor::Final))
    }

    fn field_visibility_core(&self, field: IStr) -> FieldVisibility {
        let shown = self.0.shown(&field);
        shown.map_or(FieldVisibility::NotFound, FieldVisibility::Found)
    }

    fn run_assertions_core(&self, _this: SupThis) -> Result<()> {
        Ok(())
    }
}
