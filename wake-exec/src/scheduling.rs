//! How the kernel's scheduler treats the threads of a build and their commands.
//!
//! Preparing commands and collecting their outputs consists of many short turns of many processes. By default, the
//! kernel lets some of them queue for one processor while another is idle: on a wake-up it does not look for an idle
//! processor if all were busy recently, and it does not migrate a task that ran a moment ago. If each thread and its
//! worker stay on one processor, every processor has work. A task that wakes up would also preempt the running one,
//! although nobody benefits; as batch work it waits.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

/// The CPU affinity and the scheduling policy of a thread, which its children inherit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduling {
    /// Processors by number; at least one.
    processors: Vec<usize>,
    /// Source: `sched(7)`.
    policy: libc::c_int,
}

impl Scheduling {
    /// Returns that of the calling thread; none if the system does not provide it.
    ///
    /// Not available with more than 1,024 processors. Source: `sched_getaffinity(2)`, `sched_getscheduler(2)`.
    pub fn of_thread() -> Option<Scheduling> {
        let set = sched_getaffinity(None).ok()?;
        let processors: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect();
        // SAFETY: takes a number, and 0 stands for the calling thread.
        let policy = unsafe { libc::sched_getscheduler(0) };
        (!processors.is_empty() && policy >= 0).then_some(Scheduling { processors, policy })
    }

    /// Returns the number of processors.
    pub fn processors(&self) -> usize {
        self.processors.len()
    }

    /// Returns the same restricted to one processor; consecutive values of `number` get consecutive processors.
    pub fn on_one(&self, number: usize) -> Scheduling {
        let own = self.processors[number % self.processors.len()];
        Scheduling { processors: vec![own], ..*self }
    }

    /// Returns the same as batch work if it was ordinary work: it gets its share, but does not preempt others when it
    /// wakes up.
    pub fn as_batch(&self) -> Scheduling {
        let policy = match self.policy {
            libc::SCHED_OTHER => libc::SCHED_BATCH,
            other => other,
        };
        Scheduling { policy, ..self.clone() }
    }

    /// Applies this to the calling thread and everything that it starts from now on.
    ///
    /// If the system refuses, everything stays as it is: this only affects speed.
    pub fn apply(&self) {
        let Native { processors, policy } = self.native();
        let _ = sched_setaffinity(None, &processors);
        let no_priority = libc::sched_param { sched_priority: 0 };
        // SAFETY: reads the one structure behind the pointer, which outlives the call.
        unsafe { libc::sched_setscheduler(0, policy, &raw const no_priority) };
    }

    /// Converts to the form that the kernel takes.
    pub(crate) fn native(&self) -> Native {
        let mut processors = CpuSet::new();
        self.processors.iter().for_each(|&cpu| processors.set(cpu));
        Native { processors, policy: self.policy }
    }
}

/// [`Scheduling`] as plain numbers.
#[derive(Clone, Copy)]
pub(crate) struct Native {
    pub(crate) processors: CpuSet,
    pub(crate) policy: libc::c_int,
}

impl Native {
    /// Returns the same restricted to `count` processors, the first of which is chosen by `number`.
    pub(crate) fn on_few(&self, count: usize, number: usize) -> Native {
        let all: Vec<usize> =
            (0..CpuSet::MAX_CPU).filter(|&cpu| self.processors.is_set(cpu)).collect();
        let mut processors = CpuSet::new();
        let first = number.checked_rem(all.len()).unwrap_or(0);
        all.iter()
            .cycle()
            .skip(first)
            .take(count.clamp(1, all.len().max(1)))
            .for_each(|&cpu| processors.set(cpu));
        Native { processors, ..*self }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Returns the scheduling of a new thread that applied `wanted`.
    fn applied(wanted: &Scheduling) -> Option<Scheduling> {
        let apply = || {
            wanted.apply();
            Scheduling::of_thread()
        };
        std::thread::scope(|scope| scope.spawn(apply).join().unwrap())
    }

    #[test]
    fn threads_are_assigned_in_turn_and_others_are_unchanged() {
        let all = Scheduling::of_thread().unwrap();
        let count = all.processors();
        for number in 0..2 * count {
            let one = all.on_one(number);
            assert_eq!(one.processors, [all.processors[number % count]]);
            assert_eq!(applied(&one), Some(one));
        }
        assert_eq!(Scheduling::of_thread(), Some(all));
    }

    #[test]
    fn ordinary_work_becomes_batch_work_and_can_be_ordinary_again() {
        let ordinary = Scheduling { policy: libc::SCHED_OTHER, ..Scheduling::of_thread().unwrap() };
        let batch = ordinary.as_batch();
        assert_ne!(batch, ordinary);
        assert_eq!(batch.as_batch(), batch);
        assert_eq!(applied(&batch), Some(batch.clone()));
        let back = std::thread::scope(|scope| {
            let there_and_back = || {
                batch.apply();
                applied(&ordinary)
            };
            scope.spawn(there_and_back).join().unwrap()
        });
        assert_eq!(back, Some(ordinary));
    }

    #[test]
    fn few_processors_are_chosen_from_the_available_ones() {
        let all = Scheduling { processors: vec![1, 4, 7], policy: libc::SCHED_OTHER }.native();
        let few = |count, number| {
            let Native { processors, .. } = all.on_few(count, number);
            (0..9).filter(|&cpu| processors.is_set(cpu)).collect::<Vec<_>>()
        };
        assert_eq!((few(1, 0), few(1, 4), few(2, 2)), (vec![1], vec![4], vec![1, 7]));
        assert_eq!((few(0, 2), few(3, 1), few(9, 1)), (vec![7], vec![1, 4, 7], vec![1, 4, 7]));
    }

    #[test]
    fn idle_work_stays_idle_work() {
        let idle = Scheduling { policy: libc::SCHED_IDLE, ..Scheduling::of_thread().unwrap() };
        assert_eq!(idle.as_batch(), idle);
    }
}
