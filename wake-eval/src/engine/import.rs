//! Imports: files of the package and of its dependencies.

use std::any::Any;
use std::cell::RefCell;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::path::Path;
use std::rc::Rc;

use jrsonnet_evaluator::rustc_hash::FxHashMap;
use jrsonnet_evaluator::{AsPathLike, ImportResolver, ResolvePath, Result, SourcePath};
use jrsonnet_gcmodule::trace_acyclic;
use jrsonnet_ir::SourcePathT;
use wake_model::RelPath;
use wake_model::nearest::nearest;

use super::default::OVERLAY;
use super::env::Env;
use super::note::{Note, Origin, amend, refuse};
use super::reference::WrittenReference;
use crate::Way;
use crate::prepare::RAW;

/// Resolves and loads imports through the environment, which records them.
pub(crate) struct PkgImports {
    env: Env,
    /// How each file was last written in an import, for error places.
    written: RefCell<FxHashMap<String, String>>,
    /// The file that was last read to check whether it exists.
    found: RefCell<Option<(String, Vec<u8>)>>,
}

trace_acyclic!(PkgImports);

impl PkgImports {
    pub(crate) fn new(env: Env) -> Self {
        PkgImports { env, written: RefCell::default(), found: RefCell::default() }
    }

    /// Resolves `written` in the directory `dir` of the package at the end of `keys`.
    fn resolve(&self, keys: &[String], dir: &str, written: &str) -> Result<(Vec<String>, RelPath)> {
        if let Some(written) = written.strip_prefix('@') {
            let (keys, path) = foreign(keys, written)?;
            self.env.library(&keys)?;
            return Ok((keys, path));
        }
        let path = below(dir, written).map_err(Note::new)?;
        let path = self.in_directories(keys, path, written)?;
        Ok((keys.to_vec(), path))
    }

    /// Returns the first existing file of `beside` and the import library; `beside` if there is none.
    fn in_directories(&self, keys: &[String], beside: RelPath, written: &str) -> Result<RelPath> {
        if written.starts_with("./") || written.starts_with("../") {
            return Ok(beside);
        }
        let dirs = self.directories(keys)?;
        if dirs.is_empty() {
            return Ok(beside);
        }
        let in_dirs = dirs.iter().filter_map(|dir| below(dir.as_str(), written).ok());
        for path in std::iter::once(beside.clone()).chain(in_dirs) {
            if let Some(bytes) = self.read(keys, &path)? {
                self.found.replace(Some((name_of(keys, &path), bytes)));
                return Ok(path);
            }
        }
        Ok(beside)
    }

    /// Returns the import library of a package.
    fn directories(&self, keys: &[String]) -> Result<Vec<RelPath>> {
        Ok(match keys {
            [] => self.env.library_dirs.borrow().clone(),
            keys => self.env.library(keys)?.library.imports.clone(),
        })
    }

    fn read(&self, keys: &[String], path: &RelPath) -> Result<Option<Vec<u8>>> {
        if keys.is_empty() {
            return self.env.world.read(path);
        }
        let library = self.env.library(keys)?;
        let way = Way { keys: keys.to_vec(), path: path.clone() };
        Ok(self.env.world.import(&library, &way)?.map(|bytes| bytes.to_vec()))
    }

    /// Returns the error for a file that cannot be imported.
    fn not_there(&self, keys: &[String], path: &RelPath) -> Result<Note> {
        if let [.., key] = keys {
            let files = &self.env.library(keys)?.library.files;
            let note = Note::new(format!("package `{key}` exports no file `{}`", path.dotted()));
            let near = nearest(path.as_str(), files.iter().map(RelPath::as_str));
            return Ok(note
                .suggest(near)
                .hint("a package exports the files listed in its `files`"));
        }
        let path = self.env.world.shown(path);
        let note = Note::new(format!("there is no file `{path}` to import"));
        let dirs = self.env.library_dirs.borrow();
        if dirs.is_empty() {
            return Ok(note);
        }
        let dirs: Vec<String> = dirs.iter().map(|dir| format!("`{}`", dir.dotted())).collect();
        Ok(note.hint(format!("also searched {}", dirs.join(", "))))
    }
}

/// Parses an import after its `@` into keys and path; `keys` lead to the importing file's package.
fn foreign(keys: &[String], written: &str) -> std::result::Result<(Vec<String>, RelPath), Note> {
    let is_key = |key: &str| {
        !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
    };
    let Some((key, path)) = written.split_once('/').filter(|(key, _)| is_key(key)) else {
        return Err(Note::new(
            "`@` must be followed by the key of a package and a path: `@key/path`",
        )
        .hint(format!(
            "for a file of this package whose name starts with `@`, write `./@{written}`"
        )));
    };
    let path = below("", path).map_err(Note::new)?;
    Ok(([keys, &[key.to_owned()]].concat(), path))
}

/// Returns the name under which the engine knows a file.
fn name_of(keys: &[String], path: &RelPath) -> String {
    match keys {
        [] => path.as_str().to_owned(),
        keys => Way { keys: keys.to_vec(), path: path.clone() }.to_string(),
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
        let from = from.downcast_ref::<PkgFile>();
        let dir = from.map_or(expression_dir.as_str(), PkgFile::dir);
        let keys = from.map_or(&[][..], |file| &file.keys);
        match self.resolve(keys, dir, &written) {
            Ok((keys, path)) => {
                let name = name_of(&keys, &path);
                self.written.borrow_mut().insert(name.clone(), written);
                Ok(SourcePath::new(PkgFile { name, keys, path, raw }))
            }
            Err(error) => Err(amend(error, |note| {
                let message = format!("cannot import `{written}`: {}", note.message);
                Note { message, ..note }.origin(Origin::Reference(WrittenReference::Text(written)))
            })),
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
        let Some(PkgFile { keys, path, raw, .. }) = resolved.downcast_ref::<PkgFile>() else {
            refuse!(Note::new(format!("cannot import `{name}`")));
        };
        let written = self.written.borrow().get(&name).cloned().unwrap_or_default();
        let at = |note: Note| note.origin(Origin::Reference(WrittenReference::Text(written)));
        let read = match self.found.take() {
            Some((found, bytes)) if found == name => Ok(Some(bytes)),
            _ => self.read(keys, path),
        };
        let bytes = match read {
            Ok(Some(bytes)) => bytes,
            Ok(None) => refuse!(at(self.not_there(keys, path)?)),
            Err(error) => return Err(amend(error, at)),
        };
        if *raw {
            return Ok(bytes);
        }
        // The engine reports invalid UTF-8.
        let Ok(text) = std::str::from_utf8(&bytes) else { return Ok(bytes) };
        let text: Rc<str> = text.into();
        self.env.texts.borrow_mut().insert(name.clone(), text.clone());
        Ok(self.env.prepare(&name, &name, text)?.map_or(bytes, String::into_bytes))
    }
}

fn below(dir: &str, written: &str) -> std::result::Result<RelPath, String> {
    if written.starts_with('/') {
        return Err("the path is absolute, but imports must stay inside the package".to_owned());
    }
    let joined = if dir.is_empty() { written.to_owned() } else { format!("{dir}/{written}") };
    match joined.parse::<RelPath>() {
        Ok(path) if path.is_root() => Err("it is a directory".to_owned()),
        Ok(path) => Ok(path),
        Err(_) if written.contains("..") => Err("the path leaves the package".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// A file of a package, identified by its path in the package and the way there, so that no absolute path can get
/// into a result.
#[derive(Hash, PartialEq, Eq, Debug)]
pub(crate) struct PkgFile {
    name: String,
    /// The keys that lead to its package; none for the current package.
    keys: Vec<String>,
    path: RelPath,
    /// Whether it is imported as raw content: to the engine, that is a different file than the parsed one.
    raw: bool,
}

trace_acyclic!(PkgFile);

impl PkgFile {
    fn dir(&self) -> &str {
        self.path.as_str().rsplit_once('/').map_or("", |(dir, _)| dir)
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
