//! The surroundings of a hostile checkout, which must stay unchanged.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::{CWD, FileType, Mode, mknodat};
use wake_tests::{Finished, Project, Wake, project};

/// A project of two packages, one nested in the other, with a result each.
pub(crate) fn victim() -> Project {
    let module = "outputs=function(wake, pkg) { o: './o' }, exec=wake.exec('./t.sh')";
    let pkg = |module: &str| format!("files=['./t.sh'], modules={{ {module}: './m.libsonnet' }}");
    let project = project()
        .file("wake.toml", "[build]\njobs = 1\n")
        .pkg_at("", "root", &pkg("m"))
        .module("m.libsonnet", "m", module)
        .script("t.sh", "#!/bin/sh\necho made > o\n")
        .pkg_at("lib", "lib", &pkg("n"))
        .module("lib/m.libsonnet", "n", module)
        .script("lib/t.sh", "#!/bin/sh\necho made > o\n")
        .build();
    let home = project.base().join("home");
    fs::create_dir_all(home.join("m/n")).unwrap();
    for name in ["profile", "m/n/thesis", "history", "snapshot", "out.jsonl"] {
        fs::write(home.join(name), format!("{name} of the one who builds\n")).unwrap();
    }
    project
}

/// Everything below `dir`, with its bytes, modes and times.
pub(crate) fn canaries(dir: &Path) -> BTreeMap<PathBuf, (u32, i64, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(path) = open.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let bytes = match metadata.is_file() {
            true => fs::read(&path).unwrap(),
            false => Vec::new(),
        };
        found.insert(path.clone(), (metadata.mode(), metadata.mtime_nsec(), bytes));
        if metadata.is_dir() {
            open.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        }
    }
    found
}

/// Something put where wake keeps a file or a directory of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Obstacle {
    LinkToFile,
    LinkToDir,
    LinkToNothing,
    LinkToItself,
    LinkToZeros,
    Pipe,
    Socket,
    Device,
    Dir,
    FullDir,
    Garbage,
    Large,
    OtherName,
}

impl Obstacle {
    pub(crate) const ALL: [Obstacle; 13] = [
        Obstacle::LinkToFile,
        Obstacle::LinkToDir,
        Obstacle::LinkToNothing,
        Obstacle::LinkToItself,
        Obstacle::LinkToZeros,
        Obstacle::Pipe,
        Obstacle::Socket,
        Obstacle::Device,
        Obstacle::Dir,
        Obstacle::FullDir,
        Obstacle::Garbage,
        Obstacle::Large,
        Obstacle::OtherName,
    ];

    /// Puts it at `path`, replacing what is there; false if this user or file system cannot.
    pub(crate) fn put(self, path: &Path, home: &Path) -> bool {
        let _ = fs::remove_file(path);
        let _ = fs::remove_dir_all(path);
        // There may be another one above it.
        if fs::create_dir_all(path.parent().unwrap()).is_err() {
            return false;
        }
        let node = |kind, device| mknodat(CWD, path, kind, Mode::from_raw_mode(0o666), device);
        match self {
            Obstacle::LinkToFile => symlink(home.join("profile"), path).is_ok(),
            Obstacle::LinkToDir => symlink(home, path).is_ok(),
            Obstacle::LinkToNothing => symlink(home.join("not-there-yet"), path).is_ok(),
            Obstacle::LinkToItself => symlink(path.file_name().unwrap(), path).is_ok(),
            Obstacle::LinkToZeros => symlink("/dev/zero", path).is_ok(),
            Obstacle::Pipe => node(FileType::Fifo, 0).is_ok(),
            Obstacle::Socket => std::os::unix::net::UnixListener::bind(path).is_ok(),
            // `/dev/zero`: endless.
            Obstacle::Device => node(FileType::CharacterDevice, rustix::fs::makedev(1, 5)).is_ok(),
            Obstacle::Dir => fs::create_dir(path).is_ok(),
            Obstacle::FullDir => {
                fs::create_dir_all(path.join("a/b")).is_ok()
                    && fs::write(path.join("a/b/c"), "mine").is_ok()
            }
            Obstacle::Garbage => fs::write(path, [7; 4000]).is_ok(),
            Obstacle::Large => {
                let file = fs::File::create(path);
                file.and_then(|file| file.set_len(1 << 40)).is_ok()
            }
            Obstacle::OtherName => fs::hard_link(home.join("history"), path).is_ok(),
        }
    }
}

/// Runs a call, which must end by itself in time and within this much memory.
#[track_caller]
pub(crate) fn bounded(wake: &Wake, what: &str) -> Finished {
    let mut child = wake.spawn();
    let (mut most, begun) = (0, Instant::now());
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        most = most.max(resident(child.id()));
        let is_over = begun.elapsed() > Duration::from_secs(60) || most > 1 << 30;
        if is_over {
            let _ = child.kill();
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            panic!("{what}: {most} bytes after {:?}\n{said}", begun.elapsed());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let mut output = child.wait_with_output().unwrap();
    output.status = status;
    wake.finished(output)
}

/// The bytes of memory that a process holds.
fn resident(process: u32) -> u64 {
    let statm = fs::read_to_string(format!("/proc/{process}/statm")).unwrap_or_default();
    let pages = statm.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok());
    pages.unwrap_or(0) * rustix::param::page_size() as u64
}

/// Gives `path` and all below it to a user.
pub(crate) fn give(path: &Path, user: u32) {
    let owner = format!("{user}:{user}");
    let mut chown = Command::new("chown");
    let status = chown.args(["-Rh", &owner]).arg(path).stderr(Stdio::null()).status();
    assert!(status.unwrap().success());
}
