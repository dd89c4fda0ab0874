//! Imports: files of the package and nothing else.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::rc::Rc;

use jrsonnet_evaluator::rustc_hash::FxHashMap;
use jrsonnet_evaluator::{AsPathLike, ImportResolver, ResolvePath, Result, SourcePath};
use jrsonnet_gcmodule::{Acyclic, trace_acyclic};
use jrsonnet_ir::SourcePathT;
use wake_model::RelPath;

use super::default::OVERLAY;
use super::env::Env;
use super::note::{Note, Origin, amend, refuse};
use super::reference::WrittenReference;
use crate::prepare::RAW;

/// Resolves and loads imports through the environment, which records them.
pub(crate) struct PkgImports {
    env: Env,
    /// How each file was written where it was imported last, so that an error can point there.
    written: RefCell<FxHashMap<String, String>>,
    /// What was read last to see whether it is there.
    found: RefCell<Option<(RelPath, Vec<u8>)>>,
}

trace_acyclic!(PkgImports);

impl PkgImports {
    pub(crate) fn new(env: Env) -> Self {
        PkgImports { env, written: RefCell::default(), found: RefCell::default() }
    }

    fn not_there(&self, name: &str) -> Note {
        let note = Note::new(format!("there is no file `{name}` to import"));
        let library = self.env.library.borrow();
        if library.is_empty() {
            return note;
        }
        let dirs: Vec<String> = library.iter().map(|dir| format!("`{}`", dir.dotted())).collect();
        note.hint(format!("it was looked for in {} as well", dirs.join(", ")))
    }

    /// The first of `beside` and the places of the library where something is there; `beside` if it is nowhere.
    fn in_library(&self, beside: RelPath, written: &str) -> Result<RelPath> {
        let library = self.env.library.borrow();
        let is_relative = written.starts_with("./") || written.starts_with("../");
        if library.is_empty() || is_relative {
            return Ok(beside);
        }
        let in_library = library.iter().filter_map(|dir| below(dir.as_str(), written).ok());
        for path in std::iter::once(beside.clone()).chain(in_library) {
            if let Some(bytes) = self.env.world.read(&path)? {
                self.found.replace(Some((path.clone(), bytes)));
                return Ok(path);
            }
        }
        Ok(beside)
    }
}

impl ImportResolver for PkgImports {
    fn resolve_from(&self, from: &SourcePath, path: &dyn AsPathLike) -> Result<SourcePath> {
        let written = match path.as_path() {
            ResolvePath::Str(text) => text.to_owned(),
            ResolvePath::Path(path) => path.to_string_lossy().into_owned(),
        };
        let (written, raw) = match written.strip_prefix(RAW) {
            Some(path) => (path.to_owned(), true),
            None => (written, false),
        };
        let expression_dir = self.env.expression_dir.borrow();
        let dir = from.downcast_ref::<PkgFile>().map_or(expression_dir.as_str(), PkgFile::dir);
        match below(dir, &written) {
            Ok(path) => {
                let path = self.in_library(path, &written)?;
                let name = path.as_str().to_owned();
                self.written.borrow_mut().insert(name.clone(), written);
                Ok(SourcePath::new(PkgFile { name, raw }))
            }
            Err(reason) => Err(Note::new(format!("cannot import `{written}`: {reason}"))
                .origin(Origin::Reference(WrittenReference::Text(written)))
                .into()),
        }
    }

    fn load_file_contents(&self, resolved: &SourcePath) -> Result<Vec<u8>> {
        let name = resolved.to_string();
        let overlay = self.env.overlays.borrow().get(&name).cloned();
        if let Some(text) = overlay {
            let file = name.trim_end_matches(OVERLAY);
            let prepared = self.env.prepare(&name, file, text.as_str().into())?;
            return Ok(prepared.unwrap_or(text).into_bytes());
        }
        let path: RelPath =
            name.parse().map_err(|error| Note::new(format!("cannot import: {error}")))?;
        let written = self.written.borrow().get(&name).cloned().unwrap_or_default();
        let at = |note: Note| note.origin(Origin::Reference(WrittenReference::Text(written)));
        let read = match self.found.take() {
            Some((found, bytes)) if found == path => Ok(Some(bytes)),
            _ => self.env.world.read(&path),
        };
        let bytes = match read {
            Ok(Some(bytes)) => bytes,
            Ok(None) => refuse!(at(self.not_there(&name))),
            Err(error) => return Err(amend(error, at)),
        };
        if resolved.downcast_ref::<PkgFile>().is_some_and(|file| file.raw) {
            return Ok(bytes);
        }
        // The engine refuses what is no text.
        let Ok(text) = std::str::from_utf8(&bytes) else { return Ok(bytes) };
        let text: Rc<str> = text.into();
        self.env.texts.borrow_mut().insert(name.clone(), text.clone());
        Ok(self.env.prepare(&name, &name, text)?.map_or(bytes, String::into_bytes))
    }
}

fn below(dir: &str, written: &str) -> std::result::Result<RelPath, String> {
    if written.starts_with('/') {
        return Err("the path is absolute, imports stay inside the package".to_owned());
    }
    let joined = if dir.is_empty() { written.to_owned() } else { format!("{dir}/{written}") };
    match joined.parse::<RelPath>() {
        Ok(path) if path.is_root() => Err("it is a directory".to_owned()),
        Ok(path) => Ok(path),
        Err(_) if written.contains("..") => Err("the path leaves the package".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A file of the package, known by its path inside it, so that no absolute path reaches a result.
#[derive(Acyclic, Hash, PartialEq, Eq, Debug)]
pub(crate) struct PkgFile {
    name: String,
    /// Whether it is imported as it is: parsed, the same file is another one for the engine.
    raw: bool,
}

impl PkgFile {
    fn dir(&self) -> &str {
        self.name.rsplit_once('/').map_or("", |(dir, _)| dir)
    }
}

impl fmt::Display for PkgFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl SourcePathT for PkgFile {
    fn is_default(&self) -> bool {
        false
    }

    fn path(&self) -> Option<&Path> {
        None
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn dyn_hash(&self, mut hasher: &mut dyn Hasher) {
        self.hash(&mut hasher);
    }

    fn dyn_eq(&self, other: &dyn SourcePathT) -> bool {
        other.as_any().downcast_ref::<Self>() == Some(self)
    }

    fn dyn_debug(&self, fmt: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, fmt)
    }
}
