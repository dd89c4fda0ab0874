//! The user that an image runs as, in numbers. Source: image-spec 1.1, "Image Configuration", `User`.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use rustix::fs::{CWD, FileType, Mode, OFlags, ResolveFlags};

/// Maximum size of a user or group table, in bytes.
const LARGEST: u64 = 16 << 20;

/// The user that an image runs as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunUser {
    /// Its numeric id.
    pub uid: u32,
    /// The numeric id of its group.
    pub gid: u32,
    /// Its home directory, if the image has one for it.
    pub home: Option<String>,
}

/// A user or group that the image does not have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the image has no {kind} `{name}`, which it is configured to run as")]
pub struct UnknownRunUser {
    /// `user` or `group`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
}

impl RunUser {
    /// Resolves `USER[:GROUP]`, each a name or a number, in the image whose files are at `root`; an empty text is
    /// user 0.
    pub fn of(text: &str, root: &Path) -> Result<RunUser, UnknownRunUser> {
        let (user, group) = match text.split_once(':') {
            Some((user, group)) => (user, Some(group)),
            None => (text, None),
        };
        let user = if user.is_empty() { "0" } else { user };
        let passwd = table(root, "passwd");
        let lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
        let entry = lines.into_iter().find(|fields| match fields[..] {
            [name, _, number, ..] => name == user || number == user,
            _ => false,
        });
        let field = |at: usize| entry.as_ref().and_then(|fields| fields.get(at).copied());
        let number = |at: usize| field(at)?.parse::<u32>().ok();
        let unknown = |kind, name: &str| UnknownRunUser { kind, name: name.to_owned() };
        let uid = user.parse::<u32>().ok().or_else(|| number(2));
        let uid = uid.ok_or_else(|| unknown("user", user))?;
        let gid = match group {
            None | Some("") => number(3).unwrap_or(0),
            Some(group) => {
                let groups = table(root, "group");
                let mut lines = groups.lines().map(|line| line.split(':').collect::<Vec<_>>());
                let named = lines.find(|fields| fields.first() == Some(&group));
                let named = named.and_then(|fields| fields.get(2)?.parse().ok());
                group.parse().ok().or(named).ok_or_else(|| unknown("group", group))?
            }
        };
        let home = field(5).filter(|home| !home.is_empty()).map(str::to_owned);
        Ok(RunUser { uid, gid, home })
    }
}

/// Reads a file in `/etc` of the image at `root`, following links inside the image; empty if it cannot be read.
fn table(root: &Path, name: &str) -> String {
    let read = || -> Option<String> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = rustix::fs::openat(CWD, root, flags, Mode::empty()).ok()?;
        let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let path = format!("etc/{name}");
        let inside = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let file = rustix::fs::openat2(&root, path, flags, Mode::empty(), inside).ok()?;
        let mode = rustix::fs::fstat(&file).ok()?.st_mode;
        (FileType::from_raw_mode(mode) == FileType::RegularFile).then_some(())?;
        let mut bytes = Vec::new();
        File::from(file).take(LARGEST).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    };
    read().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::RunUser;

    #[test]
    fn users_are_names_or_numbers() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("etc")).unwrap();
        let passwd = "root:x:0:0::/root:/\nbroken\nbo:x:7:8::/home/bo:/\n";
        std::fs::write(dir.path().join("etc/passwd"), passwd).unwrap();
        std::fs::write(dir.path().join("etc/group"), "wheel:x:10:\n").unwrap();
        for (text, expected) in [
            ("", Ok((0, 0, Some("/root")))),
            ("bo", Ok((7, 8, Some("/home/bo")))),
            ("7", Ok((7, 8, Some("/home/bo")))),
            ("9", Ok((9, 0, None))),
            ("bo:wheel", Ok((7, 10, Some("/home/bo")))),
            ("5:6", Ok((5, 6, None))),
            ("eve", Err("the image has no user `eve`, which it is configured to run as")),
            ("bo:eve", Err("the image has no group `eve`, which it is configured to run as")),
        ] {
            let found = RunUser::of(text, dir.path());
            let found = found.map(|user| (user.uid, user.gid, user.home));
            let expected = expected.map(|(uid, gid, home)| (uid, gid, home.map(str::to_owned)));
            assert_eq!(found.map_err(|error| error.to_string()), expected.map_err(str::to_owned));
        }
    }

    #[test]
    fn a_link_leads_to_nothing_outside_of_the_image() {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("root");
        std::fs::create_dir_all(root.join("etc")).unwrap();
        std::fs::create_dir_all(root.join("usr")).unwrap();
        std::fs::write(dir.path().join("passwd"), "eve:x:7:8::/:\n").unwrap();
        std::os::unix::fs::symlink("../../passwd", root.join("etc/passwd")).unwrap();
        assert!(RunUser::of("eve", &root).is_err());
        std::fs::write(root.join("passwd"), "bo:x:7:8::/:\n").unwrap();
        assert_eq!(RunUser::of("bo", &root).unwrap().uid, 7);
    }
}
