//! `wake.lock`: the content of each published package that a workspace needs. Source: `spec/lock.md`.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::digest::{ParseDigestError, TreeDigest};
use crate::name::{Name, NameError, PkgKey, PkgName, Version, VersionError};
use crate::package::PkgRequest;

/// The name of the file in the root directory of a workspace.
pub const LOCK_FILE: &str = "wake.lock";

/// The first line.
const HEAD: &str = "wake-lock 1";

/// Locked packages and images. Both are sets, so the union of two locks is a lock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lock {
    pkgs: BTreeSet<LockedPkg>,
    images: BTreeMap<String, String>,
}

/// The prefix of lines for images.
const IMAGE: &str = "image:";

/// One version of a package and its content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LockedPkg {
    /// The package.
    pub name: PkgName,
    /// Its version.
    pub version: Version,
    /// Where it came from.
    pub source: LockSource,
    /// The tree of its files.
    pub content: TreeDigest,
}

/// Where a locked package came from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LockSource {
    /// The registry with this name.
    Registry(Name),
    /// An exec of this package.
    Retriever(PkgName),
}

/// The error for a text that is not a valid lock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{fault}")]
pub struct LockError {
    /// The line number, from 1.
    pub line: usize,
    /// The columns in characters, from 1; the end is exclusive.
    pub columns: Range<usize>,
    /// What is wrong there.
    pub fault: LockFault,
}

/// What is wrong with a line of a lock.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LockFault {
    /// The first line is not the header of a lock.
    #[error("a lock file starts with `{HEAD}`")]
    Head,
    /// The format version is unknown.
    #[error("the lock file has version `{0}`, but this wake reads version 1")]
    Format(String),
    /// The line does not have four words.
    #[error(
        "expected a package, its version, its source and its content, separated by single spaces"
    )]
    Words,
    /// The package name is invalid.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The version is invalid.
    #[error(transparent)]
    Version(#[from] VersionError),
    /// The source of the package is invalid.
    #[error("`{0}` is neither the name of a registry nor `via:` and a package")]
    Source(String),
    /// The content is not a digest.
    #[error(transparent)]
    Content(#[from] ParseDigestError),
    /// The line of an image does not consist of its name and its digest.
    #[error(
        "expected an image name and `sha256:` with 64 lower-case hexadecimal digits, separated by one space"
    )]
    Image,
    /// Another line has a different digest for this image.
    #[error("image `{image}` has a different digest on line {line}")]
    TwoImages {
        /// The name of the image.
        image: String,
        /// The number of the other line.
        line: usize,
    },
    /// Another line has different content for this version.
    #[error("`{pkg}` has different content on line {line}")]
    TwoContents {
        /// The package and its version.
        pkg: String,
        /// The number of the other line.
        line: usize,
    },
    /// A conflict marker outside a conflict.
    #[error("conflict marker outside a conflict")]
    Marker,
    /// A conflict without an end marker.
    #[error("the conflict has no end marker")]
    OpenConflict,
}

impl Lock {
    /// Parses a lock. Lines can be in any order; of a conflict, both sides are read.
    pub fn parse(text: &str) -> Result<Lock, LockError> {
        Lock::parse_merged(text).map(|(lock, _)| lock)
    }

    /// Like [`Lock::parse`], and also returns the line number where the first conflict starts, from 1.
    pub fn parse_merged(text: &str) -> Result<(Lock, Option<usize>), LockError> {
        let mut lock = Lock::default();
        let mut first = None;
        let mut contents: BTreeMap<(PkgName, String), (TreeDigest, usize)> = BTreeMap::new();
        let mut images: BTreeMap<String, usize> = BTreeMap::new();
        let mut conflict: Option<Conflict> = None;
        let (mut has_head, mut last) = (false, 0);
        for (number, line) in text.lines().enumerate() {
            last = number + 1;
            let whole = |fault| LockError::of(last, 1..line.chars().count() + 1, fault);
            if let Some(marker) = Marker::of(line) {
                first.get_or_insert(last);
                conflict = marker.after(conflict, last).ok_or_else(|| whole(LockFault::Marker))?;
            } else if conflict.as_ref().is_some_and(|conflict| conflict.part == Part::Base) {
                // The common ancestor is part of neither side.
            } else if !has_head || line == HEAD {
                has_head = true;
                check_head(line).map_err(whole)?;
            } else if line.starts_with(IMAGE) {
                let (image, digest) = parse_image(line).ok_or_else(|| whole(LockFault::Image))?;
                let line = *images.entry(image.to_owned()).or_insert(last);
                let there = lock.images.insert(image.to_owned(), digest.to_owned());
                if there.is_some_and(|there| there != digest) {
                    let image = image.to_owned();
                    return Err(whole(LockFault::TwoImages { image, line }));
                }
            } else if !line.is_empty() {
                let pkg = parse_line(line)
                    .map_err(|(columns, fault)| LockError::of(last, columns, fault))?;
                let version = pkg.version.to_string();
                // Versions that differ only in build metadata are the same.
                let release = version.split('+').next().unwrap_or_default().to_owned();
                let key = (pkg.name.clone(), release);
                let &mut (content, line) = contents.entry(key).or_insert((pkg.content, last));
                if content != pkg.content {
                    let pkg = format!("{} {version}", pkg.name);
                    return Err(whole(LockFault::TwoContents { pkg, line }));
                }
                lock.pkgs.insert(pkg);
            }
        }
        match conflict {
            Some(Conflict { line, length, .. }) => {
                Err(LockError::of(line, 1..length + 1, LockFault::OpenConflict))
            }
            None if !has_head => Err(LockError::of(last.max(1), 1..1, LockFault::Head)),
            None => Ok((lock, first)),
        }
    }

    /// Finds the package that a requirement selects: the highest matching version from a registry.
    pub fn find(&self, request: &PkgRequest) -> Option<&LockedPkg> {
        let will_do = |pkg: &&LockedPkg| request.version.matches(&pkg.version);
        self.of_registries(&request.pkg_name()).filter(will_do).max_by_key(|pkg| &pkg.version)
    }

    /// Finds the package that a requirement for the retriever `by` selects: the highest matching version.
    pub fn find_retrieved(&self, request: &PkgRequest, by: &PkgName) -> Option<&LockedPkg> {
        let name = request.pkg_name();
        let is_of = |pkg: &&LockedPkg| {
            pkg.name == name
                && matches!(&pkg.source, LockSource::Retriever(other) if other == by)
                && request.version.matches(&pkg.version)
        };
        self.pkgs.iter().filter(is_of).max_by_key(|pkg| &pkg.version)
    }

    /// Iterates over all packages.
    pub fn iter(&self) -> impl Iterator<Item = &LockedPkg> {
        self.pkgs.iter()
    }

    /// Returns the digest of the image `name`: `sha256:` and 64 hexadecimal digits.
    pub fn image(&self, name: &str) -> Option<&str> {
        self.images.get(name).map(String::as_str)
    }

    /// Returns the same lock with these images added or replaced, by name.
    pub fn with_images<'i>(
        mut self,
        images: impl IntoIterator<Item = (&'i String, &'i String)>,
    ) -> Lock {
        self.images.extend(images.into_iter().map(|(name, digest)| (name.clone(), digest.clone())));
        self
    }

    /// Iterates over all images, by name.
    pub fn images(&self) -> impl Iterator<Item = (&String, &String)> {
        self.images.iter()
    }

    /// Iterates over the versions of one package that came from registries, lowest first.
    pub fn of_registries(&self, name: &PkgName) -> impl Iterator<Item = &LockedPkg> {
        self.pkgs.iter().filter(move |pkg| pkg.name == *name).filter(|pkg| pkg.is_of_registry())
    }
}

impl FromIterator<LockedPkg> for Lock {
    fn from_iter<I: IntoIterator<Item = LockedPkg>>(pkgs: I) -> Lock {
        Lock { pkgs: pkgs.into_iter().collect(), images: BTreeMap::new() }
    }
}

impl LockedPkg {
    /// Whether it came from a registry.
    pub fn is_of_registry(&self) -> bool {
        matches!(self.source, LockSource::Registry(_))
    }

    /// Returns the key of the package in a build.
    pub fn key(&self) -> PkgKey {
        PkgKey::new(self.name.namespace.as_ref(), &self.name.name, &self.version)
    }
}

impl LockError {
    fn of(line: usize, columns: Range<usize>, fault: LockFault) -> LockError {
        LockError { line, columns, fault }
    }
}

/// Writes the lock as a file, sorted by bytes.
impl fmt::Display for Lock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let images = self.images.iter().map(|(name, digest)| format!("{IMAGE}{name} {digest}"));
        let lines: BTreeSet<String> =
            self.pkgs.iter().map(LockedPkg::to_string).chain(images).collect();
        writeln!(f, "{HEAD}")?;
        lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl fmt::Display for LockedPkg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LockedPkg { name, version, source, content } = self;
        write!(f, "{name} {version} {source} {content}")
    }
}

impl fmt::Display for LockSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LockSource::Registry(name) => name.fmt(f),
            LockSource::Retriever(pkg) => write!(f, "via:{pkg}"),
        }
    }
}

impl FromStr for LockSource {
    type Err = LockFault;

    fn from_str(text: &str) -> Result<LockSource, LockFault> {
        let source = match text.strip_prefix("via:") {
            Some(pkg) => pkg.parse().map(LockSource::Retriever),
            None => text.parse().map(LockSource::Registry),
        };
        source.map_err(|_| LockFault::Source(text.to_owned()))
    }
}

fn check_head(line: &str) -> Result<(), LockFault> {
    match line.strip_prefix("wake-lock ") {
        _ if line == HEAD => Ok(()),
        Some(version) => Err(LockFault::Format(version.to_owned())),
        None => Err(LockFault::Head),
    }
}

/// Returns the name and the digest in the line of an image.
fn parse_image(line: &str) -> Option<(&str, &str)> {
    let (name, digest) = line.strip_prefix(IMAGE)?.split_once(' ')?;
    let digits = digest.strip_prefix("sha256:")?;
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_digest = digits.len() == 64 && digits.bytes().all(is_digit);
    let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_graphic() && c != '@');
    (is_digest && is_name).then_some((name, digest))
}

/// Parses a line, or returns the columns at fault.
fn parse_line(line: &str) -> Result<LockedPkg, (Range<usize>, LockFault)> {
    let words: Vec<&str> = line.split(' ').collect();
    let &[name, version, source, content] = words.as_slice() else {
        return Err((1..line.chars().count() + 1, LockFault::Words));
    };
    let columns_of = |number: usize| {
        let start = 1 + words[..number].iter().map(|word| word.chars().count() + 1).sum::<usize>();
        start..start + words[number].chars().count()
    };
    Ok(LockedPkg {
        name: name.parse().map_err(|fault: NameError| (columns_of(0), fault.into()))?,
        version: version.parse().map_err(|fault: VersionError| (columns_of(1), fault.into()))?,
        source: source.parse().map_err(|fault| (columns_of(2), fault))?,
        content: content
            .parse()
            .map(TreeDigest)
            .map_err(|fault: ParseDigestError| (columns_of(3), fault.into()))?,
    })
}

/// A conflict marker of a version control system: a repeated character, and possibly text.
#[derive(Clone, Copy)]
struct Marker {
    character: u8,
    length: usize,
}

/// The state inside a conflict.
#[derive(Clone, Copy)]
struct Conflict {
    line: usize,
    length: usize,
    part: Part,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Ours,
    /// The common ancestor.
    Base,
    Theirs,
}

impl Marker {
    /// The minimum length of a marker.
    const SHORTEST: usize = 7;

    fn of(line: &str) -> Option<Marker> {
        let character = *line.as_bytes().first().filter(|first| b"<|=>".contains(first))?;
        let length = line.bytes().take_while(|byte| *byte == character).count();
        let ends = matches!(line.as_bytes().get(length), None | Some(b' '));
        (length >= Marker::SHORTEST && ends).then_some(Marker { character, length })
    }

    /// Returns the state after this marker in `line`; `None` if the marker is not allowed there.
    fn after(self, conflict: Option<Conflict>, line: usize) -> Option<Option<Conflict>> {
        let Marker { character, length } = self;
        let Some(conflict) = conflict else {
            let begun = Conflict { line, length, part: Part::Ours };
            return (character == b'<').then_some(Some(begun));
        };
        let part = match (character, conflict.part) {
            // The common ancestor may itself contain a conflict, with longer markers.
            (_, Part::Base) if length != conflict.length => Part::Base,
            _ if length != conflict.length => return None,
            (b'|', Part::Ours) => Part::Base,
            (b'=', Part::Ours | Part::Base) => Part::Theirs,
            (b'>', Part::Theirs) => return Some(None),
            _ => return None,
        };
        Some(Some(Conflict { part, ..conflict }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn content(of: &str) -> String {
        crate::digest::BlobDigest::of(of.as_bytes()).to_string()
    }

    /// F12: a lock that was truncated or altered anywhere is still a lock, or is refused with the place of the fault.
    #[test]
    fn f12_an_altered_lock_is_valid_or_refused_with_its_place() {
        let text = format!(
            "{HEAD}\nacme/greet 1.2.0 acme {}\ndeb/zlib1g 1.2.13+1.dfsg-1 via:acme/debian {}\n",
            content("greet"),
            content("zlib1g")
        );
        let whole = Lock::parse(&text).unwrap();
        let check = |bytes: &[u8]| {
            let Ok(altered) = std::str::from_utf8(bytes) else { return };
            match Lock::parse(altered) {
                // The content matches its text.
                Ok(lock) => assert_eq!(Lock::parse(&lock.to_string()).unwrap(), lock),
                Err(error) => {
                    let lines: Vec<&str> = altered.lines().collect();
                    assert!(
                        (1..=lines.len().max(1)).contains(&error.line),
                        "{altered:?}: {error:?}"
                    );
                }
            }
        };
        for at in 0..text.len() {
            check(&text.as_bytes()[..at]);
            for byte in [0, b' ', b'\n', b'<', b'0', b'z', 0x7f, text.as_bytes()[at] ^ 1] {
                let mut bytes = text.clone().into_bytes();
                bytes[at] = byte;
                check(&bytes);
                bytes.insert(at, byte);
                check(&bytes);
            }
        }
        // A digit of a digest cannot change unnoticed by anyone who has the content.
        let other = text.replacen(&content("greet"), &content("other"), 1);
        assert_ne!(Lock::parse(&other).unwrap(), whole);
    }

    #[test]
    fn a_requirement_means_the_highest_match_from_its_registry() {
        let lines = [
            ("acme/text", "1.9.0", "acme"),
            ("acme/text", "1.10.0", "acme"),
            ("acme/text", "1.11.0-rc.1", "acme"),
            ("acme/text", "1.12.0", "via:acme/tool"),
            ("acme/text", "2.0.0", "acme"),
            ("text", "1.20.0", "main"),
        ];
        let line = |(pkg, version, source)| {
            format!("{pkg} {version} {source} {}\n", content(&format!("{pkg} {version}")))
        };
        let lock = Lock::parse(&format!("{HEAD}\n{}", lines.map(line).concat())).unwrap();
        let find = |namespace: Option<&str>, requirement: &str| {
            let request = PkgRequest {
                name: "text".parse().unwrap(),
                version: requirement.parse().unwrap(),
                namespace: namespace.map(|namespace| namespace.parse().unwrap()),
            };
            lock.find(&request).map(|pkg| pkg.version.to_string())
        };
        let of_acme = |requirement| find(Some("acme"), requirement);
        assert_eq!(of_acme("^1").as_deref(), Some("1.10.0"));
        assert_eq!(of_acme("<1.10").as_deref(), Some("1.9.0"));
        assert_eq!(of_acme(">=1.11.0-rc.0, <1.11.0").as_deref(), Some("1.11.0-rc.1"));
        assert_eq!(of_acme("*").as_deref(), Some("2.0.0"));
        assert_eq!(of_acme("=1.12.0"), None);
        assert_eq!(find(None, "^1").as_deref(), Some("1.20.0"));
        assert_eq!(find(Some("other"), "*"), None);
    }
}
