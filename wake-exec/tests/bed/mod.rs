//! A test bed for the sandbox: an executor whose workers are the test program itself, and a job that runs a shell
//! script.

#![allow(dead_code, clippy::unwrap_used, clippy::print_stderr)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use libtest_mimic::{Arguments, Failed, Trial};
use wake_exec::{
    CancelToken, Command, DEFAULT_ENV, Executor, Job, JobInput, JobResult, SandboxError, Source,
    WORK_DIR, WorkerCommand,
};
use wake_model::{Outcome, OutputDecl, OutputKind, RelPath};

const WORKER: &str = "__sandbox";

/// The `main` of a test program.
pub(crate) fn main(trials: impl FnOnce() -> Vec<Trial>) -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(WORKER) {
        return wake_exec::serve();
    }
    let mut arguments = Arguments::from_args();
    // Each test starts its own workers; more at once would only wait for each other.
    arguments.test_threads.get_or_insert(2);
    libtest_mimic::run(&arguments, trials()).exit_code()
}

/// One test.
pub(crate) fn trial(name: &str, test: fn(&Bed)) -> Trial {
    Trial::test(name, move || {
        test(&Bed::new());
        Ok::<(), Failed>(())
    })
}

pub(crate) struct Bed {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) executor: Executor,
    pub(crate) cancel: CancelToken,
    runs: AtomicUsize,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Bed::with_workers(WorkerCommand {
            program: std::env::current_exe().unwrap(),
            args: vec![WORKER.to_owned()],
        })
    }

    /// A test bed whose workers are started through `program`, which gets this program's path and arguments.
    pub(crate) fn by_way_of(program: &Path) -> Self {
        let own = std::env::current_exe().unwrap().into_os_string().into_string().unwrap();
        Bed::with_workers(WorkerCommand {
            program: program.to_owned(),
            args: vec![own, WORKER.to_owned()],
        })
    }

    fn with_workers(worker: WorkerCommand) -> Self {
        Bed {
            dir: tempfile::tempdir().unwrap(),
            executor: Executor::new(worker),
            cancel: CancelToken::new().unwrap(),
            runs: AtomicUsize::new(0),
        }
    }

    /// Returns a path below the test's own directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Creates a file of the host with this content.
    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Returns a job that runs `script` in an empty work directory.
    pub(crate) fn sh(&self, script: &str) -> Job {
        let run = self.runs.fetch_add(1, Ordering::Relaxed);
        let command = Command {
            program: "/bin/sh".to_owned(),
            args: vec!["-c".to_owned(), script.to_owned()],
            env: DEFAULT_ENV.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
            stdin: Vec::new(),
            cwd: WORK_DIR.to_owned(),
        };
        Job::module(command, self.path(&format!("out{run}")))
    }

    pub(crate) fn run(&self, job: &Job) -> Result<JobResult, SandboxError> {
        self.executor.run(job, &self.cancel)
    }

    /// Runs a script that must succeed, and returns its output.
    pub(crate) fn output(&self, script: &str) -> String {
        self.output_of(&self.sh(script))
    }

    /// Runs a job that must succeed, and returns its output.
    pub(crate) fn output_of(&self, job: &Job) -> String {
        let finished = self.run(job).unwrap();
        assert_eq!(finished.outcome, Outcome::Exited(0), "{}", text(&finished));
        String::from_utf8(finished.stdout.to_bytes()).unwrap()
    }
}

/// Returns everything that a command wrote, for messages.
pub(crate) fn text(finished: &JobResult) -> String {
    let streams = [&finished.stdout, &finished.stderr];
    streams.map(|log| String::from_utf8_lossy(&log.to_bytes()).into_owned()).concat()
}

pub(crate) fn path(text: &str) -> RelPath {
    RelPath::parse(text).unwrap()
}

/// Adds an input to a job, at a path in the work directory.
pub(crate) fn with(mut job: Job, at: &str, source: Source) -> Job {
    job.inputs.push(JobInput { path: path(&format!("work/{at}")), source });
    job
}

/// Declares outputs of a job; a trailing `/` declares a directory.
pub(crate) fn declaring(mut job: Job, paths: &[&str]) -> Job {
    job.outputs.declared = paths
        .iter()
        .map(|text| OutputDecl {
            path: path(text),
            kind: if text.ends_with('/') { OutputKind::Dir } else { OutputKind::Any },
        })
        .collect();
    job
}

/// Returns all paths below `dir`, sorted.
pub(crate) fn listing(dir: &Path) -> Vec<String> {
    fn walk(dir: &Path, base: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            found.push(path.strip_prefix(base).unwrap().to_string_lossy().into_owned());
            if path.symlink_metadata().unwrap().is_dir() {
                walk(&path, base, found);
            }
        }
    }
    let mut found = Vec::new();
    if dir.exists() {
        walk(dir, dir, &mut found);
    }
    found.sort();
    found
}

/// Compiles a C program on the host; reports and returns none if there is no compiler.
pub(crate) fn compiled(bed: &Bed, name: &str, source: &str) -> Option<PathBuf> {
    let c = bed.file(&format!("{name}.c"), source);
    let program = bed.path(name);
    let cc = std::process::Command::new("cc").args(["-O1", "-o"]).args([&program, &c]).status();
    match cc {
        Ok(status) if status.success() => Some(program),
        _ => {
            eprintln!("SKIPPED a part of a test: no C compiler");
            None
        }
    }
}

pub(crate) fn is_root() -> bool {
    // SAFETY: asks the kernel for a number.
    unsafe { libc::geteuid() == 0 }
}

const ORDINARY: &str = "WAKE_TEST_ORDINARY_USER";

/// Returns, as root, a trial that runs this program once more as an ordinary user.
pub(crate) fn all_as_ordinary_user() -> Option<Trial> {
    let is_first = is_root() && std::env::var_os(ORDINARY).is_none();
    is_first.then(|| Trial::test("all_of_them_as_an_ordinary_user", as_ordinary_user))
}

/// Runs this program again as a user that owns nothing.
fn as_ordinary_user() -> Result<(), Failed> {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir()?;
    let program = dir.path().join("tests");
    std::fs::copy(std::env::current_exe()?, &program)?;
    let temporary = dir.path().join("tmp");
    std::fs::create_dir(&temporary)?;
    std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o755))?;
    std::fs::set_permissions(&temporary, std::fs::Permissions::from_mode(0o777))?;
    let run = std::process::Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(&program)
        .env("TMPDIR", &temporary)
        .env(ORDINARY, "1")
        .output();
    match run {
        Err(_) => {
            wake_tests::skip("all_of_them_as_an_ordinary_user", "there is no `setpriv`");
            Ok(())
        }
        Ok(output) if output.status.success() => Ok(()),
        Ok(output) => Err(String::from_utf8_lossy(&output.stdout).into_owned().into()),
    }
}
