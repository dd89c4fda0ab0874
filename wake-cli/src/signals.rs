//! Handling of Ctrl-C, Ctrl-Z and similar signals.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use signal_hook::consts::{SIGCONT, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use wake_steps::diagnostic::Class;

/// Whether the program was resumed after Ctrl-Z.
static RESUMED: AtomicBool = AtomicBool::new(false);

/// Whether the program was resumed after Ctrl-Z since the last call.
pub(crate) fn take_resumed() -> bool {
    RESUMED.swap(false, Ordering::Relaxed)
}

/// The signal that asked the program to stop; 0 if none did.
static STOPPED_BY: AtomicU8 = AtomicU8::new(0);

/// Returns the exit code of a program stopped by a signal: 128 plus its number.
pub(crate) fn stopped() -> Option<u8> {
    Some(STOPPED_BY.load(Ordering::Relaxed)).filter(|&signal| signal > 0).map(|signal| 128 + signal)
}

/// Returns the exit code of a build that ended with `code`; if a signal stopped it, 128 plus its number.
pub(crate) fn exit_code(code: u8) -> u8 {
    match code == Class::Interrupted.exit_code() {
        true => stopped().unwrap_or(code),
        false => code,
    }
}

/// Starts to listen: each SIGINT or SIGTERM calls `stop`, until that returns that the program is stopping; the next one ends it at once.
///
/// The commands of a build die with the program: the kernel signals them when it exits.
pub(crate) fn listen(stop: impl Fn() -> bool + Send + 'static) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGTSTP, SIGCONT])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut stopping = false;
        for signal in signals.forever() {
            match signal {
                SIGTSTP => pause(),
                SIGCONT => RESUMED.store(true, Ordering::Relaxed),
                // Ends the program as the signal would have, so that shells see 128 plus its number.
                signal if stopping => drop(emulate_default_handler(signal)),
                signal => {
                    stopping = stop();
                    if stopping {
                        STOPPED_BY.store(signal as u8, Ordering::Relaxed);
                    }
                }
            }
        }
    })?;
    Ok(())
}

/// Suspends the program as Ctrl-Z does, with the shell's prompt on a new line.
fn pause() {
    if rustix::termios::isatty(std::io::stderr()) {
        let _ = std::io::stderr().write_all(b"\r\n");
    }
    let _ = emulate_default_handler(SIGTSTP);
    RESUMED.store(true, Ordering::Relaxed);
}
