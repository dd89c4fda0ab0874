//! Actions and results like those of a build of small packages.

use std::collections::BTreeMap;

use wake_model::{
    Action, BlobDigest, Command, InputNode, Invocation, Manifest, Node, Outcome, RelPath, RootFs,
    RunRecord, SandboxLevel, TreeDigest, Usage, User,
};

/// An action with `files` own files and half as many results of other actions; differs for each `number`.
pub(crate) fn action(number: u64, files: u64) -> Action {
    let file = |n: u64| {
        let blob = BlobDigest::of(&(number * files + n).to_le_bytes());
        (path(&format!("work/src/file{n}.txt")), InputNode::File { blob, executable: false })
    };
    let tree = |n: u64| {
        let at = format!("work/.wake/modules/@pkg{n}@1.0.0@core@0123456789abcdef/out");
        let tree = TreeDigest(BlobDigest::of(&(number + n).to_le_bytes()).0);
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
        inputs: (0..files).map(file).chain((0..files / 2).map(tree)).collect(),
        own_dirs: Default::default(),
        outputs: wake_model::Outputs::Tree(Vec::new()),
        user: User { uid: 1000, gid: 1000, hostname: "wake".into(), rights: Default::default() },
        network: wake_model::Network::None,
        sandbox: SandboxLevel::Strict,
        platform: "x86_64-linux".into(),
    }
}

/// The outputs of a command that wrote `bytes` to `out`.
pub(crate) fn outputs(bytes: &[u8]) -> Manifest {
    let (blob, size) = (BlobDigest::of(bytes), bytes.len() as u64);
    Manifest::new([(path("out"), Node::File { blob, size, executable: false })]).unwrap()
}

/// The record of a command that succeeded.
pub(crate) fn record(outputs: Manifest) -> RunRecord {
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

fn path(text: &str) -> RelPath {
    text.parse().unwrap()
}
