//! A word that no other test uses, by which a process can be found again.

use std::sync::atomic::{AtomicU32, Ordering};

/// Names a process among all others of the machine, by a number of seconds to sleep.
pub struct Marker {
    /// The number: more than a day, and different for every marker of the machine.
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
    /// Whether a living process has the number among its arguments.
    pub fn is_alive(&self) -> bool {
        let number = self.seconds.to_string();
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        processes.into_iter().any(|process| {
            let cmdline = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            cmdline.split(|byte| *byte == 0).any(|word| word == number.as_bytes())
        })
    }
}
