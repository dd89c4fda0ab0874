//! What calls of the API declared, found by the objects they returned.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use jrsonnet_evaluator::rustc_hash::FxHashMap;
use jrsonnet_evaluator::{ObjValue, Val};

/// Declarations of any type, each by the identity of the object that represents it. An object that merely has equal
/// content represents nothing.
#[derive(Default)]
pub(crate) struct Declarations(RefCell<FxHashMap<ObjValue, Rc<dyn Any>>>);

impl Declarations {
    /// Stores the declaration that `object` represents, and returns the object as a value.
    pub(crate) fn keep(&self, object: ObjValue, declaration: Rc<dyn Any>) -> Val {
        self.0.borrow_mut().insert(object.clone(), declaration);
        Val::Obj(object)
    }

    /// Returns the declaration that `object` represents, if it is a `T`.
    pub(crate) fn get<T: Any>(&self, object: &ObjValue) -> Option<Rc<T>> {
        self.0.borrow().get(object)?.clone().downcast().ok()
    }

    /// Returns the declaration that `value` represents, if it is a `T`.
    pub(crate) fn of<T: Any>(&self, value: &Val) -> Option<Rc<T>> {
        match value {
            Val::Obj(object) => self.get(object),
            _ => None,
        }
    }

    /// Like [`Declarations::of`], but removes and returns the declaration itself; `None` if it is shared.
    pub(crate) fn take<T: Any>(&self, value: &Val) -> Option<T> {
        let Val::Obj(object) = value else { return None };
        Rc::into_inner(self.0.borrow_mut().remove(object)?.downcast().ok()?)
    }

    /// Whether there is any `T`.
    pub(crate) fn has<T: Any>(&self) -> bool {
        self.0.borrow().values().any(|declaration| declaration.is::<T>())
    }

    /// Removes all declarations.
    pub(crate) fn clear(&self) {
        self.0.take();
    }
}
