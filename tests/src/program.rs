//! The program under test, and calls of it.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use crate::finished::Finished;
use crate::redact::Redactions;

/// Returns the `wake` to test: `WAKE_BIN`, else the one beside the test programs.
pub fn binary() -> PathBuf {
    if let Some(named) = std::env::var_os("WAKE_BIN") {
        return named.into();
    }
    let test = std::env::current_exe().unwrap();
    let beside = test.parent().and_then(Path::parent).unwrap().join("wake");
    assert!(
        beside.is_file(),
        "no `wake` at {}: run `cargo build -p wake-cli` first, or set WAKE_BIN",
        beside.display()
    );
    beside
}

/// Copies the program under test into `dir` for another user to run.
///
/// Another process writes the copy: if this process had the file open for writing, it could not be executed while a process
/// just forked by another test still holds it open.
#[track_caller]
pub fn copy_of_binary(dir: &Path) -> PathBuf {
    let copy = dir.join("wake");
    let mut install = Command::new("install");
    assert!(install.args(["-m", "755"]).args([binary(), copy.clone()]).status().unwrap().success());
    copy
}

/// One call of the program.
pub struct Wake {
    /// What precedes the program's name: `setpriv …`.
    wrapper: Vec<OsString>,
    program: PathBuf,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    cwd: PathBuf,
    store: PathBuf,
    redactions: Redactions,
}

impl Wake {
    pub(crate) fn new(cwd: &Path, home: &Path, store: &Path, redactions: Redactions) -> Wake {
        let env = [
            ("PATH".into(), std::env::var_os("PATH").unwrap_or_default()),
            ("HOME".into(), home.into()),
        ];
        Wake {
            wrapper: Vec::new(),
            program: binary(),
            args: Vec::new(),
            env: env.into(),
            cwd: cwd.to_owned(),
            store: store.to_owned(),
            redactions,
        }
    }

    /// Adds an argument.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Wake {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Adds arguments.
    pub fn args<A: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = A>) -> Wake {
        self.args.extend(args.into_iter().map(|arg| arg.as_ref().to_owned()));
        self
    }

    /// Sets a variable; the environment is otherwise `PATH` and an empty home.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Wake {
        self.env.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Sets the working directory, by default the workspace root.
    pub fn cwd(mut self, cwd: impl Into<PathBuf>) -> Wake {
        self.cwd = cwd.into();
        self
    }

    /// Sets the store, by default the project's.
    pub fn store(mut self, store: impl Into<PathBuf>) -> Wake {
        self.store = store.into();
        self
    }

    /// Runs another copy of the program.
    pub fn program(mut self, program: impl Into<PathBuf>) -> Wake {
        self.program = program.into();
        self
    }

    /// Sets a wrapper to run the program with, such as `setpriv --reuid=1 --`.
    pub fn wrapper<A: AsRef<OsStr>>(mut self, words: impl IntoIterator<Item = A>) -> Wake {
        self.wrapper = words.into_iter().map(|word| word.as_ref().to_owned()).collect();
        self
    }

    /// Returns the call as a standard library command, with standard input closed and output piped.
    pub fn command(&self) -> Command {
        let mut words = self.wrapper.iter().map(OsString::as_os_str);
        let mut command = match words.next() {
            Some(first) => {
                let mut command = Command::new(first);
                command.args(words).arg(&self.program);
                command
            }
            None => Command::new(&self.program),
        };
        command
            .args(&self.args)
            .env_clear()
            .env("WAKE_STORE", &self.store)
            .envs(self.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&self.cwd)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Starts it without waiting.
    pub fn spawn(&self) -> Child {
        self.command().spawn().unwrap_or_else(|error| panic!("{}: {error}", self.program.display()))
    }

    /// Runs it to completion.
    pub fn run(&self) -> Finished {
        self.finished(self.spawn().wait_with_output().unwrap())
    }

    /// Returns the outcome of a call started by [`Wake::spawn`].
    pub fn finished(&self, output: Output) -> Finished {
        Finished::new(format!("{:?}", self.command()), output, self.redactions.clone())
    }
}
