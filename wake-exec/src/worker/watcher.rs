//! Detects through inotify whether anything was done in a directory.
//!
//! There is one event queue for the life of a worker, because closing one takes ten milliseconds and more. It is
//! created only once a worker has run enough commands to be worth it.

use std::collections::HashSet;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

/// The queue, and what was read from it.
#[derive(Default)]
pub(crate) struct Watcher {
    queue: Option<OwnedFd>,
    /// The watch descriptors of directories in which something was done.
    touched: HashSet<i32>,
    /// The number of event losses; watches from before the last one are meaningless.
    losses: u32,
    /// How often a watch could have been used.
    asked: u32,
    /// How often the watched directories had been used.
    in_vain: u32,
}

/// A set of watched directories.
pub(crate) struct InotifyWatch {
    numbers: Vec<i32>,
    losses: u32,
}

/// A worker that has run fewer commands has no queue.
const WARM: u32 = 16;

/// After this many used watches, commands are assumed to use the directories.
const IN_VAIN: u32 = 8;

/// The most descriptors kept; beyond that, everything watched counts as used.
const NUMBERS: usize = 1024;

impl Watcher {
    /// Returns whether a watch is likely to be useful.
    pub(crate) fn is_worth_it(&mut self) -> bool {
        self.asked = self.asked.saturating_add(1);
        self.asked > WARM && self.in_vain < IN_VAIN
    }

    /// Returns a watch without directories.
    pub(crate) fn watch_nothing(&mut self) -> Result<InotifyWatch, Errno> {
        if self.queue.is_none() {
            self.queue = Some(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?);
        }
        Ok(InotifyWatch { numbers: Vec::with_capacity(3), losses: self.losses })
    }

    /// Adds the directory at `path` to `watch`.
    pub(crate) fn add(&self, watch: &mut InotifyWatch, path: &str) -> Result<(), Errno> {
        let queue = self.queue.as_ref().ok_or(Errno::BADF)?;
        // The first event is enough.
        let flags = WatchFlags::ALL_EVENTS | WatchFlags::ONESHOT;
        watch.numbers.push(inotify::add_watch(queue, path, flags)?);
        Ok(())
    }

    /// Returns whether nothing has been done in any of the directories.
    pub(crate) fn heard_nothing(&mut self, watch: &InotifyWatch) -> bool {
        self.read();
        let touched = watch.losses != self.losses
            || watch.numbers.iter().any(|number| self.touched.contains(number));
        self.in_vain = if touched { self.in_vain + 1 } else { self.in_vain.saturating_sub(1) };
        !touched
    }

    fn read(&mut self) {
        let Some(queue) = &self.queue else { return };
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(queue, &mut buffer);
        let lost = loop {
            match events.next() {
                Ok(event) if event.events().contains(ReadFlags::QUEUE_OVERFLOW) => break true,
                Ok(event) => _ = self.touched.insert(event.wd()),
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => break self.touched.len() > NUMBERS,
                Err(_) => break true,
            }
        };
        if lost {
            self.losses += 1;
            self.touched.clear();
        }
    }
}
