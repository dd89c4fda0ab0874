//! How many commands run at once.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// Rights to run a command, which allow steps to be prepared and stored while others run.
///
/// They are granted in the order of requests: a request for many places is not overtaken by requests for few.
pub struct Slots {
    all: usize,
    /// Whether none is granted after a command has failed.
    stops_at_failure: bool,
    state: Mutex<State>,
}

struct State {
    free: usize,
    line: VecDeque<SlotRequest>,
    closed: bool,
}

/// A waiting request.
struct SlotRequest {
    count: usize,
    /// Once its turn has come: whether there is a place.
    turn: Arc<OnceLock<bool>>,
}

/// The right to run one command, released when it is dropped.
pub struct Slot<'a> {
    slots: &'a Slots,
    /// The number of places it takes.
    count: usize,
    /// Whether the command succeeded, or its failure does not matter.
    succeeded: bool,
}

impl Slot<'_> {
    /// Returns a slot for a command whose failure does not stop others.
    pub fn tolerant(mut self) -> Self {
        self.succeeded = true;
        self
    }

    /// Releases the slot after the command.
    pub fn end(mut self, succeeded: bool) {
        self.succeeded |= succeeded;
    }
}

impl Slots {
    /// Creates `count` slots; none is granted after a failure if `stops_at_failure`.
    pub fn new(count: usize, stops_at_failure: bool) -> Slots {
        let all = count.max(1);
        let state = State { free: all, line: VecDeque::new(), closed: false };
        Slots { all, stops_at_failure, state: Mutex::new(state) }
    }

    /// Grants no more slots, not even to waiting requests: the build is over.
    pub fn close(&self) {
        lock(&self.state).close();
    }

    /// Does the same if a failure ends the build.
    pub fn failed(&self) {
        if self.stops_at_failure {
            self.close();
        }
    }

    /// Waits for this many places, or for all if there are fewer; none if no more are granted.
    pub fn take(&self, places: usize) -> Option<Slot<'_>> {
        let count = places.clamp(1, self.all);
        let mut state = lock(&self.state);
        if state.closed {
            return None;
        }
        let slot = || Slot { slots: self, count, succeeded: false };
        if state.line.is_empty() && state.free >= count {
            state.free -= count;
            return Some(slot());
        }
        let turn = Arc::<OnceLock<bool>>::default();
        state.line.push_back(SlotRequest { count, turn: turn.clone() });
        drop(state);
        turn.wait().then(slot)
    }
}

impl State {
    fn close(&mut self) {
        self.closed = true;
        self.line.drain(..).for_each(|asked| _ = asked.turn.set(false));
    }

    /// Grants what is free to the requests at the front.
    fn serve(&mut self) {
        while self.line.front().is_some_and(|first| first.count <= self.free)
            && let Some(first) = self.line.pop_front()
        {
            self.free -= first.count;
            // Once it is out of the queue, nobody else sets it.
            let _ = first.turn.set(true);
        }
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        let mut state = lock(&self.slots.state);
        // Before the place is released: no queued command may start if this failure stops the build.
        if self.slots.stops_at_failure && !self.succeeded {
            state.close();
        }
        state.free += self.count;
        state.serve();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc::channel;

    use super::*;

    fn waiting(slots: &Slots) -> usize {
        lock(&slots.state).line.len()
    }

    #[test]
    fn slots_are_granted_in_order_of_request() {
        let slots = Slots::new(2, false);
        let (first, second) = (slots.take(1).unwrap(), slots.take(1).unwrap());
        let (sender, given) = channel();
        std::thread::scope(|scope| {
            // A request for more than all slots, then two that would fit before it.
            for (number, places) in [5, 1, 1].into_iter().enumerate() {
                let (sender, slots) = (sender.clone(), &slots);
                scope.spawn(move || {
                    let slot = slots.take(places);
                    sender.send((number, slot.as_ref().map(|slot| slot.count))).unwrap();
                    slot
                });
                while waiting(slots) <= number {
                    std::thread::yield_now();
                }
            }
            drop(first);
            assert_eq!(waiting(&slots), 3, "no request overtakes the one for two");
            assert!(given.try_recv().is_err());
            drop(second);
        });
        drop(sender);
        let mut given: Vec<_> = given.iter().collect();
        assert_eq!(given.remove(0), (0, Some(2)));
        given.sort_unstable();
        assert_eq!(given, [(1, Some(1)), (2, Some(1))]);
        assert_eq!(lock(&slots.state).free, 2, "all slots were returned");
    }

    #[test]
    fn closing_ends_all_waits() {
        let slots = Slots::new(1, false);
        let held = slots.take(1);
        std::thread::scope(|scope| {
            let waits = scope.spawn(|| slots.take(1).is_none());
            while waiting(&slots) == 0 {
                std::thread::yield_now();
            }
            slots.close();
            assert!(waits.join().unwrap());
        });
        drop(held);
        assert!(slots.take(1).is_none());
    }

    #[test]
    fn a_failure_ends_all_waits_unless_work_continues() {
        for (stops, succeeded) in [(true, false), (true, true), (false, false)] {
            let slots = Slots::new(1, stops);
            let held = slots.take(1).unwrap();
            std::thread::scope(|scope| {
                let waits = scope.spawn(|| slots.take(1).map(|slot| slot.end(true)).is_some());
                while waiting(&slots) == 0 {
                    std::thread::yield_now();
                }
                held.end(succeeded);
                assert_eq!(waits.join().unwrap(), !stops || succeeded);
            });
        }
    }
}
