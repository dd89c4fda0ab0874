//! All images of a directory, as their documents declare them.

mod first;
mod second;

use std::collections::BTreeMap;
use std::sync::Arc;

use wake_yaml::{DocumentError, Mark, Place, Text, Warning};

use crate::files::{Entry, Files, Kind};
use crate::spec::{Condition, Setting};

/// The generation of the documents.
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
    /// The generation of the documents.
    pub generation: Generation,
    /// The system, backend and distribution they were read for.
    pub setting: Setting,
    /// The images, sorted by name; versions are in document order.
    pub images: Vec<Image>,
    /// Likely mistakes.
    pub warnings: Vec<Warning>,
    /// Declarations of the second generation, in order of precedence.
    pub(crate) declared: Vec<Declaration>,
    texts: BTreeMap<Arc<str>, Text>,
}

/// A text with its position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The text.
    pub text: String,
    /// Its position.
    pub at: Place,
}

/// One version of an image.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its name.
    pub name: String,
    /// Its version, as written.
    pub version: String,
    /// The directory with its templates and files.
    pub dir: String,
    /// Where it is declared.
    pub at: Place,
    /// The images it needs, as specs.
    pub needs: Vec<Written>,
    /// Additional arguments of the build command.
    pub arguments: Vec<Written>,
    /// Variables for its template, without duplicates.
    pub variables: Vec<Variable>,
    /// The name of the template, without directory and extension.
    pub template: Written,
    /// The build context.
    pub context: Context,
    /// The script that runs on this machine before the build.
    pub prolog: Option<Prolog>,
}

/// A variable for a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: String,
    /// Its value.
    pub value: Written,
}

/// The build context of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Context {
    /// The contents of the system's directory, if there is one.
    Directory(String),
    /// These files and directories in `files`.
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
    /// The image it is for; `None`: all images.
    pub(crate) image: Option<String>,
    /// Whether the image's own declarations take precedence.
    pub(crate) yields: bool,
    pub(crate) when: Condition,
    pub(crate) scope: Scope,
    pub(crate) what: What,
}

/// The images for which a condition is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Scope {
    /// The image itself.
    Image,
    /// Any image that is built along with it.
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

/// Something that the user or a configuration adds to images.
#[derive(Clone, Debug)]
pub enum Addition {
    /// An additional argument of the build command.
    Argument(Written),
    /// A variable for templates.
    Variable(Variable),
}

impl Catalog {
    /// Reads the images in several directories; the first definition of a name counts.
    pub fn read(
        files: &dyn Files,
        roots: &[String],
        setting: &Setting,
    ) -> Result<Self, DocumentError> {
        let mut names: Vec<(String, String)> = Vec::new();
        for root in roots {
            // Avoids double slashes in displayed paths.
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
            let message = format!("`{other}` has no `specs.yaml`, but `{one}` does");
            let hint =
                "add one: every directory next to it needs one, unless its name begins with `.`";
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

    /// Adds something from a configuration to all images for which `when` holds, with lower precedence than their own
    /// declarations. Condition and scope are those of the second generation.
    pub fn configure(&mut self, when: Condition, addition: Addition) {
        let before = self.declared.iter().take_while(|one| one.image.is_none()).count();
        self.declared.insert(before, Declaration::added(when, addition, true));
    }

    /// Adds something from the command line to all images for which `when` holds. It overrides their own
    /// declarations.
    pub fn add(&mut self, when: Condition, addition: Addition) {
        self.declared.push(Declaration::added(when, addition, false));
    }

    /// An error at a position in a document that was read.
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

/// The names of the directories in a directory, except those that begin with a dot.
fn directories(files: &dyn Files, dir: &str) -> Result<Vec<String>, DocumentError> {
    let entries = listed(files, dir)?;
    let entries = entries.ok_or_else(|| {
        DocumentError::whole(dir, "there is no such directory").with_hint(
            "set the image directory with `wake image --images DIR` or VELOCITY_IMAGE_DIR",
        )
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

/// The bytes of a file that must exist.
pub(crate) fn bytes(files: &dyn Files, path: &str) -> Result<Vec<u8>, DocumentError> {
    match files.read(path) {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => Err(DocumentError::whole(path, "there is no such file")),
        Err(error) => Err(DocumentError::whole(path, error.to_string())),
    }
}
