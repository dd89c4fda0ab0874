//! Text width on a terminal.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Returns the width of `text`, which contains no control characters, in columns.
pub(crate) fn columns(text: &str) -> usize {
    text.width()
}

/// Cuts `text` to `room` columns, replacing its middle with `…` (`..` without Unicode).
///
/// The ends of a label say more than its middle: the package at one end, the module at the other.
pub(crate) fn cut_middle(text: &str, room: usize, ellipsis: &str) -> String {
    if columns(text) <= room {
        return text.to_owned();
    }
    let Some(kept) = room.checked_sub(columns(ellipsis)) else {
        return take(text.chars(), room).into_iter().collect();
    };
    let tail = kept / 2;
    let head: String = take(text.chars(), kept - tail).into_iter().collect();
    let mut end = take(text.chars().rev(), tail);
    end.reverse();
    format!("{head}{ellipsis}{}", end.into_iter().collect::<String>())
}

/// Cuts `text` to `room` columns, dropping its end.
pub(crate) fn cut_end(text: &str, room: usize) -> String {
    if columns(text) <= room {
        text.to_owned()
    } else {
        take(text.chars(), room).into_iter().collect()
    }
}

/// Pads `text` with spaces to `room` columns.
pub(crate) fn pad(text: &str, room: usize) -> String {
    format!("{text}{}", " ".repeat(room.saturating_sub(columns(text))))
}

fn take(characters: impl Iterator<Item = char>, room: usize) -> Vec<char> {
    let mut left = room;
    let mut taken = Vec::new();
    for character in characters {
        let width = character.width().unwrap_or(0);
        if width > left {
            break;
        }
        left -= width;
        taken.push(character);
    }
    taken
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_cut_first() {
        assert_eq!(cut_middle("//compiler:core", 20, "…"), "//compiler:core");
        assert_eq!(cut_middle("//compiler/backend:core", 11, "…"), "//com…:core");
        assert_eq!(cut_middle("//compiler", 6, ".."), "//..er");
        assert_eq!(cut_middle("abcdef", 1, ".."), "a");
    }

    #[test]
    fn wide_characters_take_two_columns() {
        assert_eq!(columns("漢字"), 4);
        assert_eq!(columns(&cut_middle("漢字漢字漢字", 7, "…")), 5);
        assert_eq!(cut_end("漢字", 3), "漢");
        assert_eq!(pad("漢", 4), "漢  ");
    }
}
