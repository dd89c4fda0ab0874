//! Measures what the sandbox costs per command: `cargo run --release -p wake-exec --example overhead`.
//!
//! Runs a program that does nothing, both bare and in the sandbox, on one thread and on two, and prints the wall time
//! per command of each and the difference.

#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use wake_exec::{
    CancelToken, Command, DEFAULT_ENV, Executor, Job, JobInput, Source, WORK_DIR, WorkerCommand,
};
use wake_model::{OutputDecl, OutputKind, RelPath};

const WORKER: &str = "__sandbox";

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some(WORKER) {
        return wake_exec::serve();
    }
    let dir = std::env::temp_dir().join(format!("wake-overhead-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    measure(&dir);
    std::fs::remove_dir_all(&dir).unwrap();
    ExitCode::SUCCESS
}

/// What a command is given and must leave behind.
#[derive(Clone, Copy)]
struct Load {
    name: &'static str,
    files: usize,
    trees: usize,
    outputs: usize,
}

const LOADS: &[Load] = &[
    Load { name: "nothing", files: 0, trees: 0, outputs: 0 },
    Load { name: "5 trees", files: 0, trees: 5, outputs: 0 },
    Load { name: "10 files, 5 trees, 1 output", files: 10, trees: 5, outputs: 1 },
];

fn measure(dir: &Path) {
    let program = program(dir);
    let count: usize = std::env::var("COUNT").ok().and_then(|c| c.parse().ok()).unwrap_or(1000);
    for threads in [1, 2] {
        let before = cpu_time();
        let bare = per_command(threads, count, |_| {
            let status = std::process::Command::new(&program).env_clear().status().unwrap();
            assert!(status.success());
        });
        let cpu = ms(cpu_time() - before) / count as f64;
        println!("{threads} threads  {:28} {:7.3} ms, processor {cpu:.3}", "bare", ms(bare));
        for load in LOADS {
            let worker = WorkerCommand {
                program: std::env::current_exe().unwrap(),
                args: vec![WORKER.to_owned()],
            };
            let before = cpu_time();
            let executor = Executor::new(worker);
            let cancel = CancelToken::new().unwrap();
            let job = job(dir, &program, load);
            let run = |index: usize| {
                let mut job = job.clone();
                job.outputs.into = dir.join(format!("out-{threads}-{}-{index}", load.files));
                let finished = executor.run(&job, &cancel).unwrap();
                assert!(finished.outcome.is_success(), "{finished:?}");
                assert!(finished.outputs.is_ok(), "{finished:?}");
            };
            let start = Instant::now();
            run(usize::MAX);
            let first = start.elapsed();
            (1..threads * 4).for_each(|index| run(usize::MAX - index));
            let sandboxed = per_command(threads, count, run);
            drop(executor);
            let cpu = cpu_time() - before;
            println!(
                "{threads} threads  {:28} {:7.3} ms, {:+.3}, processor {:.3}, the first {:.1}",
                load.name,
                ms(sandboxed),
                ms(sandboxed) - ms(bare),
                ms(cpu) / count as f64,
                ms(first)
            );
        }
    }
}

/// Returns the wall time for `count` commands on `threads` threads, divided by `count`.
fn per_command(threads: usize, count: usize, run: impl Fn(usize) + Sync) -> Duration {
    let start = Instant::now();
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let run = &run;
            scope.spawn(move || (thread..count).step_by(threads).for_each(run));
        }
    });
    start.elapsed() / u32::try_from(count).unwrap()
}

/// Returns the CPU time of this process and of all children that it waited for.
fn cpu_time() -> Duration {
    [libc::RUSAGE_SELF, libc::RUSAGE_CHILDREN]
        .into_iter()
        .map(|who| {
            // SAFETY: all-zero is a valid `rusage`, which the kernel overwrites.
            let usage = unsafe {
                let mut usage: libc::rusage = std::mem::zeroed();
                libc::getrusage(who, &raw mut usage);
                usage
            };
            let time = |t: libc::timeval| {
                Duration::from_secs(t.tv_sec as u64) + Duration::from_micros(t.tv_usec as u64)
            };
            time(usage.ru_utime) + time(usage.ru_stime)
        })
        .sum()
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

/// Builds a program that leaves one file and exits, statically linked if there is a compiler.
fn program(dir: &Path) -> PathBuf {
    let source = dir.join("empty.c");
    let code = "#include <fcntl.h>\n#include <unistd.h>\nint main(void) \
                { close(open(\"out\", O_CREAT | O_WRONLY, 0644)); return 0; }\n";
    std::fs::write(&source, code).unwrap();
    let program = dir.join("empty");
    let cc = std::process::Command::new("cc")
        .args(["-O2", "-static", "-o"])
        .args([&program, &source])
        .current_dir(dir)
        .status();
    if cc.is_ok_and(|status| status.success()) { program } else { PathBuf::from("/bin/true") }
}

fn job(dir: &Path, program: &Path, load: &Load) -> Job {
    let command = Command {
        program: "./program".to_owned(),
        args: Vec::new(),
        env: DEFAULT_ENV.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect(),
        stdin: Vec::new(),
        cwd: WORK_DIR.to_owned(),
    };
    let mut job = Job::module(command, dir.join("out"));
    let path = |text: &str| RelPath::parse(&format!("work/{text}")).unwrap();
    let file = |host: PathBuf, executable| Source::File {
        blob: wake_model::BlobDigest::of(&std::fs::read(&host).unwrap()),
        host,
        executable,
        seal: wake_exec::Seal::Digest,
    };
    job.inputs.push(JobInput {
        path: path("program"),
        source: Source::Mount { host: program.to_owned(), access: wake_exec::Access::ReadOnly },
    });
    for index in 0..load.files {
        let host = dir.join(format!("file{index}"));
        std::fs::write(&host, [b'x'; 1024]).unwrap();
        job.inputs
            .push(JobInput { path: path(&format!("file{index}")), source: file(host, false) });
    }
    for index in 0..load.trees {
        let host = dir.join(format!("tree{index}"));
        std::fs::create_dir_all(&host).unwrap();
        let source = Source::Mount { host, access: wake_exec::Access::ReadOnly };
        job.inputs.push(JobInput { path: path(&format!(".wake/modules/tree{index}")), source });
    }
    if load.outputs > 0 {
        let path = RelPath::parse("out").unwrap();
        job.outputs.declared.push(OutputDecl { path, kind: OutputKind::Any });
    }
    job
}
