//! Which image of somebody else a name means: as the lock of the site has it, or as it is. Source: `spec/velocity.md`, the lock.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use wake_image::{ImageReference, Images};
use wake_model::lock::Lock;
use wake_steps::diagnostic::{Class, Diagnostic, Place};
use wake_steps::image_failure::image_failure;

/// The lock of a site, in the directory of its images. It begins with a dot, as what is no image does there.
pub const LOCK_FILE: &str = ".wake.lock";

/// What becomes of a name that the lock does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlocked {
    /// It stays unknown, and nobody is asked.
    Unknown,
    /// It is looked up where it is, and locked.
    LookedUp,
    /// The same, and so is every other name.
    AllLookedUp,
    /// It is an error.
    Refused,
}

/// The images of others that a site begins from.
pub struct Bases {
    dir: PathBuf,
    lock: Lock,
    unlocked: Unlocked,
    found: RefCell<BTreeMap<String, String>>,
    failed: RefCell<Option<Diagnostic>>,
}

impl Bases {
    /// Those that the lock in `dir` has, which is also where paths in names begin.
    pub fn read(dir: &Path, unlocked: Unlocked) -> Result<Bases, Diagnostic> {
        let lock = match fs::read_to_string(dir.join(LOCK_FILE)) {
            Ok(text) => Lock::parse(&text).map_err(|error| malformed(dir, &text, &error))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Lock::default(),
            Err(error) => return Err(unusable(&dir.join(LOCK_FILE), &error)),
        };
        let (found, failed) = (RefCell::default(), RefCell::default());
        Ok(Bases { dir: dir.to_owned(), lock, unlocked, found, failed })
    }

    /// The digest of the image that is called `name`, if it is known or `images` can be asked; why not says [`Bases::finish`].
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
                self.fail(error.help("without `--locked` it is locked as it is then"));
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

    /// The images that were asked for, by name. The lock has them from now on.
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

/// Whoever reads it meanwhile sees the old text or the new one.
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
        .help("delete the line, and `wake image lock` writes it anew")
}
