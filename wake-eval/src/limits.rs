//! The limits of one evaluation.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The limits of one evaluation; exceeding one is an error that names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of memory that a worker may use, apart from its stack.
    pub memory: u64,
    /// Wall-clock time per request.
    pub deadline: Duration,
    /// The number of values in a result.
    pub nodes: usize,
    /// The bytes of text in a result.
    pub text_bytes: usize,
    /// The nesting of calls.
    pub depth: usize,
    /// The bytes of one parsed source file.
    pub source_bytes: usize,
    /// The nesting of expressions in a source file.
    pub nesting: usize,
    /// The bytes of a worker's stack; only touched pages use memory.
    pub stack: usize,
    /// The number of requests after which a worker is replaced.
    pub requests: u32,
}

/// Additional bytes of memory for a worker, for neither its stack nor user values: the program, allocator arenas.
pub(crate) const OVERHEAD: u64 = 256 << 20;

/// Bytes of memory that a worker may use in any case: package files need a tenth of this.
const LEAST_MEMORY: u64 = 128 << 20;

impl Limits {
    /// Adapts these limits to a machine with `memory` bytes that runs up to this many evaluators: together they may
    /// use half of the memory, in equal shares, but at least 128 MiB each.
    pub fn shared_by(self, evaluators: usize, memory: u64) -> Limits {
        let share = memory / 2 / (evaluators.max(1) as u64);
        let memory = share.saturating_sub(OVERHEAD).max(LEAST_MEMORY);
        Limits { memory: self.memory.min(memory), ..self }
    }
}

/// Returns the memory of this machine in bytes. Source: `sysinfo(2)`.
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
    fn evaluators_share_half_of_the_memory() {
        let memory = |evaluators, machine| Limits::default().shared_by(evaluators, machine).memory;
        assert_eq!(memory(2, 64 << 30), 1 << 30, "no more than a single evaluator may use");
        assert_eq!(memory(16, 16 << 30), 256 << 20);
        assert_eq!(memory(0, 1 << 30), 256 << 20);
        assert_eq!(memory(64, 4 << 30), 128 << 20, "package files must fit");
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
