//! All images of a directory, as their documents declare them.

mod first;
mod second;

use std::collections::BTreeMap;
use std::sync::Arc;

use wake_yaml::{DocumentError, Mark, Place, Text, Warning};

use crate::files::{Entry, Files, Kind};
use crate::spec::{Condition, Setting};

/// Which of the two forms the documents have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Generation {
    /// `<name>/<tag>/specifications.yaml`, a tree of system, backend and distribution.
    First,
    /// `<name>/specs.yaml`, declarations with conditions.
    Second,
}

/// The images that exist for a setting.
#[derive(Debug)]
pub struct Catalog {
    /// The form of the documents.
    pub generation: Generation,
    /// For which system, backend and distribution they were read.
    pub setting: Setting,
    /// The images by name; those of one name as the documents have them.
    pub images: Vec<Image>,
    /// What is probably not meant.
    pub warnings: Vec<Warning>,
    /// Declarations of the second generation, in the order in which they count.
    pub(crate) declared: Vec<Declaration>,
    texts: BTreeMap<Arc<str>, Text>,
}

/// A text and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The text.
    pub text: String,
    /// Where it stands.
    pub at: Place,
}

/// One version of an image.
#[derive(Clone, Debug)]
pub struct Image {
    /// What it is called.
    pub name: String,
    /// Its version, as it is written.
    pub version: String,
    /// The directory with its templates and files.
    pub dir: String,
    /// Where it is declared.
    pub at: Place,
    /// The images that it needs, as texts of the grammar.
    pub needs: Vec<Written>,
    /// What is added to the command that builds it.
    pub arguments: Vec<Written>,
    /// Values for its template; each name stands once.
    pub variables: Vec<Variable>,
    /// The template, without directory and ending.
    pub template: Written,
    /// What lies beside the script when it is built.
    pub context: Context,
    /// What runs on this machine before it is built.
    pub prolog: Option<Prolog>,
}

/// A value for a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Written,
}

/// What lies beside the script of an image when it is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Context {
    /// What the directory of the system holds, if there is one.
    Directory(String),
    /// These files and directories of the directory `files`.
    Named(Vec<Written>),
}

/// A script that runs before an image is built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Prolog {
    /// A file of the context.
    File(Written),
    /// The script itself.
    Script(Written),
}

/// One declaration of the second generation.
#[derive(Clone, Debug)]
pub(crate) struct Declaration {
    /// Of which image; of all where there is none.
    pub(crate) image: Option<String>,
    /// Whether what the image says of itself counts before it.
    pub(crate) yields: bool,
    pub(crate) when: Condition,
    pub(crate) scope: Scope,
    pub(crate) what: What,
}

/// Of which images a condition must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Of the image itself.
    Image,
    /// Of any image that is built along with it.
    Build,
}

#[derive(Clone, Debug)]
pub(crate) enum What {
    Need(Written),
    Template(Written),
    Argument(Written),
    Variable(Variable),
    File(Written),
    Prolog(Written),
}

/// Something that a person or a configuration adds to what images declare.
#[derive(Clone, Debug)]
pub enum Addition {
    /// Added to the command.
    Argument(Written),
    /// A value for templates.
    Variable(Variable),
}

impl Catalog {
    /// Reads the images of directories; the first definition of a name counts.
    pub fn read(
        files: &dyn Files,
        roots: &[String],
        setting: &Setting,
    ) -> Result<Self, DocumentError> {
        let mut names: Vec<(String, String)> = Vec::new();
        for root in roots {
            // Not two slashes in every path that is shown.
            let root = match root.trim_end_matches('/') {
                "" => root,
                trimmed => trimmed,
            };
            for name in directories(files, root)? {
                if names.iter().all(|(known, _)| *known != name) {
                    let dir = format!("{root}/{name}");
                    names.push((name, dir));
                }
            }
        }
        names.sort();
        let mut second = Vec::new();
        for (_, dir) in &names {
            if has(files, dir, "specs.yaml")? {
                second.push(dir);
            }
        }
        let generation = if second.is_empty() { Generation::First } else { Generation::Second };
        if let (Some(one), Some((_, other))) =
            (second.first(), names.iter().find(|(_, dir)| !second.contains(&dir)))
        {
            let message = format!("`{other}` has no `specs.yaml`, and `{one}` has one");
            let hint =
                "every directory beside it must have one; those that begin with `.` are left alone";
            return Err(DocumentError::whole(other, message).with_hint(hint));
        }
        let mut catalog = Self {
            generation,
            setting: setting.clone(),
            images: Vec::new(),
            warnings: Vec::new(),
            declared: Vec::new(),
            texts: BTreeMap::new(),
        };
        for (name, dir) in &names {
            match generation {
                Generation::First => first::read(&mut catalog, files, name, dir)?,
                Generation::Second => second::read(&mut catalog, files, name, dir)?,
            }
        }
        Ok(catalog)
    }

    /// Adds what a configuration says of all images for which `when` holds, before what they declare themselves.
    /// Condition and scope are those of the second generation.
    pub fn configure(&mut self, when: Condition, addition: Addition) {
        let before = self.declared.iter().take_while(|one| one.image.is_none()).count();
        self.declared.insert(before, Declaration::added(when, addition, true));
    }

    /// Adds what was asked for in a call to all images for which `when` holds. It overrides what they declare themselves.
    pub fn add(&mut self, when: Condition, addition: Addition) {
        self.declared.push(Declaration::added(when, addition, false));
    }

    /// An error at a place of a document that was read.
    pub(crate) fn error(&self, place: &Place, message: impl Into<String>) -> DocumentError {
        let mark = Mark { line: place.line, column: place.column };
        match self.texts.get(&place.file) {
            Some(text) => text.error(mark, message),
            None => {
                DocumentError { place: place.clone(), ..DocumentError::whole(&place.file, message) }
            }
        }
    }

    /// Keeps a document, so that later errors can show its lines.
    pub(crate) fn keep(&mut self, file: &str, text: &Text) {
        self.texts.insert(file.into(), text.clone());
    }
}

impl Declaration {
    fn added(when: Condition, addition: Addition, yields: bool) -> Self {
        let what = match addition {
            Addition::Argument(argument) => What::Argument(argument),
            Addition::Variable(variable) => What::Variable(variable),
        };
        Self { image: None, yields, when, scope: Scope::Image, what }
    }
}

/// The names of the directories in a directory, but for those that begin with a dot.
fn directories(files: &dyn Files, dir: &str) -> Result<Vec<String>, DocumentError> {
    let entries = listed(files, dir)?;
    let entries = entries.ok_or_else(|| {
        DocumentError::whole(dir, "there is no such directory")
            .with_hint("`wake image --images DIR` or VELOCITY_IMAGE_DIR says where images are")
    })?;
    let shown = |entry: &Entry| entry.kind == Kind::Directory && !entry.name.starts_with('.');
    Ok(entries.into_iter().filter(shown).map(|entry| entry.name).collect())
}

fn has(files: &dyn Files, dir: &str, name: &str) -> Result<bool, DocumentError> {
    Ok(listed(files, dir)?.is_some_and(|entries| entries.iter().any(|entry| entry.name == name)))
}

fn listed(files: &dyn Files, dir: &str) -> Result<Option<Vec<Entry>>, DocumentError> {
    files.list(dir).map_err(|error| DocumentError::whole(dir, error.to_string()))
}

/// The bytes of a file that must be there.
pub(crate) fn bytes(files: &dyn Files, path: &str) -> Result<Vec<u8>, DocumentError> {
    match files.read(path) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(DocumentError::whole(path, "there is no such file")),
        Err(error) => Err(DocumentError::whole(path, error.to_string())),
    }
}
