//! The Timeless Stack's formulas as a front of `wake-steps`, and its run records.
//!
//! ```text
//! text ──Document::parse──► repeatr::Formula ──cradle()──► repeatr::Cradled ──► FormulaId     one SHA-384 over CBOR
//!                       └─► warpforge::Formula ─────────────────────────────► FormulaId     one CID over DAG-CBOR
//!                       both ──Formulas::add──► wake_steps::Step, performed, reported and cached as all are ─► RunRecord
//! wake_exec::Job ──Writing::document──► repeatr::Document, its inputs packed into a warehouse
//! ```
//! `spec/formulas.md` has the formats.

mod error;
mod json;
mod id;
mod written_path;
mod mount;
pub mod repeatr;
pub mod warpforge;
mod run_record;
mod document;
mod run_error;
mod host_access;
mod task;
mod assembly;
mod check;
mod lower;
mod formulas;
mod from_job;

pub use document::Document;
pub use error::DocumentError;
pub use formulas::{FormulaEnd, FormulaResult, Formulas};
pub use from_job::{FromJobError, OutputWares, Writing, made};
pub use host_access::{DocumentPlace, Grants, NetworkGrant};
pub use id::FormulaId;
pub use repeatr::Policy;
pub use run_error::RunError;
pub use run_record::{Dialect, FormulaRecord};
pub use written_path::WrittenPath;
