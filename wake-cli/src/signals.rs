//! Ctrl-C, Ctrl-Z and their kin.

use std::io::Write;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use signal_hook::consts::{SIGCONT, SIGINT, SIGTERM, SIGTSTP};
use signal_hook::iterator::Signals;
use signal_hook::low_level::emulate_default_handler;
use wake_steps::diagnostic::Class;

/// The program was stopped by Ctrl-Z and goes on.
static RESUMED: AtomicBool = AtomicBool::new(false);

/// Whether the program went on after Ctrl-Z since this was last asked.
pub(crate) fn take_resumed() -> bool {
    RESUMED.swap(false, Ordering::Relaxed)
}

/// The signal that asked the program to stop; 0 if none has.
static STOPPED_BY: AtomicU8 = AtomicU8::new(0);

/// The exit code of a program that a signal stopped: 128 and its number.
pub(crate) fn stopped() -> Option<u8> {
    Some(STOPPED_BY.load(Ordering::Relaxed)).filter(|&signal| signal > 0).map(|signal| 128 + signal)
}

/// The exit code of a build that came to `code`: 128 and the number of the signal that stopped it.
pub(crate) fn exit_code(code: u8) -> u8 {
    match code == Class::Interrupted.exit_code() {
        true => stopped().unwrap_or(code),
        false => code,
    }
}

/// Starts to listen: each SIGINT or SIGTERM calls `stop`, until that says that the program stops; the next one ends it at once.
///
/// The commands of a build die with the program, because the kernel tells them when it goes.
pub(crate) fn listen(stop: impl Fn() -> bool + Send + 'static) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGTSTP, SIGCONT])?;
    std::thread::Builder::new().name("signals".to_owned()).spawn(move || {
        let mut stopping = false;
        for signal in signals.forever() {
            match signal {
                SIGTSTP => pause(),
                SIGCONT => RESUMED.store(true, Ordering::Relaxed),
                // Ends the program as the signal would have, so that shells see 128 and its number.
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

/// Stops the program as Ctrl-Z does, with the shell's prompt on a line of its own.
fn pause() {
    if rustix::termios::isatty(std::io::stderr()) {
        let _ = std::io::stderr().write_all(b"\r\n");
    }
    let _ = emulate_default_handler(SIGTSTP);
    RESUMED.store(true, Ordering::Relaxed);
}
