//! Reading codespec and run documents: YAML, JSON, or the value of Jsonnet.

use std::fs;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use serde_json::Value;
use wake_build::Expression;
use wake_codespec::flags::Flags;
use wake_codespec::named::{CodespecError, NamedCodespec, Source};
use wake_codespec::run::RunDocument;
use wake_codespec::{COMMAND_LINE, Place};
use wake_job::codespecs::CodespecsError;
use wake_steps::diagnostic::{Class, Diagnostic, Failure, Level};
use wake_steps::error::store_failure;

use crate::documents::wrong;
use crate::report::diagnostic::tell;
use crate::session;
use crate::settings::Settings;

/// A document that has been read.
pub(crate) struct ReadDocument {
    name: String,
    content: Content,
}

enum Content {
    /// The bytes as written.
    Bytes(Vec<u8>),
    /// The value of a Jsonnet document.
    Value(Value),
}

/// Reads a file, or standard input for `-`. Documents are limited to a few MiB.
pub(crate) fn read(file: &Path, settings: &Settings) -> Result<ReadDocument, Failure> {
    let name = file.display().to_string();
    let failed = |source: io::Error| {
        Diagnostic::error(Class::Usage, format!("cannot read `{name}`: {source}"))
    };
    if file == Path::new("-") {
        let mut bytes = Vec::new();
        io::stdin().take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
        return bounded("standard input".to_owned(), bytes);
    }
    let path = settings.cwd.join(file);
    let is_jsonnet = path.extension().is_some_and(|end| end == "jsonnet" || end == "libsonnet");
    if is_jsonnet {
        let path = path.canonicalize().map_err(failed)?;
        let code = fs::read_to_string(&path).map_err(failed)?;
        let dir = path.parent().map_or_else(PathBuf::new, Path::to_owned);
        let expression = Expression { code, file: Some(path), dir, library: Vec::new() };
        let value = session::eval(settings, &expression)?.value;
        return Ok(ReadDocument { name, content: Content::Value(value) });
    }
    let mut bytes = Vec::new();
    let opened = fs::File::open(&path).map_err(failed)?;
    opened.take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    bounded(name, bytes)
}

/// The maximum size of a document, in bytes.
const LARGEST: u64 = 4 << 20;

fn bounded(name: String, bytes: Vec<u8>) -> Result<ReadDocument, Failure> {
    if bytes.len() as u64 > LARGEST {
        let message = format!("`{name}` is larger than {LARGEST} bytes");
        return Err(Diagnostic::error(Class::Usage, message).into());
    }
    Ok(ReadDocument { name, content: Content::Bytes(bytes) })
}

impl ReadDocument {
    /// Makes a document of bytes.
    pub(crate) fn of(name: String, bytes: Vec<u8>) -> Result<ReadDocument, Failure> {
        bounded(name, bytes)
    }

    /// Whether the document is a codespec.
    pub(crate) fn is_codespec(&self) -> bool {
        NamedCodespec::read(Some(self.source()), &Flags::default()).is_ok()
    }

    fn source(&self) -> Source<'_> {
        let file = &self.name;
        match &self.content {
            Content::Bytes(bytes) => Source::Written { file, bytes },
            Content::Value(value) => Source::Computed { file, value },
        }
    }
}

impl ReadDocument {
    /// Parses the document as a run, and prints warnings about likely mistakes.
    pub(crate) fn run(&self, settings: &Settings) -> Result<RunDocument, Diagnostic> {
        let run = RunDocument::read(self.source()).map_err(|error| wrong(error, Level::Error))?;
        for warning in &run.warnings {
            tell(&wrong(warning.clone(), Level::Warning), settings.manner);
        }
        Ok(run)
    }
}

/// Combines a document and flags into a codespec, and prints warnings about likely mistakes.
pub(crate) fn named(
    document: Option<&ReadDocument>,
    flags: &Flags,
    settings: &Settings,
) -> Result<NamedCodespec, Diagnostic> {
    let read = NamedCodespec::read(document.map(ReadDocument::source), flags);
    let named = read.map_err(|error| match error {
        CodespecError::Document(error) if error.place.line == 0 && document.is_none() => {
            let diagnostic = wrong(error.clone(), Level::Error);
            let message = match error.place == Place::whole(COMMAND_LINE) {
                true => error.message,
                false => diagnostic.message,
            };
            Diagnostic { class: Class::Usage, message, ..diagnostic }
        }
        CodespecError::Document(error) => wrong(error, Level::Error),
        CodespecError::Flag(error) => Diagnostic::error(Class::Usage, error.to_string()),
    })?;
    for warning in &named.warnings {
        tell(&wrong(warning.clone(), Level::Warning), settings.manner);
    }
    Ok(named)
}

/// Returns the diagnostic for a codespec that could not be stored or found.
pub(crate) fn failure(error: CodespecsError) -> Diagnostic {
    match error {
        CodespecsError::NoName(_) => Diagnostic::error(Class::Nothing, error.to_string())
            .help("run `wake codespec list` to list the codespecs"),
        CodespecsError::NoVersion { .. } => Diagnostic::error(Class::Nothing, error.to_string()),
        CodespecsError::Damaged { .. } => Diagnostic::error(Class::Integrity, error.to_string())
            .help("delete the file or restore it"),
        CodespecsError::Store(error) => store_failure(&error),
    }
}
