//! What an engine elsewhere says of a job.

use wake_job::record::Status;

/// What an engine says of a job that no process says anything of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It has not ended, and what keeps it.
    Goes(Option<String>),
    /// How it ended, if its process has not said so.
    Ended(Status, String),
    /// Nothing, because it does not answer: the message says so.
    Silent(String),
}

/// What keeps replicas that have not begun.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits {
    count: u32,
    first: Option<String>,
    silent: Option<String>,
}

impl Waits {
    /// One waits for this reason.
    pub(super) fn add(&mut self, reason: String) {
        self.count += 1;
        self.first.get_or_insert(reason);
    }

    /// Nobody says anything of one, because of this.
    pub(super) fn is_silent(&mut self, said: String) {
        self.silent.get_or_insert(said);
    }

    /// What is told of a job of so many replicas; `is_pending` says whether none of them has begun.
    pub(super) fn told(self, is_pending: bool, replicas: u32) -> Option<String> {
        let Waits { count, first, silent } = self;
        let waits = first.map(|reason| match reason.starts_with("waiting ") {
            true if !is_pending => format!("{count} of {replicas} replicas {reason}"),
            _ => reason,
        });
        silent.or(waits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_many_wait_is_told_as_soon_as_one_has_begun() {
        let told = |count, is_pending| {
            let mut waits = Waits::default();
            (0..count).for_each(|_| waits.add("waiting in the Slurm queue: Resources".to_owned()));
            waits.told(is_pending, 3)
        };
        assert_eq!(told(3, true).as_deref(), Some("waiting in the Slurm queue: Resources"));
        let some = "2 of 3 replicas waiting in the Slurm queue: Resources";
        assert_eq!(told(2, false).as_deref(), Some(some));
        let one = "1 of 3 replicas waiting in the Slurm queue: Resources";
        assert_eq!(told(1, false).as_deref(), Some(one));
        assert_eq!(told(0, false), None);
    }
}
