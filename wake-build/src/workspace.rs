//! The workspace: its root, its settings, its member packages.

use std::cmp::Ordering;
use std::io::Read;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSetBuilder};
use walkdir::{DirEntry, WalkDir};

use crate::settings::Settings;
use wake_model::RelPath;
use wake_model::place::{PKG_FILE, WAKE_DIR};
use wake_steps::diagnostic::{Class, Diagnostic, Level};
use wake_store::{ConfinedPath, Owners, SAFE_DIRECTORY};

/// The file that marks the root of a workspace.
pub const WORKSPACE_FILE: &str = "wake.toml";

/// The longest glob in bytes: as long as a path may be.
const LONGEST_GLOB: usize = 4096;

/// A checkout that wake builds in.
#[derive(Clone, Debug)]
pub struct Workspace {
    /// The root directory, absolute, with links resolved.
    pub root: PathBuf,
    /// The root, held open: for what wake itself reads and writes there.
    pub dir: ConfinedPath,
    /// The current directory, relative to the root.
    pub here: RelPath,
    /// The content of `wake.toml`.
    pub settings: Settings,
}

impl Workspace {
    /// Finds the workspace around `cwd`: the nearest `wake.toml` upwards, otherwise the nearest package.
    ///
    /// A workspace whose owner is not trusted according to `owners` is rejected.
    pub fn discover(cwd: &Path, owners: &Owners) -> Result<Workspace, Diagnostic> {
        let cwd = cwd.canonicalize().map_err(|source| {
            Diagnostic::error(Class::Usage, format!("`{}`: {source}", cwd.display()))
        })?;
        let marked = cwd.ancestors().find(|dir| is_marked(dir));
        let nearest = || cwd.ancestors().find(|dir| dir.join(PKG_FILE).is_file());
        let Some(root) = marked.or_else(nearest).map(Path::to_owned) else {
            return Err(no_package(&cwd));
        };
        let dir = ConfinedPath::top(&root).map_err(|source| {
            Diagnostic::error(Class::Environment, format!("`{}`: {source}", root.display()))
        })?;
        let marker = if marked.is_some() { WORKSPACE_FILE } else { PKG_FILE };
        for decisive in [dir.clone(), dir.join(marker), dir.join(WAKE_DIR)] {
            refuse_stranger(&root, &decisive, owners)?;
        }
        // An archive unpacked by root can set an owner for each of them.
        for own in OWN_DIRS {
            refuse_stranger(&root, &dir.join(WAKE_DIR).join(own), owners)?;
        }
        let settings = match marked {
            Some(_) => Settings::read(&dir.join(WORKSPACE_FILE))?,
            None => Settings::default(),
        };
        let here = relative(&root, &cwd)?;
        let workspace = Workspace { root, dir, here, settings };
        workspace.check_overrides()?;
        Ok(workspace)
    }

    /// Checks that the overrides exist.
    fn check_overrides(&self) -> Result<(), Diagnostic> {
        let overrides = &self.settings.overrides;
        let Some(dir) = overrides.dirs().find(|dir| !self.is_pkg(dir)) else { return Ok(()) };
        let Some((_, wrong)) = overrides.by(dir).next() else { return Ok(()) };
        let exists = self.absolute(dir).is_dir();
        Err(wrong.no_pkg(exists, &self.members(&RelPath::root()).unwrap_or_default()))
    }

    /// Returns the absolute path of `path`.
    pub fn absolute(&self, path: &RelPath) -> PathBuf {
        if path.is_root() { self.root.clone() } else { self.root.join(path.as_str()) }
    }

    /// Returns whether a `wake.toml` marks its root.
    pub(crate) fn is_marked(&self) -> bool {
        self.root.join(WORKSPACE_FILE).is_file()
    }

    /// Returns the directory that wake writes to in the checkout.
    pub fn state_dir(&self) -> ConfinedPath {
        self.dir.join(WAKE_DIR)
    }

    /// Returns the store named in `wake.toml`; a warning if it is in a checkout: whoever made the checkout could have filled it.
    pub fn store(&self) -> Result<Option<PathBuf>, Box<Diagnostic>> {
        let Some(store) = &self.settings.store else { return Ok(None) };
        match checkout_around(store, &self.root) {
            None => Ok(Some(store.clone())),
            Some(checkout) => Err(Box::new(not_believed(store, &checkout))),
        }
    }

    /// Returns whether `dir` is a package.
    pub fn is_pkg(&self, dir: &RelPath) -> bool {
        self.absolute(dir).join(PKG_FILE).is_file()
    }

    /// Returns the package that contains `dir`: the nearest upwards, not above the root.
    pub fn nearest_pkg(&self, dir: &RelPath) -> Result<RelPath, Diagnostic> {
        let mut at = Some(dir.clone());
        while let Some(dir) = at {
            if self.is_pkg(&dir) {
                return Ok(dir);
            }
            at = dir.parent();
        }
        let absolute = self.absolute(dir);
        Err(match self.members(&RelPath::root()).is_ok_and(|members| !members.is_empty()) {
            // A workspace may have no package at its root.
            true => missing(&absolute)
                .help("run `wake build //...` to build every package of the workspace"),
            false => no_package(&absolute),
        })
    }

    /// Returns the packages whose requirements are locked, whatever is built: all members, and overrides.
    pub(crate) fn locked_for(&self) -> Result<Vec<RelPath>, Diagnostic> {
        let mut dirs = self.members(&RelPath::root())?;
        dirs.extend(self.settings.overrides.dirs().cloned());
        dirs.sort();
        dirs.dedup();
        Ok(dirs)
    }

    /// Returns every member package at `below` and below it, sorted; walks the directories.
    pub fn members(&self, below: &RelPath) -> Result<Vec<RelPath>, Diagnostic> {
        Ok(self.walk(below, &mut |_| {})?.members)
    }

    /// Searches for member packages at `below` and below it; `found` hears of each at once.
    pub(crate) fn walk(
        &self,
        below: &RelPath,
        found: &mut dyn FnMut(&RelPath),
    ) -> Result<Walk, Diagnostic> {
        let patterns = self.member_patterns()?;
        let start = self.absolute(below);
        let walk = WalkDir::new(&start).sort_by(files_first).into_iter();
        let mut walk = walk.filter_entry(|e| !(e.file_type().is_dir() && is_hidden(e.file_name())));
        let mut members = Vec::new();
        let mut dirs = Vec::new();
        while let Some(entry) = walk.next() {
            let entry = match entry {
                Ok(entry) => entry,
                // Nobody has named it. It is recorded as a directory that was read, so that no snapshot is taken of this.
                Err(error) if error.depth() > 0 && is_forbidden(&error) => continue,
                Err(error) => {
                    return Err(Diagnostic::error(Class::Environment, error.to_string()));
                }
            };
            if entry.file_type().is_dir() {
                dirs.push(relative(&self.root, entry.path())?);
                continue;
            }
            if entry.file_name() == GATE && self.is_store(entry.path()) {
                walk.skip_current_dir();
                dirs.pop();
                continue;
            }
            if entry.file_name() != PKG_FILE || !entry.file_type().is_file() {
                continue;
            }
            let dir = entry.path().parent().unwrap_or(&self.root);
            let dir = relative(&self.root, dir)?;
            let named = |set: &globset::GlobSet| dir.is_root() || set.is_match(dir.as_str());
            if patterns.as_ref().is_none_or(named) {
                found(&dir);
                members.push(dir);
            }
        }
        members.sort();
        Ok(Walk { members, dirs })
    }

    /// Returns whether the directory of the file at `gate` is a store, which contains results and no packages of the workspace.
    fn is_store(&self, gate: &Path) -> bool {
        let format = gate.with_file_name("format");
        let below = format.strip_prefix(&self.root).unwrap_or(&format);
        let mut text = [0; STORE.len()];
        let read = self.dir.join(below).open().and_then(|mut file| file.read_exact(&mut text));
        read.is_ok() && text == *STORE
    }

    fn member_patterns(&self) -> Result<Option<globset::GlobSet>, Diagnostic> {
        let Some(members) = &self.settings.members else { return Ok(None) };
        let mut set = GlobSetBuilder::new();
        let note = || format!("in `members` of {WORKSPACE_FILE}");
        for pattern in members {
            if pattern.len() > LONGEST_GLOB {
                let message = format!("a glob is longer than {LONGEST_GLOB} bytes");
                return Err(Diagnostic::error(Class::Usage, message).note(note()));
            }
            let glob = GlobBuilder::new(pattern.trim_start_matches("./"))
                .literal_separator(true)
                .build()
                .map_err(|e| {
                    Diagnostic::error(
                        Class::Usage,
                        format!("`{pattern}` is not a glob: {}", e.kind()),
                    )
                    .note(note())
                })?;
            set.add(glob);
        }
        // The error itself would talk about automata.
        let too_large =
            |_| Diagnostic::error(Class::Usage, "the globs are too large together").note(note());
        set.build().map(Some).map_err(too_large)
    }
}

/// The directories in `.wake` with wake's own files and links.
const OWN_DIRS: [&str; 4] = ["out", "pkgs", "runs", "state"];

/// The result of searching a directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walk {
    /// The member packages, sorted.
    pub(crate) members: Vec<RelPath>,
    /// Every directory that was read.
    pub(crate) dirs: Vec<RelPath>,
}

/// A file in the root of a store, with a name that is rare elsewhere.
const GATE: &str = "gate";
/// The beginning of a store's format file.
const STORE: &[u8; 11] = b"wake-store ";

fn is_forbidden(error: &walkdir::Error) -> bool {
    error.io_error().is_some_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied)
}

/// Sorts only directories by name: of files, a walk looks for just one.
fn files_first(one: &DirEntry, other: &DirEntry) -> Ordering {
    match (one.file_type().is_dir(), other.file_type().is_dir()) {
        (true, true) => one.file_name().cmp(other.file_name()),
        (one, other) => one.cmp(&other),
    }
}

/// Returns whether a walk skips a directory of this name.
pub(crate) fn is_hidden(name: &std::ffi::OsStr) -> bool {
    name == ".git" || name == WAKE_DIR
}

/// Returns whether `wake.toml` marks `dir`. A link or a pipe does, too: reading it reports the error.
fn is_marked(dir: &Path) -> bool {
    dir.join(WORKSPACE_FILE).symlink_metadata().is_ok_and(|metadata| !metadata.is_dir())
}

/// Rejects the workspace at `root` if the owner of `decisive` is not trusted.
fn refuse_stranger(
    root: &Path,
    decisive: &ConfinedPath,
    owners: &Owners,
) -> Result<(), Diagnostic> {
    let owner = decisive.stat().ok().and_then(|stat| owners.stranger(root, stat.st_uid));
    let Some(owner) = owner else { return Ok(()) };
    let message = format!("`{}` belongs to another user (uid {owner})", decisive.path().display());
    let of_ones_own =
        format!("create a `{WORKSPACE_FILE}` of your own to make its directory the workspace");
    let vouch = format!("if you trust that user, set `{SAFE_DIRECTORY}={}`", root.display());
    Err(Diagnostic::error(Class::Environment, message)
        .note(format!(
            "the owner of the workspace `{}` decides what wake does in it",
            root.display()
        ))
        .help(vouch)
        .help(of_ones_own))
}

/// Returns the parent directory of `store` that is a checkout, if any; `root` is one.
fn checkout_around(store: &Path, root: &Path) -> Option<PathBuf> {
    let there = store.ancestors().find_map(|dir| Some((dir, dir.canonicalize().ok()?)));
    let (dir, real) = there?;
    let rest = store.strip_prefix(dir).unwrap_or(Path::new(""));
    let store = real.join(rest);
    let marks = [WORKSPACE_FILE, PKG_FILE, ".git", ".hg", ".jj"];
    let is_checkout = |dir: &Path| {
        dir == root || marks.iter().any(|mark| dir.join(mark).symlink_metadata().is_ok())
    };
    store.ancestors().find(|dir| is_checkout(dir)).map(Path::to_owned)
}

fn not_believed(store: &Path, checkout: &Path) -> Diagnostic {
    let message =
        format!("the store named in `{WORKSPACE_FILE}` is in a checkout: `{}`", store.display());
    let mut diagnostic = Diagnostic::error(Class::Usage, message)
        .note(format!("`{}` may have come with its content, so it is not used", checkout.display()))
        .help("if it is yours, set it with `--store DIR` or `WAKE_STORE`");
    diagnostic.level = Level::Warning;
    diagnostic
}

fn no_package(dir: &Path) -> Diagnostic {
    missing(dir).help("run `wake init` to create a package that builds")
}

fn missing(dir: &Path) -> Diagnostic {
    let message = format!("no `{PKG_FILE}` in `{}` or any directory above it", dir.display());
    Diagnostic::error(Class::Usage, message)
}

/// Returns `path` relative to `root`.
fn relative(root: &Path, path: &Path) -> Result<RelPath, Diagnostic> {
    let rest = path.strip_prefix(root).unwrap_or(Path::new(""));
    let Some(text) = rest.to_str() else {
        let message = format!("`{}` is not UTF-8", path.display());
        return Err(Diagnostic::error(Class::Usage, message));
    };
    if text.is_empty() {
        return Ok(RelPath::root());
    }
    text.parse().map_err(|e| Diagnostic::error(Class::Usage, format!("{e}")))
}
