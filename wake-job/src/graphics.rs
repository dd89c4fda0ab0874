//! The GPUs of this machine, and their assignment to jobs.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::thread;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

/// The devices of GPUs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Graphics {
    /// One device for each GPU.
    each: Vec<PathBuf>,
    /// Devices that are needed with any GPU.
    shared: Vec<PathBuf>,
}

/// The GPUs of a machine that a job may use: their numbers, from 0 in the order of their devices.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct GivenGraphics(BTreeSet<usize>);

/// The text is not a list of GPU numbers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a list of numbers such as `0,2-3`")]
pub struct NoNumbers(String);

/// A limit above what any machine has, so that a range cannot exhaust memory.
const MOST: usize = 1 << 10;

impl FromStr for GivenGraphics {
    type Err = NoNumbers;

    fn from_str(text: &str) -> Result<Self, NoNumbers> {
        let refused = || NoNumbers(text.to_owned());
        let number = |text: &str| -> Result<usize, NoNumbers> {
            let number = text.parse().ok().filter(|&number| number < MOST);
            number.ok_or_else(refused)
        };
        let mut all = BTreeSet::new();
        for part in text.split(',') {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            all.extend(number(first)?..=number(last)?);
        }
        Ok(GivenGraphics(all))
    }
}

impl TryFrom<String> for GivenGraphics {
    type Error = NoNumbers;

    fn try_from(text: String) -> Result<Self, NoNumbers> {
        text.parse()
    }
}

impl From<GivenGraphics> for String {
    fn from(GivenGraphics(all): GivenGraphics) -> String {
        all.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }
}

/// GPUs that are reserved for as long as this value lives.
#[derive(Debug, Default)]
pub(crate) struct GraphicsClaim {
    each: Vec<PathBuf>,
    shared: Vec<PathBuf>,
    locks: Vec<File>,
}

/// The interval at which free GPUs are looked for.
const LOOK: Duration = Duration::from_millis(200);

impl Graphics {
    /// Returns the GPUs with devices in `dev`, usually `/dev`, restricted to those in `given`, if any.
    ///
    /// NVIDIA's devices are `nvidia0` and so on, with shared ones; for other GPUs the render nodes are used. Sources: the README of
    /// NVIDIA's driver for Linux, DRM user-land interfaces in the kernel's documentation.
    pub(crate) fn of(dev: &Path, given: Option<&GivenGraphics>) -> Graphics {
        let Graphics { each, shared } = Graphics::all(dev);
        let is_given = |number: &usize| given.is_none_or(|GivenGraphics(all)| all.contains(number));
        let each = each.into_iter().enumerate().filter(|(number, _)| is_given(number));
        Graphics { each: each.map(|(_, device)| device).collect(), shared }
    }

    fn all(dev: &Path) -> Graphics {
        let named = |dir: &Path, is_one: &dyn Fn(&str) -> bool| {
            let entries = fs::read_dir(dir).into_iter().flatten().flatten();
            let mut all: Vec<PathBuf> = entries
                .filter(|entry| entry.file_name().to_str().is_some_and(is_one))
                .map(|entry| entry.path())
                .collect();
            // As numbers: `nvidia10` comes after `nvidia9`.
            all.sort_by_key(|path| (path.as_os_str().len(), path.clone()));
            all
        };
        let is_number =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let nvidia = named(dev, &|name| name.strip_prefix("nvidia").is_some_and(is_number));
        if !nvidia.is_empty() {
            let mut shared = named(dev, &|name| {
                matches!(name, "nvidiactl" | "nvidia-modeset" | "nvidia-uvm" | "nvidia-uvm-tools")
            });
            shared.extend(named(&dev.join("nvidia-caps"), &|name| name.starts_with("nvidia-cap")));
            return Graphics { each: nvidia, shared };
        }
        let each =
            named(&dev.join("dri"), &|name| name.strip_prefix("renderD").is_some_and(is_number));
        let shared = if each.is_empty() { Vec::new() } else { named(dev, &|name| name == "kfd") };
        Graphics { each, shared }
    }

    /// The number of GPUs.
    pub(crate) fn count(&self) -> usize {
        self.each.len()
    }

    /// Reserves `count` GPUs with locks in `dir`, waiting until they are free; none if `is_over` returns true first.
    pub(crate) fn claim(
        &self,
        count: usize,
        dir: &Path,
        is_over: &dyn Fn() -> bool,
    ) -> io::Result<Option<GraphicsClaim>> {
        if count == 0 {
            return Ok(Some(GraphicsClaim::default()));
        }
        fs::create_dir_all(dir)?;
        loop {
            let mut claim = GraphicsClaim { shared: self.shared.clone(), ..Default::default() };
            for device in &self.each {
                let name = device.file_name().unwrap_or(device.as_os_str());
                let lock = File::create(dir.join(name))?;
                match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                    Ok(()) => {
                        claim.each.push(device.clone());
                        claim.locks.push(lock);
                    }
                    Err(rustix::io::Errno::WOULDBLOCK) => {}
                    Err(error) => return Err(error.into()),
                }
                if claim.each.len() == count {
                    return Ok(Some(claim));
                }
            }
            // All or nothing, so that jobs cannot deadlock.
            drop(claim);
            if is_over() {
                return Ok(None);
            }
            thread::sleep(LOOK);
        }
    }
}

impl GraphicsClaim {
    /// Returns the devices for the next process that requests `count` GPUs.
    pub(crate) fn deal(&mut self, count: usize) -> Vec<PathBuf> {
        if count == 0 {
            return Vec::new();
        }
        let own = self.each.drain(..count.min(self.each.len()));
        own.chain(self.shared.iter().cloned()).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(names: &[&str]) -> (Vec<String>, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        for name in names {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let Graphics { each, shared } = Graphics::of(dir.path(), None);
        let text = |path: PathBuf| path.strip_prefix(dir.path()).unwrap().display().to_string();
        (each.into_iter().map(text).collect(), shared.into_iter().map(text).collect())
    }

    #[test]
    fn each_kind_of_gpu_has_its_devices() {
        let names = |all: &[&str]| all.iter().map(|&name| name.to_owned()).collect::<Vec<_>>();
        assert_eq!(found(&["null", "nvidia-uvm", "dri/card0"]), (vec![], vec![]));
        let nvidia = ["nvidia10", "nvidia9", "nvidiactl", "nvidia-uvm", "nvidia-caps/nvidia-cap1"];
        let with_render = [&nvidia[..], &["dri/renderD128", "kfd", "nvidiax"]].concat();
        assert_eq!(
            found(&with_render),
            (
                names(&["nvidia9", "nvidia10"]),
                names(&["nvidiactl", "nvidia-uvm", "nvidia-caps/nvidia-cap1"])
            )
        );
        assert_eq!(
            found(&["kfd", "dri/renderD129", "dri/renderD128", "dri/card0"]),
            (names(&["dri/renderD128", "dri/renderD129"]), names(&["kfd"]))
        );
    }

    #[test]
    fn only_given_gpus_are_used() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["nvidia0", "nvidia1", "nvidia2", "nvidiactl"] {
            fs::write(dir.path().join(name), "").unwrap();
        }
        let count = |given: &str| {
            let given = given.parse::<GivenGraphics>().unwrap();
            let found = Graphics::of(dir.path(), Some(&given));
            assert_eq!(found.shared, [dir.path().join("nvidiactl")]);
            found.each.iter().map(|one| one.file_name().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(count("2,0"), ["nvidia0", "nvidia2"]);
        assert_eq!(count("1-7"), ["nvidia1", "nvidia2"]);
        assert!(count("3").is_empty());
        for text in ["", "a", "1,", "0-", "2:1", "0-99999999999"] {
            let refused = text.parse::<GivenGraphics>().unwrap_err().to_string();
            assert_eq!(refused, format!("`{text}` is not a list of numbers such as `0,2-3`"));
        }
        let given: GivenGraphics = serde_json::from_str("\"3,1-2\"").unwrap();
        assert_eq!(serde_json::to_string(&given).unwrap(), "\"1,2,3\"");
    }

    #[test]
    fn a_reserved_gpu_is_not_assigned_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| PathBuf::from("/dev").join(name);
        let all = Graphics {
            each: vec![path("nvidia0"), path("nvidia1"), path("nvidia2")],
            shared: vec![path("nvidiactl")],
        };
        let claim = |count| all.claim(count, dir.path(), &|| true).unwrap();
        let mut first = claim(2).unwrap();
        assert_eq!(first.deal(1), [path("nvidia0"), path("nvidiactl")]);
        assert_eq!(first.deal(1), [path("nvidia1"), path("nvidiactl")]);
        assert_eq!(first.deal(0), Vec::<PathBuf>::new());
        assert!(claim(2).is_none(), "one is left");
        let mut second = claim(1).unwrap();
        assert_eq!(second.deal(1), [path("nvidia2"), path("nvidiactl")]);
        drop(first);
        assert!(claim(2).is_some());
    }
}
