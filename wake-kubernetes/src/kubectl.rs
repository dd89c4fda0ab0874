//! Runs `kubectl`, through which a cluster is reached.
#![expect(clippy::disallowed_methods, reason = "a cluster is reached through `kubectl`")]

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};

use crate::container::MAIN;
use crate::error::KubernetesError;

/// `kubectl`, with the options that choose a cluster.
#[derive(Clone, Debug)]
pub struct Kubectl {
    /// The path of the program, or its name on the search path.
    pub program: PathBuf,
    /// `--context`; none for `kubectl`'s default.
    pub context: Option<String>,
    /// `--namespace`; none for `kubectl`'s default.
    pub namespace: Option<String>,
}

/// The time limit of one request.
const PATIENCE: &str = "--request-timeout=20s";

/// Messages `kubectl` prints when the API server cannot be reached or cannot answer at the moment; the same request may succeed later.
const AWAY: [&str; 15] = [
    "did you specify the right host or port?",
    "Unable to connect to the server",
    "(ServiceUnavailable)",
    "(Timeout)",
    "(ServerTimeout)",
    "(TooManyRequests)",
    "(InternalError)",
    "i/o timeout",
    "TLS handshake timeout",
    "connection refused",
    "connection reset by peer",
    "context deadline exceeded",
    "no route to host",
    "unexpected EOF",
    "etcdserver: ",
];

impl Kubectl {
    /// Runs a command with `input` as its standard input, and returns its standard output.
    pub(crate) fn run<A: AsRef<OsStr>>(
        &self,
        args: impl IntoIterator<Item = A>,
        input: &[u8],
    ) -> Result<String, KubernetesError> {
        let mut command = self.command(args);
        command.arg(PATIENCE).stdin(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| self.failed(source))?;
        if let Some(mut stdin) = child.stdin.take() {
            match stdin.write_all(input) {
                // Its own message says why it stopped reading.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
                written => written.map_err(|source| self.failed(source))?,
            }
        }
        let output = child.wait_with_output().map_err(|source| self.failed(source))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = said(&String::from_utf8_lossy(&output.stderr));
        Err(match said.is_empty() {
            true => self.failed(io::Error::other(format!("{}", output.status))),
            false if AWAY.iter().any(|away| said.contains(away)) => {
                KubernetesError::Away { said: plain(&said) }
            }
            false => KubernetesError::Refused { said: plain(&said) },
        })
    }

    /// Reads the log of a pod's main container from the beginning.
    pub fn log(&self, pod: &str, until: LogEnd) -> Result<LogReader, KubernetesError> {
        let mut args = vec!["logs", pod, "--container", MAIN];
        match until {
            LogEnd::Now => args.push(PATIENCE),
            LogEnd::Container => args.push("--follow"),
        }
        self.read(self.command(args))
    }

    fn read(&self, mut command: Command) -> Result<LogReader, KubernetesError> {
        command.stdin(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().map_err(|source| self.failed(source))?;
        let stdout = child.stdout.take();
        let stderr = child.stderr.take().map(|stderr| thread::spawn(move || tail(stderr)));
        Ok(LogReader { stdout, child: LogChild { child, stderr } })
    }

    /// The name of the program in error messages.
    pub(crate) fn called(&self) -> String {
        self.program.display().to_string()
    }

    fn command<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Command {
        let mut command = Command::new(&self.program);
        let option = |name: &str, value: &Option<String>| {
            value.as_ref().map(|value| OsString::from(format!("--{name}={value}")))
        };
        command.args(option("context", &self.context));
        command.args(option("namespace", &self.namespace));
        command.args(args).stdout(Stdio::piped());
        command
    }

    fn failed(&self, source: io::Error) -> KubernetesError {
        match source.kind() {
            io::ErrorKind::NotFound => KubernetesError::NoProgram(self.called()),
            _ => KubernetesError::Program { program: self.called(), source },
        }
    }
}

/// Where reading a log stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogEnd {
    /// At its current end.
    Now,
    /// When the container has ended; until then the log is followed.
    Container,
}

/// The log of a container.
#[derive(Debug)]
pub struct LogReader {
    stdout: Option<ChildStdout>,
    child: LogChild,
}

/// The `kubectl` process that reads a log, killed when this value is dropped.
#[derive(Debug)]
pub struct LogChild {
    child: Child,
    stderr: Option<JoinHandle<String>>,
}

impl LogReader {
    /// Splits it into the bytes and the process that reads them.
    pub fn parts(self) -> (Box<dyn Read + Send>, LogChild) {
        match self.stdout {
            Some(stdout) => (Box::new(stdout), self.child),
            None => (Box::new(io::empty()), self.child),
        }
    }
}

impl LogChild {
    /// Waits for the process to exit; an error says why the log is incomplete.
    pub fn end(mut self) -> Result<(), String> {
        let text = self.stderr.take().map_or_else(String::new, |stderr| {
            stderr.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        match self.child.wait() {
            Ok(status) if status.success() => Ok(()),
            Ok(status) if text.is_empty() => Err(status.to_string()),
            Ok(_) => Err(plain(&said(&text))),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Stops reading.
    pub fn stop(&mut self) {
        // Fails only if it has already exited.
        let _ = self.child.kill();
    }
}

impl Drop for LogChild {
    fn drop(&mut self) {
        self.stop();
        let _ = self.child.wait();
    }
}

/// How much of a process's stderr is kept, in bytes.
const TAIL: usize = 64 << 10;

/// Reads to the end, so that the writer never blocks on a full pipe, and returns the last [`TAIL`] bytes.
fn tail(mut from: impl Read) -> String {
    let (mut kept, mut piece) = (Vec::new(), [0; 8 << 10]);
    loop {
        match from.read(&mut piece) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return String::from_utf8_lossy(&kept).into_owned(),
            Ok(many) => {
                kept.extend_from_slice(&piece[..many]);
                kept.drain(..kept.len().saturating_sub(TAIL));
            }
        }
    }
}

/// The messages in `kubectl`'s stderr on one line, without log lines that are meant for debugging it.
fn said(text: &str) -> String {
    let is_note = |line: &str| {
        let rest = line.strip_prefix(['E', 'W', 'I', 'F']).unwrap_or_default();
        rest.len() > 5 && rest.as_bytes()[..4].iter().all(u8::is_ascii_digit)
    };
    let lines = text.lines().map(str::trim);
    let mut lines: Vec<&str> = lines.filter(|line| !line.is_empty() && !is_note(line)).collect();
    // It retries, and prints the same message each time.
    lines.dedup();
    match lines.is_empty() {
        // A log line is better than no message.
        true => text.trim().lines().last().unwrap_or_default().to_owned(),
        false => lines.join("; "),
    }
}

/// The message without prefixes such as `Error from server (NotFound): `.
fn plain(said: &str) -> String {
    let mut said = said.strip_prefix("error: ").unwrap_or(said);
    if let Some(rest) = said.strip_prefix("Error from server") {
        said = rest.split_once(": ").map_or(said, |(_, rest)| rest);
    }
    for verb in ["error when creating \"STDIN\": ", "error validating \"STDIN\": "] {
        said = said.strip_prefix(verb).unwrap_or(said);
    }
    // The advice to turn validation off would not help.
    said.split("; if you choose to ignore these errors").next().unwrap_or(said).to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn told(text: &str) -> KubernetesError {
        let kubectl = Kubectl { program: "sh".into(), context: None, namespace: None };
        let script = format!("cat > /dev/null; echo '{text}' >&2; exit 1");
        kubectl.run(["-c", &script], b"x").unwrap_err()
    }

    /// Messages of `kubectl` 1.32.
    #[test]
    fn errors_are_classified_by_their_message() {
        let away = "E1201 10:39:18.050775   23025 memcache.go:265] \"Unhandled Error\" err=\"couldnt get current server API group list\"\nThe connection to the server localhost:8080 was refused - did you specify the right host or port?\nThe connection to the server localhost:8080 was refused - did you specify the right host or port?";
        let error = told(away).to_string();
        assert_eq!(
            error,
            "Kubernetes is not responding: The connection to the server localhost:8080 was refused - did you specify the right host or port?"
        );
        let refused = |text: &str| match told(text) {
            KubernetesError::Refused { said } => said,
            error => panic!("{error}"),
        };
        assert_eq!(
            refused(
                "Error from server (NotFound): error when creating \"STDIN\": namespaces \"nope\" not found"
            ),
            "namespaces \"nope\" not found"
        );
        assert_eq!(
            refused(
                "error: error validating \"STDIN\": error validating data: unknown field \"x\"; if you choose to ignore these errors, turn validation off with --validate=false"
            ),
            "error validating data: unknown field \"x\""
        );
        assert_eq!(refused("error: cannot locate context nope"), "cannot locate context nope");
        assert!(matches!(told(""), KubernetesError::Program { .. }));
    }

    #[test]
    fn a_reader_that_writes_much_to_stderr_is_not_blocked() {
        let kubectl = Kubectl { program: "sh".into(), context: None, namespace: None };
        let mut command = Command::new("sh");
        let script = "head -c 300000 /dev/zero | tr '\\0' 'w' >&2; echo log; echo why >&2; exit 1";
        command.args(["-c", script]).stdout(Stdio::piped());
        let (mut log, child) = kubectl.read(command).unwrap().parts();
        let mut text = String::new();
        log.read_to_string(&mut text).unwrap();
        assert_eq!(text, "log\n");
        let reason = child.end().unwrap_err();
        assert!(reason.len() <= TAIL && reason.ends_with("why"), "{}", reason.len());
    }

    #[test]
    fn a_missing_program_is_reported() {
        let program = "wake-no-such-program".into();
        let kubectl = Kubectl { program, context: None, namespace: None };
        let error = kubectl.run([""; 0], b"").unwrap_err();
        assert_eq!(error.to_string(), "`wake-no-such-program` was not found");
    }
}
