//! The pool: which worker answers, which is reused, what happens when one is gone.

use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use wake_eval::{
    Answer, Answers, EvalError, Evaluated, Kind, Limits, NoAnswers, Op, Pool, Request, Response,
    WorkerCommand,
};

use crate::{pool_with, trial, value};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("workers/answer at the same time", at_the_same_time),
        trial("workers/are replaced after their requests", replaced),
        trial("workers/of a large process serve as many requests", large_parent),
        trial("workers/keep answers for an epoch", told),
        trial("workers/die with their parent", die_with_parent),
        trial("workers/keep no privilege", confined),
        trial("workers/read only permitted paths", unreadable),
        trial("workers/that cannot start are an error", cannot_start),
        trial("workers/serve a queue in order", line_in_order),
        trial("workers/that end fail only one request of a queue", line_outlives),
        trial("workers/have the full time for each request of a queue", line_deadlines),
        trial("workers/answer while more is sent than pipes hold", line_floods),
        trial("workers/that are other programs are an error", no_worker),
        trial("workers/that cannot start a thread are an error", no_thread),
    ]
}

fn request(code: &str) -> Request {
    let op = crate::expression(code);
    Request { pkg: "//a".to_owned(), root: "nowhere".into(), op }
}

fn module_request() -> Request {
    let pkg = serde_json::json!({"key": "@a@1.0.0", "pkgInfo": {}, "pkgs": {"b": "@b@1.0.0"}});
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/cases/asks.txtar").into();
    Request { pkg: "//a".to_owned(), root, op: Op::Inputs { pkg: wake_model::json::text(&pkg) } }
}

/// Answers only once two evaluations are asking at the same time.
struct Both(Barrier, AtomicUsize);

impl Answers for Both {
    fn pkg(&self, _key: &str) -> Option<Arc<str>> {
        self.0.wait();
        let count = self.1.fetch_add(1, Ordering::SeqCst);
        Some(
            format!(r#"{{"key": "@b@1.0.0", "pkgInfo": {{}}, "inputs": {{"n": {count}}}}}"#).into(),
        )
    }

    fn module(&self, _id: &Value) -> Answer {
        Answer::Unknown
    }
}

/// Counts the questions.
struct Counting(Option<u64>, AtomicUsize);

impl Answers for Counting {
    fn epoch(&self) -> Option<u64> {
        self.0
    }

    fn pkg(&self, _key: &str) -> Option<Arc<str>> {
        let count = self.1.fetch_add(1, Ordering::SeqCst);
        Some(
            format!(r#"{{"key": "@b@1.0.0", "pkgInfo": {{}}, "inputs": {{"n": {count}}}}}"#).into(),
        )
    }

    fn module(&self, _id: &Value) -> Answer {
        Answer::Unknown
    }
}

fn told() -> Result<(), Failed> {
    let pool = pool_with(Limits::default());
    // An epoch that ends, one that starts, none at all; each asks again, and gets other answers.
    for (epoch, evaluations, asked) in [(Some(1), 3, 1), (Some(2), 2, 1), (None, 2, 2)] {
        let answers = Counting(epoch, AtomicUsize::new(0));
        let mut last = Value::Null;
        for _ in 0..evaluations {
            let evaluated = pool.evaluate(&module_request(), &answers)?;
            if evaluated.reads.len() != 2 {
                return Err(format!("it depends on {:?}", evaluated.reads).into());
            }
            last = value(&evaluated)["n"].clone();
        }
        let found = (answers.1.into_inner(), last);
        if found != (asked, Value::from(asked - 1)) {
            return Err(format!("in epoch {epoch:?}: {found:?}").into());
        }
    }
    Ok(())
}

fn at_the_same_time() -> Result<(), Failed> {
    let pool = pool_with(Limits::default());
    let answers = Both(Barrier::new(2), AtomicUsize::new(0));
    let mut values = std::thread::scope(|scope| {
        let run = || {
            pool.evaluate(&module_request(), &answers)
                .map(|evaluated| value(&evaluated)["n"].clone())
        };
        let threads = [scope.spawn(run), scope.spawn(run)];
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Result<Vec<_>, _>>()
    })?;
    values.sort_by_key(Value::as_u64);
    if values == [0, 1] { Ok(()) } else { Err(format!("the values are {values:?}").into()) }
}

fn replaced() -> Result<(), Failed> {
    let pool = pool_with(Limits { requests: 2, ..Limits::default() });
    for number in 0..5 {
        let value = value(&pool.evaluate(&request(&format!("{number} + 1")), &NoAnswers)?);
        if value != number + 1 {
            return Err(format!("{number} + 1 is {value}").into());
        }
    }
    Ok(())
}

fn large_parent() -> Result<(), Failed> {
    // More than a worker may use; the kernel counts it for child processes, too.
    let held = vec![1u8; 256 << 20];
    let pool = pool_with(Limits::default());
    let process = || {
        let mut line = pool.line();
        line.put(request("1"), NoAnswers, ());
        let Response { outcome, service, .. } = line.wait().unwrap();
        outcome.map(|_| service.map(|service| service.process))
    };
    let (first, second) = (process()?, process()?);
    drop(std::hint::black_box(held));
    if first == second { Ok(()) } else { Err(format!("{first:?}, then {second:?}").into()) }
}

fn broken(program: &str) -> Result<String, Failed> {
    let command = WorkerCommand { program: program.into(), args: Vec::new(), readable: Vec::new() };
    let pool = Pool::new(command, Limits::default());
    match pool.evaluate(&request("1"), &NoAnswers) {
        Err(error) if error.kind == Kind::Crash => Ok(error.message.clone()),
        other => Err(format!("it gave {other:?}").into()),
    }
}

fn cannot_start() -> Result<(), Failed> {
    let message = broken("/nowhere/wake")?;
    let expected =
        "cannot start an evaluator `/nowhere/wake`: No such file or directory (os error 2)";
    if message == expected { Ok(()) } else { Err(message.into()) }
}

fn no_worker() -> Result<(), Failed> {
    let message = broken("/bin/true")?;
    if message.starts_with("the evaluator of `//a` ended unexpectedly")
        || message.starts_with("cannot start")
    {
        Ok(())
    } else {
        Err(message.into())
    }
}

fn no_thread() -> Result<(), Failed> {
    // A stack larger than the address space of any process; a smaller one might be granted, whatever memory the
    // kernel promises.
    let limits = Limits { stack: 1 << 48, memory: 1 << 20, ..Limits::default() };
    let error = match pool_with(limits).evaluate(&request("1"), &NoAnswers) {
        Err(error) => error,
        Ok(evaluated) => return Err(format!("it gave {}", value(&evaluated)).into()),
    };
    let expected = "the evaluator of `//a` ended unexpectedly (exit status: 1): \
        cannot start its thread: ";
    let hints = ["raise the limits that `ulimit -a` shows"];
    if error.message.starts_with(expected) && error.hints == hints {
        return Ok(());
    }
    Err(format!("{}, {:?}", error.message, error.hints).into())
}

/// Returns the outcomes of several requests in one queue: the texts of values, and the kinds of errors.
fn line_of(limits: Limits, requests: &[Request], answers: &dyn Answers) -> Vec<(usize, String)> {
    let pool = pool_with(limits);
    let mut line = pool.line();
    for (number, request) in requests.iter().enumerate() {
        line.put(request.clone(), answers, number);
    }
    line.send();
    let told = |outcome: Result<Evaluated, EvalError>| match outcome {
        Ok(evaluated) => evaluated.value.get().to_owned(),
        Err(error) => error.message,
    };
    std::iter::from_fn(|| line.wait()).map(|served| (served.tag, told(served.outcome))).collect()
}

fn same(found: &[(usize, String)], expected: &[&str]) -> Result<(), Failed> {
    let expected: Vec<(usize, String)> =
        expected.iter().map(|text| (*text).to_owned()).enumerate().collect();
    if found == expected { Ok(()) } else { Err(format!("it gave {found:?}").into()) }
}

fn line_in_order() -> Result<(), Failed> {
    // A question is asked while the next requests are already on their way, and each worker serves two.
    let requests =
        [request("1"), module_request(), request("nothing"), module_request(), request("5")];
    let limits = Limits { requests: 2, ..Limits::default() };
    let found = line_of(limits, &requests, &Counting(None, AtomicUsize::new(0)));
    let unknown = "undefined variable `nothing`";
    same(&found, &["1", r#"{"n":0}"#, unknown, r#"{"n":1}"#, "5"])
}

fn line_outlives() -> Result<(), Failed> {
    let endless = "local f(n) = {a: n, b: f(n+1).b}; f(0).b";
    let requests = [request("1"), request(endless), request("3"), request(endless), request("5")];
    let limits = Limits { stack: 8 << 20, ..Limits::default() };
    let found = line_of(limits, &requests, &NoAnswers);
    let deep = "evaluating `//a` recurses deeper than its stack of 8 MiB";
    same(&found, &["1", deep, "3", deep, "5"])
}

fn line_deadlines() -> Result<(), Failed> {
    let endless = "local fib(n) = if n < 2 then n else fib(n-1) + fib(n-2); fib(80)";
    let requests = [request(endless), request(endless), request("3")];
    let limits = Limits { deadline: Duration::from_secs(1), ..Limits::default() };
    let found = line_of(limits, &requests, &NoAnswers);
    let late = "evaluating `//a` takes longer than 1 s";
    same(&found, &[late, late, "3"])
}

fn line_floods() -> Result<(), Failed> {
    // Both sides write before they read, and a pipe holds 64 KiB.
    let text = "x".repeat(200_000);
    let requests: Vec<Request> = (0..8).map(|_| request(&format!("'{text}'"))).collect();
    let found = line_of(Limits::default(), &requests, &NoAnswers);
    let quoted = format!("\"{text}\"");
    if found.len() == 8 && found.iter().all(|(_, value)| *value == quoted) {
        return Ok(());
    }
    let lengths: Vec<usize> = found.iter().map(|(_, value)| value.len()).collect();
    Err(format!("it gave texts of {lengths:?} bytes").into())
}

/// The process that a test starts in order to kill it: evaluates something that never ends.
pub(crate) fn stay_busy() -> ExitCode {
    let pool = pool_with(Limits { deadline: Duration::from_secs(600), ..Limits::default() });
    let endless = "local fib(n) = if n < 2 then n else fib(n-1) + fib(n-2); fib(80)";
    let _ = pool.evaluate(&request(endless), &NoAnswers);
    ExitCode::SUCCESS
}

/// An existing file, for a worker that may read nothing.
#[expect(clippy::print_stdout, reason = "whoever runs the tests learns what was not tried")]
fn unreadable() -> Result<(), Failed> {
    // SAFETY: with this flag the call takes no pointer and only returns a number.
    let version = unsafe {
        libc::syscall(libc::SYS_landlock_create_ruleset, std::ptr::null::<u8>(), 0usize, 1u32)
    };
    if version < 1 {
        println!("skipped: the kernel cannot restrict files");
        return Ok(());
    }
    let case = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/ok-pkg.txtar");
    let request = Request { pkg: "//a".to_owned(), root: case, op: Op::Pkg };
    let allowed = pool_with(Limits::default()).evaluate(&request, &NoAnswers);
    let program = std::env::current_exe()?;
    let command =
        WorkerCommand { program, args: vec!["__eval".into()], readable: vec!["/usr".into()] };
    match (allowed, Pool::new(command, Limits::default()).evaluate(&request, &NoAnswers)) {
        (Ok(_), Err(error)) if error.message.contains("there is no file") => Ok(()),
        other => Err(format!("it gave {other:?}").into()),
    }
}

/// Checks what the kernel reports about a worker that is evaluating.
fn confined() -> Result<(), Failed> {
    let mut parent = Command::new(std::env::current_exe()?).arg("__busy").spawn()?;
    let worker = eventually(|| children(parent.id()).first().copied()).ok_or("no worker")?;
    let expected =
        ["CapEff:\t0000000000000000", "CapPrm:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2"];
    let found = eventually(|| {
        let status = std::fs::read_to_string(format!("/proc/{worker}/status")).ok()?;
        expected.iter().all(|line| status.contains(line)).then_some(())
    });
    parent.kill()?;
    parent.wait()?;
    found.ok_or_else(|| format!("worker {worker} is not confined").into())
}

fn die_with_parent() -> Result<(), Failed> {
    let mut parent = Command::new(std::env::current_exe()?).arg("__busy").spawn()?;
    let worker = eventually(|| children(parent.id()).first().copied());
    parent.kill()?;
    parent.wait()?;
    let worker = worker.ok_or("no worker was started")?;
    eventually(|| has_ended(worker).then_some(()))
        .ok_or_else(|| format!("worker {worker} lives on").into())
}

/// Retries for as long as a busy machine may need, and then gives up rather than hang.
fn eventually<T>(mut attempt: impl FnMut() -> Option<T>) -> Option<T> {
    (0..1200).find_map(|_| {
        attempt().or_else(|| {
            std::thread::sleep(Duration::from_millis(50));
            None
        })
    })
}

fn children(parent: u32) -> Vec<u32> {
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists =
        tasks.map(|task| std::fs::read_to_string(task.path().join("children")).unwrap_or_default());
    lists
        .flat_map(|list| {
            list.split_whitespace().filter_map(|id| id.parse().ok()).collect::<Vec<_>>()
        })
        .collect()
}

/// Whether the process is gone, or is a zombie.
fn has_ended(process: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    stat.rsplit(')')
        .next()
        .is_none_or(|rest| rest.trim().is_empty() || rest.trim().starts_with(['Z', 'X']))
}
