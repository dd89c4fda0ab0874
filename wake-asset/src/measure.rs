//! The two digests of an asset's directory: refgenie's, and the digest of the tree.

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::str::FromStr;

use md5::{Digest as _, Md5};
use regex::RegexSet;
use wake_model::{BlobDigest, Manifest, Node, RelPath, TreeDigest};

use crate::error::{AssetError, At};

/// The directory with the build record of an asset, which its digests do not cover.
pub const BUILD_DIR: &str = "_refgenie_build";

/// refgenie's digest of an asset: the MD5 of the MD5s of its files, sorted by path. Source: `spec/assets.md`, "Digests".
///
/// It does not cover names, modes or links.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct AssetDigest(Box<str>);

/// A text that is not 32 lower-case hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an MD5 digest: expected 32 lower-case hexadecimal digits")]
pub struct ParseAssetDigestError(String);

impl AssetDigest {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for AssetDigest {
    type Err = ParseAssetDigestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match text.len() == 32 && text.bytes().all(is_digit) {
            true => Ok(AssetDigest(text.into())),
            false => Err(ParseAssetDigestError(text.escape_debug().to_string())),
        }
    }
}

impl fmt::Display for AssetDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for AssetDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The measurements of a directory.
#[derive(Clone, Debug)]
pub struct Measured {
    /// refgenie's digest.
    pub digest: AssetDigest,
    /// The digest of everything but the build record, including names, links and executable bits.
    pub tree: TreeDigest,
    /// The total size of its files in bytes.
    pub size: u64,
}

/// Paths that the digest of an asset leaves out, each given as a path or as a regular expression for a whole path.
#[derive(Clone, Debug, Default)]
pub struct Excluded(Option<RegexSet>);

impl Excluded {
    /// Excludes what `patterns` match; the error describes an invalid pattern.
    pub fn new(patterns: &[impl AsRef<str>]) -> Result<Excluded, String> {
        if patterns.is_empty() {
            return Ok(Excluded(None));
        }
        // A plain path also matches literally, even if it does not match itself as an expression.
        let whole = |pattern: &str| {
            let plain = pattern.trim_start_matches("./").trim_end_matches('/');
            format!("^(?:{plain}|{})(?:/.*)?$", regex::escape(plain))
        };
        let patterns = patterns.iter().map(|pattern| whole(pattern.as_ref()));
        RegexSet::new(patterns).map(|set| Excluded(Some(set))).map_err(|error| error.to_string())
    }

    fn has(&self, path: &str) -> bool {
        self.0.as_ref().is_some_and(|set| set.is_match(path))
    }
}

/// Returns the MD5 of a file.
pub fn md5_of_file(path: &Path) -> Result<String, AssetError> {
    let mut hasher = Md5::new();
    each_part(path, |bytes| hasher.update(bytes))?;
    Ok(hex(&hasher.finalize()))
}

/// Measures a directory without following links.
pub fn measure(dir: &Path, excluded: &Excluded) -> Result<Measured, AssetError> {
    let mut walk = Walk { excluded, md5s: Vec::new(), nodes: Vec::new(), size: 0 };
    walk.dir(dir, &RelPath::root())?;
    let Walk { mut md5s, nodes, size, .. } = walk;
    md5s.sort_unstable_by(|one, other| one.0.cmp(&other.0));
    let mut hasher = Md5::new();
    for (_, line) in md5s {
        hasher.update(line);
        hasher.update(b"\n");
    }
    let conflict = |error: wake_model::tree::ManifestConflict| AssetError::Tree {
        path: dir.to_owned(),
        problem: error.to_string(),
    };
    let tree = Manifest::new(nodes).map_err(conflict)?.digest();
    Ok(Measured { digest: AssetDigest(hex(&hasher.finalize()).into()), tree, size })
}

struct Walk<'a> {
    excluded: &'a Excluded,
    /// Names as `md5sum` prints them, with the text it prints before them.
    md5s: Vec<(Vec<u8>, Vec<u8>)>,
    nodes: Vec<(RelPath, Node)>,
    size: u64,
}

impl Walk<'_> {
    fn dir(&mut self, dir: &Path, at: &RelPath) -> Result<(), AssetError> {
        let before = self.nodes.len();
        for entry in fs::read_dir(dir).at(dir)? {
            let entry = entry.at(dir)?;
            let (path, name) = (entry.path(), entry.file_name());
            let cannot = |problem: String| AssetError::Tree { path: path.clone(), problem };
            let name = name.to_str().ok_or_else(|| cannot("its name is not UTF-8".to_owned()))?;
            if at.is_root() && name.starts_with(BUILD_DIR) {
                continue;
            }
            let below = at.child(name).map_err(|error| cannot(error.to_string()))?;
            let kind = entry.file_type().at(&path)?;
            if kind.is_dir() {
                self.dir(&path, &below)?;
            } else if kind.is_symlink() {
                let target = fs::read_link(&path).at(&path)?;
                let target =
                    target.to_str().ok_or_else(|| cannot("its target is not UTF-8".to_owned()))?;
                self.nodes.push((below, Node::Link { target: target.to_owned() }));
            } else if kind.is_file() {
                self.file(&path, below)?;
            } else {
                return Err(cannot("not a file, directory or link".to_owned()));
            }
        }
        if self.nodes.len() == before && !at.is_root() {
            self.nodes.push((at.clone(), Node::Dir));
        }
        Ok(())
    }

    fn file(&mut self, path: &Path, at: RelPath) -> Result<(), AssetError> {
        let (mut md5, mut blake3, mut size) = (Md5::new(), blake3::Hasher::new(), 0);
        each_part(path, |bytes| {
            md5.update(bytes);
            blake3.update(bytes);
            size += bytes.len() as u64;
        })?;
        self.size += size;
        if !self.excluded.has(at.as_str()) {
            let (name, is_escaped) = escaped(at.as_str().as_bytes());
            let line = format!("{}{}", if is_escaped { "\\" } else { "" }, hex(&md5.finalize()));
            self.md5s.push((name, line.into_bytes()));
        }
        let mode = fs::symlink_metadata(path).at(path)?.permissions().mode();
        let blob = BlobDigest(blake3.finalize().into());
        self.nodes.push((at, Node::File { blob, size, executable: mode & 0o100 != 0 }));
        Ok(())
    }
}

/// A name as `md5sum` of coreutils prints it, and whether it is escaped.
fn escaped(name: &[u8]) -> (Vec<u8>, bool) {
    let mut text = Vec::with_capacity(name.len());
    for byte in name {
        match byte {
            b'\\' => text.extend(b"\\\\"),
            b'\n' => text.extend(b"\\n"),
            b'\r' => text.extend(b"\\r"),
            byte => text.push(*byte),
        }
    }
    let is_escaped = text.len() != name.len();
    (text, is_escaped)
}

fn each_part(path: &Path, mut take: impl FnMut(&[u8])) -> Result<(), AssetError> {
    let mut file = File::open(path).at(path)?;
    let mut buffer = vec![0; 256 << 10];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(length) => take(&buffer[..length]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error).at(path),
        }
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whether every component of a path is a plain name.
pub(crate) fn is_confined(path: &Path) -> bool {
    let is_name =
        |part| matches!(part, std::path::Component::Normal(_) | std::path::Component::CurDir);
    path.components().all(is_name) && !path.as_os_str().as_bytes().contains(&0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    #![expect(clippy::disallowed_methods, reason = "the shell computes the expected digest")]
    use std::os::unix::fs::symlink;
    use std::process::Command;

    use super::*;

    fn by_shell(dir: &Path) -> String {
        let script = "find . -type f -not -path './_refgenie_build*' -exec md5sum {} \\; | sort -k 2 | awk '{print $1}' | md5sum";
        let output = Command::new("sh")
            .args(["-c", script])
            .env("LC_ALL", "C")
            .current_dir(dir)
            .output()
            .unwrap();
        String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
    }

    fn write(dir: &Path, path: &str, text: &str) {
        let place = dir.join(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        fs::write(place, text).unwrap();
    }

    #[test]
    fn the_digest_equals_that_of_the_shell_for_odd_file_names() {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        let none = Excluded::default();
        assert_eq!(measure(dir, &none).unwrap().digest.as_str(), by_shell(dir));
        for (path, text) in [
            ("b", "1"),
            ("a/z", "2"),
            ("a.b", "3"),
            ("a b", "4"),
            ("a\tb", "5"),
            ("B", "6"),
            ("ä", "7"),
            ("a\nb", "8"),
            ("c\\d", "9"),
            ("a-b/c", "0"),
            ("_refgenie_build/log", "x"),
            ("_refgenie_build2", "y"),
            ("sub/_refgenie_build/x", "z"),
            (" lead", "q"),
        ] {
            write(dir, path, text);
            symlink("b", dir.join(format!("link{}", text))).unwrap();
            assert_eq!(measure(dir, &none).unwrap().digest.as_str(), by_shell(dir), "{path:?}");
        }
        // Only newer releases of the tool escape a carriage return.
        assert_eq!(escaped(b"a\rb"), (b"a\\rb".to_vec(), true));
    }

    #[test]
    fn the_tree_digest_covers_what_the_other_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let measured = |name: &str| measure(&at(name), &Excluded::default()).unwrap();
        write(&at("one"), "a", "x");
        write(&at("two"), "b", "x");
        let (one, two) = (measured("one"), measured("two"));
        assert_eq!((&one.digest, one.size), (&two.digest, two.size));
        assert_ne!(one.tree, two.tree);
        write(&at("one"), "_refgenie_build/log", "y");
        assert_eq!(measured("one").tree, one.tree);
        symlink("a", at("one").join("l")).unwrap();
        assert_ne!(measured("one").tree, one.tree);
    }

    #[test]
    fn excluded_paths_are_left_out_of_the_asset_digest() {
        let dir = tempfile::tempdir().unwrap();
        write(dir.path(), "a", "x");
        let before = measure(dir.path(), &Excluded::default()).unwrap();
        write(dir.path(), "log.txt", "1");
        write(dir.path(), "d/e.tmp", "2");
        let excluded = Excluded::new(&["./log.txt", r".*\.tmp"]).unwrap();
        let after = measure(dir.path(), &excluded).unwrap();
        assert_eq!(after.digest, before.digest);
        assert_ne!(after.tree, before.tree);
        assert_eq!(
            measure(dir.path(), &Excluded::new(&["d", "log.txt"]).unwrap()).unwrap().digest,
            before.digest
        );
        assert!(Excluded::new(&["("]).is_err());
    }
}
