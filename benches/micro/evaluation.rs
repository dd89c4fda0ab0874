//! A package and a module through a worker process, which is reused from one to the next.

use std::path::Path;

use criterion::Criterion;
use serde_json::json;
use wake_eval::{Limits, NoAnswers, Op, Pool, Request, WorkerCommand};

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

pub(crate) fn measure(criterion: &mut Criterion) {
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
    let program = std::env::current_exe().unwrap();
    let pool = Pool::new(
        WorkerCommand { program, args: vec![WORKER.into()], readable: Vec::new() },
        Limits::default(),
    );
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
