//! Build contexts.

use wake_model::digest::BlobDigest;
use wake_yaml::DocumentError;

use crate::catalog::{Catalog, Context, Image, bytes};
use crate::files::{Files, Kind};

/// A file of a build context.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ContextFile {
    /// Its path in the build directory.
    pub path: String,
    /// Whether it is executable.
    pub executable: bool,
    /// The digest of its content.
    pub digest: BlobDigest,
    /// The file it comes from.
    pub source: String,
}

/// Directories nested more deeply are assumed to be links that lead back.
const DEEPEST: usize = 64;

/// The files of an image's build context, sorted by path.
pub(super) fn files(
    catalog: &Catalog,
    files: &dyn Files,
    image: &Image,
) -> Result<Vec<ContextFile>, DocumentError> {
    let mut found = Vec::new();
    match &image.context {
        Context::Directory(dir) => below(files, dir, "", 0, &mut found)?,
        Context::Named(names) => {
            for name in names {
                let dir = format!("{}/files", image.dir);
                let (parent, last) = name.text.rsplit_once('/').unwrap_or(("", &name.text));
                let parent =
                    if parent.is_empty() { dir.clone() } else { format!("{dir}/{parent}") };
                let listed = files
                    .list(&parent)
                    .map_err(|error| DocumentError::whole(&parent, error.to_string()))?
                    .unwrap_or_default();
                let Some(entry) = listed.iter().find(|entry| entry.name == last) else {
                    let message =
                        format!("file `{}` of `{}` does not exist", name.text, image.name);
                    let error = catalog.error(&name.at, message);
                    return Err(error.with_hint(format!("create `{dir}/{}`", name.text)));
                };
                one(files, &dir, &name.text, entry.kind, 0, &mut found)?;
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn below(
    files: &dyn Files,
    dir: &str,
    path: &str,
    depth: usize,
    found: &mut Vec<ContextFile>,
) -> Result<(), DocumentError> {
    let whole = if path.is_empty() { dir.to_owned() } else { format!("{dir}/{path}") };
    if depth > DEEPEST {
        let message = format!("directories are nested more than {DEEPEST} levels deep");
        return Err(DocumentError::whole(&whole, message));
    }
    let entries =
        files.list(&whole).map_err(|error| DocumentError::whole(&whole, error.to_string()))?;
    for entry in entries.unwrap_or_default() {
        let path = match path {
            "" => entry.name.clone(),
            path => format!("{path}/{}", entry.name),
        };
        one(files, dir, &path, entry.kind, depth, found)?;
    }
    Ok(())
}

fn one(
    files: &dyn Files,
    dir: &str,
    path: &str,
    kind: Kind,
    depth: usize,
    found: &mut Vec<ContextFile>,
) -> Result<(), DocumentError> {
    let source = format!("{dir}/{path}");
    match kind {
        Kind::Directory => below(files, dir, path, depth + 1, found),
        Kind::File { executable } => {
            let digest = BlobDigest::of(&bytes(files, &source)?);
            found.push(ContextFile { path: path.to_owned(), executable, digest, source });
            Ok(())
        }
        Kind::Other => {
            let error = DocumentError::whole(&source, "this is neither a file nor a directory");
            Err(error
                .with_hint("move it away: a build context contains only files and directories"))
        }
    }
}
