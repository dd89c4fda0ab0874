//! What is heard while a formula is carried out.

use crate::repeatr::Policy;
use wake_exec::Stream;
use wake_store::ware::WareId;

/// Something that happens while a formula is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said<'a> {
    /// An input was unpacked before and has been altered since: it is not used.
    Altered(&'a WareId),
    /// An input is fetched and unpacked.
    Unpacking(&'a WareId),
    /// The formula asks for more rights than any command gets.
    GrantsNothing(Policy),
    /// Everything is there: the command starts, given with its arguments.
    Running(&'a [String]),
    /// What the command has just written: any number of bytes, not whole lines.
    Wrote(Stream, &'a [u8]),
}
