//! Answers of a remote engine about a job.

use wake_job::record::Status;

/// What an engine says about a job whose process reports nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// It has not ended; the reason says what holds it up, if anything.
    Goes(Option<String>),
    /// How it ended, unless its process has reported that.
    Ended(Status, String),
    /// The engine does not respond, as the message says.
    Silent(String),
}

/// What pending replicas are waiting for.
#[derive(Clone, Debug, Default)]
pub(super) struct Waits {
    count: u32,
    first: Option<String>,
    silent: Option<String>,
}

impl Waits {
    /// Adds a replica that waits for this reason.
    pub(super) fn add(&mut self, reason: String) {
        self.count += 1;
        self.first.get_or_insert(reason);
    }

    /// Adds a replica about which the engine gives no answer.
    pub(super) fn is_silent(&mut self, said: String) {
        self.silent.get_or_insert(said);
    }

    /// Returns the status reason of a job with that many replicas; `is_pending` says whether none has started.
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
    fn waiting_replicas_are_counted_once_one_has_started() {
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
