//! Reading of secrets.

use std::io::{self, Read, Write};

use rustix::stdio::stdin;
use rustix::termios::{LocalModes, OptionalActions, Termios, isatty, tcgetattr, tcsetattr};
use wake_store::ware::Secret;

/// The maximum length of a secret, in bytes.
const LONGEST: usize = 1 << 16;
/// The bytes of Ctrl-C, Ctrl-D and backspace in a raw terminal.
const INTERRUPT: u8 = 3;
const END: u8 = 4;
const BACK: [u8; 2] = [8, 127];

/// Reads a line of standard input without echo.
pub(crate) fn read_secret(prompt: &str) -> io::Result<Secret> {
    let quiet = match isatty(stdin()) {
        true => {
            write!(io::stderr(), "{prompt}")?;
            Some(Quiet::new()?)
        }
        false => None,
    };
    let mut bytes = Vec::new();
    for byte in io::stdin().lock().bytes() {
        match byte? {
            b'\n' | b'\r' => break,
            END if quiet.is_some() => break,
            INTERRUPT if quiet.is_some() => return Err(io::ErrorKind::Interrupted.into()),
            byte if quiet.is_some() && BACK.contains(&byte) => drop(bytes.pop()),
            byte if bytes.len() < LONGEST => bytes.push(byte),
            _ => return Err(io::Error::other("too long")),
        }
    }
    let text = String::from_utf8(bytes).map_err(|_| io::Error::other("not UTF-8"))?;
    match text.trim().is_empty() {
        true => Err(io::Error::other("empty input")),
        false => Ok(Secret::new(text.trim().to_owned())),
    }
}

/// Turns off echo and line editing of the terminal until dropped.
struct Quiet(Termios);

impl Quiet {
    fn new() -> io::Result<Quiet> {
        let before = tcgetattr(stdin())?;
        let mut modes = before.clone();
        modes.local_modes -= LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG;
        tcsetattr(stdin(), OptionalActions::Flush, &modes)?;
        Ok(Quiet(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        let _ = tcsetattr(stdin(), OptionalActions::Flush, &self.0);
        let _ = writeln!(io::stderr());
    }
}
