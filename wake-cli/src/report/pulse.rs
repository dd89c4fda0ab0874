//! Keeps clocks and bars moving while the event source is busy, such as when packages are fetched.

use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use wake_steps::event::{Event, Reporter};

/// The maximum time between calls of the reporter.
const BEAT: Duration = Duration::from_millis(100);

/// A reporter that passes events on, and ticks the inner reporter from a separate thread in between.
pub(crate) struct Pulse<R> {
    inner: Arc<Mutex<R>>,
    /// It ticks until the channel is closed.
    heart: Option<(Sender<()>, JoinHandle<()>)>,
}

impl<R: Reporter + Send + 'static> Pulse<R> {
    /// Starts ticking `inner`.
    pub(crate) fn of(inner: R) -> Pulse<R> {
        let inner = Arc::new(Mutex::new(inner));
        let called = inner.clone();
        let (stop, stopped) = mpsc::channel();
        let beat = move || {
            while let Err(RecvTimeoutError::Timeout) = stopped.recv_timeout(BEAT) {
                lock(&called).tick();
            }
        };
        // Without a thread, only redraws between events are missing.
        let heart = std::thread::Builder::new().spawn(beat).ok();
        Pulse { inner, heart: heart.map(|heart| (stop, heart)) }
    }
}

fn lock<R>(inner: &Mutex<R>) -> MutexGuard<'_, R> {
    inner.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<R: Reporter> Reporter for Pulse<R> {
    fn event(&mut self, event: &Event) {
        lock(&self.inner).event(event);
    }

    fn tick(&mut self) {
        lock(&self.inner).tick();
    }

    fn take_fault(&mut self) -> Option<std::io::Error> {
        lock(&self.inner).take_fault()
    }
}

impl<R> Drop for Pulse<R> {
    fn drop(&mut self) {
        if let Some((stop, heart)) = self.heart.take() {
            drop(stop);
            let _ = heart.join();
        }
    }
}
