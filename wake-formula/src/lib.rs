//! The Timeless Stack's layer 1: formulas, which describe one computation, carried out; and run records, which say what came
//! of them.
//!
//! ```text
//! text ──Document::parse──► repeatr::Formula ──cradle()──► repeatr::Cradled ──► FormulaId     one SHA-384 over CBOR
//!                       └─► warpforge::Formula ─────────────────────────────► FormulaId     one CID over DAG-CBOR
//!                       both ──Run::run──► inputs from warehouses ─► sandbox ─► outputs packed ─► RunRecord
//! wake_exec::Job ──Writing::document──► repeatr::Document, its inputs packed into a warehouse
//! ```
//! `spec/formulas.md` has the formats.

mod document;
mod error;
mod from_job;
mod id;
mod json;
pub mod repeatr;
mod run;
mod run_record;
pub mod warpforge;

pub use document::Document;
pub use error::DocumentError;
pub use from_job::{FromJobError, Made, Writing, made};
pub use id::FormulaId;
pub use run::{Ran, Run, RunError, Said};
pub use run_record::{Dialect, RunRecord};
pub use wake_exec::Stream;
