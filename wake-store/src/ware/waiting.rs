//! Waits for others, who may never answer, until a meter is stopped.
//!
//! No system call ends another thread's wait for the network. So the wait has a thread of its own, which is abandoned
//! when nobody needs its answer any more, and ends with the program.

use super::meter::{Meter, MeterStopped, StopFlag};
use std::io::{self, Read};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel, sync_channel};
use std::thread;
use std::time::Duration;

/// How often a waiting thread checks whether to go on.
pub(crate) const GLANCE: Duration = Duration::from_millis(20);
/// The bytes read at once, and how many such pieces are buffered.
const PIECE: usize = 64 << 10;
const READY: usize = 8;

/// Returns the result of `work`, or nothing as soon as `meter` is stopped.
pub(crate) fn unless_stopped<T: Send + 'static>(
    meter: &Meter,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, MeterStopped> {
    let (sender, receiver) = channel();
    // The receiver may be gone.
    thread::spawn(move || drop(sender.send(work())));
    loop {
        match receiver.recv_timeout(GLANCE) {
            Ok(given) => return Ok(given),
            Err(RecvTimeoutError::Disconnected) => return Err(MeterStopped),
            Err(RecvTimeoutError::Timeout) if meter.is_stopped() => return Err(MeterStopped),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

/// The bytes of a source that may be slow; fails as soon as a meter is stopped.
pub(crate) struct Awaited {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    taken: usize,
    stop: StopFlag,
    /// How many more checks in a row may find nothing; none for any number.
    patience: Option<u32>,
}

impl Awaited {
    /// Starts reading `source`.
    pub(crate) fn new(mut source: Box<dyn Read + Send>, meter: &Meter) -> Self {
        let (sender, pieces) = sync_channel(READY);
        thread::spawn(move || {
            loop {
                let mut piece = vec![0; PIECE];
                let read = source.read(&mut piece).map(|length| {
                    piece.truncate(length);
                    piece
                });
                let interrupted =
                    matches!(&read, Err(error) if error.kind() == io::ErrorKind::Interrupted);
                let is_last = !interrupted && read.as_ref().map_or(true, Vec::is_empty);
                if !interrupted && sender.send(read).is_err() || is_last {
                    return;
                }
            }
        });
        let stop = meter.stop_flag();
        Awaited { pieces, piece: Vec::new(), taken: 0, stop, patience: None }
    }

    /// As above; also fails if nothing arrives for about as long as `patience`.
    pub(crate) fn patient(
        source: Box<dyn Read + Send>,
        meter: &Meter,
        patience: Duration,
    ) -> Awaited {
        let glances = patience.as_millis() / GLANCE.as_millis();
        let patience = Some(u32::try_from(glances).unwrap_or(u32::MAX));
        Awaited { patience, ..Awaited::new(source, meter) }
    }
}

impl Read for Awaited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut glances = 0;
        while self.taken == self.piece.len() {
            match self.pieces.recv_timeout(GLANCE) {
                Ok(piece) => (self.piece, self.taken) = (piece?, 0),
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
                Err(RecvTimeoutError::Timeout) if self.stop.is_set() => {
                    return Err(io::Error::other(MeterStopped));
                }
                Err(RecvTimeoutError::Timeout)
                    if self.patience.is_some_and(|most| glances >= most) =>
                {
                    return Err(io::Error::new(
                        io::ErrorKind::TimedOut,
                        "no more data arrived in time",
                    ));
                }
                Err(RecvTimeoutError::Timeout) => {
                    glances += 1;
                    continue;
                }
            }
            if self.piece.is_empty() {
                return Ok(0);
            }
        }
        let length = buffer.len().min(self.piece.len() - self.taken);
        buffer[..length].copy_from_slice(&self.piece[self.taken..self.taken + length]);
        self.taken += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::sync::mpsc::Sender;

    /// A source that yields what it is sent, and waits for more.
    struct Slow(Receiver<u8>);

    impl Read for Slow {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            match self.0.recv() {
                Ok(byte) => {
                    buffer[0] = byte;
                    Ok(1)
                }
                Err(_) => Ok(0),
            }
        }
    }

    fn slow() -> (Sender<u8>, Box<dyn Read + Send>) {
        let (sender, receiver) = channel();
        (sender, Box::new(Slow(receiver)))
    }

    #[test]
    fn everything_is_read_up_to_the_end() {
        let (sender, source) = slow();
        b"abc".iter().for_each(|byte| sender.send(*byte).unwrap());
        drop(sender);
        let mut text = String::new();
        Awaited::new(source, &Meter::default()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "abc");
    }

    #[test]
    fn a_stop_ends_the_wait_for_data() {
        let meter = Meter::default();
        let (sender, source) = slow();
        let mut awaited = Awaited::new(source, &meter);
        sender.send(b'a').unwrap();
        assert_eq!(awaited.read(&mut [0; 9]).unwrap(), 1);
        meter.stop();
        assert!(MeterStopped::caused(&awaited.read(&mut [0; 9]).unwrap_err()));
        let (never, waits) = channel::<()>();
        assert!(unless_stopped(&meter, move || waits.recv()).is_err());
        drop((never, sender));
    }

    #[test]
    fn waiting_without_data_times_out() {
        let (sender, source) = slow();
        let mut awaited = Awaited::patient(source, &Meter::default(), GLANCE);
        sender.send(b'a').unwrap();
        assert_eq!(awaited.read(&mut [0; 9]).unwrap(), 1);
        assert_eq!(awaited.read(&mut [0; 9]).unwrap_err().kind(), io::ErrorKind::TimedOut);
        drop(sender);
    }

    #[test]
    fn an_error_is_passed_on() {
        struct Broken;
        impl Read for Broken {
            fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
                Err(io::Error::other("broken"))
            }
        }
        let error = Awaited::new(Box::new(Broken), &Meter::default()).read(&mut [0]).unwrap_err();
        assert_eq!(error.to_string(), "broken");
    }
}
