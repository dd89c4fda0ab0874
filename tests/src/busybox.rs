//! A root file system with one program.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::project::Project;
use crate::requirement::skip;

const BUSYBOX: &str = "/bin/busybox";

/// Whether the machine has busybox; prints that it is missing if not.
pub fn has_busybox(test: &str) -> bool {
    let there = Path::new(BUSYBOX).is_file();
    if !there {
        skip(test, "needs `/bin/busybox` (Debian package busybox-static)");
    }
    there
}

impl Project {
    /// Creates a busybox root file system at `dir`, with links for these programs.
    pub fn busybox_root(&self, dir: &str, programs: &[&str]) {
        let bin = self.path(dir).join("bin");
        fs::create_dir_all(&bin).unwrap();
        fs::copy(BUSYBOX, bin.join("busybox")).unwrap();
        for name in programs {
            symlink("busybox", bin.join(name)).unwrap();
        }
    }
}
