//! The tree that a command will see, before it is mounted: where each part is on this machine.

use std::collections::{BTreeMap, VecDeque};
use std::fs::{self, Metadata};
use std::ops::Bound;
use std::path::{Path, PathBuf};

use wake_store::ware::AbsPath;

/// Parts of a tree, each hiding what others have at its place.
#[derive(Default)]
pub(crate) struct Assembly {
    parts: BTreeMap<AbsPath, Part>,
}

/// A part of the tree.
#[derive(Clone)]
pub(crate) enum Part {
    /// A file or directory of this machine.
    Host(PathBuf),
    /// A file that does not exist yet.
    File,
    /// An empty directory that does not exist yet.
    Dir,
}

/// What is at a path.
pub(crate) enum Standing {
    Nothing,
    Dir,
    File,
    Link,
    Other,
}

/// The most links followed on one path, as in the kernel.
const MOST_LINKS: usize = 40;

impl Assembly {
    /// Adds a part.
    pub(crate) fn add(&mut self, at: AbsPath, part: Part) {
        self.parts.insert(at, part);
    }

    /// Returns what is at `path`, following links inside the tree.
    pub(crate) fn find(&self, path: &str) -> Standing {
        let mut here = AbsPath::root();
        let mut open: VecDeque<String> = steps(path).collect();
        let mut links = 0;
        while let Some(step) = open.pop_front() {
            if step == ".." {
                here = here.parent().unwrap_or_else(AbsPath::root);
                continue;
            }
            let next = here.child(&step);
            match self.link(&next) {
                Some(target) if links < MOST_LINKS => {
                    links += 1;
                    if target.is_absolute() {
                        here = AbsPath::root();
                    }
                    for step in
                        steps(&target.to_string_lossy()).collect::<Vec<_>>().into_iter().rev()
                    {
                        open.push_front(step);
                    }
                }
                Some(_) => return Standing::Nothing,
                None => here = next,
            }
        }
        self.stands(&here)
    }

    /// Returns whether a part provides `path` or something below it.
    pub(crate) fn brings(&self, path: &AbsPath) -> bool {
        let held = !matches!(self.place(path), None | Some((Part::Dir, _)));
        held || self.below(path).any(|part| !matches!(part, Part::Dir))
    }

    /// Returns the parts at `path` and below it.
    fn below(&self, path: &AbsPath) -> impl Iterator<Item = &Part> {
        let inside = match path.as_str() {
            "/" => "/".to_owned(),
            path => format!("{path}/"),
        };
        let bounds = (Bound::Included(inside.as_str()), Bound::Unbounded);
        let first = self.parts.range::<str, _>(bounds);
        let below = first.take_while(move |(at, _)| at.as_str().starts_with(&inside));
        self.parts.get(path).into_iter().chain(below.map(|(_, part)| part))
    }

    fn link(&self, path: &AbsPath) -> Option<PathBuf> {
        match self.place(path)? {
            (Part::Host(host), Some(metadata)) if metadata.is_symlink() => fs::read_link(host).ok(),
            _ => None,
        }
    }

    /// Returns what is at exactly `path`, without following links.
    pub(crate) fn stands(&self, path: &AbsPath) -> Standing {
        match self.place(path) {
            Some((Part::Dir, _)) => Standing::Dir,
            Some((Part::File, _)) => Standing::File,
            Some((_, Some(metadata))) if metadata.is_dir() => Standing::Dir,
            Some((_, Some(metadata))) if metadata.is_file() => Standing::File,
            Some((_, Some(metadata))) if metadata.is_symlink() => Standing::Link,
            Some(_) => Standing::Other,
            // A directory on the way to a part is created.
            None if self.below(path).next().is_some() => Standing::Dir,
            None => Standing::Nothing,
        }
    }

    /// Returns the part at exactly this path, with its metadata if it is on this machine.
    fn place(&self, path: &AbsPath) -> Option<(Part, Option<Metadata>)> {
        let mut above = std::iter::successors(Some(path.clone()), AbsPath::parent);
        let (at, part) = above.find_map(|at| self.parts.get_key_value(&at))?;
        let Part::Host(host) = part else { return (path == at).then(|| (part.clone(), None)) };
        let below = Path::new(path.as_str()).strip_prefix(at.as_str()).ok()?;
        let host = if below.as_os_str().is_empty() { host.clone() } else { host.join(below) };
        let metadata = fs::symlink_metadata(&host).ok()?;
        Some((Part::Host(host), Some(metadata)))
    }
}

fn steps(path: &str) -> impl Iterator<Item = String> {
    path.split('/').filter(|step| !step.is_empty() && *step != ".").map(str::to_owned)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn links_lead_inside_the_tree_and_across_its_parts() {
        let dir = tempfile::tempdir().unwrap();
        let (root, ware) = (dir.path().join("root"), dir.path().join("ware"));
        fs::create_dir_all(root.join("bin")).unwrap();
        fs::create_dir_all(ware.join("sub")).unwrap();
        fs::write(root.join("bin/busybox"), "").unwrap();
        fs::write(ware.join("sub/f"), "").unwrap();
        symlink("busybox", root.join("bin/sh")).unwrap();
        symlink("/bin/sh", root.join("bin/ash")).unwrap();
        symlink("/opt/ware/sub", root.join("across")).unwrap();
        symlink("../../../../../bin", root.join("up")).unwrap();
        symlink("loop", root.join("loop")).unwrap();
        let mut assembly = Assembly::default();
        let path = |text: &str| text.parse::<AbsPath>().unwrap();
        assembly.add(path("/"), Part::Host(root));
        assembly.add(path("/lit"), Part::File);
        assembly.add(path("/opt/ware"), Part::Host(ware));
        assembly.add(path("/task"), Part::Dir);
        for file in ["/bin/sh", "/bin/ash", "/across/f", "/up/sh", "/opt/ware/sub/f", "/lit"] {
            assert!(matches!(assembly.find(file), Standing::File), "{file}");
        }
        for dir in ["/", "/bin", "/opt", "/opt/ware", "/task", "/across"] {
            assert!(matches!(assembly.find(dir), Standing::Dir), "{dir}");
        }
        for brought in ["/bin", "/bin/busybox", "/opt", "/opt/ware/sub", "/lit", "/"] {
            assert!(assembly.brings(&path(brought)), "{brought}");
        }
        for own in ["/task", "/task/x", "/bin/etc", "/opt/other"] {
            assert!(!assembly.brings(&path(own)), "{own}");
        }
        for nothing in ["/loop", "/etc", "/bin/etc", "/lit/x", "/task/x", "/opt/other"] {
            assert!(matches!(assembly.find(nothing), Standing::Nothing), "{nothing}");
        }
    }
}
