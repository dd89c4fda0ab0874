//! Hearing from the kernel whether anything was done to a directory.
//!
//! There is one queue of events for the life of a worker, because letting go of one waits for ten milliseconds and more;
//! and none before a worker has served so often that it will have been worth that.

use std::collections::HashSet;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

/// The queue, and what was read from it.
#[derive(Default)]
pub(crate) struct Watcher {
    queue: Option<OwnedFd>,
    /// The numbers of directories that something was done to.
    touched: HashSet<i32>,
    /// Watches from before the last loss of events say nothing.
    losses: u32,
    /// How often somebody could have used a watch.
    asked: u32,
    /// How often something had been done to what was watched.
    in_vain: u32,
}

/// Some directories that are watched.
pub(crate) struct InotifyWatch {
    numbers: Vec<i32>,
    losses: u32,
}

/// A worker that has served less often has no queue.
const WARM: u32 = 16;

/// So often in vain, and commands are taken to use what is watched.
const IN_VAIN: u32 = 8;

/// More numbers are not kept: what is watched now counts as touched then.
const NUMBERS: usize = 1024;

impl Watcher {
    /// Whether a watch is likely to be of use.
    pub(crate) fn is_worth_it(&mut self) -> bool {
        self.asked = self.asked.saturating_add(1);
        self.asked > WARM && self.in_vain < IN_VAIN
    }

    /// A watch of no directory yet.
    pub(crate) fn watch_nothing(&mut self) -> Result<InotifyWatch, Errno> {
        if self.queue.is_none() {
            self.queue = Some(inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?);
        }
        Ok(InotifyWatch { numbers: Vec::with_capacity(3), losses: self.losses })
    }

    /// Has `watch` hear of the directory at `path` as well.
    pub(crate) fn add(&self, watch: &mut InotifyWatch, path: &str) -> Result<(), Errno> {
        let queue = self.queue.as_ref().ok_or(Errno::BADF)?;
        // The first event says it all.
        let flags = WatchFlags::ALL_EVENTS | WatchFlags::ONESHOT;
        watch.numbers.push(inotify::add_watch(queue, path, flags)?);
        Ok(())
    }

    /// Whether nothing has been done to any of the directories.
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
