//! How much one evaluation may use.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The bounds of one evaluation; exceeding any of them is an error that names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory a worker may use, apart from its stack.
    pub memory: u64,
    /// Wall-clock time of one request.
    pub deadline: Duration,
    /// Values in a result.
    pub nodes: usize,
    /// Bytes of text in a result.
    pub text_bytes: usize,
    /// Calls inside calls.
    pub depth: usize,
    /// Bytes of one source file that is parsed.
    pub source_bytes: usize,
    /// Expressions inside expressions in a source file.
    pub nesting: usize,
    /// Bytes of a worker's stack; only what is touched is ever used.
    pub stack: usize,
    /// Requests after which a worker is replaced by a fresh one.
    pub requests: u32,
}

/// Bytes of memory that a worker may use besides, for what is neither its stack nor the user's: the program, allocator arenas.
pub(crate) const OVERHEAD: u64 = 256 << 20;

/// Bytes of memory that a worker may use in any case: package files take a tenth of that.
const LEAST_MEMORY: u64 = 128 << 20;

impl Limits {
    /// These limits for as many evaluators as may run at once on a machine with `memory` bytes: together they may use half
    /// of those, each an equal part, unless that would leave less than 128 MiB to one.
    pub fn shared_by(self, evaluators: usize, memory: u64) -> Limits {
        let share = memory / 2 / (evaluators.max(1) as u64);
        let memory = share.saturating_sub(OVERHEAD).max(LEAST_MEMORY);
        Limits { memory: self.memory.min(memory), ..self }
    }
}

/// The bytes of memory that this machine has. Source: `sysinfo(2)`.
pub fn machine_memory() -> u64 {
    let info = rustix::system::sysinfo();
    (info.totalram as u64).saturating_mul(u64::from(info.mem_unit))
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            memory: 1 << 30,
            deadline: Duration::from_secs(30),
            nodes: 1_000_000,
            text_bytes: 64 << 20,
            // A test of the reference engines counts to 10,000.
            depth: 10_100,
            source_bytes: 16 << 20,
            nesting: 50_000,
            stack: 512 << 20,
            requests: 10_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evaluators_share_half_of_the_memory_that_there_is() {
        let memory = |evaluators, machine| Limits::default().shared_by(evaluators, machine).memory;
        assert_eq!(memory(2, 64 << 30), 1 << 30, "no more than one may alone");
        assert_eq!(memory(16, 16 << 30), 256 << 20);
        assert_eq!(memory(0, 1 << 30), 256 << 20);
        assert_eq!(memory(64, 4 << 30), 128 << 20, "package files have to fit in");
        for evaluators in 1..=21 {
            let each = memory(evaluators, 16 << 30) + OVERHEAD;
            assert!(each * evaluators as u64 <= 8 << 30);
        }
    }

    #[test]
    fn a_machine_has_memory() {
        assert!(machine_memory() > 16 << 20);
    }
}
