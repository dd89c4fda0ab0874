//! A call at its own terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};

use regex::Regex;
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

use crate::program::Wake;

/// The outcome of a call whose standard error was a terminal.
pub struct AtTerminal {
    /// The exit code; 128 plus its number for a signal.
    pub code: i32,
    /// Everything written to the terminal, including control sequences.
    pub shown: String,
}

/// A running call at a terminal, with input typed to it.
pub struct Typing {
    child: Child,
    ours: File,
    shown: String,
}

impl Typing {
    /// Reads until this has been shown since the last call.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> &mut Typing {
        let mut buffer = [0; 4096];
        loop {
            if let Some(at) = self.shown.find(text) {
                self.shown.drain(..at + text.len());
                return self;
            }
            let length = self.ours.read(&mut buffer).unwrap_or(0);
            assert!(length > 0, "the program ended before showing `{text}`: {}", self.shown);
            self.shown.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
    }

    /// Types a text.
    pub fn types(&mut self, text: &str) -> &mut Typing {
        self.ours.write_all(text.as_bytes()).unwrap();
        self
    }

    /// Waits for its end; returns the exit code.
    pub fn code(mut self) -> i32 {
        let mut rest = Vec::new();
        // The kernel ends a terminal that is closed on the other side with an error.
        let _ = self.ours.read_to_end(&mut rest);
        self.child.wait().unwrap().code().unwrap()
    }
}

impl Wake {
    /// Starts it in a new session, with a terminal of this size for all three streams.
    pub fn typing(self, columns: u16, rows: u16) -> Typing {
        let (ours, theirs) = pair(columns, rows);
        let call = self.env("TERM", "xterm").command();
        let mut command = Command::new("setsid");
        command.arg("-c").arg(call.get_program()).args(call.get_args()).env_clear();
        command.envs(call.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(call.get_current_dir().unwrap());
        command.stdin(theirs.try_clone().unwrap());
        command.stdout(theirs.try_clone().unwrap()).stderr(theirs);
        let child = command.spawn().unwrap();
        drop(command);
        Typing { child, ours: File::from(ours), shown: String::new() }
    }

    /// Runs it to completion with a terminal of this size for standard error.
    pub fn at_terminal(self, columns: u16, rows: u16) -> AtTerminal {
        self.with_terminal(columns, rows, |command, theirs| {
            command.stderr(theirs);
        })
    }

    /// Runs it to completion with the terminal for standard output as well.
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
        // The command holds the other side open; reading ends only when all copies are closed.
        drop(command);
        let mut shown = Vec::new();
        // The kernel ends a terminal that is closed on the other side with an error.
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
    /// Returns the output without colours.
    pub fn text(&self) -> String {
        let colours = Regex::new("\u{1b}\\[[0-9;]*m").unwrap();
        colours.replace_all(&self.shown, "").into_owned()
    }

    /// Returns every drawn state of the bar, in order.
    pub fn bars(&self) -> Vec<String> {
        let bar = |line: &str| Some(line.split_once("Building ")?.1.to_owned());
        self.text().split(['\r', '\n']).filter_map(bar).collect()
    }
}

/// Opens a terminal; returns our side and theirs.
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
