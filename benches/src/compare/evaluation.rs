//! `--evaluation`: the package files of the repository, evaluated by wake's workers and by the bare evaluator.
//!
//! Each variant runs in a process of its own, this program with another argument, so that the kernel reports its processor
//! time, including that of its workers. The bare evaluator reads the same files from disk with a `wake` in Jsonnet that checks
//! nothing and lists no directory, in one process and on one thread: once with default settings, and once with the C library's
//! allocator tuned for it and few files per state, the cheapest configuration that was found.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jrsonnet_evaluator::manifest::JsonFormat;
use jrsonnet_evaluator::tla::TlaArg;
use jrsonnet_evaluator::trace::PathResolver;
use jrsonnet_evaluator::{FileImportResolver, State, apply_tla};
use jrsonnet_stdlib::ContextInitializer;
use wake_eval::{Limits, NoAnswers, Op, Pool, Request, WorkerCommand};

use crate::fault::{At, Fault};
use crate::measure;

/// The arguments that select a variant.
const BY_WORKERS: &str = "__by-workers";
const BARE: &str = "__bare";

/// A free list large enough for the small allocations of an evaluation saves a quarter of its time.
const TUNABLES: &str = "glibc.malloc.tcache_count=2000:glibc.malloc.arena_max=1";

/// The cheapest number of files per state of the bare evaluator: with fewer, its start counts; with more, its memory.
const CHEAPEST: usize = 64;

/// Runs the variant that the arguments select, if any.
pub(crate) fn way() -> Option<ExitCode> {
    let mut arguments = std::env::args_os().skip(1);
    let way = arguments.next()?;
    let (list, rest): (PathBuf, Vec<OsString>) = match way.to_str()? {
        BY_WORKERS | BARE => (arguments.next()?.into(), arguments.collect()),
        _ => return None,
    };
    let dirs = fs::read_to_string(&list).ok()?;
    let dirs: Vec<&Path> = dirs.lines().map(Path::new).collect();
    let result = match (way.to_str()?, rest.as_slice()) {
        (BARE, [chunk]) => {
            let chunk = chunk.to_str().and_then(|chunk| chunk.parse().ok())?;
            let mut bytes = 0;
            bare(&dirs, chunk, |text| bytes += text.len()).map(|()| bytes)
        }
        (BY_WORKERS, [program, jobs]) => {
            let jobs = jobs.to_str().and_then(|jobs| jobs.parse().ok())?;
            by_workers(&dirs, program.into(), jobs)
        }
        _ => return None,
    };
    Some(match result {
        Ok(bytes) => {
            println!("{} packages, {bytes} bytes of results", dirs.len());
            ExitCode::SUCCESS
        }
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    })
}

/// Measures each variant `rounds` times and returns a table of medians.
pub(crate) fn compare(
    base: &Path,
    dirs: &[PathBuf],
    wake: &Path,
    jobs: usize,
    rounds: usize,
) -> Result<String, Fault> {
    let list = base.join("packages.txt");
    let lines: Vec<String> = dirs.iter().map(|dir| dir.display().to_string()).collect();
    fs::write(&list, lines.join("\n")).at(&list)?;
    let this = std::env::current_exe().at(Path::new("the program itself"))?;
    let command = |way: &str| {
        let mut command = Command::new(&this);
        command.arg(way).arg(&list).env_remove("GLIBC_TUNABLES");
        command
    };
    let log = base.join("evaluation.log");
    let mut samples = [const { Vec::new() }; 3];
    for _ in 0..rounds {
        let mut workers = command(BY_WORKERS);
        workers.arg(wake).arg(jobs.to_string());
        let mut plain = command(BARE);
        plain.arg(dirs.len().max(1).to_string());
        let mut cheapest = command(BARE);
        cheapest.arg(CHEAPEST.to_string()).env("GLIBC_TUNABLES", TUNABLES);
        for (taken, mut command) in samples.iter_mut().zip([workers, plain, cheapest]) {
            taken.push(measure::run(&mut command, &log)?.cpu);
        }
    }
    let [workers, plain, cheapest] = samples.map(median);
    let count = dirs.len();
    let mut table = format!(
        "Evaluating the package files of {count} packages, processor time, medians of {rounds}:\n\n\
         | by | processor s | wake's workers × |\n|---|---:|---:|\n"
    );
    for (name, cpu) in [
        ("wake's workers", workers),
        ("the bare evaluator, default settings", plain),
        ("the bare evaluator, cheapest settings", cheapest),
    ] {
        let (seconds, ratio) = (cpu.as_secs_f64(), workers.as_secs_f64() / cpu.as_secs_f64());
        table += &format!("| {name} | {seconds:.3} | {ratio:.2} |\n");
    }
    Ok(table)
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn by_workers(dirs: &[&Path], program: PathBuf, jobs: usize) -> Result<usize, String> {
    let worker = WorkerCommand { program, args: vec!["__eval".into()], readable: vec!["/".into()] };
    let pool = Pool::new(worker, Limits::default());
    let (next, bytes) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let work = || {
        while let Some(dir) = dirs.get(next.fetch_add(1, Ordering::Relaxed)) {
            let pkg = format!("//{}", dir.display());
            let request = Request { pkg, root: (*dir).to_owned(), op: Op::Pkg };
            let found = pool.evaluate(&request, &NoAnswers).map_err(|error| error.message)?;
            bytes.fetch_add(found.value.get().len(), Ordering::Relaxed);
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..jobs).map(|_| scope.spawn(work)).collect();
        for thread in threads {
            thread.join().unwrap_or_else(|_| Err("a thread panicked".to_owned()))?;
        }
        Ok(bytes.load(Ordering::Relaxed))
    })
}

/// The library functions that package files call, which return their arguments.
const WAKE: &str = "\
{
  pkgInfo(name, version, namespace=null):: { name: name, version: version, namespace: namespace },
  getPkg(info, from=null):: { pkgInfo: info, from: from },
  dir(path):: ['./' + path + '/f' + number + '.txt' for number in std.range(0, 9)],
  pkg(info, files=[], inputs=null, pkgs={}, modules={}, metadata=null):: {
    pkgInfo: info, files: files, pkgs: pkgs, modules: modules, metadata: metadata,
    has_inputs: inputs != null,
  },
}";

/// Evaluates with one state per `chunk` of files, collecting its memory before the next.
fn bare(dirs: &[&Path], chunk: usize, mut give: impl FnMut(&str)) -> Result<(), String> {
    let standard = ContextInitializer::new(PathResolver::FileName);
    for dirs in dirs.chunks(chunk) {
        bare_chunk(dirs, &standard, &mut give).map_err(|error| error.to_string())?;
        jrsonnet_gcmodule::collect_thread_cycles();
    }
    Ok(())
}

fn bare_chunk(
    dirs: &[&Path],
    standard: &ContextInitializer,
    give: &mut impl FnMut(&str),
) -> jrsonnet_evaluator::Result<()> {
    let mut builder = State::builder();
    let files = FileImportResolver::default();
    builder.import_resolver(files).context_initializer(standard.clone());
    let state = builder.build();
    let _entered = state.enter();
    let wake = state.evaluate_snippet("wake", WAKE)?;
    #[expect(clippy::mutable_key_type, reason = "the evaluator's own texts, which never change")]
    let arguments = HashMap::from([("wake".into(), TlaArg::Val(wake))]);
    for dir in dirs {
        let function = state.import(dir.join("PKG.libsonnet").as_path())?;
        let value = apply_tla(&arguments, function)?;
        give(&value.manifest(JsonFormat::minify())?);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::place::Place;
    use crate::repository::{Repository, Shape};
    use crate::tool::{Root, Tool, Wake};

    #[test]
    fn the_bare_evaluator_evaluates_the_package_files() {
        let (large, large_size, tool) = (0, 0, 0);
        let shape = Shape {
            packages: 4,
            layers: 2,
            files: 2,
            dependencies: 2,
            seed: 1,
            large,
            large_size,
            tool,
        };
        let repository = Repository::new(shape);
        let base = tempfile::tempdir().unwrap();
        let place = Place::new(base.path(), "wake", Path::new("combine")).unwrap();
        let checkout = place.checkout();
        repository.write_sources(&checkout).unwrap();
        fs::create_dir_all(checkout.join("tool")).unwrap();
        Wake::new("wake".into(), place, Root::Empty, 1).describe(&repository).unwrap();
        let top = checkout.join(repository.last().path());
        let mut texts = Vec::new();
        bare(&[&top], 1, |text| texts.push(text.to_owned())).unwrap();
        let pkg: serde_json::Value = serde_json::from_str(&texts[0]).unwrap();
        assert_eq!(pkg["pkgInfo"]["name"], "l1-p1");
        assert_eq!(pkg["files"].as_array().unwrap().len(), 10);
        let pkgs: Vec<&String> = pkg["pkgs"].as_object().unwrap().keys().collect();
        assert_eq!(pkgs, ["l0-p0", "l0-p1", "tool"]);
        fs::write(top.join("PKG.libsonnet"), "function(wake) wake.unknown()").unwrap();
        assert!(bare(&[&top], 1, |_| ()).is_err());
    }

    #[test]
    fn the_median_run_is_used() {
        let times = [5, 1, 3].map(Duration::from_secs);
        assert_eq!(median(times.to_vec()), Duration::from_secs(3));
    }
}
