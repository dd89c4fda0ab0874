//! What is heard while a formula is carried out.

use wake_exec::Stream;

/// Something that happens while a formula is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// What is done next.
    Step(&'a str),
    /// What the command has just written: any number of bytes, not whole lines.
    Wrote(Stream, &'a [u8]),
}
