//! What may come next, what is around it, and what is known of operands.

use crate::prepare::edits::EditId;
use crate::prepare::shape::Shape;

/// What nests deeper is left to the grammar.
pub(super) const DEEPEST: usize = 48;

/// What comes next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    /// An expression.
    Begin,
    /// More of an expression, or what stands behind it.
    Follow,
    /// An element of a list, or its end.
    Element,
    /// An argument, or the end of them; the same where all others must be named.
    Argument,
    NamedArgument,
    /// A field or a local of an object, or its end.
    Member,
    /// What separates a field from its value.
    Colon,
    /// The name of a local and its parameters.
    Bind,
    /// `=` before the value of a local.
    Assign,
    /// A parameter, or the end of them.
    Parameter,
    /// Nothing: the text was gone through.
    Whole,
}

/// What an expression, or what else comes, stands in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Around {
    Parens,
    /// The only element of a list so far; one of several.
    First,
    List,
    /// The source of a comprehension of a list; its condition.
    Source,
    Condition,
    /// The arguments of a call; the second once one of them was named.
    Arguments,
    NamedArguments,
    Index,
    /// The name of a field that is computed; the same of what is the only one so far.
    Key,
    FirstKey,
    /// The value of a field; the same of what is the only one so far.
    Value,
    FirstValue,
    /// The source and the conditions of a comprehension of an object.
    Fields,
    /// The value of a local; of one of an object.
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
    /// What ends where that ends in which it stands: the body of a function, what follows locals, what follows `else`.
    Last,
    /// The same, of a module's function whose config has a default.
    Module,
}

/// What is known of an expression so far.
#[derive(Debug, Clone, Copy)]
pub(super) struct Level {
    /// Where its last operand starts.
    pub(super) start: u32,
    /// What that is; nothing if only the grammar knows.
    pub(super) shape: Option<Shape>,
    /// Whether it is to be added to the last of the sums at hand.
    pub(super) has_left: bool,
    /// Whether there are other operators than `+`.
    pub(super) is_mixed: bool,
}

pub(super) const LEVEL: Level = Level { start: 0, shape: None, has_left: false, is_mixed: false };

/// What stands before a `+`.
#[derive(Debug, Clone, Copy)]
pub(super) struct Left {
    pub(super) start: u32,
    pub(super) shape: Shape,
    pub(super) plus: u32,
    /// What opens and closes the call that adds it up.
    pub(super) sum: Option<(EditId, EditId)>,
}

/// What an expression stands in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Frame {
    pub(super) around: Around,
    /// Whether one of the parameters is a config with a default.
    pub(super) takes_config: bool,
    /// How many parameters there were.
    pub(super) count: u16,
    /// Where its bracket stands; of a body and of a computed name, where that begins.
    pub(super) at: u32,
    /// What is known of the expression around it.
    pub(super) outer: Level,
}

pub(super) const FRAME: Frame =
    Frame { around: Around::Last, takes_config: false, count: 0, at: 0, outer: LEVEL };

/// `for variable in`, and `if` if there is one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clause {
    pub(super) start: u32,
    pub(super) end: u32,
    pub(super) name: (u32, u32),
    pub(super) condition: u32,
}

/// A stack of so few that nothing has to be allocated.
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
