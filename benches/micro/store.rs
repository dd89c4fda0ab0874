//! Adopting results into the store, writing and looking up records.

use std::cell::Cell;

use criterion::{BatchSize, Criterion};
use wake_model::{Action, ActionDigest, Manifest, RunRecord};
use wake_store::{ActionEntry, Adopted, Logs, Scratch, Store};

use crate::sample::{action, outputs, record};

pub(crate) fn measure(criterion: &mut Criterion) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(&dir.path().join("store")).unwrap();
    // All results and keys differ, because existing ones would cost less.
    let numbers = Numbers::default();
    let mut group = criterion.benchmark_group("store");
    group.bench_function("adopt an output", |bencher| {
        bencher.iter_batched(
            || ready(&store, numbers.next()),
            |(scratch, manifest)| {
                store.adopt_tree(scratch.path(), &manifest).unwrap();
                scratch
            },
            BatchSize::SmallInput,
        );
    });
    group.bench_function("put a record", |bencher| {
        let (scratch, manifest) = ready(&store, numbers.next());
        let adopted = store.adopt_tree(scratch.path(), &manifest).unwrap();
        let record = record(manifest);
        bencher.iter_batched(
            || action(numbers.next(), 10),
            |action| put(&store, &action, &record, &adopted),
            BatchSize::SmallInput,
        );
    });
    let digest = kept(&store, numbers.next());
    group.bench_function("get a record", |bencher| {
        bencher.iter(|| store.action(&digest).unwrap().hit().unwrap());
    });
    group.bench_function("look up a miss", |bencher| {
        let absent = action(numbers.next(), 10).digest();
        bencher.iter(|| assert!(store.action(&absent).unwrap().hit().is_none()));
    });
    group.finish();
}

/// Counts up through a shared reference.
#[derive(Default)]
struct Numbers(Cell<u64>);

impl Numbers {
    fn next(&self) -> u64 {
        self.0.replace(self.0.get() + 1)
    }
}

/// A result in the form that an executor leaves.
fn ready(store: &Store, number: u64) -> (Scratch, Manifest) {
    let scratch = store.scratch().unwrap();
    let bytes = number.to_le_bytes().repeat(128);
    std::fs::write(scratch.path().join("out"), &bytes).unwrap();
    (scratch, outputs(&bytes))
}

fn kept(store: &Store, number: u64) -> ActionDigest {
    let (scratch, manifest) = ready(store, number);
    let adopted = store.adopt_tree(scratch.path(), &manifest).unwrap();
    let (action, record) = (action(number, 10), record(manifest));
    put(store, &action, &record, &adopted)
}

fn put(store: &Store, action: &Action, record: &RunRecord, adopted: &Adopted) -> ActionDigest {
    let (encoded, digest) = action.encode_with_digest();
    let (tree, stamps) = (adopted.tree, &adopted.stamps);
    let entry =
        ActionEntry { digest, action: &encoded, record, tree, stamps, logs: Logs::default() };
    store.put_action(entry).unwrap();
    digest
}
