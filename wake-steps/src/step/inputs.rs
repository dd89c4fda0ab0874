//! The inputs of a step, by their paths below its work directory.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use wake_model::{Directories, RelPath, TreeDigest, place};

use super::{Input, OwnFiles, SourceFile};

/// Inputs by their paths below a directory.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// A large set of own files; nothing else is placed at their paths.
    own: Option<Arc<OwnFiles>>,
    placed: BTreeMap<RelPath, Input>,
    /// The paths at which an input was placed as a whole.
    whole: BTreeSet<RelPath>,
    /// The total size of file contents held in memory.
    held: usize,
}

/// The most bytes of file contents held in memory; files beyond that are read again when needed.
const MOST_HELD: usize = 1 << 20;

/// Two different inputs at one path.
#[derive(Debug, thiserror::Error)]
#[error("two different inputs at `{}`", .0.dotted())]
pub struct Conflict(pub RelPath);

impl Inputs {
    /// Returns all inputs: the large set of own files first, then the rest, each sorted by path.
    pub fn iter(&self) -> impl Iterator<Item = (&RelPath, &Input)> {
        self.own.iter().flat_map(|own| own.iter()).chain(&self.placed)
    }

    /// Returns the inputs outside the large set, sorted by path.
    pub fn single(&self) -> impl ExactSizeIterator<Item = (&RelPath, &Input)> {
        self.placed.iter()
    }

    /// Returns the large set of own files.
    pub fn own_files(&self) -> Option<&Arc<OwnFiles>> {
        self.own.as_ref()
    }

    /// Replaces inputs outside the large set.
    pub fn map_single(mut self, mut each: impl FnMut(&Input) -> Option<Input>) -> Inputs {
        for input in self.placed.values_mut() {
            if let Some(other) = each(input) {
                *input = other;
            }
        }
        self
    }

    /// Returns the input at exactly this path, which may be any text.
    pub fn get(&self, path: &str) -> Option<&Input> {
        self.placed.get(path).or_else(|| self.own.as_ref()?.get(path))
    }

    /// Returns the input at `path` or above it, and the rest of the path inside it.
    pub fn covering(&self, path: &RelPath) -> Option<(&Input, RelPath)> {
        let (here, input) = path.ancestors().find_map(|here| Some((here, self.get(here)?)))?;
        let below = path.as_str()[here.len()..].trim_start_matches('/');
        Some((input, RelPath::parse(below).unwrap_or_default()))
    }

    /// Returns whether there is an input at `path`, above it or below it.
    pub fn reaches(&self, path: &RelPath) -> bool {
        let mut from = self.placed.range(path.clone()..).map(|(at, _)| at);
        from.by_ref()
            .take_while(|at| at.as_str().starts_with(path.as_str()))
            .any(|at| at.starts_with(path))
            || self.own.as_ref().is_some_and(|own| own.reaches(path))
            || self.covering(path).is_some()
    }

    /// Places an input at `path`; placing the same one twice is allowed.
    pub fn place(&mut self, path: RelPath, mut input: Input) -> Result<(), Conflict> {
        if !self.whole.is_empty() && self.lies_in_a_whole(&path) {
            return Ok(());
        }
        match self.own.as_ref().and_then(|own| own.get(path.as_str())) {
            Some(there) if there.is_same(&input) => return Ok(()),
            Some(_) => return Err(Conflict(path)),
            None => {}
        }
        match self.placed.entry(path) {
            Entry::Occupied(there) if there.get().is_same(&input) => Ok(()),
            Entry::Occupied(there) => Err(Conflict(there.key().clone())),
            Entry::Vacant(free) => {
                self.held += input.hold(MOST_HELD - self.held);
                free.insert(input);
                Ok(())
            }
        }
    }

    /// Places a large set of files where nothing lies yet; otherwise the files are placed one by one.
    pub fn place_own(&mut self, own: Arc<OwnFiles>) -> Result<(), Conflict> {
        if self.own.is_none() && self.placed.is_empty() {
            self.own = Some(own);
            return Ok(());
        }
        own.iter().try_for_each(|(path, input)| self.place(path.clone(), input.clone()))
    }

    /// Places an input like [`Inputs::place`] that already contains whatever else is placed below its path, before or
    /// later: that is ignored.
    pub fn place_whole(&mut self, path: RelPath, input: Input) -> Result<(), Conflict> {
        let inside = self.lies_in_a_whole(&path);
        self.place(path.clone(), input)?;
        if !inside && !self.whole.contains(&path) {
            if self.own.as_ref().is_some_and(|own| own.reaches(&path)) {
                self.spread();
            }
            self.placed.retain(|at, _| *at == path || !at.starts_with(&path));
            self.whole.insert(path);
        }
        Ok(())
    }

    /// Places bytes at `path`, replacing what lies there.
    pub fn place_bytes(&mut self, path: &RelPath, bytes: Vec<u8>) {
        if self.own.as_ref().is_some_and(|own| own.get(path.as_str()).is_some()) {
            self.spread();
        }
        self.placed.insert(path.clone(), Input::Bytes { bytes, executable: false });
    }

    /// Returns the digest of the directory formed by all own files, if there are many.
    ///
    /// It depends on the files and their paths, not on how they were placed: files placed one by one are gathered first.
    pub(crate) fn own_tree(&mut self) -> Option<TreeDigest> {
        self.gather();
        let own = self.own.as_ref()?;
        if further(&self.placed).next().is_none() {
            return Some(own.digest());
        }
        let digest = self.further_directories().map(|dirs| dirs.digest());
        if digest.is_none() {
            // A file where another has a directory does not form a directory.
            self.spread();
        }
        digest
    }

    /// Gathers own files that were placed one by one into a set, if there are many.
    fn gather(&mut self) {
        if self.own.is_some() || self.placed.len() < OwnFiles::MANY {
            return;
        }
        let files = further(&self.placed).map(|(path, file)| (path.clone(), file.clone()));
        if let Some(own) = OwnFiles::new(files) {
            self.placed.retain(|path, input| !is_own(path, input));
            self.own = Some(Arc::new(own));
        }
    }

    /// Returns the directories that differ because of files placed beside the large set.
    pub(crate) fn further_directories(&self) -> Option<Directories> {
        self.own.as_ref()?.with(further(&self.placed))
    }

    /// Places the files of the large set one by one.
    fn spread(&mut self) {
        if let Some(own) = self.own.take() {
            let each = own.iter().map(|(path, input)| (path.clone(), input.clone()));
            self.placed.extend(each);
        }
    }

    fn lies_in_a_whole(&self, path: &RelPath) -> bool {
        path.ancestors().skip(1).any(|dir| self.whole.contains(dir))
    }
}

/// Returns whether this is a source file of the step's own package.
pub(crate) fn is_own(path: &RelPath, input: &Input) -> bool {
    matches!(input, Input::File(_)) && !place::is_foreign(path)
}

/// Returns the own files among `placed`.
fn further(placed: &BTreeMap<RelPath, Input>) -> impl Iterator<Item = (&RelPath, &SourceFile)> {
    placed.iter().filter_map(|(path, input)| match input {
        Input::File(file) if is_own(path, input) => Some((path, file)),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use wake_model::BlobDigest;

    use super::*;
    use crate::step::{SourceBase, StepId};

    fn path(text: &str) -> RelPath {
        text.parse().unwrap()
    }

    fn output(below: &str) -> Input {
        let below = if below.is_empty() { RelPath::root() } else { path(below) };
        Input::Output { step: StepId(3), below }
    }

    fn paths(inputs: &Inputs) -> Vec<&str> {
        inputs.iter().map(|(path, _)| path.as_str()).collect()
    }

    #[test]
    fn one_path_holds_one_thing() {
        let mut inputs = Inputs::default();
        let link = |target: &str| Input::Link { target: target.to_owned() };
        inputs.place(path("a"), link("x")).unwrap();
        inputs.place(path("a"), link("x")).unwrap();
        let error = inputs.place(path("a"), link("y")).unwrap_err();
        assert_eq!(error.to_string(), "two different inputs at `./a`");
        assert!(inputs.place(path("a"), Input::Dir).is_err());
    }

    #[test]
    fn a_whole_directory_absorbs_inputs_placed_below_it() {
        let mut inputs = Inputs::default();
        inputs.place(path("m/a/x"), output("a/x")).unwrap();
        inputs.place(path("m/b"), output("b")).unwrap();
        inputs.place_whole(path("m/a"), output("a")).unwrap();
        inputs.place(path("m/a/y"), output("a/y")).unwrap();
        inputs.place_whole(path("m/a/z"), output("a/z")).unwrap();
        assert_eq!(paths(&inputs), ["m/a", "m/b"]);
        inputs.place_whole(path("m"), output("")).unwrap();
        inputs.place_whole(path("m"), output("")).unwrap();
        assert_eq!(paths(&inputs), ["m"]);
        let (_, below) = inputs.covering(&path("m/a/y")).unwrap();
        assert_eq!(below, path("a/y"));
        assert!(inputs.covering(&path("n")).is_none());
    }

    fn source(at: &str, text: &str) -> SourceFile {
        let (base, below) = (SourceBase::Dir(RelPath::root()), path(at));
        let (blob, size) = (BlobDigest::of(text.as_bytes()), text.len() as u64);
        SourceFile { base, below, blob, size, executable: false, bytes: None }
    }

    /// A large set of files, seven to a directory.
    fn many() -> Vec<(RelPath, SourceFile)> {
        let at = |number: usize| format!("d{}/{number}", number % 7);
        (0..OwnFiles::MANY).map(|number| (path(&at(number)), source(&at(number), "x"))).collect()
    }

    fn shared() -> Inputs {
        let mut inputs = Inputs::default();
        inputs.place_own(Arc::new(OwnFiles::new(many()).unwrap())).unwrap();
        inputs
    }

    fn singly(files: Vec<(RelPath, SourceFile)>) -> Inputs {
        let mut inputs = Inputs::default();
        for (at, file) in files {
            inputs.place(at, Input::File(file)).unwrap();
        }
        inputs
    }

    #[test]
    fn many_files_are_one_directory_however_placed() {
        assert_eq!(shared().own_tree(), singly(many()).own_tree());
        assert!(shared().own_tree().is_some());
        assert_eq!(singly(many().split_off(1)).own_tree(), None);
        // More files beside the shared set.
        let more = [("d3/more", "1"), ("new/dir/more", "2"), ("top", "3")];
        let mut together = shared();
        let mut all = many();
        for (at, text) in more {
            together.place(path(at), Input::File(source(at, text))).unwrap();
            all.push((path(at), source(at, text)));
        }
        let mut other = singly(all);
        assert_eq!(together.own_tree(), other.own_tree());
        assert_ne!(together.own_tree(), shared().own_tree());
        let at = |inputs: &Inputs| inputs.iter().map(|(at, _)| at.clone()).collect::<BTreeSet<_>>();
        assert_eq!(at(&together), at(&other));
        // Generated files and files of other packages are not part of it.
        let before = together.own_tree();
        together.place_bytes(&path("made"), Vec::new());
        together.place(path(".wake/pkgs/p/f"), Input::File(source("f", ""))).unwrap();
        together.place(path("link"), Input::Link { target: "made".into() }).unwrap();
        assert_eq!(together.own_tree(), before);
        assert_eq!(together.single().len(), more.len() + 3);
    }

    #[test]
    fn files_in_a_shared_set_are_found_and_replaced() {
        let mut inputs = shared();
        assert!(inputs.get("d3/3").is_some() && inputs.get("d3/4").is_none());
        assert!(inputs.reaches(&path("d3")) && inputs.reaches(&path("d3/3/x")));
        assert!(!inputs.reaches(&path("d")) && !inputs.reaches(&path("d33")));
        inputs.place(path("d3/3"), Input::File(source("d3/3", "x"))).unwrap();
        assert_eq!(inputs.single().len(), 0, "the same thing twice");
        assert!(inputs.place(path("d3/3"), Input::Dir).is_err());
        // Bytes replace one file, and the rest are too few for a set.
        inputs.place_bytes(&path("d3/3"), b"made".to_vec());
        assert!(matches!(inputs.get("d3/3"), Some(Input::Bytes { .. })));
        assert_eq!(inputs.iter().count(), OwnFiles::MANY);
        assert_eq!(inputs.own_tree(), None);
        // An input placed as a whole contains them.
        let mut inputs = shared();
        inputs.place_whole(path("d3"), output("")).unwrap();
        assert!(inputs.iter().all(|(at, _)| !at.as_str().starts_with("d3/")));
    }

    #[test]
    fn a_file_where_others_have_a_directory_is_no_directory_with_them() {
        let mut inputs = shared();
        inputs.place(path("d3"), Input::File(source("d3", ""))).unwrap();
        assert_eq!(inputs.own_tree(), None);
        assert_eq!(inputs.iter().count(), OwnFiles::MANY + 1);
    }

    #[test]
    fn the_bytes_held_are_limited() {
        let file = |bytes: usize| {
            let (base, below) = (SourceBase::Dir(RelPath::root()), path("f"));
            let (blob, bytes) = (BlobDigest::of(b""), Some(vec![0; bytes]));
            Input::File(SourceFile { base, below, blob, size: 0, executable: false, bytes })
        };
        let mut inputs = Inputs::default();
        inputs.place(path("a"), file(MOST_HELD - 1)).unwrap();
        inputs.place(path("b"), file(2)).unwrap();
        inputs.place(path("c"), file(1)).unwrap();
        let held = inputs.iter().map(|(_, input)| match input {
            Input::File(file) => file.bytes.as_ref().map_or(0, Vec::len),
            _ => 0,
        });
        assert_eq!(held.collect::<Vec<_>>(), [MOST_HELD - 1, 0, 1]);
    }
}
