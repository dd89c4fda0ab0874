//! Large sets of source files, shared by the steps that have them.

use std::sync::OnceLock;

use wake_model::{Directories, Entry, Manifest, Node, RelPath, TreeDigest, place};

use super::{Input, SourceFile};

/// A large set of source files, at their paths in a work directory. The action of a step with so many has a single digest for
/// them, that of the directory they form; steps that share a set compute it once.
#[derive(Debug)]
pub struct OwnFiles {
    /// Each is an [`Input::File`]; sorted by path.
    files: Vec<(RelPath, Input)>,
    dirs: Directories,
    /// The form in which a front stores them.
    written: OnceLock<Box<[u8]>>,
}

impl OwnFiles {
    /// A step with this many own files names them by the digest of their directory and mounts all of them from the store, which costs
    /// less than copying. This number is part of what keys are: `spec/encoding.md`.
    pub const MANY: usize = 256;

    /// Creates a set; none if the files are not many, or if a file lies where another has a directory. The contents are
    /// dropped.
    pub fn new(files: impl IntoIterator<Item = (RelPath, SourceFile)>) -> Option<OwnFiles> {
        let input = |file| Input::File(SourceFile { bytes: None, ..file });
        let mut files: Vec<(RelPath, Input)> =
            files.into_iter().map(|(path, file)| (path, input(file))).collect();
        files.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        files.dedup_by(|(one, _), (other, _)| one == other);
        if files.len() < OwnFiles::MANY || files.iter().any(|(path, _)| place::is_foreign(path)) {
            return None;
        }
        let nodes = sources(&files).map(|(path, file)| (path.clone(), node(file)));
        let dirs = Directories::of(&Manifest::new(nodes).ok()?);
        Some(OwnFiles { files, dirs, written: OnceLock::new() })
    }

    /// Returns all files, sorted by path.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&RelPath, &Input)> {
        self.files.iter().map(|(path, input)| (path, input))
    }

    /// Returns the form in which a front stores them, made once: many steps share it.
    pub fn written(&self, write: impl FnOnce() -> Vec<u8>) -> &[u8] {
        self.written.get_or_init(|| write().into())
    }

    /// Returns the source files themselves.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&RelPath, &SourceFile)> {
        sources(&self.files)
    }

    /// Returns the digest of the directory they form.
    pub(crate) fn digest(&self) -> TreeDigest {
        self.dirs.digest()
    }

    /// Returns the directories they are in.
    pub(crate) fn directories(&self) -> &Directories {
        &self.dirs
    }

    /// Returns the directories that differ with more files; none if two files would lie at one path.
    pub(crate) fn with<'f>(
        &self,
        more: impl Iterator<Item = (&'f RelPath, &'f SourceFile)>,
    ) -> Option<Directories> {
        self.dirs.with(more.map(|(path, file)| {
            let SourceFile { blob, executable, .. } = *file;
            (path, Entry::File { blob, executable })
        }))
    }

    /// Returns the file at exactly this path, which may be any text.
    pub(crate) fn get(&self, path: &str) -> Option<&Input> {
        let at = self.files.binary_search_by(|(at, _)| at.as_str().cmp(path)).ok()?;
        Some(&self.files[at].1)
    }

    /// Returns whether a file lies at `path` or below it.
    pub(crate) fn reaches(&self, path: &RelPath) -> bool {
        let from = self.files.partition_point(|(at, _)| at < path);
        let rest = self.files[from..].iter().map(|(at, _)| at);
        // A path with a longer first name can be sorted between a directory and its content.
        rest.take_while(|at| at.as_str().starts_with(path.as_str())).any(|at| at.starts_with(path))
    }
}

fn sources(files: &[(RelPath, Input)]) -> impl Iterator<Item = (&RelPath, &SourceFile)> {
    files.iter().filter_map(|(path, input)| match input {
        Input::File(file) => Some((path, file)),
        _ => None,
    })
}

fn node(file: &SourceFile) -> Node {
    let SourceFile { blob, size, executable, .. } = *file;
    Node::File { blob, size, executable }
}
