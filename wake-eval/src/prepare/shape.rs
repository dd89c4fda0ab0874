//! What the syntax says about a value, so that most operators can be left to the engine.

/// A kind of expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A string, or a sum that contains one.
    Text,
    /// A literal integer from 0 to 3.
    Small,
    /// A larger literal integer that is exact.
    Whole,
    /// Any number.
    Number,
    /// `null` or a boolean.
    Plain,
    /// A literal list.
    List,
    /// `[]`.
    EmptyList,
    /// A literal object.
    Object,
    /// `{}`.
    EmptyObject,
    /// Unknown.
    Unknown,
}

impl Shape {
    fn is_number(self) -> bool {
        matches!(self, Shape::Small | Shape::Whole | Shape::Number)
    }

    fn is_list(self) -> bool {
        matches!(self, Shape::List | Shape::EmptyList)
    }

    pub(super) fn is_object(self) -> bool {
        matches!(self, Shape::Object | Shape::EmptyObject)
    }

    /// Whether the engine always converts the value to a string as the language requires.
    fn is_written_rightly(self) -> bool {
        matches!(
            self,
            Shape::Text
                | Shape::Small
                | Shape::Whole
                | Shape::Plain
                | Shape::EmptyList
                | Shape::EmptyObject
        )
    }

    /// Returns the shape of a number literal.
    pub(super) fn of_number(text: &str) -> Shape {
        if text.len() > 15 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            Shape::Number
        } else if matches!(text, "0" | "1" | "2" | "3") {
            Shape::Small
        } else {
            Shape::Whole
        }
    }

    /// Returns the shape of a value that has one of two shapes.
    pub(super) fn or(self, other: Shape) -> Shape {
        if self == other { self } else { Shape::Unknown }
    }
}

/// Whether the engine adds two values as the language requires. It does not if one is a string and the other contains
/// a fractional number.
pub(super) fn adds_rightly(left: Shape, right: Shape) -> bool {
    let never_text = |shape: Shape| !matches!(shape, Shape::Text | Shape::Unknown);
    (left.is_written_rightly() && right.is_written_rightly())
        || (never_text(left) && never_text(right))
        || (matches!(left, Shape::Unknown) && right.is_written_rightly() && right != Shape::Text)
        || (matches!(right, Shape::Unknown) && left.is_written_rightly() && left != Shape::Text)
}

/// Returns the shape of the sum of two values.
pub(super) fn sum(left: Shape, right: Shape) -> Shape {
    if left == Shape::Text || right == Shape::Text {
        Shape::Text
    } else if left.is_number() && right.is_number() {
        Shape::Number
    } else if left.is_list() && right.is_list() {
        Shape::List
    } else if left.is_object() && right.is_object() {
        Shape::Object
    } else {
        Shape::Unknown
    }
}

/// Whether the engine compares two values as the language requires. It treats numbers as equal if they differ by less
/// than 2^-52; from 4 on, no two different numbers are that close.
pub(super) fn compares_rightly(left: Shape, right: Shape) -> bool {
    let exact = |shape| {
        matches!(
            shape,
            Shape::Text | Shape::Whole | Shape::Plain | Shape::EmptyList | Shape::EmptyObject
        )
    };
    exact(left) || exact(right)
}

/// Whether the engine multiplies two values as the language requires: it repeats strings.
pub(super) fn multiplies_rightly(left: Shape, right: Shape) -> bool {
    left.is_number() && right.is_number()
}

/// Whether `left % right` is a number or an error.
pub(super) fn divides(left: Shape) -> bool {
    !matches!(left, Shape::Text | Shape::Unknown)
}
