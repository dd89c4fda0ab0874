//! Many files that somebody wrote, made into one thing that every step that has them shares.

use std::sync::OnceLock;

use wake_model::{Directories, Entry, Manifest, Node, RelPath, TreeDigest, place};

use super::{Input, SourceFile};

/// Many files that somebody wrote, at their paths in a work directory. A step with so many says of all of them one digest, that of
/// the directory that they would be; where steps share them, that is computed once.
#[derive(Debug)]
pub struct OwnFiles {
    /// Each an [`Input::File`]; sorted by path.
    files: Vec<(RelPath, Input)>,
    dirs: Directories,
    /// What a front writes of them.
    written: OnceLock<Box<[u8]>>,
}

impl OwnFiles {
    /// A step with so many own files names them by their directory, and shows all of them from the store: mounting that costs less than
    /// copying. Part of what keys are: `spec/encoding.md`.
    pub const MANY: usize = 256;

    /// These files, each at its path; none if they are not many, or if one would lie where another has a directory. Their bytes are let
    /// go.
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

    /// All of them, sorted by path.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&RelPath, &Input)> {
        self.files.iter().map(|(path, input)| (path, input))
    }

    /// What a front writes of them where it keeps steps, made once: they are the same in many.
    pub fn written(&self, write: impl FnOnce() -> Vec<u8>) -> &[u8] {
        self.written.get_or_init(|| write().into())
    }

    /// The same as the files that they are.
    pub(crate) fn sources(&self) -> impl Iterator<Item = (&RelPath, &SourceFile)> {
        sources(&self.files)
    }

    /// The digest of the directory that they would be.
    pub(crate) fn digest(&self) -> TreeDigest {
        self.dirs.digest()
    }

    /// The directories in which they lie.
    pub(crate) fn directories(&self) -> &Directories {
        &self.dirs
    }

    /// The directories that are others with more files; none where two things would lie at one path.
    pub(crate) fn with<'f>(
        &self,
        more: impl Iterator<Item = (&'f RelPath, &'f SourceFile)>,
    ) -> Option<Directories> {
        self.dirs.with(more.map(|(path, file)| {
            let SourceFile { blob, executable, .. } = *file;
            (path, Entry::File { blob, executable })
        }))
    }

    /// The one at exactly this path, which may be any text.
    pub(crate) fn get(&self, path: &str) -> Option<&Input> {
        let at = self.files.binary_search_by(|(at, _)| at.as_str().cmp(path)).ok()?;
        Some(&self.files[at].1)
    }

    /// Whether one of them lies at `path` or below it.
    pub(crate) fn reaches(&self, path: &RelPath) -> bool {
        let from = self.files.partition_point(|(at, _)| at < path);
        let rest = self.files[from..].iter().map(|(at, _)| at);
        // What only begins alike may be sorted between a directory and what is in it.
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
