//! Reading and hashing files of the checkout, as a build does when a signature proves nothing.

use criterion::{BenchmarkId, Criterion, Throughput};
use wake_build::file_digest;

/// Sizes of a source file, of a large file, and of one that is read in pieces.
const SIZES: [(&str, usize); 3] = [("1 KiB", 1 << 10), ("64 KiB", 64 << 10), ("16 MiB", 16 << 20)];

pub(crate) fn measure(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let mut group = criterion.benchmark_group("hashing");
    for (name, size) in SIZES {
        let path = dir.path().join(name);
        let bytes: Vec<u8> = (0..size).map(|at| at.to_le_bytes()[0]).collect();
        std::fs::write(&path, bytes).unwrap();
        group.throughput(Throughput::Bytes(size as u64));
        group.bench_with_input(BenchmarkId::new("file", name), &path, |bencher, path| {
            bencher.iter(|| file_digest(path).unwrap());
        });
    }
    group.finish();
}
