//! Showing large files of the store in a work directory without copying them: they lie below it, as a layer, and are copied
//! by the kernel when the command changes them.

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

/// What lies below work directories in one mount namespace, beside its root directory.
#[derive(Default)]
pub(crate) struct Layers {
    /// Directories of the store, each where [`place`] says.
    lower: HashSet<PathBuf>,
    /// Whether an earlier command's directory lies at [`TOP`].
    is_taken: bool,
}

/// Where a command's own directory lies.
const TOP: &str = "/top";

impl Layers {
    /// The work directory `top` of a command that runs in `view`, with all of `trees` showing through.
    ///
    /// The inner error says that this kernel or file system cannot do that.
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
            // What the command may change has to be its own, where that is not the executor's user.
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

    /// The same inside the mount namespace.
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

/// Where a directory of the store lies: commands are shown that, so it says nothing of those before.
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
