//! What may come next, the surroundings, and what is known about operands.

use crate::prepare::edits::EditId;
use crate::prepare::shape::Shape;

/// Deeper nesting is left to the grammar.
pub(super) const DEEPEST: usize = 48;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// An expression.
    Begin,
    /// The rest of an expression, or what follows it.
    Follow,
    /// An element of a list, or its end.
    Element,
    /// An argument, or the end of the arguments; the second if all further ones must be named.
    Argument,
    NamedArgument,
    /// A field or a local of an object, or its end.
    Member,
    /// What separates a field from its value.
    Colon,
    /// The name of a local and its parameters.
    Bind,
    /// The `=` before the value of a local.
    Assign,
    /// A parameter, or the end of them.
    Parameter,
    /// Nothing: the text is complete.
    Whole,
}

/// The surroundings of an expression or other item.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    Parens,
    /// The only element of a list so far; one of several.
    First,
    List,
    /// The source of a list comprehension; its condition.
    Source,
    Condition,
    /// The arguments of a call; the second after a named one.
    Arguments,
    NamedArguments,
    Index,
    /// The computed name of a field; that of the only field so far.
    Key,
    FirstKey,
    /// The value of a field; that of the only field so far.
    Value,
    FirstValue,
    /// The source and the conditions of an object comprehension.
    Fields,
    /// The value of a local; of a local in an object.
    Local,
    MemberLocal,
    /// The parameters of a function, of a local, of a field.
    FunctionParameters,
    BindParameters,
    FieldParameters,
    /// The default of a parameter.
    Default,
    If,
    Then,
    /// Something that ends together with its parent: the body of a function, the expression after locals, the one
    /// after `else`.
    Last,
    /// The same, for the body of a module function whose config has a default.
    Module,
}

/// What is known about the current expression.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    /// The start of its last operand.
    pub(super) start: u32,
    /// The shape of that operand; `None` if only the grammar knows it.
    pub(super) shape: Option<Shape>,
    /// Whether it is to be added to the last pending sum.
    pub(super) has_left: bool,
    /// Whether it contains other operators than `+`.
    pub(super) is_mixed: bool,
}

pub(super) const LEVEL: Level = Level { start: 0, shape: None, has_left: false, is_mixed: false };

/// The operand before a `+`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    pub(super) start: u32,
    pub(super) shape: Shape,
    pub(super) plus: u32,
    /// The edits that open and close the call that adds it.
    pub(super) sum: Option<(EditId, EditId)>,
}

/// The surroundings of an expression.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) around: Around,
    /// Whether one of the parameters is a config with a default.
    pub(super) takes_config: bool,
    /// The number of parameters so far.
    pub(super) count: u16,
    /// The offset of its bracket; for a body and a computed name, its start.
    pub(super) at: u32,
    /// What is known about the enclosing expression.
    pub(super) outer: Level,
}

pub(super) const FRAME: Frame =
    Frame { around: Around::Last, takes_config: false, count: 0, at: 0, outer: LEVEL };

/// `for variable in`, and an optional `if`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clause {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) name: (u32, u32),
    pub(super) condition: u32,
}

/// A small stack that needs no allocation.
#[derive(Debug)]
pub(super) struct Few<T> {
    items: [Option<T>; 6],
    count: usize,
}

impl<T: Copy> Default for Few<T> {
    fn default() -> Few<T> {
        Few { items: [None; 6], count: 0 }
    }
}

impl<T: Copy> Few<T> {
    pub(super) fn push(&mut self, item: T) -> Option<()> {
        *self.items.get_mut(self.count)? = Some(item);
        self.count += 1;
        Some(())
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        self.count = self.count.checked_sub(1)?;
        self.items[self.count]
    }

    pub(super) fn last_mut(&mut self) -> Option<&mut T> {
        self.items[self.count.checked_sub(1)?].as_mut()
    }
}
