//! How commands are scheduled, whatever the scheduling of the calling threads.

use std::fs;

use libtest_mimic::Trial;
use wake_exec::Scheduling;
use wake_model::SandboxLevel;

use crate::bed::{Bed, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![trial("commands_inherit_the_scheduling_of_the_executor", commands_are_scheduled_as_it_was)]
}

/// The policy is the 41st field. Source: `proc_pid_stat(5)`.
const SCRIPT: &str = "grep Cpus_allowed: /proc/self/status; cut -d' ' -f41 /proc/self/stat";

fn commands_are_scheduled_as_it_was(bed: &Bed) {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let processors = status.lines().find(|line| line.starts_with("Cpus_allowed:")).unwrap();
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(") ").unwrap().1;
    let policy = after_name.split(' ').nth(41 - 3).unwrap();
    let expected = format!("{processors}\n{policy}\n");
    for level in [SandboxLevel::Strict, SandboxLevel::Weak] {
        let ask = || {
            Scheduling::of_thread().unwrap().on_one(1).as_batch().apply();
            let mut job = bed.sh(SCRIPT);
            job.level = level;
            bed.output_of(&job)
        };
        let said = std::thread::scope(|scope| scope.spawn(ask).join().unwrap());
        assert_eq!(said, expected, "{level:?}");
    }
}
