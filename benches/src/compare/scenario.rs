//! The scenarios, and the state of the checkout that each starts from.

/// A situation from daily work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scenario {
    /// Nothing has been built on this machine.
    Cold,
    /// Nothing has changed.
    Noop,
    /// The file that everything depends on has a new time and the same bytes.
    Touched,
    /// One file of a package that nothing depends on has changed.
    Leaf,
    /// A file has changed in the package that everything above depends on.
    Deep,
    /// The same file has changed so that the output of its package differs, and the outputs made from that do not.
    CutOff,
    /// The sources were checked out again; the tool's store, if it has one, was kept.
    Checkout,
}

impl Scenario {
    /// All scenarios, in an order in which each leaves the state that the next one needs.
    pub(crate) const ALL: [Scenario; 7] = [
        Scenario::Cold,
        Scenario::Noop,
        Scenario::Touched,
        Scenario::Leaf,
        Scenario::Deep,
        Scenario::CutOff,
        Scenario::Checkout,
    ];

    /// The name in the table.
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
