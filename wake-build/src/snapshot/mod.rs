//! The state of the last build of one request: everything it looked at, and the results.
//!
//! There is one file for each request, whose tables are mapped and read in place, so that a build with nothing to do is little
//! more than a walk over `stat`. Beside it are the changes of a few later builds, and the signature proofs of this
//! checkout if the snapshot was taken in another one. None of these is trusted: a file that is
//! truncated, altered, of another version or of another request is ignored, and a build without it
//! does the same, only slower. What it says of the checkout is compared with the checkout each time, by
//! signature if that is proof, otherwise by content.

mod listing;
mod signature;
mod proofs;
mod step_record;
mod table;
mod format;
mod delta;
mod file;
mod looked_at;
mod results;
mod touched;
mod verify;
mod spool;
mod draft;
mod keep;
mod capture;
mod replay;
mod foreseen;

pub(crate) use capture::{Capture, capture};
pub(crate) use delta::Patch;
pub(crate) use file::{Meta, Snapshot, place, shared_name};
pub(crate) use foreseen::{Foreseen, foresight_place};
pub(crate) use keep::Changes;
pub use looked_at::LookedAt;
pub(crate) use replay::Replay;
pub(crate) use results::{CheckedLink, check_results};
pub(crate) use spool::{Records, Spool};
pub(crate) use step_record::{SharedFiles, StepRecord, StepResult};
pub use touched::Touched;
pub(crate) use verify::{Differences, Origin, verify, verify_touched};
