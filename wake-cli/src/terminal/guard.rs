//! Escaping of everything written to a terminal.

use std::io::{self, Write};

use super::escape;

/// A writer that escapes whatever would control a terminal; other outputs get the raw bytes.
pub(crate) struct Guard<W> {
    inner: W,
    is_terminal: bool,
    /// An incomplete character or colour.
    open: Vec<u8>,
}

impl<W: Write> Guard<W> {
    /// Makes a guard for `inner`, which may be a terminal.
    pub(crate) fn new(inner: W, is_terminal: bool) -> Self {
        Guard { inner, is_terminal, open: Vec::new() }
    }

    fn put(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut text = String::with_capacity(bytes.len());
        for chunk in bytes.utf8_chunks() {
            escape::text(chunk.valid(), &mut text);
            chunk.invalid().iter().for_each(|byte| escape::byte(*byte, &mut text));
        }
        self.inner.write_all(text.as_bytes())
    }
}

impl<W: Write> Write for Guard<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !self.is_terminal {
            return self.inner.write(bytes);
        }
        let mut all = std::mem::take(&mut self.open);
        all.extend_from_slice(bytes);
        self.open = all.split_off(all.len() - escape::unfinished(&all));
        self.put(&all)?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let open = std::mem::take(&mut self.open);
        self.put(&open)?;
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::terminal::style::{Role, Style};

    /// Returns what a terminal gets for `bytes`, written in pieces of `size`.
    fn shown(bytes: &[u8], size: usize) -> String {
        let mut guard = Guard::new(Vec::new(), true);
        bytes.chunks(size).for_each(|piece| guard.write_all(piece).unwrap());
        guard.flush().unwrap();
        String::from_utf8(guard.inner).unwrap()
    }

    #[test]
    fn split_control_sequences_never_reach_a_terminal() {
        let own = Style { color: true, unicode: true }.paint(Role::Guide, "é漢");
        let bytes = [
            own.as_bytes(),
            b"\n\x1b]0;owned\x07\x1b[2J\x1b[8mhidden\x1b[1;31",
            "\u{9b}2J\u{202e}".as_bytes(),
            b"\xff\x9b\xe6\xbc",
        ];
        let bytes = bytes.concat();
        let expected = format!(
            "{own}\n\\x1b]0;owned\\x07\\x1b[2J\\x1b[8mhidden\\x1b[1;31\\u{{9b}}2J\\u{{202e}}\\xff\\x9b\\xe6\\xbc"
        );
        for size in 1..=bytes.len() {
            assert_eq!(shown(&bytes, size), expected, "in pieces of {size}");
        }
    }

    #[test]
    fn bytes_are_unchanged_without_a_terminal() {
        let mut guard = Guard::new(Vec::new(), false);
        let bytes: Vec<u8> = (0..=255).collect();
        guard.write_all(&bytes).unwrap();
        guard.flush().unwrap();
        assert_eq!(guard.inner, bytes);
    }
}
