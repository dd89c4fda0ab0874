//! What calls of the interface declared, found again by the objects that they gave.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;

use jrsonnet_evaluator::rustc_hash::FxHashMap;
use jrsonnet_evaluator::{ObjValue, Val};

/// Declarations of any type, each by the identity of the object that stands for it: one that merely looks the same
/// stands for nothing.
#[derive(Default)]
pub(crate) struct Declarations(RefCell<FxHashMap<ObjValue, Rc<dyn Any>>>);

impl Declarations {
    /// Keeps what `object` stands for, and gives the object as a value.
    pub(crate) fn keep(&self, object: ObjValue, declaration: Rc<dyn Any>) -> Val {
        self.0.borrow_mut().insert(object.clone(), declaration);
        Val::Obj(object)
    }

    /// The declaration that `object` stands for, if that is a `T`.
    pub(crate) fn get<T: Any>(&self, object: &ObjValue) -> Option<Rc<T>> {
        self.0.borrow().get(object)?.clone().downcast().ok()
    }

    /// The declaration that `value` stands for, if that is a `T`.
    pub(crate) fn of<T: Any>(&self, value: &Val) -> Option<Rc<T>> {
        match value {
            Val::Obj(object) => self.get(object),
            _ => None,
        }
    }

    /// The same, out of the hands of this; none if others have it too.
    pub(crate) fn take<T: Any>(&self, value: &Val) -> Option<T> {
        let Val::Obj(object) = value else { return None };
        Rc::into_inner(self.0.borrow_mut().remove(object)?.downcast().ok()?)
    }

    /// Whether there is any `T`.
    pub(crate) fn has<T: Any>(&self) -> bool {
        self.0.borrow().values().any(|declaration| declaration.is::<T>())
    }

    /// Lets go of all of them.
    pub(crate) fn clear(&self) {
        self.0.take();
    }
}
