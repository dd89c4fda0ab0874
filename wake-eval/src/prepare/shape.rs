//! What is known of a value by how it is written, so that most operators can be left to the engine.

/// A kind of expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// A text, or something added to one.
    Text,
    /// A whole number from 0 to 3 that is written out.
    Small,
    /// A larger whole number that is written out, and exact.
    Whole,
    /// Any number.
    Number,
    /// `null` or a boolean.
    Plain,
    /// A list that is written out.
    List,
    /// `[]`.
    EmptyList,
    /// An object that is written out.
    Object,
    /// `{}`.
    EmptyObject,
    /// Nothing is known of it.
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

    /// Whether the engine writes the value into a text as the language demands, whatever it is.
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

    /// A number as it is written.
    pub(super) fn of_number(text: &str) -> Shape {
        if text.len() > 15 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            Shape::Number
        } else if matches!(text, "0" | "1" | "2" | "3") {
            Shape::Small
        } else {
            Shape::Whole
        }
    }

    /// Either of two.
    pub(super) fn or(self, other: Shape) -> Shape {
        if self == other { self } else { Shape::Unknown }
    }
}

/// Whether the engine adds two values as the language demands: it does not where one is a text and the other holds a
/// number that is not whole.
pub(super) fn adds_rightly(left: Shape, right: Shape) -> bool {
    let never_text = |shape: Shape| !matches!(shape, Shape::Text | Shape::Unknown);
    (left.is_written_rightly() && right.is_written_rightly())
        || (never_text(left) && never_text(right))
        || (matches!(left, Shape::Unknown) && right.is_written_rightly() && right != Shape::Text)
        || (matches!(right, Shape::Unknown) && left.is_written_rightly() && left != Shape::Text)
}

/// What the sum of two values is.
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

/// Whether the engine compares two values as the language demands: it takes numbers for equal that differ by less than
/// 2^-52, which tells no numbers from 4 on apart that are not.
pub(super) fn compares_rightly(left: Shape, right: Shape) -> bool {
    let exact = |shape| {
        matches!(
            shape,
            Shape::Text | Shape::Whole | Shape::Plain | Shape::EmptyList | Shape::EmptyObject
        )
    };
    exact(left) || exact(right)
}

/// Whether the engine multiplies two values as the language demands: it repeats texts.
pub(super) fn multiplies_rightly(left: Shape, right: Shape) -> bool {
    left.is_number() && right.is_number()
}

/// Whether `left % right` is one of numbers, or an error.
pub(super) fn divides(left: Shape) -> bool {
    !matches!(left, Shape::Text | Shape::Unknown)
}
