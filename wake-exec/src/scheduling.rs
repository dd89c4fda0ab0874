//! How the kernel's scheduler treats the threads of a build, and how their commands.
//!
//! Getting commands ready and taking their outputs is many short turns of many processes. Left to itself, the kernel lets some
//! of them wait for one processor while another is idle: it does not look for an idle one at a wake-up where all were busy of
//! late, and does not fetch what ran a moment ago. Where each thread and its worker keep to one processor, there is something
//! to do on each. And what wakes up interrupts what runs, although nobody gains by it: as batch work it waits.

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use serde::{Deserialize, Serialize};

/// The processors and the policy of a thread, which its children inherit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scheduling {
    /// By number; at least one.
    processors: Vec<usize>,
    /// Source: `sched(7)`.
    policy: libc::c_int,
}

impl Scheduling {
    /// That of the calling thread; none where the system does not say.
    ///
    /// Of more than 1,024 processors nothing is said. Source: `sched_getaffinity(2)`, `sched_getscheduler(2)`.
    pub fn of_thread() -> Option<Scheduling> {
        let set = sched_getaffinity(None).ok()?;
        let processors: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|&cpu| set.is_set(cpu)).collect();
        // SAFETY: takes a number, and 0 stands for the calling thread.
        let policy = unsafe { libc::sched_getscheduler(0) };
        (!processors.is_empty() && policy >= 0).then_some(Scheduling { processors, policy })
    }

    /// How many processors there are.
    pub fn processors(&self) -> usize {
        self.processors.len()
    }

    /// The same on one processor: each `number` in turn has the next.
    pub fn on_one(&self, number: usize) -> Scheduling {
        let own = self.processors[number % self.processors.len()];
        Scheduling { processors: vec![own], ..*self }
    }

    /// The same as batch work, where it was ordinary work: it gets its share, but interrupts nobody when it wakes.
    pub fn as_batch(&self) -> Scheduling {
        let policy = match self.policy {
            libc::SCHED_OTHER => libc::SCHED_BATCH,
            other => other,
        };
        Scheduling { policy, ..self.clone() }
    }

    /// Has the calling thread, and what it starts from now on, treated so.
    ///
    /// Where the system will not have it, everything stays as it is: this is about speed alone.
    pub fn apply(&self) {
        let Native { processors, policy } = self.native();
        let _ = sched_setaffinity(None, &processors);
        let no_priority = libc::sched_param { sched_priority: 0 };
        // SAFETY: reads the one structure behind the pointer, which outlives the call.
        unsafe { libc::sched_setscheduler(0, policy, &raw const no_priority) };
    }

    /// As the kernel takes it.
    pub(crate) fn native(&self) -> Native {
        let mut processors = CpuSet::new();
        self.processors.iter().for_each(|&cpu| processors.set(cpu));
        Native { processors, policy: self.policy }
    }
}

/// [`Scheduling`] in plain numbers.
#[derive(Clone, Copy)]
pub(crate) struct Native {
    pub(crate) processors: CpuSet,
    pub(crate) policy: libc::c_int,
}

impl Native {
    /// The same on `count` of the processors, of which the first is one that `number` chooses.
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

    /// What a new thread is treated like after it asked for `wanted`.
    fn applied(wanted: &Scheduling) -> Option<Scheduling> {
        let apply = || {
            wanted.apply();
            Scheduling::of_thread()
        };
        std::thread::scope(|scope| scope.spawn(apply).join().unwrap())
    }

    #[test]
    fn threads_are_dealt_out_in_turn_and_others_stay_as_they_were() {
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
    fn few_processors_are_some_of_those_that_there_are() {
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
