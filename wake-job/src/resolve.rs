//! Resolves the codespec and the buffers that a run names.

use std::collections::BTreeMap;

use wake_buffer::{BufferError, Buffers, State};
use wake_codespec::name::{BufferName, CodespecReference};
use wake_codespec::run::{BufferArgument, RunCodespec, RunDocument};
use wake_codespec::{Codespec, Kind};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_store::Store;

use crate::codespecs::{Codespecs, CodespecsError, StoredCodespec};
use crate::options::Streams;
use crate::possible::Refusal;
use crate::task::InputEnd;

/// Why a run cannot become a task.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// The codespec could not be read.
    #[error(transparent)]
    Codespec(#[from] CodespecsError),
    /// The document is invalid.
    #[error(transparent)]
    Document(#[from] wake_codespec::DocumentError),
    /// A buffer cannot be used.
    #[error(transparent)]
    Buffer(#[from] BufferError),
    /// It cannot be run here, or not with these options.
    #[error("{}", .0.message)]
    Refused(Box<Diagnostic>),
}

impl From<Refusal> for PrepareError {
    fn from(refusal: Refusal) -> Self {
        PrepareError::Refused(refusal)
    }
}

/// Returns the codespec of a run, with its reference and version if it is named.
pub fn codespec(
    run: &RunDocument,
    wanted: &RunCodespec,
    kind: Kind,
    store: &Store,
) -> Result<(Codespec, Option<CodespecReference>), PrepareError> {
    match wanted {
        RunCodespec::Inline(codespec) => Ok(((**codespec).clone(), None)),
        RunCodespec::Named(reference) => {
            let StoredCodespec { name, version, codespec, .. } =
                Codespecs::new(store).get(reference)?;
            let reference = CodespecReference { name, version: Some(version) };
            if codespec.kind() != kind {
                let kind = kind.as_str();
                let message =
                    format!("the codespec for the {kind} is required to be a {kind} codespec");
                return Err(run.error(message).into());
            }
            Ok((codespec, Some(reference)))
        }
    }
}

/// Returns the inputs of a job, each with the buffer that it is read from.
pub(crate) fn inputs(
    codespec: &Codespec,
    arguments: &BTreeMap<BufferName, BufferArgument>,
    streams: Streams,
    buffers: &Buffers<'_>,
    now: u64,
) -> Result<Vec<(BufferName, InputEnd)>, PrepareError> {
    let free = free(codespec.inputs(), arguments);
    match streams {
        Streams::Standard if free.len() > 1 => return Err(several("input", &free)),
        Streams::Made if !free.is_empty() => {
            let names: Vec<String> = free.iter().map(|name| format!("`{name}`")).collect();
            let message = format!("no buffer is given for {}", names.join(", "));
            let diagnostic = Diagnostic::error(Class::Usage, message).help(format!(
                "use `--buffer {}=ID`, or `wake job exec` to read standard input",
                free[0]
            ));
            return Err(PrepareError::Refused(Box::new(diagnostic)));
        }
        _ => {}
    }
    let mut inputs = Vec::new();
    for name in codespec.inputs() {
        let end = match arguments.get(name) {
            Some(BufferArgument::Buffer(id)) => match buffers.live(id, now)?.state {
                State::Complete(content) => InputEnd::Buffer(id.clone(), Some(content)),
                State::Unwritten | State::Writing => InputEnd::Buffer(id.clone(), None),
                State::Failed(reason) => {
                    return Err(BufferError::Failed { id: id.clone(), reason }.into());
                }
                State::BrokenOff => {
                    let bytes = buffers.get(id)?.size;
                    return Err(BufferError::BrokenOff { id: id.clone(), bytes }.into());
                }
            },
            Some(BufferArgument::Ephemeral) | None => InputEnd::Standard,
        };
        inputs.push((name.clone(), end));
    }
    Ok(inputs)
}

/// The inputs or outputs that have no buffer.
pub(crate) fn free<'n>(
    names: &'n [BufferName],
    arguments: &BTreeMap<BufferName, BufferArgument>,
) -> Vec<&'n BufferName> {
    let is_named =
        |name: &&BufferName| matches!(arguments.get(*name), Some(BufferArgument::Buffer(_)));
    names.iter().filter(|name| !is_named(name)).collect()
}

/// The error for several inputs or outputs that would use standard input or output.
pub(crate) fn several(kind: &str, free: &[&BufferName]) -> PrepareError {
    let names: Vec<String> = free.iter().map(|name| format!("`{name}`")).collect();
    let message = format!(
        "exec cannot be called if the job has multiple unmapped {kind} buffers: it has {}",
        names.join(", ")
    );
    let help = format!("name all but one of them: `--buffer {}=ID`", free[0]);
    PrepareError::Refused(Box::new(Diagnostic::error(Class::Usage, message).help(help)))
}
