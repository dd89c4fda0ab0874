//! Templates (VTMP): from text to sections, each line of which knows where it stands.
//!
//! What differs between the backends is left to [`crate::script`]: here a line keeps references to build arguments as what they are.

mod line;
mod expand;
mod read;

pub use line::{Line, Piece};

use wake_yaml::{DocumentError, Place, Warning};

/// A template for one image, with its variables filled in and its conditions decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// What it begins from.
    pub from: From,
    /// Arguments of the build: those declared in `@arg`, or in the second generation each that is referred to, as often as it is.
    pub arguments: Vec<Argument>,
    /// Lines for the script as they stand.
    pub pre: Vec<Line>,
    /// What is copied from the context.
    pub copy: Vec<Copy>,
    /// The commands, in order; the next one runs if the one before it succeeded.
    pub run: Vec<Run>,
    /// Environment variables of the image, those of `!envar` last.
    pub env: Vec<Env>,
    /// Labels of the image.
    pub label: Vec<Label>,
    /// What the image runs.
    pub entry: Option<Line>,
    /// Lines for the end of the script as they stand.
    pub post: Vec<Line>,
    /// What is probably not meant.
    pub warnings: Vec<Warning>,
}

/// What an image begins from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct From {
    /// As it is written.
    pub line: Line,
    /// What kind of thing that is, and its name without a prefix that says so; `None` where the form is unknown.
    pub source: Option<(Source, Line)>,
}

/// Where an image's beginning comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file of this machine.
    Local,
    /// An image of a registry, or of the engine.
    Docker,
    /// A file of a registry.
    Oras,
}

/// An argument of the build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: String,
    /// Where it is declared or referred to.
    pub at: Place,
}

/// A file or directory that is copied into the image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copy {
    /// The line as a whole.
    pub line: Line,
    /// Where it lies in the context.
    pub source: Line,
    /// Where it is put.
    pub destination: Line,
}

/// One line of `@run`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Run {
    /// A command, or a part of one that goes on in the next line.
    Command(Line),
    /// `!envar NAME VALUE`: set from here on, and in the image.
    Export(Env),
}

/// An environment variable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Env {
    /// Its name.
    pub name: Line,
    /// Its value.
    pub value: Line,
    /// Where it stands.
    pub at: Place,
}

/// A label of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: Line,
    /// Its value.
    pub value: Line,
    /// Where it stands.
    pub at: Place,
}

/// Decides a condition of the second generation.
pub type Holds<'a> = &'a dyn Fn(&str) -> Result<bool, String>;

/// What a template is read with.
#[derive(Clone, Copy)]
pub struct Reading<'a> {
    /// Which language it is written in.
    pub language: Language<'a>,
    /// Values by name.
    pub variables: &'a [(String, String)],
    /// Whether scripts for the backend declare their arguments beforehand, as Dockerfiles do.
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
        /// Decides conditions.
        holds: Holds<'a>,
    },
}

impl Template {
    /// Reads a template; `file` is for messages.
    pub fn read(file: &str, bytes: &[u8], reading: Reading<'_>) -> Result<Self, DocumentError> {
        read::template(file, bytes, reading)
    }

    /// The variables of the environment that the commands see besides their own: the arguments, each once.
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
