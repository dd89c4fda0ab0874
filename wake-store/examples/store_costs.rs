//! Measures what the store costs per action and per lookup: `cargo run --release -p wake-store --example store_costs --
//! [DIR]`.
//!
//! Creates a store with 10,000 actions of one 1 KiB output each in `DIR` (default: the temporary directory) and prints
//! microseconds per unit, as wall and CPU time, on one thread and on all.
#![allow(clippy::disallowed_methods, clippy::print_stdout, clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::hint::black_box;
use std::path::PathBuf;
use std::time::Instant;

use rayon::prelude::*;
use wake_model::{
    Action, ActionDigest, BlobDigest, Command, InputNode, Invocation, Manifest, Node, Outcome,
    RelPath, RootFs, RunRecord, SandboxLevel, Usage, User,
};
use wake_store::{ActionEntry, Logs, Store};

const COUNT: u64 = 10_000;

fn main() {
    let base = std::env::args_os().nth(1).map_or_else(std::env::temp_dir, PathBuf::from);
    let root = base.join(format!("wake-store-costs-{}", std::process::id()));
    let store = Store::open(&root).unwrap();
    let actions: Vec<Action> = (0..COUNT * 2).map(action).collect();
    let digests: Vec<ActionDigest> = actions.iter().map(Action::digest).collect();
    report("action encode and digest", COUNT, || {
        for action in &actions[..COUNT as usize] {
            black_box(action.digest());
        }
    });
    let all: Vec<u64> = (0..COUNT).collect();
    // As an executor leaves it: directory and file exist, and are not part of the store's cost.
    let ready: Vec<_> = (0..COUNT * 2).map(|number| fill(&store, number)).collect();
    let put = |number: u64| {
        let (scratch, manifest) = &ready[number as usize];
        let adopted = store.adopt_tree(scratch.path(), manifest).unwrap();
        let action = &actions[number as usize];
        let encoded = action.encode();
        let record = record(manifest.clone());
        let entry = ActionEntry {
            digest: digests[number as usize],
            action: &encoded,
            record: &record,
            tree: adopted.tree,
            stamps: &adopted.stamps,
            logs: Logs::default(),
        };
        store.put_action(entry).unwrap();
    };
    report("adopt_tree + put_action", COUNT, || all.iter().for_each(|number| put(*number)));
    report("the same, all threads", COUNT, || {
        all.par_iter().for_each(|number| put(COUNT + *number));
    });
    let get = |digest: &ActionDigest| assert!(store.action(digest).unwrap().hit().is_some());
    report("action lookup", COUNT, || digests[..COUNT as usize].iter().for_each(get));
    report("action lookup again", COUNT, || digests[..COUNT as usize].iter().for_each(get));
    report("the same, all threads", 2 * COUNT, || digests.par_iter().for_each(get));
    memo(&store, &root);
    report("open and close", 1000, || {
        for _ in 0..1000 {
            black_box(Store::open(&root).unwrap());
        }
    });
    report("verify, a tree", 2 * COUNT, || {
        assert_eq!(store.verify(&Default::default(), &|_, _| {}).unwrap().corrupt, []);
    });
    report("gc, dry, an object", 2 * COUNT, || {
        let options =
            wake_store::GcOptions { mode: wake_store::GcMode::DryRun, ..Default::default() };
        black_box(store.gc(&options, &mut |_| {}).unwrap());
    });
    drop(ready);
    report("gc, an object", 2 * COUNT, || {
        black_box(store.gc(&Default::default(), &mut |_| {}).unwrap());
    });
    drop(store);
    fs::remove_dir_all(root).unwrap();
}

fn report(what: &str, units: u64, work: impl FnOnce()) {
    let (start, cpu) = (Instant::now(), cpu_seconds());
    work();
    let micros = |seconds: f64| seconds * 1e6 / units as f64;
    let (wall, cpu) = (micros(start.elapsed().as_secs_f64()), micros(cpu_seconds() - cpu));
    println!("{what:32} {wall:9.2} µs wall {cpu:9.2} µs processor");
}

fn cpu_seconds() -> f64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    now.tv_sec as f64 + now.tv_nsec as f64 * 1e-9
}

fn memo(store: &Store, root: &std::path::Path) {
    let key = |number: u64| BlobDigest::of(&number.to_le_bytes()).0;
    let value = vec![7; 2048];
    report("memo put", COUNT, || {
        (0..COUNT).for_each(|number| store.memo().put(key(number), value.clone()));
    });
    report("memo flush, an entry", COUNT, || store.flush_memo().unwrap());
    let other = Store::open(root).unwrap();
    report("memo get, the first", 1, || assert!(other.memo().get(&key(1)).is_some()));
    report("memo get", COUNT, || {
        (0..COUNT).for_each(|number| assert!(other.memo().get(&key(number)).is_some()));
    });
    report("memo get, absent", COUNT, || {
        (COUNT..2 * COUNT).for_each(|number| assert!(other.memo().get(&key(number)).is_none()));
    });
}

fn fill(store: &Store, number: u64) -> (wake_store::Scratch, Manifest) {
    let scratch = store.scratch().unwrap();
    let bytes = number.to_le_bytes().repeat(128);
    fs::write(scratch.path().join("out"), &bytes).unwrap();
    let (blob, size) = (BlobDigest::of(&bytes), bytes.len() as u64);
    let node = Node::File { blob, size, executable: false };
    (scratch, Manifest::new([(path("out"), node)]).unwrap())
}

fn path(text: &str) -> RelPath {
    text.parse().unwrap()
}

/// Ten own files and five trees of others, as in the benchmark of packages.
fn action(number: u64) -> Action {
    let file = |n: u64| {
        let blob = BlobDigest::of(&(number * 10 + n).to_le_bytes());
        (path(&format!("work/src/file{n}.txt")), InputNode::File { blob, executable: false })
    };
    let tree = |n: u64| {
        let at = format!("work/.wake/modules/@pkg{n}@1.0.0@core@0123456789abcdef/out");
        let tree = wake_model::TreeDigest(BlobDigest::of(&(number + n).to_le_bytes()).0);
        (path(&at), InputNode::Tree(tree))
    };
    Action {
        command: Command::Run(Invocation {
            program: "./tool".into(),
            args: vec![number.to_string()],
            env: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
            stdin: String::new(),
            cwd: "/work".into(),
        }),
        root: RootFs::Empty,
        work: wake_model::RelPath::parse("work").unwrap(),
        own_files: None,
        inputs: (0..10).map(file).chain((0..5).map(tree)).collect(),
        own_dirs: Default::default(),
        outputs: wake_model::Outputs::Tree(Vec::new()),
        user: User { uid: 1000, gid: 1000, hostname: "wake".into(), rights: Default::default() },
        network: wake_model::Network::None,
        sandbox: SandboxLevel::Strict,
        platform: "x86_64-linux".into(),
    }
}

fn record(outputs: Manifest) -> RunRecord {
    RunRecord {
        guid: "00000000-11111111-22222222".into(),
        started_ms: 0,
        outcome: Outcome::Exited(0),
        outputs,
        wares: Default::default(),
        stdout: None,
        stderr: None,
        usage: Usage::default(),
        sandbox: SandboxLevel::Strict,
    }
}
