//! Shows large files of the store in a work directory without copying them: they are a layer below it, and the kernel
//! copies them when the command changes them.

use std::collections::HashSet;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode};
use rustix::io::Errno;
use rustix::mount::{MoveMountFlags, move_mount};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::confine::Confinement;
use super::mounts::{self, Writable};
use super::scratch::{UPPER, WORK};
use super::view::{PAST, RootView};
use crate::wire::JobError;

/// The layers below work directories in one mount namespace, beside its root directory.
#[derive(Default)]
pub(crate) struct Layers {
    /// Directories of the store, each attached at [`place`].
    lower: HashSet<PathBuf>,
    /// Whether an earlier command's directory is at [`TOP`].
    is_taken: bool,
}

/// Where a command's own directory is attached.
const TOP: &str = "/top";

impl Layers {
    /// Returns the work directory `top` of a command that runs in `view`, with all of `trees` showing through.
    ///
    /// The inner error means that this kernel or file system does not support it.
    pub(crate) fn show_through(
        &mut self,
        confined: &Confinement,
        view: &RootView,
        top: &OwnedFd,
        trees: &[PathBuf],
    ) -> Result<Result<OwnedFd, Errno>, JobError> {
        let mut new = Vec::new();
        for tree in trees.iter().filter(|tree| !self.lower.contains(*tree)) {
            let mount = mounts::host(tree, Writable::No)
                .map_err(|errno| JobError::step("mount", tree, errno))?;
            // Files that the command may change must be its own, if its user is not the executor's.
            if confined.owner.is_some()
                && let Err(errno) = confined.owners.give(&mount)
            {
                return Ok(Err(errno));
            }
            new.push((tree.clone(), mount));
        }
        move_into_link_name_space(view.ns.as_fd(), Some(LinkNameSpaceType::Mount))
            .map_err(|errno| JobError::step("enter", "/", errno))?;
        let shown = self.put_together(top, trees, new);
        confined.host.enter().map_err(|errno| JobError::step("enter", "/", errno))?;
        Ok(shown)
    }

    /// As above, inside the mount namespace.
    fn put_together(
        &mut self,
        top: &OwnedFd,
        trees: &[PathBuf],
        new: Vec<(PathBuf, OwnedFd)>,
    ) -> Result<OwnedFd, Errno> {
        for (tree, mount) in new {
            let place = place(&tree);
            directory(&place)?;
            mounts::attach(&mount, CWD, &place)?;
            self.lower.insert(tree);
        }
        if self.is_taken {
            move_mount(CWD, TOP, CWD, PAST, MoveMountFlags::empty())?;
        }
        directory(TOP)?;
        mounts::attach(top, CWD, TOP)?;
        self.is_taken = true;
        let lower: Vec<String> = trees.iter().map(|tree| place(tree)).collect();
        mounts::showing_through(&lower, &format!("{TOP}/{UPPER}"), &format!("{TOP}/{WORK}"))
    }
}

/// Returns where a directory of the store is attached: commands can see that path, so it must not reveal anything about
/// earlier ones.
fn place(tree: &Path) -> String {
    let name = blake3::hash(tree.as_os_str().as_bytes()).to_hex();
    format!("/{}", &name[..32])
}

fn directory(path: &str) -> Result<(), Errno> {
    match rustix::fs::mkdir(path, Mode::from_raw_mode(0o755)) {
        Err(Errno::EXIST) => Ok(()),
        other => other,
    }
}
