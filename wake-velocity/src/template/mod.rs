//! Templates (VTMP): parses text into sections whose lines know their positions.
//!
//! Differences between backends are left to [`crate::script`]: lines keep references to build arguments.

mod line;
mod expand;
mod read;

pub use line::{Line, Piece};

use wake_yaml::{DocumentError, Place, Warning};

/// A template for one image, with variables substituted and conditions evaluated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// The base of the image.
    pub from: From,
    /// Build arguments: those declared in `@arg`; in the second generation, every reference to one.
    pub arguments: Vec<Argument>,
    /// Verbatim lines for the script.
    pub pre: Vec<Line>,
    /// What is copied from the build context.
    pub copy: Vec<Copy>,
    /// The commands, in order; each runs only if the previous one succeeded.
    pub run: Vec<Run>,
    /// Environment variables of the image, with those of `!envar` last.
    pub env: Vec<Env>,
    /// Labels of the image.
    pub label: Vec<Label>,
    /// The entry point of the image.
    pub entry: Option<Line>,
    /// Verbatim lines for the end of the script.
    pub post: Vec<Line>,
    /// Likely mistakes.
    pub warnings: Vec<Warning>,
}

/// The base of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From {
    /// As written.
    pub line: Line,
    /// Its kind, and its name without a prefix for that; `None` if the form is unknown.
    pub source: Option<(Source, Line)>,
}

/// The kind of a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file on this machine.
    Local,
    /// An image of a registry, or of the engine.
    Docker,
    /// A file in a registry.
    Oras,
}

/// A build argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Where it is declared or referred to.
    pub at: Place,
}

/// A file or directory to be copied into the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// The whole line.
    pub line: Line,
    /// Its path in the build context.
    pub source: Line,
    /// Its path in the image.
    pub destination: Line,
}

/// One line of `@run`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// A command, or a part of one that continues on the next line.
    Command(Line),
    /// `!envar NAME VALUE`: sets a variable from here on, and in the image.
    Export(Env),
}

/// An environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Env {
    /// Its name.
    pub name: Line,
    /// Its value.
    pub value: Line,
    /// Its position.
    pub at: Place,
}

/// A label of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: Line,
    /// Its value.
    pub value: Line,
    /// Its position.
    pub at: Place,
}

/// Evaluates a condition of the second generation.
pub type Holds<'a> = &'a dyn Fn(&str) -> Result<bool, String>;

/// The inputs of parsing a template.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// Its language.
    pub language: Language<'a>,
    /// Variables by name.
    pub variables: &'a [(String, String)],
    /// Whether scripts of the backend declare arguments first, as Dockerfiles do.
    pub declares_arguments: bool,
}

/// The language of a template.
#[derive(Clone, Copy)]
pub enum Language<'a> {
    /// `%(name)`, `# comment`, `?backend line`, `@(ARGUMENT)`.
    First {
        /// The backend whose lines are kept.
        backend: &'a str,
    },
    /// `{{ name }}`, `>>> comment`, `?? condition |> text ??`, `@@ ARGUMENT @@`.
    Second {
        /// Evaluates conditions.
        holds: Holds<'a>,
    },
}

impl Template {
    /// Parses a template; `file` is for messages.
    pub fn read(file: &str, bytes: &[u8], reading: Reading<'_>) -> Result<Self, DocumentError> {
        read::template(file, bytes, reading)
    }

    /// The names of the build arguments, without duplicates; commands see them as environment variables.
    pub fn argument_names(&self) -> Vec<&str> {
        let mut names: Vec<&str> = Vec::new();
        for argument in &self.arguments {
            if !names.contains(&argument.name.as_str()) {
                names.push(&argument.name);
            }
        }
        names
    }
}
