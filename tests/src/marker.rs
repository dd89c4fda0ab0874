//! A unique argument by which a test finds its process.

use std::sync::atomic::{AtomicU32, Ordering};

/// Identifies a process on the machine by a unique number of seconds to sleep.
pub struct Marker {
    /// The number: more than a day, and different for every marker on the machine.
    pub seconds: u64,
}

impl Default for Marker {
    fn default() -> Marker {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let count = u64::from(NEXT.fetch_add(1, Ordering::Relaxed));
        Marker { seconds: 1_000_000_000 + u64::from(std::process::id()) * 100 + count }
    }
}

impl Marker {
    /// Returns a living process that has the number among its arguments.
    pub fn process(&self) -> Option<i32> {
        let number = self.seconds.to_string();
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let mut pids = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
        pids.find(|pid: &i32| {
            let cmdline = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            cmdline.split(|byte| *byte == 0).any(|word| word == number.as_bytes())
        })
    }

    /// Whether there is such a process.
    pub fn is_alive(&self) -> bool {
        self.process().is_some()
    }
}
