//! The keys of a user: files in a directory of their own.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use wake_model::Name;

use crate::key::{ParseKeyError, PublicKey, SecretKey};

/// Extension of files with a secret key.
const SECRET: &str = "pem";
/// Extension of files with a public key.
const PUBLIC: &str = "pub.pem";
/// Maximum size of a key file, in bytes.
const LARGEST: u64 = 1 << 16;

/// The keys in a directory, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRing {
    dir: PathBuf,
}

/// A secret key with its name.
#[derive(Clone, Debug)]
pub struct NamedKey {
    /// Its name, or the path of its file.
    pub name: String,
    /// The key.
    pub key: SecretKey,
}

/// Why a key is not available.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// There is no key of that name.
    #[error("there is no key `{name}` in `{}`", dir.display())]
    Absent {
        /// The name.
        name: String,
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// There is already a key of that name.
    #[error("there is already a key `{name}` in `{}`", path.display())]
    Taken {
        /// The name.
        name: String,
        /// Its file.
        path: PathBuf,
    },
    /// The file belongs to another user, or other users can access it.
    #[error("`{}` contains a secret key but {who}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Who else has access.
        who: &'static str,
    },
    /// The file does not contain a valid key.
    #[error("`{}`: {problem}", path.display())]
    NoKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        problem: ParseKeyError,
    },
    /// The disk failed.
    #[error("`{}`: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl KeyRing {
    /// The keys in `dir`, which need not exist.
    pub fn new(dir: PathBuf) -> KeyRing {
        KeyRing { dir }
    }

    /// The keys of a user, below their configuration directory; none without one.
    pub fn of(config: Option<&Path>) -> KeyRing {
        KeyRing::new(config.map_or_else(PathBuf::new, |config| config.join("keys")))
    }

    /// Generates a new key and writes both halves. Existing files are not overwritten.
    pub fn generate(&self, name: &Name) -> Result<SecretKey, KeyError> {
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&self.dir);
        made.map_err(|source| KeyError::Io { path: self.dir.clone(), source })?;
        let path = self.place(name.as_str(), SECRET);
        let key =
            SecretKey::generate().map_err(|source| KeyError::Io { path: path.clone(), source })?;
        let mut file = match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)
        {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(KeyError::Taken { name: name.to_string(), path });
            }
            Err(source) => return Err(KeyError::Io { path, source }),
        };
        let written = file.write_all(key.to_pem().as_bytes()).and_then(|()| file.sync_all());
        written.map_err(|source| KeyError::Io { path, source })?;
        let public = self.place(name.as_str(), PUBLIC);
        let written = fs::write(&public, key.public().to_pem());
        written.map_err(|source| KeyError::Io { path: public, source })?;
        Ok(key)
    }

    /// Returns all keys, by name; an invalid key file is an error.
    pub fn all(&self) -> Result<Vec<NamedKey>, KeyError> {
        if self.dir.as_os_str().is_empty() {
            return Ok(Vec::new());
        }
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(KeyError::Io { path: self.dir.clone(), source }),
        };
        let mut names: Vec<String> = Vec::new();
        for entry in entries {
            let entry = entry.map_err(|source| KeyError::Io { path: self.dir.clone(), source })?;
            let file = entry.file_name().to_string_lossy().into_owned();
            let name = file.strip_suffix(".pem").filter(|name| name.parse::<Name>().is_ok());
            names.extend(name.map(str::to_owned));
        }
        names.sort();
        names.into_iter().map(|name| self.named(&name)).collect()
    }

    /// Finds a key by its name, or by the path of its file relative to `cwd`.
    pub fn find(&self, text: &str, cwd: &Path) -> Result<NamedKey, KeyError> {
        if text.parse::<Name>().is_ok() {
            return self.named(text);
        }
        let key = read(&cwd.join(text))?;
        Ok(NamedKey { name: text.to_owned(), key })
    }

    /// Returns the public key of that name, even if its secret key is stored elsewhere.
    pub fn public(&self, name: &Name) -> Result<PublicKey, KeyError> {
        let path = self.place(name.as_str(), PUBLIC);
        match fs::read_to_string(&path) {
            Ok(text) => {
                PublicKey::from_pem(&text).map_err(|problem| KeyError::NoKey { path, problem })
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                Ok(self.named(name.as_str())?.key.public())
            }
            Err(source) => Err(KeyError::Io { path, source }),
        }
    }

    fn named(&self, name: &str) -> Result<NamedKey, KeyError> {
        match read(&self.place(name, SECRET)) {
            Ok(key) => Ok(NamedKey { name: name.to_owned(), key }),
            Err(KeyError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
                Err(KeyError::Absent { name: name.to_owned(), dir: self.dir.clone() })
            }
            Err(error) => Err(error),
        }
    }

    fn place(&self, name: &str, ending: &str) -> PathBuf {
        self.dir.join(format!("{name}.{ending}"))
    }
}

/// Reads a secret key that no other user can access.
fn read(path: &Path) -> Result<SecretKey, KeyError> {
    let failed = |source| KeyError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    if let Some(who) = who_else_reads(&metadata) {
        return Err(KeyError::Open { path: path.to_owned(), who });
    }
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).map_err(failed)?;
    SecretKey::from_pem(&text).map_err(|problem| KeyError::NoKey { path: path.to_owned(), problem })
}

/// Says who besides the user has access to a private file, or `None` if nobody has.
pub(crate) fn who_else_reads(metadata: &fs::Metadata) -> Option<&'static str> {
    let owner = metadata.uid();
    if owner != rustix::process::geteuid().as_raw() && owner != 0 {
        return Some("belongs to another user");
    }
    (metadata.mode() & 0o077 != 0).then_some("is accessible to other users")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_key_is_for_one_person() {
        let dir = tempfile::tempdir().unwrap();
        let ring = KeyRing::new(dir.path().join("wake/keys"));
        assert!(ring.all().unwrap().is_empty());
        let name: Name = "release".parse().unwrap();
        let key = ring.generate(&name).unwrap();
        let path = dir.path().join("wake/keys/release.pem");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        assert!(matches!(ring.generate(&name), Err(KeyError::Taken { .. })));
        let all = ring.all().unwrap();
        assert_eq!((all.len(), &*all[0].name), (1, "release"));
        assert_eq!(all[0].key.public(), key.public());
        assert_eq!(ring.public(&name).unwrap(), key.public());
        let by_path = ring.find(path.to_str().unwrap(), Path::new("/")).unwrap();
        assert_eq!(by_path.key.public(), key.public());
        for mode in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            assert!(matches!(ring.all(), Err(KeyError::Open { .. })), "{mode:o}");
        }
        assert!(matches!(ring.find("other", Path::new("/")), Err(KeyError::Absent { .. })));
    }
}
