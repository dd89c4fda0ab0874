//! The few colours that wake uses, by what they mean.

use std::fmt::Display;

/// What a piece of text is, from which its colour follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Something went well.
    Good,
    /// Something failed.
    Bad,
    /// Something is to be looked at.
    Caution,
    /// Line numbers, arrows, remedies.
    Guide,
    /// The name or sentence that matters in a line.
    Strong,
    /// What may be skipped.
    Faint,
}

impl Role {
    /// Select Graphic Rendition parameters. Source: ECMA-48, 8.3.117.
    ///
    /// Only the eight colours that every theme defines, so that nothing is illegible on one.
    const fn parameters(self) -> &'static str {
        match self {
            Role::Good => "1;32",
            Role::Bad => "1;31",
            Role::Caution => "1;33",
            Role::Guide => "1;36",
            Role::Strong => "1",
            Role::Faint => "2",
        }
    }
}

/// Every sequence that wake itself colours with.
pub(crate) const SEQUENCES: [&str; 7] =
    ["\x1b[0m", "\x1b[1;32m", "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;36m", "\x1b[1m", "\x1b[2m"];

/// How text may look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    /// Colours are allowed.
    pub(crate) color: bool,
    /// Characters beyond ASCII are allowed in what wake itself draws.
    pub(crate) unicode: bool,
}

impl Style {
    /// `text` in the colour of `role`, where colours are allowed.
    pub(crate) fn paint(self, role: Role, text: impl Display) -> String {
        if self.color {
            format!("\x1b[{}m{text}\x1b[0m", role.parameters())
        } else {
            text.to_string()
        }
    }

    /// A line of the log: the verb right-aligned in twelve columns, then the rest.
    pub(crate) fn verb(self, role: Role, verb: &str, rest: impl Display) -> String {
        format!("{} {rest}", self.paint(role, format_args!("{verb:>VERB_COLUMNS$}")))
    }

    /// `fancy` where the locale has it, else `plain`.
    pub(crate) const fn glyph(self, fancy: &'static str, plain: &'static str) -> &'static str {
        if self.unicode { fancy } else { plain }
    }
}

/// The columns of the verb that starts a line.
pub(crate) const VERB_COLUMNS: usize = 12;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_colour_is_among_the_sequences() {
        let style = Style { color: true, unicode: false };
        for role in [Role::Good, Role::Bad, Role::Caution, Role::Guide, Role::Strong, Role::Faint] {
            let painted = style.paint(role, "");
            let begin = painted.strip_suffix(SEQUENCES[0]).unwrap_or_default();
            assert!(SEQUENCES.contains(&begin), "{role:?}");
        }
    }

    #[test]
    fn verbs_line_up() {
        let plain = Style { color: false, unicode: false };
        assert_eq!(plain.verb(Role::Good, "Finished", "x"), "    Finished x");
        let colored = Style { color: true, unicode: false };
        assert_eq!(colored.verb(Role::Bad, "Failed", "x"), "\x1b[1;31m      Failed\x1b[0m x");
    }
}
