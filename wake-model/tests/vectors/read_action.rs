//! Actions in the form of the vectors.

use std::collections::BTreeMap;

use serde_json::Value;
use wake_model::{
    Action, BlobDigest, Command, HostDigest, InputNode, Invocation, MountAccess, Network,
    OutputDecl, OutputKind, Outputs, RelPath, Rights, RootFs, SandboxLevel, TreeDigest, User,
    WareDecl,
};

use crate::file::{Case, digest, text};

/// Returns the action of one vector.
pub(crate) fn action(case: &Case) -> Action {
    let inputs = case["inputs"].as_object().unwrap().iter();
    let own = case["own"].as_array().unwrap().iter();
    let user = &case["user"];
    let number = |name: &str| u32::try_from(user[name].as_u64().unwrap()).unwrap();
    Action {
        command: command(&case["command"]),
        root: root(&case["root"]),
        work: place(&case["work"]),
        own_files: case.0.get("files").map(|files| TreeDigest(digest(files))),
        inputs: inputs.map(|(path, node)| (path.parse().unwrap(), input(node))).collect(),
        own_dirs: own.map(place).collect(),
        outputs: outputs(case["outputs"].as_array().unwrap()),
        user: User {
            uid: number("uid"),
            gid: number("gid"),
            hostname: text(&user["hostname"]).to_owned(),
            rights: match user.get("rights") {
                Some(rights) => serde_json::from_value(rights.clone()).unwrap(),
                None => Rights::Ordinary,
            },
        },
        network: serde_json::from_value::<Network>(case["network"].clone()).unwrap(),
        sandbox: serde_json::from_value::<SandboxLevel>(case["sandbox"].clone()).unwrap(),
        platform: text(&case["platform"]).to_owned(),
    }
}

/// Returns a path; empty for the root.
fn place(path: &Value) -> RelPath {
    if path == "" { RelPath::root() } else { text(path).parse().unwrap() }
}

fn command(command: &Value) -> Command {
    let image = &command["image"];
    if !image.is_null() {
        return Command::Image {
            cwd: text(&image["cwd"]).to_owned(),
            composition: text(&image["composition"]).to_owned(),
        };
    }
    let run = &command["run"];
    if run.is_null() {
        return Command::Collect { cwd: text(&command["collect"]["cwd"]).to_owned() };
    }
    let env = run["env"].as_object().unwrap().iter();
    Command::Run(Invocation {
        program: text(&run["program"]).to_owned(),
        args: run["args"].as_array().unwrap().iter().map(|arg| text(arg).to_owned()).collect(),
        env: env
            .map(|(name, value)| (name.clone(), text(value).to_owned()))
            .collect::<BTreeMap<_, _>>(),
        stdin: text(&run["stdin"]).to_owned(),
        cwd: text(&run["cwd"]).to_owned(),
    })
}

fn root(root: &Value) -> RootFs {
    if let Some(ware) = root.get("ware") {
        return RootFs::Ware(text(ware).parse().unwrap());
    }
    match (root.as_str(), root.get("host"), root.get("tree")) {
        (Some("empty"), _, _) => RootFs::Empty,
        (None, Some(host), None) => RootFs::Host(HostDigest(digest(host))),
        (None, None, Some(tree)) => RootFs::Tree(TreeDigest(digest(tree))),
        _ => panic!("no root: {root}"),
    }
}

fn input(node: &Value) -> InputNode {
    if node == "dir" {
        return InputNode::Dir;
    }
    let (kind, content) = node.as_object().unwrap().iter().next().unwrap();
    match kind.as_str() {
        "file" => InputNode::File { blob: BlobDigest(digest(content)), executable: false },
        "executable" => InputNode::File { blob: BlobDigest(digest(content)), executable: true },
        "tree" => InputNode::Tree(TreeDigest(digest(content))),
        "link" => InputNode::Link { target: text(content).to_owned() },
        "ware" => InputNode::Ware(text(content).parse().unwrap()),
        "mount" => InputNode::Mount {
            host: text(&content["host"]).to_owned(),
            access: match text(&content["access"]) {
                "ro" => MountAccess::ReadOnly,
                "overlay" => MountAccess::Layered,
                "rw" => MountAccess::ReadWrite,
                other => panic!("no access: {other}"),
            },
        },
        other => panic!("no input: {other}"),
    }
}

fn outputs(outputs: &[Value]) -> Outputs {
    if let [only] = outputs
        && only["kind"] == "layer"
    {
        return Outputs::Layer(text(&only["path"]).parse().unwrap());
    }
    match outputs.first().is_some_and(|output| output.get("packtype").is_some()) {
        true => Outputs::Wares(outputs.iter().map(ware).collect()),
        false => Outputs::Tree(outputs.iter().map(output).collect()),
    }
}

fn ware(output: &Value) -> WareDecl {
    WareDecl {
        path: text(&output["path"]).parse().unwrap(),
        packtype: text(&output["packtype"]).parse().unwrap(),
        filters: text(&output["filters"]).to_owned(),
    }
}

fn output(output: &Value) -> OutputDecl {
    let path: RelPath = text(&output["path"]).parse().unwrap();
    let kind = match text(&output["kind"]) {
        "any" => OutputKind::Any,
        "dir" => OutputKind::Dir,
        other => panic!("no kind of output: {other}"),
    };
    OutputDecl { path, kind }
}
