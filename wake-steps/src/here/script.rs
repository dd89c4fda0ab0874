//! Explains why a program could not be started: the kernel only says that something does not exist.

use std::fs::File;
use std::io::{ErrorKind, Read};

use wake_exec::SandboxError;
use wake_model::action::Command;
use wake_store::Store;

use crate::error::StepError;
use crate::pin::PinnedAction;
use crate::step::{Input, SourceFiles};

/// How much of a script's first line the kernel reads, in bytes.
const LINE: u64 = 256;

/// Returns `error`, or a more precise one if the step's program is in no directory of its `PATH`, or is a script among its inputs
/// whose `#!` line names a missing program.
pub(super) fn explained(
    error: SandboxError,
    pinned: &PinnedAction,
    sources: &dyn SourceFiles,
    store: &Store,
) -> StepError {
    let SandboxError::NotStarted { program, source } = &error else { return error.into() };
    if source.kind() != ErrorKind::NotFound {
        return error.into();
    }
    if let Command::Run(run) = &pinned.action.command
        && !run.program.contains('/')
    {
        let path = run.env.get("PATH").map_or("", String::as_str);
        let searched = path.split(':').filter(|dir| !dir.is_empty()).map(str::to_owned);
        return StepError::NoProgram { program: program.clone(), searched: searched.collect() };
    }
    let first = pinned.program().and_then(|input| beginning(input, sources, store));
    match first.as_deref().and_then(interpreter) {
        Some(interpreter) => StepError::Interpreter { program: program.clone(), interpreter },
        None => error.into(),
    }
}

fn beginning(input: &Input, sources: &dyn SourceFiles, store: &Store) -> Option<Vec<u8>> {
    match input {
        Input::Bytes { bytes, .. } => Some(bytes.clone()),
        Input::File(file) => match &file.bytes {
            Some(bytes) => Some(bytes.clone()),
            None => {
                let mut bytes = Vec::new();
                let file = File::open(file.place(sources, store)).ok()?;
                file.take(LINE).read_to_end(&mut bytes).ok()?;
                Some(bytes)
            }
        },
        _ => None,
    }
}

/// Returns the interpreter that the kernel would take from the first line.
fn interpreter(script: &[u8]) -> Option<String> {
    let line = script.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next()?;
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let begin = line.iter().position(|byte| !is_space(byte))?;
    let name = line[begin..].split(is_space).next()?;
    Some(String::from_utf8_lossy(name).into_owned())
}

#[cfg(test)]
mod tests {
    use super::interpreter;

    #[test]
    fn the_first_line_names_a_program_up_to_a_space() {
        let cases = [
            ("#!/bin/sh\necho", Some("/bin/sh")),
            ("#! /usr/bin/env\tpython3\n", Some("/usr/bin/env")),
            ("#!/bin/sh\r\necho\r\n", Some("/bin/sh\r")),
            ("#!/bin/sh -e\r\n", Some("/bin/sh")),
            ("#!", None),
            ("echo", None),
        ];
        for (script, named) in cases {
            assert_eq!(interpreter(script.as_bytes()).as_deref(), named, "{script:?}");
        }
    }
}
