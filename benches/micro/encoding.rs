//! The key of an action and canonical JSON.

use criterion::{BenchmarkId, Criterion};
use serde_json::json;

use crate::sample::action;

pub(crate) fn measure(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("encoding");
    for files in [10, 1000] {
        let action = action(1, files);
        let name = format!("{files} files");
        group.bench_with_input(BenchmarkId::new("key", name), &action, |bencher, action| {
            bencher.iter(|| action.digest());
        });
    }
    let files: Vec<String> = (0..100).map(|number| format!("./src/file{number}.c")).collect();
    let pkg = json!({
        "key": "@app@1.0.0",
        "pkgInfo": { "name": "app", "version": "1.0.0", "namespace": null },
        "files": files,
        "inputs": { "level": 3, "nested": { "list": [1.5, "ü", null, true] } },
        "pkgs": { "zlib": "@zlib@1.3.1" },
        "modules": ["core", "lib"],
    });
    group.bench_function("canonical JSON of a package", |bencher| {
        bencher.iter(|| wake_model::json::canonical(&pkg));
    });
    group.finish();
}
