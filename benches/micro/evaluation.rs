//! A package and a module through a reused worker process, and many modules of one file.

use std::path::Path;
use std::sync::Arc;

use criterion::Criterion;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use wake_eval::{Answer, Answers, Limits, NoAnswers, Op, Pool, Request, WorkerCommand};

/// The argument that makes this program a worker.
pub(crate) const WORKER: &str = "__eval";

const PKG: &str = "\
function(wake)
  wake.pkg(
    wake.pkgInfo('app', '1.0.0'),
    files=wake.dir('src'),
    pkgs={ tool: wake.getPkg(wake.pkgInfo('tool', '^1'), from='../tool') },
    modules={ out: './out.libsonnet' },
  )
";

const MODULE: &str = "\
function(wake, pkg, config={ level: 2 })
  wake.module(
    'out',
    outputs=function(wake, pkg) { out: './out' },
    exec=wake.exec('./src/f0.txt', args=['./out', std.toString(config.level)] + pkg.files),
  )
";

/// The number of modules that a package file makes with one rule.
const MODULES: usize = 1000;

const RULES: &str = "\
local unit(name, src, opt=2) = {
  [name]: function(wake, pkg, config={ opt: opt })
    wake.module(name, outputs=function(wake, module) { out: './out', flags: [src, '-O' + config.opt] }),
};
function(wake) wake.pkg(
  wake.pkgInfo('app', '1.0.0'),
  modules=std.foldl(function(all, n) all + unit('m%d' % n, 'src%d.c' % n), std.range(1, 1000), {}),
)
";

/// Answers that stay the same, as within one build.
struct OneBuild;

impl Answers for OneBuild {
    fn epoch(&self) -> Option<u64> {
        Some(1)
    }

    fn pkg(&self, _key: &str) -> Option<Arc<str>> {
        None
    }

    fn module(&self, _id: &Value) -> Answer {
        Answer::Unknown
    }
}

/// Measures all modules of one file in one worker that has not seen the file before.
fn measure_rules(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("PKG.libsonnet"), RULES).unwrap();
    let names: Vec<String> = (1..=MODULES).map(|number| format!("m{number}")).collect();
    let pkg = json!({
        "key": "@app@1.0.0",
        "pkgInfo": { "name": "app", "version": "1.0.0", "namespace": null },
        "files": [],
        "inputs": {},
        "pkgs": {},
        "modules": names,
    });
    let pkg: Arc<RawValue> = wake_model::json::text(&pkg);
    let module = |name: &String| {
        let (name, pkg) = (name.clone(), pkg.clone());
        request(dir.path(), Op::Module { config: None, merge: false, file: None, name, pkg })
    };
    let mut group = criterion.benchmark_group("evaluation");
    group.sample_size(10);
    group.bench_function("a thousand modules of one file", |bencher| {
        bencher.iter(|| {
            let pool = pool(dir.path());
            let mut line = pool.line();
            names.iter().for_each(|name| line.put(module(name), OneBuild, ()));
            line.send();
            while let Some(response) = line.wait() {
                response.outcome.unwrap();
            }
        });
    });
    group.finish();
}

/// A pool whose workers read the package at `root`.
fn pool(root: &Path) -> Pool {
    let program = std::env::current_exe().unwrap();
    Pool::new(
        WorkerCommand { program, args: vec![WORKER.into()], readable: vec![root.to_owned()] },
        Limits::default(),
    )
}

pub(crate) fn measure(criterion: &mut Criterion) {
    measure_rules(criterion);
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path();
    std::fs::create_dir(root.join("src")).unwrap();
    let files: Vec<String> = (0..10).map(|number| format!("./src/f{number}.txt")).collect();
    for file in &files {
        std::fs::write(root.join(file), file).unwrap();
    }
    std::fs::write(root.join("PKG.libsonnet"), PKG).unwrap();
    std::fs::write(root.join("out.libsonnet"), MODULE).unwrap();
    let pkg = json!({
        "key": "@app@1.0.0",
        "pkgInfo": { "name": "app", "version": "1.0.0", "namespace": null },
        "files": files,
        "inputs": {},
        "pkgs": { "tool": "@tool@1.0.0" },
        "modules": ["out"],
    });
    let module = Op::Module {
        merge: false,
        config: None,
        file: Some("out.libsonnet".parse().unwrap()),
        name: "out".into(),
        pkg: wake_model::json::text(&pkg),
    };
    let pool = pool(root);
    let mut group = criterion.benchmark_group("evaluation");
    for (name, op) in [("a package", Op::Pkg), ("a module", module)] {
        let request = request(root, op);
        group.bench_function(name, |bencher| {
            bencher.iter(|| pool.evaluate(&request, &NoAnswers).unwrap());
        });
    }
    group.finish();
}

fn request(root: &Path, op: Op) -> Request {
    Request { pkg: "//app".into(), root: root.to_owned(), op }
}
