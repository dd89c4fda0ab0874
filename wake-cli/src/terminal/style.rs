//! The few colours that wake uses, by meaning.

use std::fmt::Display;

/// The role of a text, which determines its colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Success.
    Good,
    /// Failure.
    Bad,
    /// A warning.
    Caution,
    /// Line numbers, arrows, remedies.
    Guide,
    /// The important part of a line.
    Strong,
    /// Unimportant text.
    Faint,
}

impl Role {
    /// Returns the Select Graphic Rendition parameters. Source: ECMA-48, 8.3.117.
    ///
    /// Uses only the eight colours that every theme defines, so that all text stays legible.
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

/// Every colour sequence that wake itself writes.
pub(crate) const SEQUENCES: [&str; 7] =
    ["\x1b[0m", "\x1b[1;32m", "\x1b[1;31m", "\x1b[1;33m", "\x1b[1;36m", "\x1b[1m", "\x1b[2m"];

/// The allowed styles of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Style {
    /// Colours are allowed.
    pub(crate) color: bool,
    /// Non-ASCII characters are allowed in wake's own drawings.
    pub(crate) unicode: bool,
}

impl Style {
    /// Returns `text` in the colour of `role`, if colours are allowed.
    pub(crate) fn paint(self, role: Role, text: impl Display) -> String {
        if self.color {
            format!("\x1b[{}m{text}\x1b[0m", role.parameters())
        } else {
            text.to_string()
        }
    }

    /// Formats a log line: the verb right-aligned in twelve columns, then the rest.
    pub(crate) fn verb(self, role: Role, verb: &str, rest: impl Display) -> String {
        format!("{} {rest}", self.paint(role, format_args!("{verb:>VERB_COLUMNS$}")))
    }

    /// Returns `fancy` if the locale supports it, else `plain`.
    pub(crate) const fn glyph(self, fancy: &'static str, plain: &'static str) -> &'static str {
        if self.unicode { fancy } else { plain }
    }
}

/// The width of the verb at the start of a line.
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
