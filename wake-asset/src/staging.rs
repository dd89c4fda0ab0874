//! Staging directories: on the disk of their target, and removed with the process that made them.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, FlockOperation, StatxFlags, flock, statx};

use crate::error::{AssetError, At};
use crate::folders::{Folders, OWN};
use crate::measure::is_confined;

const DIR: &str = "staging";
/// The list of staging directories on other disks, one path per line, relative to the genome folder.
const ELSEWHERE: &str = "elsewhere";

/// A staging directory, and further ones on other target disks, since a rename works only within one.
#[derive(Debug)]
pub(crate) struct Staging {
    genomes: PathBuf,
    home: Yard,
    far: RefCell<Vec<Yard>>,
}

/// A path in a staging directory.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    /// The same, relative to the genome folder.
    pub(crate) relative: PathBuf,
}

/// A staging directory on one disk.
#[derive(Debug)]
struct Yard {
    place: Place,
    disk: Disk,
    /// Locked while this lives, to distinguish it from one left by a killed process.
    held: File,
}

/// The unit within which a rename works: a file system at one mount point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Disk {
    device: (u32, u32),
    mount: u64,
}

impl Staging {
    pub(crate) fn new(folders: &Folders) -> Result<Staging, AssetError> {
        let genomes = folders.genomes.clone();
        let home = Yard::below(&genomes, Path::new(""))?;
        Ok(Staging { genomes, home, far: RefCell::default() })
    }

    /// Returns a path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.place.path.join(name)
    }

    /// Returns a place on the same disk as `to`, for renames in either direction; `to` is relative to the genome folder.
    pub(crate) fn near(&self, to: &Path, name: &str) -> Result<Place, AssetError> {
        let is_there = |dir: &&Path| self.genomes.join(dir).symlink_metadata().is_ok();
        let dir = to.ancestors().skip(1).find(is_there).unwrap_or(Path::new(""));
        let place = self.genomes.join(dir);
        // For example a link to a disk that is not mounted: fail before starting.
        if !place.is_dir() {
            return Err(io::Error::from(io::ErrorKind::NotADirectory)).at(&place);
        }
        let disk = Disk::of(&place)?;
        if disk == self.home.disk {
            return Ok(self.home.place.join(name));
        }
        let mut far = self.far.borrow_mut();
        if let Some(yard) = far.iter().find(|yard| yard.disk == disk) {
            return Ok(yard.place.join(name));
        }
        let yard = Yard::below(&self.genomes, dir)?;
        let place = yard.place.join(name);
        far.push(yard);
        // Recorded so that a later clean-up finds them too.
        let all = far.iter().map(|yard| format!("{}\n", yard.place.relative.display()));
        let list = self.path(ELSEWHERE);
        fs::write(&list, all.collect::<String>()).at(&list)?;
        Ok(place)
    }

    /// Syncs its contents to disk.
    pub(crate) fn sync(&self) -> Result<(), AssetError> {
        let far = self.far.borrow();
        let mut all = far.iter().chain([&self.home]);
        all.try_for_each(|yard| rustix::fs::syncfs(&yard.held).at(&yard.place.path))
    }
}

impl Place {
    fn join(&self, name: &str) -> Place {
        Place { path: self.path.join(name), relative: self.relative.join(name) }
    }
}

impl Yard {
    /// Creates one in the directory `dir`, relative to the genome folder.
    fn below(genomes: &Path, dir: &Path) -> Result<Yard, AssetError> {
        let all = genomes.join(dir).join(OWN).join(DIR);
        loop {
            fs::create_dir_all(&all).at(&all)?;
            let made = tempfile::Builder::new().prefix("s").rand_bytes(12).tempdir_in(&all);
            let made = match made {
                Ok(made) => made,
                // Another process removed it as unused.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error).at(&all),
            };
            let held = match File::open(made.path()) {
                Ok(held) => held,
                // Another process's clean-up took it for a leftover.
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error).at(made.path()),
            };
            flock(&held, FlockOperation::LockExclusive).at(made.path())?;
            // Before it was locked, a clean-up may have removed it as well.
            if made.path().is_dir() {
                let path = made.keep();
                let name = path.file_name().unwrap_or_default();
                let relative = dir.join(OWN).join(DIR).join(name);
                let disk = Disk::of(&path)?;
                return Ok(Yard { place: Place { path, relative }, disk, held });
            }
        }
    }
}

impl Disk {
    fn of(path: &Path) -> Result<Disk, AssetError> {
        let found = statx(CWD, path, AtFlags::empty(), StatxFlags::MNT_ID).at(path)?;
        let has_mount = found.stx_mask & StatxFlags::MNT_ID.bits() != 0;
        let mount = if has_mount { found.stx_mnt_id } else { 0 };
        Ok(Disk { device: (found.stx_dev_major, found.stx_dev_minor), mount })
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        // The next process that changes the registry removes what is left.
        for yard in self.far.borrow().iter() {
            let _ = remove_far(&yard.place.path);
        }
        let _ = remove(&self.home.place.path);
    }
}

/// Removes what killed processes left. The caller holds the registry lock.
pub(crate) fn clear_up(folders: &Folders) -> Result<(), AssetError> {
    let all = folders.own().join(DIR);
    let entries = match fs::read_dir(&all) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).at(&all),
    };
    for entry in entries.filter_map(Result::ok) {
        let path = entry.path();
        let is_left = File::open(&path)
            .is_ok_and(|dir| flock(&dir, FlockOperation::NonBlockingLockExclusive).is_ok());
        if is_left {
            for far in elsewhere(&path) {
                remove_far(&folders.genomes.join(far))?;
            }
            remove(&path)?;
        }
    }
    Ok(())
}

/// Returns its staging directories on other disks, ignoring paths that are not of that form.
fn elsewhere(path: &Path) -> Vec<PathBuf> {
    let list = fs::read_to_string(path.join(ELSEWHERE)).unwrap_or_default();
    let is_one = |far: &PathBuf| {
        is_confined(far) && far.parent().is_some_and(|all| all.ends_with(Path::new(OWN).join(DIR)))
    };
    list.lines().map(PathBuf::from).filter(is_one).collect()
}

/// Removes one, and its parent directories if they are empty.
fn remove_far(path: &Path) -> Result<(), AssetError> {
    remove(path)?;
    for dir in path.ancestors().skip(1).take(2) {
        let _ = fs::remove_dir(dir);
    }
    Ok(())
}

/// Removes a file, a link or a directory tree, including read-only directories, without following links.
pub(crate) fn remove(path: &Path) -> Result<(), AssetError> {
    let kind = match fs::symlink_metadata(path) {
        Ok(metadata) => metadata.file_type(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error).at(path),
    };
    if !kind.is_dir() {
        return fs::remove_file(path).at(path);
    }
    if fs::remove_dir_all(path).is_ok() {
        return Ok(());
    }
    let mode = fs::symlink_metadata(path).at(path)?.permissions().mode();
    if mode & 0o700 != 0o700 {
        fs::set_permissions(path, fs::Permissions::from_mode(0o700)).at(path)?;
    }
    for entry in fs::read_dir(path).at(path)? {
        remove(&entry.at(path)?.path())?;
    }
    fs::remove_dir(path).at(path)
}

/// Copies a directory with its links, or a file into a new directory, sharing blocks where the file system supports it. The owner can write the copies.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), AssetError> {
    fs::create_dir(to).at(to)?;
    if from.is_file() {
        return copy_file(from, &to.join(from.file_name().unwrap_or_default()));
    }
    copy_entries(from, to)
}

fn copy_entries(from: &Path, to: &Path) -> Result<(), AssetError> {
    for entry in fs::read_dir(from).at(from)? {
        let entry = entry.at(from)?;
        let (path, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type().at(&path)?;
        if kind.is_dir() {
            fs::create_dir(&target).at(&target)?;
            copy_entries(&path, &target)?;
        } else if kind.is_symlink() {
            symlink(fs::read_link(&path).at(&path)?, &target).at(&target)?;
        } else if kind.is_file() {
            copy_file(&path, &target)?;
        } else {
            let problem = "not a file, directory or link".to_owned();
            return Err(AssetError::Tree { path, problem });
        }
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> Result<(), AssetError> {
    fs::copy(from, to).at(to)?;
    let metadata = fs::metadata(from).at(from)?;
    let mode = (metadata.permissions().mode() & 0o777) | 0o600;
    fs::set_permissions(to, fs::Permissions::from_mode(mode)).at(to)?;
    // Tools compare the modification times of an index and its source.
    let modified = metadata.modified().at(from)?;
    File::options().write(true).open(to).at(to)?.set_modified(modified).at(to)
}
