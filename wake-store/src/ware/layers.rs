//! Applies the layers of a container image on top of each other. Source: image-spec 1.1, "Image Layer Filesystem
//! Changeset".

use super::archive::{Content, ExtractError, Stream, Visit, copy_hashed, read_tar};
use super::disk::{Room, RoomyFile};
use super::entry_path::{EntryPath, shown};
use super::hash::Sha384Digest;
use super::meter::{Meter, Metered};
use super::node::{Meta, Node};
use super::policy::ArchivePolicy;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;

/// The prefix of a whiteout: it removes what lower layers have under the rest of the name.
const WHITEOUT: &str = ".wh.";
/// The entry that removes everything that lower layers have in its directory.
const OPAQUE: &str = ".wh..wh..opq";
/// The prefix of internal entries of an old driver.
const HOUSEKEEPING: &str = ".wh..wh.";
/// The maximum length of a chain of links.
const MOST_LINKS: usize = 40;

/// The layers of an image so far, lowest first, as one tree. Nothing is written to a path that a layer names: files are
/// stored under numbers until the last layer has been applied.
pub struct Layers<'m> {
    /// An empty directory of this process.
    stage: PathBuf,
    nodes: BTreeMap<EntryPath, LayeredNode>,
    files: u64,
    layer: usize,
    room: Room,
    policy: ArchivePolicy,
    meter: &'m Meter,
}

/// One node of the tree that layers form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayeredNode {
    /// Its metadata. A hard link is the file that it names.
    pub meta: Meta,
    /// The number of the file with its content, and that content's digest.
    file: Option<(u64, Sha384Digest)>,
    /// The last layer that declared it.
    layer: usize,
}

/// The tree that layers form, on disk.
#[derive(Debug)]
pub struct LayeredTree {
    /// Its root: files with their executable bits, links and directories, all owned by this process's user.
    pub root: PathBuf,
    /// All nodes, as declared by the layers; including devices and pipes, which are not on disk.
    pub nodes: BTreeMap<EntryPath, LayeredNode>,
}

impl LayeredNode {
    /// Returns the digest of a file's content.
    pub(crate) fn content(&self) -> Option<Sha384Digest> {
        self.file.map(|(_, content)| content)
    }
}

impl<'m> Layers<'m> {
    /// Starts without layers; `stage` is an empty directory, and `meter` counts the bytes of packed layers and may stop
    /// the operation.
    pub fn new(stage: &Path, policy: ArchivePolicy, meter: &'m Meter) -> Layers<'m> {
        let (nodes, room) = (BTreeMap::new(), Room::default());
        Layers { stage: stage.to_owned(), nodes, files: 0, layer: 0, room, policy, meter }
    }

    /// Applies a layer on top of the previous ones: a tar archive, plain or compressed with gzip, bzip2, xz or zstd.
    /// Returns the SHA-256 of its uncompressed bytes in hexadecimal, by which the image's configuration identifies it.
    ///
    /// Decompression runs in a thread of its own.
    pub fn lay(&mut self, packed: impl Read + Send) -> Result<String, ExtractError> {
        self.layer += 1;
        let packed = Metered { source: packed, meter: self.meter };
        let (policy, (send, receive)) = (self.policy, mpsc::sync_channel(PIECES));
        thread::scope(|scope| {
            let unpacking = scope.spawn(move || uncompress(packed, policy, &send));
            let mut pieces = Pieces { receive, piece: Vec::new(), read: 0 };
            let laid = Stream::open(&mut pieces, policy).and_then(|mut stream| {
                read_tar(&mut stream, &mut Laying { layers: self, entries: 0 })
            });
            // The digest covers all bytes. If nobody reads any more, decompression stops.
            if laid.is_ok() {
                while pieces.receive.recv().is_ok() {}
            }
            drop(pieces);
            match (unpacking.join().unwrap_or_else(|panic| resume_unwind(panic)), laid) {
                // The cause of a failure is the one reported by the lower level.
                (Err(Some(failure)), _) | (_, Err(failure)) => Err(failure),
                (Ok(digest), Ok(())) => Ok(digest),
                (Err(None), Ok(())) => Err(ExtractError::Cancelled),
            }
        })
    }

    /// Writes the present tree to disk.
    pub fn finish(self) -> Result<LayeredTree, ExtractError> {
        let root = self.stage.join("root");
        fs::create_dir(&root).map_err(|source| unwritten(&root, source))?;
        let mut placed = BTreeMap::new();
        for (path, node) in &self.nodes {
            if self.meter.is_stopped() {
                return Err(ExtractError::Cancelled);
            }
            self.place(&root, path, node, &mut placed)
                .map_err(|source| unwritten(&root.join(path.as_str()), source))?;
        }
        Ok(LayeredTree { root, nodes: self.nodes })
    }

    /// A directory comes before its contents, since paths are sorted and the parents of each are among them.
    fn place(
        &self,
        root: &Path,
        path: &EntryPath,
        node: &LayeredNode,
        placed: &mut BTreeMap<u64, PathBuf>,
    ) -> io::Result<()> {
        if path.is_root() {
            return Ok(());
        }
        let place = root.join(path.as_str());
        match &node.meta.node {
            Node::Dir => fs::create_dir(&place),
            Node::Symlink { target } => symlink(target, &place),
            Node::File { .. } => {
                let Some((number, _)) = node.file else { return Ok(()) };
                match placed.get(&number) {
                    Some(first) => fs::copy(first, &place).map(drop)?,
                    None => fs::rename(self.file(number), &place)?,
                }
                let mode = if node.meta.perms & 0o111 == 0 { 0o644 } else { 0o755 };
                fs::set_permissions(&place, Permissions::from_mode(mode))?;
                placed.entry(number).or_insert(place);
                Ok(())
            }
            Node::Hardlink { .. }
            | Node::Fifo
            | Node::CharDevice { .. }
            | Node::BlockDevice { .. } => Ok(()),
        }
    }

    fn file(&self, number: u64) -> PathBuf {
        self.stage.join(number.to_string())
    }

    /// Removes what lower layers have at and below `path`.
    fn hide(&mut self, path: &EntryPath) {
        if self.nodes.get(path).is_some_and(|node| node.layer < self.layer) {
            self.nodes.remove(path);
        }
        self.hide_below(path);
    }

    /// Removes what lower layers have in the directory `path`.
    fn hide_below(&mut self, path: &EntryPath) {
        let (new, old): (Vec<_>, Vec<_>) = self
            .below(path)
            .map(|(at, node)| (at.clone(), node.layer))
            .partition(|(_, layer)| *layer == self.layer);
        for (at, _) in old {
            self.nodes.remove(&at);
        }
        // A directory of a lower layer that contains new entries is kept.
        for (at, _) in new {
            let _ = at.parent().map(|parent| self.conjure(&parent));
        }
    }

    /// Returns everything in the directory `path`.
    fn below(&self, path: &EntryPath) -> impl Iterator<Item = (&EntryPath, &LayeredNode)> {
        let first = if path.is_root() { EntryPath::root() } else { path.join("") };
        let inside = first.clone();
        let nodes = self.nodes.range(first..);
        nodes
            .take_while(move |(at, _)| at.as_str().starts_with(inside.as_str()))
            .filter(|(at, _)| !at.is_root())
    }

    /// Ensures that there is a directory at `path`, with all its parents; a file in the way is an error.
    fn conjure(&mut self, path: &EntryPath) -> Result<(), ExtractError> {
        let mut at = Some(path.clone());
        let mut missing = Vec::new();
        while let Some(dir) = at.filter(|dir| !dir.is_root()) {
            match self.nodes.get(&dir) {
                Some(node) if node.meta.is_dir() => break,
                Some(_) => {
                    let (path, ancestor) = (shown(path), shown(&dir));
                    return Err(ExtractError::NotADirectory { path, ancestor });
                }
                None => {}
            }
            at = dir.parent();
            missing.push(dir);
        }
        for dir in missing {
            let node = LayeredNode { meta: Meta::conjured(), file: None, layer: self.layer };
            self.nodes.insert(dir, node);
        }
        Ok(())
    }

    /// Returns the real path of an entry whose directory may be given through links, which every engine follows inside
    /// the root.
    fn resolved(&self, path: &EntryPath) -> Result<EntryPath, ExtractError> {
        let Some(parent) = path.parent().filter(|parent| !parent.is_root()) else {
            return Ok(path.clone());
        };
        let (mut done, mut hops) = (EntryPath::root(), 0);
        let mut left: Vec<String> = parent.as_str().rsplit('/').map(str::to_owned).collect();
        while let Some(name) = left.pop() {
            match &*name {
                "" | "." => continue,
                ".." => done = done.parent().unwrap_or_default(),
                _ => {
                    let next = done.join(&name);
                    let link = self.nodes.get(&next).map(|node| &node.meta.node);
                    let Some(Node::Symlink { target }) = link else {
                        done = next;
                        continue;
                    };
                    hops += 1;
                    if hops > MOST_LINKS {
                        let (path, ancestor) = (shown(path), shown(&next));
                        return Err(ExtractError::NotADirectory { path, ancestor });
                    }
                    if target.starts_with('/') {
                        done = EntryPath::root();
                    }
                    left.extend(target.rsplit('/').map(str::to_owned));
                }
            }
        }
        Ok(done.join(path.name()))
    }

    fn linked(&self, path: &EntryPath, target: &str) -> Result<LayeredNode, ExtractError> {
        let named = EntryPath::parse(target.trim_start_matches('/').as_bytes());
        let at = named.ok().map(|named| self.resolved(&named)).transpose()?;
        let is_file = |node: &&LayeredNode| node.file.is_some();
        match at.and_then(|at| self.nodes.get(&at)).filter(is_file) {
            Some(file) => Ok(LayeredNode { layer: self.layer, ..file.clone() }),
            None => {
                let target = target.escape_debug().to_string();
                Err(ExtractError::Hardlink { path: shown(path), target })
            }
        }
    }

    fn put(
        &mut self,
        path: &EntryPath,
        meta: Meta,
        content: &mut dyn Content,
    ) -> Result<(), ExtractError> {
        let at = self.resolved(path)?;
        if let Some(parent) = at.parent() {
            self.conjure(&parent)?;
        }
        let node = match &meta.node {
            Node::Hardlink { target } => self.linked(path, target)?,
            Node::File { .. } => {
                let number = self.files;
                self.files += 1;
                let content = self.write(number, content)?;
                LayeredNode { meta, file: Some((number, content)), layer: self.layer }
            }
            _ => LayeredNode { meta, file: None, layer: self.layer },
        };
        if !node.meta.is_dir() && self.nodes.get(&at).is_some_and(|there| there.meta.is_dir()) {
            let below: Vec<EntryPath> = self.below(&at).map(|(path, _)| path.clone()).collect();
            for path in below {
                self.nodes.remove(&path);
            }
        }
        // If a layer declares something twice, every engine uses the last declaration.
        self.nodes.insert(at, node);
        Ok(())
    }

    fn write(
        &mut self,
        number: u64,
        content: &mut dyn Content,
    ) -> Result<Sha384Digest, ExtractError> {
        let place = self.file(number);
        let file = File::create_new(&place).map_err(|source| unwritten(&place, source))?;
        let mut roomy = RoomyFile { file: &file, room: &mut self.room };
        copy_hashed(content, Some((&mut roomy, &place)))
    }
}

/// One layer being applied.
struct Laying<'a, 'm> {
    layers: &'a mut Layers<'m>,
    entries: u64,
}

impl Visit for Laying<'_, '_> {
    fn entry(
        &mut self,
        path: EntryPath,
        meta: Meta,
        content: &mut dyn Content,
    ) -> Result<(), ExtractError> {
        let Laying { layers, entries } = self;
        if layers.meter.is_stopped() {
            return Err(ExtractError::Cancelled);
        }
        *entries += 1;
        if *entries > layers.policy.max_entries {
            let most = layers.policy.max_entries;
            return Err(ExtractError::Limit { of: "entries", most, path: shown(&path) });
        }
        let check = layers.policy.check_path(&path);
        check.map_err(|problem| ExtractError::Path { path: shown(&path), problem })?;
        let Some(hidden) = path.name().strip_prefix(WHITEOUT) else {
            return layers.put(&path, meta, content);
        };
        let dir = path.parent().unwrap_or_default();
        match path.name() {
            OPAQUE => {
                let dir = layers.resolved(&dir.join(OPAQUE))?.parent().unwrap_or_default();
                layers.hide_below(&dir);
                Ok(())
            }
            name if name.starts_with(HOUSEKEEPING) => Ok(()),
            _ if matches!(hidden, "" | "." | "..") => {
                Err(ExtractError::Whiteout { path: shown(&path) })
            }
            _ => {
                let at = layers.resolved(&dir.join(hidden))?;
                layers.hide(&at);
                Ok(())
            }
        }
    }
}

/// The number of pieces of a layer that are buffered, and their size.
const PIECES: usize = 16;
const PIECE: usize = 128 << 10;

/// Sends the uncompressed bytes of a layer in pieces. Returns their SHA-256, or why there are no more of them: none if
/// nobody reads them any more.
fn uncompress(
    packed: impl Read,
    policy: ArchivePolicy,
    send: &mpsc::SyncSender<Vec<u8>>,
) -> Result<String, Option<ExtractError>> {
    let mut stream = Stream::open(packed, policy)?;
    let mut hasher = Sha256::new();
    loop {
        let mut piece = vec![0; PIECE];
        let count = stream.read(&mut piece)?;
        if count == 0 {
            return Ok(hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect());
        }
        piece.truncate(count);
        hasher.update(&piece);
        send.send(piece).map_err(|_| None)?;
    }
}

/// The bytes of a layer as they arrive.
struct Pieces {
    receive: mpsc::Receiver<Vec<u8>>,
    piece: Vec<u8>,
    read: usize,
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.piece.len() {
            // No more pieces: the sender reports it if they ended early.
            let Ok(piece) = self.receive.recv() else { return Ok(0) };
            (self.piece, self.read) = (piece, 0);
        }
        let count = buffer.len().min(self.piece.len() - self.read);
        buffer[..count].copy_from_slice(&self.piece[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}

fn unwritten(path: &Path, source: io::Error) -> ExtractError {
    ExtractError::Write { path: path.to_owned(), source }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::super::archive::TarWriter;
    use super::super::node::{DEFAULT_TIME, Timestamp};
    use super::*;

    enum Is<'t> {
        File(&'t str),
        Tool(&'t str),
        Dir,
        Link(&'t str),
        Hard(&'t str),
        Pipe,
    }
    use Is::{Dir, File as Text, Hard, Link, Pipe, Tool};

    fn tar(entries: &[(&str, Is<'_>)]) -> Vec<u8> {
        let mut tar = TarWriter::new(Vec::new());
        for (path, is) in entries {
            let (node, perms, text) = match is {
                Text(text) => (Node::File { size: text.len() as u64 }, 0o640, *text),
                Tool(text) => (Node::File { size: text.len() as u64 }, 0o4755, *text),
                Dir => (Node::Dir, 0o700, ""),
                Link(target) => (Node::Symlink { target: (*target).to_owned() }, 0o777, ""),
                Hard(target) => (Node::Hardlink { target: (*target).to_owned() }, 0o644, ""),
                Pipe => (Node::Fifo, 0o644, ""),
            };
            let mtime = Timestamp { seconds: DEFAULT_TIME, nanos: 0 };
            let meta = Meta { node, perms, uid: 7, gid: 8, mtime, xattrs: BTreeMap::new() };
            tar.entry(&EntryPath::parse(path.as_bytes()).unwrap(), &meta).unwrap();
            if !text.is_empty() {
                tar.content(text.as_bytes()).unwrap();
            }
        }
        tar.finish().unwrap()
    }

    fn laid(layers: &[Vec<u8>]) -> Result<Vec<String>, ExtractError> {
        let dir = tempfile::tempdir().unwrap();
        let meter = Meter::default();
        let mut all = Layers::new(dir.path(), ArchivePolicy::IMAGE, &meter);
        for layer in layers {
            all.lay(&**layer)?;
        }
        let tree = all.finish()?;
        let mut lines = Vec::new();
        list(&tree.root, &tree.root, &mut lines);
        lines.sort();
        Ok(lines)
    }

    fn list(root: &Path, dir: &Path, lines: &mut Vec<String>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(root).unwrap().display().to_string();
            let meta = fs::symlink_metadata(&path).unwrap();
            if meta.is_symlink() {
                lines.push(format!("{name} -> {}", fs::read_link(&path).unwrap().display()));
            } else if meta.is_dir() {
                lines.push(format!("{name}/"));
                list(root, &path, lines);
            } else {
                let star = if meta.permissions().mode() & 0o111 == 0 { "" } else { "*" };
                lines.push(format!("{name}{star}={}", fs::read_to_string(&path).unwrap()));
            }
        }
    }

    #[test]
    fn entries_of_a_layer_replace_those_of_lower_layers() {
        let lines = laid(&[
            tar(&[("etc", Dir), ("etc/a", Text("1")), ("etc/b", Text("2")), ("bin/x", Tool("3"))]),
            tar(&[("etc/a", Text("4")), ("bin", Link("usr/bin")), ("usr/bin/y", Tool("5"))]),
        ]);
        assert_eq!(
            lines.unwrap(),
            ["bin -> usr/bin", "etc/", "etc/a=4", "etc/b=2", "usr/", "usr/bin/", "usr/bin/y*=5"]
        );
    }

    #[test]
    fn whiteouts_remove_only_entries_of_lower_layers() {
        let lower = tar(&[
            ("d/a", Text("1")),
            ("d/b/c", Text("2")),
            ("d-x", Text("3")),
            ("e/f", Text("4")),
        ]);
        let lines = laid(&[
            lower.clone(),
            tar(&[
                ("d/b/new", Text("5")),
                ("d/.wh.b", Text("")),
                ("e/.wh..wh..opq", Text("")),
                ("e/g", Text("6")),
            ]),
        ]);
        assert_eq!(lines.unwrap(), ["d-x=3", "d/", "d/a=1", "d/b/", "d/b/new=5", "e/", "e/g=6"]);
        let lines = laid(&[lower, tar(&[(".wh.d", Text("")), (".wh..wh.plnk", Text(""))])]);
        assert_eq!(lines.unwrap(), ["d-x=3", "e/", "e/f=4"]);
        let error = laid(&[tar(&[("a/.wh.", Text(""))])]).unwrap_err().to_string();
        assert_eq!(error, "whiteout `a/.wh.` names nothing to remove");
    }

    #[test]
    fn links_in_paths_are_followed_inside_the_root() {
        let lines = laid(&[
            tar(&[("usr/lib/a", Text("1")), ("lib", Link("usr/lib")), ("up", Link("../../usr"))]),
            tar(&[("lib/b", Text("2")), ("up/lib/c", Text("3")), ("lib/.wh.a", Text(""))]),
        ]);
        assert_eq!(
            lines.unwrap(),
            ["lib -> usr/lib", "up -> ../../usr", "usr/", "usr/lib/", "usr/lib/b=2", "usr/lib/c=3"]
        );
        let circle = laid(&[tar(&[("a", Link("b")), ("b", Link("a")), ("a/x", Text("1"))])]);
        assert_eq!(circle.unwrap_err().to_string(), "`a/x` is below `a`, which is not a directory");
    }

    #[test]
    fn hard_links_may_name_files_of_lower_layers() {
        let lines = laid(&[
            tar(&[("a", Tool("1")), ("b", Hard("a"))]),
            tar(&[("c", Hard("/b")), ("a", Text("2"))]),
        ]);
        assert_eq!(lines.unwrap(), ["a=2", "b*=1", "c*=1"]);
        let error = laid(&[tar(&[("c", Hard("d"))])]).unwrap_err().to_string();
        assert_eq!(error, "hard link `c` names `d`, which is not an earlier file in the archive");
    }

    #[test]
    fn owners_and_special_files_are_recorded() {
        let dir = tempfile::tempdir().unwrap();
        let meter = Meter::default();
        let mut all = Layers::new(dir.path(), ArchivePolicy::IMAGE, &meter);
        all.lay(&*tar(&[("run/p", Pipe), ("su", Tool("x"))])).unwrap();
        let tree = all.finish().unwrap();
        assert!(!tree.root.join("run/p").exists());
        let of = |path: &str| tree.nodes[&EntryPath::parse(path.as_bytes()).unwrap()].meta.clone();
        assert_eq!(of("run/p").node, Node::Fifo);
        assert_eq!((of("su").perms, of("su").uid, of("su").gid), (0o4755, 7, 8));
    }

    #[test]
    fn a_layer_is_identified_by_its_uncompressed_bytes() {
        let plain = tar(&[("a", Text("1"))]);
        let packed = zstd::encode_all(&*plain, 3).unwrap();
        let expected: String =
            Sha256::digest(&plain).iter().map(|byte| format!("{byte:02x}")).collect();
        let dir = tempfile::tempdir().unwrap();
        let meter = Meter::default();
        let mut all = Layers::new(dir.path(), ArchivePolicy::IMAGE, &meter);
        assert_eq!(all.lay(&*packed).unwrap(), expected);
        assert_eq!(all.lay(&*plain).unwrap(), expected);
    }

    #[test]
    fn an_invalid_layer_is_reported_with_the_reason() {
        let cut = &tar(&[("a", Text("1"))])[..700];
        assert_eq!(
            laid(&[cut.to_vec()]).unwrap_err().to_string(),
            "the archive is truncated after 700 bytes"
        );
        let mut packed = zstd::encode_all(&*tar(&[("a", Text("1"))]), 3).unwrap();
        packed.truncate(20);
        assert!(laid(&[packed]).unwrap_err().to_string().contains("truncated"));
    }
}
