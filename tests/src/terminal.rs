//! A call at a terminal of its own.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::process::Command;

use regex::Regex;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::program::Wake;

/// A call whose standard error was a terminal, after it has ended.
pub struct AtTerminal {
    /// The exit code; 128 and its number for a signal.
    pub code: i32,
    /// Everything that was written to the terminal, with what moves the cursor and erases.
    pub shown: String,
}

impl Wake {
    /// Runs it to its end with a terminal of this size for standard error.
    pub fn at_terminal(self, columns: u16, rows: u16) -> AtTerminal {
        self.with_terminal(columns, rows, |command, theirs| {
            command.stderr(theirs);
        })
    }

    /// The same with the terminal for standard output as well.
    pub fn at_terminal_throughout(self, columns: u16, rows: u16) -> AtTerminal {
        self.with_terminal(columns, rows, |command, theirs| {
            command.stdout(theirs.try_clone().unwrap()).stderr(theirs);
        })
    }

    fn with_terminal(
        self,
        columns: u16,
        rows: u16,
        connect: impl FnOnce(&mut Command, OwnedFd),
    ) -> AtTerminal {
        let (ours, theirs) = pair(columns, rows);
        let mut command = self.env("TERM", "xterm").command();
        connect(&mut command, theirs);
        let mut child = command.spawn().unwrap();
        // It holds their side, and as long as anyone does there is no end to read to.
        drop(command);
        let mut shown = Vec::new();
        // The kernel ends a terminal that nobody writes to any more with an error.
        let _ = File::from(ours).read_to_end(&mut shown);
        let status = child.wait().unwrap();
        let signal = std::os::unix::process::ExitStatusExt::signal(&status);
        AtTerminal {
            code: status.code().unwrap_or_else(|| 128 + signal.unwrap_or(0)),
            shown: String::from_utf8_lossy(&shown).into_owned(),
        }
    }
}

impl AtTerminal {
    /// What was written, without colours.
    pub fn text(&self) -> String {
        let colours = Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
        colours.replace_all(&self.shown, "").into_owned()
    }

    /// Every state of the bar that was drawn, in order.
    pub fn bars(&self) -> Vec<String> {
        let bar = |line: &str| Some(line.split_once("Building ")?.1.to_owned());
        self.text().split(['\r', '\n']).filter_map(bar).collect()
    }
}

/// Our side and theirs.
fn pair(columns: u16, rows: u16) -> (OwnedFd, OwnedFd) {
    let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&ours).unwrap();
    unlockpt(&ours).unwrap();
    let size = Winsize { ws_col: columns, ws_row: rows, ws_xpixel: 0, ws_ypixel: 0 };
    tcsetwinsize(&ours, size).unwrap();
    let name = ptsname(&ours, Vec::new()).unwrap();
    let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
    let theirs = rustix::fs::open(&name, flags, Mode::empty()).unwrap();
    (ours, theirs)
}
