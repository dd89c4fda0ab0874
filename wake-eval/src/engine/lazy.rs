//! Objects whose fields are made when they are looked at.

use std::fmt;
use std::ops::ControlFlow;

use jrsonnet_evaluator::ordering::{FieldIndex, SuperDepth};
use jrsonnet_evaluator::{
    EnumFields, EnumFieldsHandler, FieldVisibility, GetFor, HasFieldIncludeHidden, IStr, ObjValue,
    ObjValueBuilder, ObjectCore, Result, SupThis, Val, Visibility,
};
use jrsonnet_gcmodule::Trace;

/// The fields of an object. What holds them may refer to nothing that refers back to the object.
pub(crate) trait Fields: 'static {
    /// Calls `each` with the name of each field and whether it is shown, until that breaks.
    fn each(&self, each: &mut dyn FnMut(&str, Visibility) -> ControlFlow<()>) -> ControlFlow<()>;

    /// Whether the field `name` is shown; none if there is none.
    fn shown(&self, name: &str) -> Option<Visibility> {
        let mut found = None;
        let _ = self.each(&mut |field, shown| {
            found = (field == name).then_some(shown);
            if found.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        found
    }

    /// The field `name`; asked for once, none if there is none.
    fn value(&self, name: &str) -> Result<Option<Val>>;
}

/// An object with these fields.
pub(crate) fn object(fields: impl Fields) -> ObjValue {
    let mut builder = ObjValueBuilder::new();
    builder.extend_with_core(Core(fields));
    builder.build()
}

struct Core<F>(F);

// The collector need not look inside: what is promised of `Fields`.
impl<F: Fields> Trace for Core<F> {
    fn is_type_tracked() -> bool {
        false
    }
}

impl<F> fmt::Debug for Core<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("fields that are made when they are looked at")
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
