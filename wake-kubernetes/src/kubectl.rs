//! The program by which a cluster is reached.
#![expect(clippy::disallowed_methods, reason = "a cluster is reached by its program")]

use std::ffi::{OsStr, OsString};
use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::{self, JoinHandle};

use crate::container::MAIN;
use crate::error::KubernetesError;

/// How a cluster is reached.
#[derive(Clone, Debug)]
pub struct Kubectl {
    /// The program: its path, or its name on the search path.
    pub program: PathBuf,
    /// What it calls the cluster and who one is there; none: as it has it.
    pub context: Option<String>,
    /// The namespace; none: as it has it.
    pub namespace: Option<String>,
}

/// How long one answer may take.
const PATIENCE: &str = "--request-timeout=20s";

/// What is said where a cluster does not answer. Each of them may be said of another call of the same kind the next moment.
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
    /// Runs it with this standard input to its end; says what it wrote.
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
                // It says itself why it did not read on.
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

    /// Reads what the command of a pod has written, from its beginning.
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

    /// What it is called where something is wrong with it.
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

/// How far a log is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogEnd {
    /// As far as it is written.
    Now,
    /// To the end of the container, as it is written.
    Container,
}

/// What a container writes.
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
    /// What is read, and who reads it.
    pub fn parts(self) -> (Box<dyn Read + Send>, LogChild) {
        match self.stdout {
            Some(stdout) => (Box::new(stdout), self.child),
            None => (Box::new(io::empty()), self.child),
        }
    }
}

impl LogChild {
    /// Waits until all has been read; says why not all could be.
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

    /// Reads no more.
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

/// What the program said, the lines one after the other, without those that are for whoever looks for faults in it.
fn said(text: &str) -> String {
    let is_note = |line: &str| {
        let rest = line.strip_prefix(['E', 'W', 'I', 'F']).unwrap_or_default();
        rest.len() > 5 && rest.as_bytes()[..4].iter().all(u8::is_ascii_digit)
    };
    let lines = text.lines().map(str::trim);
    let mut lines: Vec<&str> = lines.filter(|line| !line.is_empty() && !is_note(line)).collect();
    // It asks several times, and says each time the same.
    lines.dedup();
    match lines.is_empty() {
        // Better that than nothing.
        true => text.trim().lines().last().unwrap_or_default().to_owned(),
        false => lines.join("; "),
    }
}

/// The same without what says that it is an error, and of which kind.
fn plain(said: &str) -> String {
    let mut said = said.strip_prefix("error: ").unwrap_or(said);
    if let Some(rest) = said.strip_prefix("Error from server") {
        said = rest.split_once(": ").map_or(said, |(_, rest)| rest);
    }
    for verb in ["error when creating \"STDIN\": ", "error validating \"STDIN\": "] {
        said = said.strip_prefix(verb).unwrap_or(said);
    }
    // Objects that nobody has looked at help nobody.
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

    /// As `kubectl` 1.32 says it.
    #[test]
    fn errors_are_told_apart_by_what_is_said() {
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
    fn a_program_that_is_not_there_is_told() {
        let program = "wake-no-such-program".into();
        let kubectl = Kubectl { program, context: None, namespace: None };
        let error = kubectl.run([""; 0], b"").unwrap_err();
        assert_eq!(error.to_string(), "`wake-no-such-program` was not found");
    }
}
