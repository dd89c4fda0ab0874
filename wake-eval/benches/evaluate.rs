//! The cost of one package through the pool, compared with the same text in the engine alone.
//!
//! `cargo bench -p wake-eval --bench evaluate [-- PACKAGES]` prints the processor time of this process and of the
//! workers. The engine alone gets a `wake` object written in Jsonnet that returns its arguments, and only produces
//! text; the pool checks arguments, looks for files, records reads and produces a value.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use jrsonnet_evaluator::manifest::JsonFormat;
use jrsonnet_evaluator::trace::PathResolver;
use jrsonnet_evaluator::{State, Val};
use wake_eval::{
    EntryKind, Limits, ListEntry, NoAnswers, Op, Pool, Request, SourceError, Sources, WorkerCommand,
};
use wake_model::RelPath;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().map(String::as_str) == Some("__eval") {
        return wake_eval::serve(|root| Box::new(Generated(number(root))));
    }
    let packages = arguments.iter().find_map(|argument| argument.parse().ok()).unwrap_or(10_000);
    let plain = plain(packages);
    let (pool, workers, memory) = pooled(packages);
    let each = |time: Duration| time.as_secs_f64() * 1e6 / f64::from(packages);
    println!("engine alone   {:8.1} µs", each(plain));
    println!(
        "pool           {:8.1} µs  ({:.1} here, {:.1} in workers)",
        each(pool + workers),
        each(pool),
        each(workers)
    );
    println!("ratio          {:8.2}", (pool + workers).as_secs_f64() / plain.as_secs_f64());
    println!("worker memory  {memory:8} KiB");
    ExitCode::SUCCESS
}

fn number(root: &Path) -> u32 {
    root.to_str().unwrap().parse().unwrap()
}

fn text(number: u32) -> String {
    format!(
        "// Package {number}.
local common = {{ cflags: ['-O2', '-Wall'], version: '1.{number}.0' }};
function(wake) wake.pkg(
  wake.pkgInfo('p{number}', common.version),
  files=['./src/f%d.c' % n for n in std.range(0, 9)],
  inputs=function(wake, pkg) {{ cflags: common.cflags + ['-DN={number}'], level: {number} }},
  pkgs={{ ['d%d' % n]: wake.getPkg(wake.pkgInfo('p%d' % n, '^1'), from='../%d' % n) for n in std.range(0, 4) }},
  modules={{ core: './core.libsonnet' }},
)
"
    )
}

/// Ten sources and a module, without a file system.
struct Generated(u32);

impl Sources for Generated {
    fn read(&self, path: &RelPath) -> Result<Option<Vec<u8>>, SourceError> {
        Ok((path.as_str() == "PKG.libsonnet").then(|| text(self.0).into_bytes()))
    }

    fn list(&self, dir: &RelPath) -> Result<Option<Vec<ListEntry>>, SourceError> {
        let file = |name: String| ListEntry { name, kind: EntryKind::File };
        Ok(match dir.as_str() {
            "" => Some(vec![
                file("PKG.libsonnet".to_owned()),
                file("core.libsonnet".to_owned()),
                ListEntry { name: "src".to_owned(), kind: EntryKind::Dir },
            ]),
            "src" => Some((0..10).map(|n| file(format!("f{n}.c"))).collect()),
            _ => None,
        })
    }
}

fn pooled(packages: u32) -> (Duration, Duration, i64) {
    let program = std::env::current_exe().unwrap();
    let pool = Pool::new(
        WorkerCommand { program, args: vec!["__eval".into()], readable: Vec::new() },
        Limits::default(),
    );
    let before = usage(libc::RUSAGE_SELF).0;
    for number in 0..packages {
        let request =
            Request { pkg: format!("//p{number}"), root: number.to_string().into(), op: Op::Pkg };
        pool.evaluate(&request, &NoAnswers).unwrap();
    }
    drop(pool);
    let (workers, memory) = usage(libc::RUSAGE_CHILDREN);
    (usage(libc::RUSAGE_SELF).0 - before, workers, memory)
}

fn plain(packages: u32) -> Duration {
    const WAKE: &str = "{
      pkgInfo(name, version, namespace=null): { name: name, version: version, namespace: namespace },
      getPkg(pkgInfo, from=null, global=null, permissions=null): { pkgInfo: pkgInfo, from: from, global: global, permissions: permissions },
      pkg(pkgInfo, files=[], inputs=null, pkgs={}, modules={}, metadata=null): {
        pkgInfo: pkgInfo, files: files, has_inputs: inputs != null, pkgs: pkgs, modules: modules, metadata: metadata,
      },
    }";
    let before = usage(libc::RUSAGE_SELF).0;
    let standard = jrsonnet_stdlib::ContextInitializer::new(PathResolver::FileName);
    for number in 0..packages {
        let mut builder = State::builder();
        builder.context_initializer(standard.clone());
        let state = builder.build();
        let _entered = state.enter();
        let code = format!("({})({WAKE})", text(number));
        let value: Val = state.evaluate_snippet("PKG.libsonnet", code).unwrap();
        assert!(value.manifest(JsonFormat::minify()).unwrap().starts_with('{'));
        drop(_entered);
        if number % 64 == 0 {
            jrsonnet_gcmodule::collect_thread_cycles();
        }
    }
    usage(libc::RUSAGE_SELF).0 - before
}

fn usage(whose: libc::c_int) -> (Duration, i64) {
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
    // SAFETY: `getrusage` with these arguments cannot fail and fills the `rusage`.
    let usage = unsafe {
        libc::getrusage(whose, usage.as_mut_ptr());
        usage.assume_init()
    };
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1000);
    (time(usage.ru_utime) + time(usage.ru_stime), usage.ru_maxrss)
}
