//! The digests of base images, locked or looked up. Source: `spec/velocity.md`, the lock.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use wake_image::{ImageReference, Images};
use wake_model::lock::Lock;
use wake_steps::diagnostic::{Class, Diagnostic, Place};
use wake_steps::image_failure::image_failure;

/// The lock of a site, in its image directory. Its name begins with a dot, so it is not taken for an image.
pub const LOCK_FILE: &str = ".wake.lock";

/// What to do with an image that is not locked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlocked {
    /// Leave it unknown, and do not look it up.
    Unknown,
    /// Look it up and lock it.
    LookedUp,
    /// The same, and look up all locked images again.
    AllLookedUp,
    /// Report an error.
    Refused,
}

/// The base images of a site.
pub struct Bases {
    dir: PathBuf,
    lock: Lock,
    unlocked: Unlocked,
    found: RefCell<BTreeMap<String, String>>,
    failed: RefCell<Option<Diagnostic>>,
}

impl Bases {
    /// Reads the lock in `dir`, which is also where relative paths in names start.
    pub fn read(dir: &Path, unlocked: Unlocked) -> Result<Bases, Diagnostic> {
        let lock = match fs::read_to_string(dir.join(LOCK_FILE)) {
            Ok(text) => Lock::parse(&text).map_err(|error| malformed(dir, &text, &error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Lock::default(),
            Err(error) => return Err(unusable(&dir.join(LOCK_FILE), &error)),
        };
        let (found, failed) = (RefCell::default(), RefCell::default());
        Ok(Bases { dir: dir.to_owned(), lock, unlocked, found, failed })
    }

    /// Returns the digest of the image `name`, if it is known or can be looked up in `images`. Errors are returned by
    /// [`Bases::finish`].
    pub fn digest(&self, name: &str, images: Option<&Images<'_>>) -> Option<String> {
        let reference = ImageReference::parse(name, &self.dir).ok()?;
        if let Some(digest) = reference.digest() {
            return Some(digest.to_string());
        }
        if let Some(known) = self.found.borrow().get(name) {
            return Some(known.clone());
        }
        let locked = self.lock.image(name).map(str::to_owned);
        match (locked, self.unlocked) {
            (Some(digest), Unlocked::Unknown | Unlocked::LookedUp | Unlocked::Refused) => {
                self.found.borrow_mut().insert(name.to_owned(), digest.clone());
                Some(digest)
            }
            (_, Unlocked::Unknown) => None,
            (_, Unlocked::Refused) => {
                let message = format!("image `{name}` is not locked");
                let error = Diagnostic::error(Class::Resolution, message);
                self.fail(error.help("run without `--locked` to lock it"));
                None
            }
            (_, Unlocked::LookedUp | Unlocked::AllLookedUp) => match images?.resolve(&reference) {
                Ok(digest) => {
                    let digest = digest.to_string();
                    self.found.borrow_mut().insert(name.to_owned(), digest.clone());
                    Some(digest)
                }
                Err(error) => {
                    self.fail(image_failure(&error));
                    None
                }
            },
        }
    }

    fn fail(&self, error: Diagnostic) {
        self.failed.borrow_mut().get_or_insert(error);
    }

    /// Returns the images that were requested, by name, and adds them to the lock.
    pub fn finish(self) -> Result<BTreeMap<String, String>, Diagnostic> {
        if let Some(error) = self.failed.into_inner() {
            return Err(error);
        }
        let found = self.found.into_inner();
        let new = self.lock.clone().with_images(&found);
        if new != self.lock {
            let file = self.dir.join(LOCK_FILE);
            replace(&file, &new.to_string()).map_err(|error| unusable(&file, &error))?;
        }
        Ok(found)
    }
}

/// Replaces a file atomically.
fn replace(file: &Path, text: &str) -> io::Result<()> {
    let new = file.with_extension(format!("lock.{}", wake_store::ware::new_guid()));
    let written = fs::File::create_new(&new)
        .and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()))
        .and_then(|()| fs::rename(&new, file));
    if written.is_err() {
        let _ = fs::remove_file(&new);
    }
    written
}

fn unusable(file: &Path, error: &io::Error) -> Diagnostic {
    Diagnostic::error(Class::Environment, format!("`{}`: {error}", file.display()))
}

fn malformed(dir: &Path, text: &str, error: &wake_model::lock::LockError) -> Diagnostic {
    let source_line = text.lines().nth(error.line.saturating_sub(1)).unwrap_or_default();
    let place = Place {
        file: dir.join(LOCK_FILE).display().to_string(),
        line: error.line,
        column: error.columns.start,
        end_column: error.columns.end,
        source_line: source_line.to_owned(),
        label: None,
    };
    Diagnostic::error(Class::Resolution, error.to_string())
        .at(Some(place))
        .help("delete the line and run `wake image lock` to write it again")
}
