//! Escaping of untrusted text for the terminal.
//!
//! Output of commands and names of files may contain sequences that move the cursor, retitle
//! the window, send input, or reorder text. None of these reach the terminal.

use std::borrow::Cow;
use std::fmt::Write;

use super::style::SEQUENCES;

/// Returns `text` as one line: without colours, with tabs as spaces, and every other control character escaped.
pub(crate) fn line(text: &str) -> Cow<'_, str> {
    if text.chars().all(is_harmless) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        if let Some(after) = skip_color(rest) {
            rest = after;
            continue;
        }
        push(&mut out, character);
        rest = &rest[character.len_utf8()..];
    }
    Cow::Owned(out)
}

/// Returns `text` as lines, each escaped by [`line`], without trailing blank lines.
///
/// A carriage return also ends a line, so that a progress bar becomes its frames and nothing is
/// overwritten.
pub(crate) fn lines(text: &str) -> Vec<Cow<'_, str>> {
    let mut lines: Vec<_> = text
        .split('\n')
        .flat_map(|row| row.strip_suffix('\r').unwrap_or(row).split('\r'))
        .map(line)
        .collect();
    while lines.last().is_some_and(|line| line.trim().is_empty()) {
        lines.pop();
    }
    lines
}

/// Appends `text` to `out`, keeping line breaks and wake's own colours; everything else that would control a terminal
/// is escaped.
pub(super) fn text(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(character) = rest.chars().next() {
        let own = match character {
            '\x1b' => SEQUENCES.into_iter().find(|sequence| rest.starts_with(sequence)),
            '\n' => Some("\n"),
            _ => None,
        };
        let length = match own {
            Some(own) => {
                out.push_str(own);
                own.len()
            }
            None => {
                push(out, character);
                character.len_utf8()
            }
        };
        rest = &rest[length..];
    }
}

/// Appends an escaped byte that is not text.
pub(super) fn byte(byte: u8, out: &mut String) {
    // Writing to a String cannot fail.
    let _ = write!(out, "\\x{byte:02x}");
}

/// Returns the number of bytes at the end of `bytes` that may be an incomplete character or colour of wake's.
pub(super) fn unfinished(bytes: &[u8]) -> usize {
    let in_character = match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() => bytes.len() - error.valid_up_to(),
        _ => bytes.utf8_chunks().last().map_or(0, |chunk| {
            let rest = chunk.invalid();
            if std::str::from_utf8(rest).is_err_and(|e| e.error_len().is_none()) {
                rest.len()
            } else {
                0
            }
        }),
    };
    if in_character > 0 {
        return in_character;
    }
    let escape = bytes.iter().rposition(|byte| *byte == 0x1b).map(|at| &bytes[at..]);
    let begins = |rest: &&[u8]| {
        SEQUENCES
            .iter()
            .any(|sequence| sequence.len() > rest.len() && sequence.as_bytes().starts_with(rest))
    };
    escape.filter(begins).map_or(0, <[u8]>::len)
}

/// Returns an equivalent JSON text without characters that would control a terminal.
pub(crate) fn json(text: &str) -> Cow<'_, str> {
    let stays = |character: char| character == '\n' || is_harmless(character);
    if text.chars().all(stays) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if stays(character) {
            out.push(character);
            continue;
        }
        for unit in character.encode_utf16(&mut [0; 2]) {
            let _ = write!(out, "\\u{unit:04x}");
        }
    }
    Cow::Owned(out)
}

fn push(out: &mut String, character: char) {
    if character == '\t' {
        out.push_str("    ");
    } else if is_harmless(character) {
        out.push(character);
    } else if character.is_ascii() {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\x{:02x}", u32::from(character));
    } else {
        let _ = write!(out, "\\u{{{:x}}}", u32::from(character));
    }
}

fn is_harmless(character: char) -> bool {
    !character.is_control() && !is_invisible(character)
}

/// Whether a character invisibly changes the order or presence of others.
///
/// Source: Unicode Standard Annex 9, explicit directional formatting; annex 31, default ignorables.
fn is_invisible(character: char) -> bool {
    matches!(
        character,
        '\u{061c}' | '\u{200b}'..='\u{200c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    )
}

/// Returns the text after a colour sequence (`ESC [ digits ; m`), if `text` starts with one.
///
/// Compilers can be told to colour their output; dropping the colours keeps excerpts readable.
fn skip_color(text: &str) -> Option<&str> {
    let parameters = text.strip_prefix("\x1b[")?;
    let end = parameters.find(|c: char| !(c.is_ascii_digit() || c == ';' || c == ':'))?;
    parameters[end..].strip_prefix('m')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ordinary_text_is_untouched() {
        assert!(matches!(line("naïve 漢字 🦀 [x]"), Cow::Borrowed("naïve 漢字 🦀 [x]")));
    }

    #[test]
    fn control_sequences_are_spelled_out() {
        assert_eq!(line("\x1b]0;owned\x07"), "\\x1b]0;owned\\x07");
        assert_eq!(line("\x1b[2J\x1b[H"), "\\x1b[2J\\x1b[H");
        assert_eq!(line("a\x08b\x7f\0"), "a\\x08b\\x7f\\x00");
        assert_eq!(line("\u{9b}2J"), "\\u{9b}2J");
    }

    #[test]
    fn colours_are_dropped_and_only_colours() {
        assert_eq!(line("\x1b[1;31merror\x1b[0m: x"), "error: x");
        assert_eq!(line("\x1b[38:5:1mx\x1b[m"), "x");
        assert_eq!(line("\x1b[31"), "\\x1b[31");
        assert_eq!(line("\x1b[31K"), "\\x1b[31K");
    }

    #[test]
    fn reordering_characters_are_spelled_out() {
        assert_eq!(line("a\u{202e}b\u{2066}"), "a\\u{202e}b\\u{2066}");
    }

    #[test]
    fn carriage_returns_hide_nothing() {
        assert_eq!(lines("bad\rgood\r\nnext\n\n"), ["bad", "good", "next"]);
        assert_eq!(lines(""), [""; 0]);
        assert_eq!(lines("\tx"), ["    x"]);
    }

    #[test]
    fn json_is_equivalent_without_control_characters() {
        let value = serde_json::json!({"a\u{9b}": ["\u{7f}\u{202e}", "plain é", "\u{e0001}"]});
        let text = serde_json::to_string_pretty(&value).unwrap();
        let safe = json(&text);
        assert!(safe.chars().all(|c| c == '\n' || is_harmless(c)), "{safe:?}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), value);
        assert!(matches!(json("{\"a\": \"é\"}\n"), Cow::Borrowed(_)));
    }

    #[test]
    fn no_control_character_is_left() {
        let every: String = (0..0x3000).filter_map(char::from_u32).collect();
        for line in lines(&every) {
            assert!(!line.chars().any(char::is_control), "{line:?}");
        }
    }
}
