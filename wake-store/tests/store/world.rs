//! A store in a temporary directory, and content to put into it.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::time::{Duration, SystemTime};

use tempfile::TempDir;
use wake_model::{
    Action, ActionDigest, BlobDigest, Command, Invocation, LogRef, Manifest, Node, Outcome,
    RelPath, RootFs, RunRecord, SandboxLevel, TreeDigest, Usage, User,
};
use wake_store::{ActionEntry, Adopted, Logs, Lookup, Store, StoredAction};

pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) store: Store,
}

impl World {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        World { dir, store }
    }

    /// Stores an action named after `number` with these output files.
    pub(crate) fn put(&self, number: u64, files: &[(&str, &[u8])]) -> (ActionDigest, TreeDigest) {
        put(&self.store, number, files)
    }

    pub(crate) fn lookup(&self, digest: &ActionDigest) -> Lookup<StoredAction> {
        self.store.action(digest).unwrap()
    }

    /// Returns the path of an action's record.
    pub(crate) fn packed(&self, digest: &ActionDigest) -> Packed {
        let mut all = packed_in(self.store.root()).into_iter();
        all.find(|packed| packed.key == *digest.0.as_bytes()).unwrap()
    }

    /// Returns the only path below the store's `kind` whose name is `digest`.
    pub(crate) fn place(&self, kind: &str, digest: &impl ToString) -> PathBuf {
        let hex = digest.to_string();
        self.store.root().join(kind).join(&hex[..2]).join(hex)
    }
}

/// A record in a pack, found according to the specification.
#[derive(Clone, Debug)]
pub(crate) struct Packed {
    pub(crate) pack: PathBuf,
    pub(crate) key: [u8; 32],
    /// The offset of its header.
    pub(crate) header: usize,
    /// Its bytes.
    pub(crate) record: std::ops::Range<usize>,
}

impl Packed {
    /// Its last use, in nanoseconds since 1970.
    pub(crate) fn used(&self) -> u64 {
        u64_at(&fs::read(&self.pack).unwrap(), self.header + 64)
    }

    pub(crate) fn set_age(&self, age: Duration) {
        let then = SystemTime::now() - age;
        let nanos = then.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_nanos() as u64;
        let pack = fs::OpenOptions::new().write(true).open(&self.pack).unwrap();
        pack.write_all_at(&nanos.to_le_bytes(), self.header as u64 + 64).unwrap();
    }
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

/// Returns the packs of a store.
pub(crate) fn packs(store: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(store.join("action")) else { return Vec::new() };
    let mut packs: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    packs.sort();
    packs
}

/// Returns every record in the packs of a store that has not been removed.
pub(crate) fn packed_in(store: &Path) -> Vec<Packed> {
    let mut found = Vec::new();
    for pack in packs(store) {
        let bytes = fs::read(&pack).unwrap();
        let mut header = 40;
        while header + 72 <= bytes.len() && u64_at(&bytes, header + 32) == header as u64 {
            let record = header + 72..header + 72 + u64_at(&bytes, header + 40) as usize;
            let key = bytes[header..header + 32].try_into().unwrap();
            let next = record.end;
            if u64_at(&bytes, header + 64) != 0 {
                found.push(Packed { pack: pack.clone(), key, header, record });
            }
            header = next;
        }
    }
    found
}

pub(crate) fn path(text: &str) -> RelPath {
    text.parse().unwrap()
}

pub(crate) fn action(number: u64) -> Action {
    Action {
        command: Command::Run(Invocation {
            program: "./tool".into(),
            args: vec![number.to_string()],
            env: BTreeMap::new(),
            stdin: String::new(),
            cwd: "/work".into(),
        }),
        root: RootFs::Empty,
        work: wake_model::RelPath::parse("work").unwrap(),
        own_files: None,
        inputs: BTreeMap::new(),
        own_dirs: Default::default(),
        outputs: wake_model::Outputs::Tree(Vec::new()),
        user: User { uid: 1000, gid: 1000, hostname: "wake".into(), rights: Default::default() },
        network: wake_model::Network::None,
        sandbox: SandboxLevel::Strict,
        platform: "x86_64-linux".into(),
    }
}

pub(crate) fn record(outputs: Manifest, stdout: &[u8]) -> RunRecord {
    let log =
        |bytes: &[u8]| LogRef { blob: BlobDigest::of(bytes), size: bytes.len() as u64, dropped: 3 };
    RunRecord {
        guid: "00000000-11111111-22222222".into(),
        started_ms: 1_700_000_000_000,
        outcome: Outcome::Exited(0),
        outputs,
        wares: Default::default(),
        stdout: (!stdout.is_empty()).then(|| log(stdout)),
        stderr: None,
        usage: Usage { wall_us: 1, user_us: 2, sys_us: 3, peak_bytes: u64::MAX },
        sandbox: SandboxLevel::Strict,
    }
}

/// Writes files (a name ending in `*` is executable, in `/` a directory, `@` a link) and returns their manifest.
pub(crate) fn fill(dir: &Path, files: &[(&str, &[u8])]) -> Manifest {
    let mut nodes = Vec::new();
    for (name, bytes) in files {
        let bare = name.trim_end_matches(['*', '/', '@']);
        let place = dir.join(bare);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        let node = if name.ends_with('/') {
            fs::create_dir(&place).unwrap();
            Node::Dir
        } else if name.ends_with('@') {
            let target = String::from_utf8(bytes.to_vec()).unwrap();
            std::os::unix::fs::symlink(&target, &place).unwrap();
            Node::Link { target }
        } else {
            fs::write(&place, bytes).unwrap();
            let (blob, size) = (BlobDigest::of(bytes), bytes.len() as u64);
            Node::File { blob, size, executable: name.ends_with('*') }
        };
        nodes.push((path(bare), node));
    }
    Manifest::new(nodes).unwrap()
}

pub(crate) fn adopt(store: &Store, files: &[(&str, &[u8])]) -> (Manifest, Adopted) {
    let scratch = store.scratch().unwrap();
    let manifest = fill(scratch.path(), files);
    let adopted = store.adopt_tree(scratch.path(), &manifest).unwrap();
    (manifest, adopted)
}

pub(crate) fn put(
    store: &Store,
    number: u64,
    files: &[(&str, &[u8])],
) -> (ActionDigest, TreeDigest) {
    put_with_log(store, number, files, b"")
}

pub(crate) fn put_with_log(
    store: &Store,
    number: u64,
    files: &[(&str, &[u8])],
    stdout: &[u8],
) -> (ActionDigest, TreeDigest) {
    let (manifest, adopted) = adopt(store, files);
    let action = action(number);
    let digest = action.digest();
    let entry = ActionEntry {
        digest,
        action: &action.encode(),
        record: &record(manifest, stdout),
        tree: adopted.tree,
        stamps: &adopted.stamps,
        logs: Logs { stdout, stderr: b"" },
    };
    store.put_action(entry).unwrap();
    (digest, adopted.tree)
}

/// Returns everything below a directory by relative path: mode, and bytes or link target.
pub(crate) fn snapshot(dir: &Path) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
    let mut seen = BTreeMap::new();
    let mut open = vec![dir.to_owned()];
    while let Some(at) = open.pop() {
        for entry in fs::read_dir(&at).unwrap() {
            let here = entry.unwrap().path();
            let metadata = here.symlink_metadata().unwrap();
            let bytes = if metadata.is_symlink() {
                fs::read_link(&here).unwrap().into_os_string().into_encoded_bytes()
            } else if metadata.is_dir() {
                open.push(here.clone());
                Vec::new()
            } else {
                fs::read(&here).unwrap()
            };
            let mode = metadata.permissions().mode() & 0o7777;
            seen.insert(here.strip_prefix(dir).unwrap().to_owned(), (mode, bytes));
        }
    }
    seen
}

/// Makes a read-only file or directory writable, in order to damage it.
pub(crate) fn unlock(path: &Path) {
    let mode = if path.is_dir() { 0o755 } else { 0o644 };
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Returns this test binary, set up to run one ignored test as a process of its own.
pub(crate) fn child(test: &str) -> Process {
    let mut process = Process::new(std::env::current_exe().unwrap());
    process.args(["--exact", test, "--ignored", "--nocapture", "--test-threads=1"]);
    process
}

/// Returns what the parent passed to a child test.
pub(crate) fn told(name: &str) -> String {
    std::env::var(name).unwrap()
}
