//! What is measured, and the state of the checkout that each measurement starts from.

/// A situation that people meet every day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Nothing was ever built on this machine.
    Cold,
    /// Nothing has changed.
    Noop,
    /// The file that everything is made from has a new time and its old bytes.
    Touched,
    /// One file of a package that nothing depends on has changed.
    Leaf,
    /// A file has changed from whose package everything above is made.
    Deep,
    /// The same file has changed so that its package's output differs, and what is made from that does not.
    CutOff,
    /// The sources were checked out anew; the tool's store, where it has one, was kept.
    Checkout,
}

impl Scenario {
    /// In the order in which they leave the state that the next one needs.
    pub(crate) const ALL: [Scenario; 7] = [
        Scenario::Cold,
        Scenario::Noop,
        Scenario::Touched,
        Scenario::Leaf,
        Scenario::Deep,
        Scenario::CutOff,
        Scenario::Checkout,
    ];

    /// As the table calls it.
    pub(crate) fn title(self) -> &'static str {
        match self {
            Scenario::Cold => "cold, empty store",
            Scenario::Noop => "no-op",
            Scenario::Touched => "touched, same content",
            Scenario::Leaf => "one leaf changed",
            Scenario::Deep => "deep change",
            Scenario::CutOff => "deep change, equal one level up",
            Scenario::Checkout => "clean checkout, warm store",
        }
    }
}
