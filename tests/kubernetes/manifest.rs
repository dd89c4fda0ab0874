//! `wake job manifest`: the objects of a run, validated against Kubernetes' schemas.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use wake_tests::{Project, binary, expect, project, skip};

use crate::scene::{DIGEST, Runs, Scene, buffer};

const SITE: &str = "[kubernetes]\nnamespace = \"science\"\nimage = \"registry.example.org/wake@sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"\nclaim = \"wake\"\nstore = \"team/store\"\npool-label = \"example.org/pool\"\n";

fn run() -> String {
    format!(
        "job:\n  codespec:\n    image: registry.example.org/negate:1@{DIGEST}\n    buffers: {{inputs: [input], outputs: [output]}}\n    args: [$(INPUT_PIPE), $(OUTPUT_PIPE)]\n    resources: {{requests: {{cpu: 1500m, memory: 1G}}, limits: {{memory: 2Gi}}, gpu: 1, shm: 64Mi}}\n    identity: reader\n  nodePool: fast\nworker:\n  codespec:\n    image: registry.example.org/worker@{DIGEST}\n    endpoints: {{gadgetron: 9002, TestWorker: 29477}}\n    env: {{A: '1'}}\n  replicas: 3\ntimeoutSeconds: 600\ntags: {{purpose: test}}\n"
    )
}

/// The validator of Kubernetes objects: `kubernetes-validate` from `scripts/setup`, else from the search path.
fn validator(test: &str) -> Option<PathBuf> {
    let target = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../target/kubernetes/bin/kubernetes-validate");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = std::env::split_paths(&path).map(|dir| dir.join("kubernetes-validate"));
    let found = [target].into_iter().chain(on_path).find(|path| path.is_file());
    if found.is_none() {
        skip(test, "`kubernetes-validate` is not here");
    }
    found
}

fn scene() -> (Project, [String; 2]) {
    let project = project().file("run.yml", &run()).build();
    project.write("../home/.config/wake/config.toml", SITE);
    let named = [("input", Some(&b"x"[..])), ("output", None)];
    let named = named.map(|(name, bytes)| format!("{name}={}", buffer(&project, bytes)));
    (project, named)
}

#[test]
fn printed_objects_are_valid() {
    let Some(validator) = validator("printed_objects_are_valid") else { return };
    let (project, [input, output]) = scene();
    let args = ["job", "manifest", "-f", "run.yml", "-b", &input, "-b", &output, "--offline"];
    let text = project.wake(args).run().code(0).stdout;
    project.write("run.yaml", &text);
    let check = |file: &str| {
        let mut command = Command::new(&validator);
        let checked = command.args(["--strict", "-k", "1.32"]).arg(project.path(file)).output();
        let checked = checked.unwrap();
        let said = [checked.stdout, checked.stderr].concat();
        (checked.status.success(), String::from_utf8(said).unwrap())
    };
    let (is_right, said) = check("run.yaml");
    assert!(is_right, "{said}\n{text}");
    // The validator does detect errors.
    project.write("wrong.yaml", text.replace("backoffLimit: 0", "backoffLimits: 0"));
    assert!(!check("wrong.yaml").0);
    for kind in ["kind: Service\n", "kind: StatefulSet\n", "kind: Job\n"] {
        assert_eq!(text.matches(kind).count(), 1, "{kind}");
    }
}

#[test]
fn submitted_objects_are_valid() {
    let test = "submitted_objects_are_valid";
    let Some(validator) = validator(test) else { return };
    let scene = Scene::new(&run(), Runs::Nothing);
    scene.set(&SITE.replace("namespace = \"science\"\n", ""));
    let input = format!("input={}", buffer(&scene.project, Some(b"x")));
    let name = scene.name(&scene.create(&["-b", &input]));
    let objects = scene.objects(&name);
    assert_eq!(objects.len(), 3, "{objects:?}");
    for object in objects {
        let mut command = Command::new(&validator);
        let path = scene.place("objects").join(&object);
        let checked = command.args(["--strict", "-k", "1.32"]).arg(path).output().unwrap();
        let said = [checked.stdout, checked.stderr].concat();
        assert!(checked.status.success(), "{object}: {}", String::from_utf8(said).unwrap());
    }
}

/// Runs the containers of a pod one after another, with `main` in place of the job's own, and returns whether it succeeded.
fn as_a_pod(project: &Project, words: [Vec<String>; 3], main: &str) -> bool {
    let wake = |words: &[String]| {
        let mut command = Command::new(binary());
        command.args(words).env("HOME", project.base().join("home"));
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        command
    };
    let [make, serve, end] = words;
    assert!(wake(&make).status().unwrap().success());
    let mut serving = wake(&serve).spawn().unwrap();
    let main = Command::new("sh").args(["-ec", main]).current_dir(project.path("pipes")).status();
    let has_succeeded = main.unwrap().success();
    if has_succeeded {
        assert!(wake(&end).status().unwrap().success());
        assert!(serving.try_wait().unwrap().is_none(), "Kubernetes would restart it");
    }
    assert!(Command::new("kill").arg(serving.id().to_string()).status().unwrap().success());
    serving.wait().unwrap();
    has_succeeded
}

#[test]
fn containers_beside_a_job_transfer_its_buffers() {
    let project = project().build();
    fs::create_dir(project.path("pipes")).unwrap();
    let (input, output) = (buffer(&project, Some(b"hello")), buffer(&project, None));
    let words = |verb: &str, rest: &[String]| -> Vec<String> {
        let (store, pipes) = (project.store(), project.path("pipes"));
        let begin =
            ["--store", store.to_str().unwrap(), "job", "pipes", verb, pipes.to_str().unwrap()];
        begin.into_iter().map(str::to_owned).chain(rest.iter().cloned()).collect()
    };
    let all = |output: &str| {
        let serve = [
            "--input".to_owned(),
            format!("input={input}"),
            "--output".to_owned(),
            format!("output={output}"),
        ];
        let names = ["input", "output"].map(str::to_owned);
        [words("make", &names), words("serve", &serve), words("end", &[])]
    };
    assert!(as_a_pod(&project, all(&output), "tr a-z A-Z < input > output"));
    assert_eq!(project.wake(["buffer", "read", &output]).run().code(0).stdout, "HELLO");

    fs::remove_dir_all(project.path("pipes")).unwrap();
    fs::create_dir(project.path("pipes")).unwrap();
    let output = buffer(&project, None);
    assert!(!as_a_pod(&project, all(&output), "echo part > output; exit 3"));
    let shown = project.wake(["buffer", "show", &output]).run().code(0).stdout;
    assert!(shown.contains("the command did not succeed"), "{shown}");
}

#[test]
fn what_a_cluster_cannot_run_is_reported() {
    let (project, [input, output]) = scene();
    let manifest = |args: &[&str]| {
        let begin = ["job", "manifest", "-f", "run.yml", "-b", &input, "--offline"];
        project.wake(begin).args(args).run()
    };
    manifest(&[]).code(2).says(expect![[r#"
        error: no buffer is given for `output`
         help: create one with `wake buffer create`, and pass it with `--buffer output=ID`
    "#]]);
    project.write("../home/.config/wake/config.toml", "");
    manifest(&["-b", &output]).code(2).says(expect![[r#"
        error: a job with buffers needs an image that contains `wake`, and none is configured
         help: set `image` in `[kubernetes]` of `config.toml`
    "#]]);
    project.edit("run.yml", "registry.example.org/negate:1@", "oci:./negate@");
    manifest(&["-b", &output]).code(2).says(expect![[r#"
        error: image `oci:./negate@sha256:[DIGEST]` is local to this machine, so a cluster cannot pull it
         help: push it with `wake image push oci:./negate@sha256:[DIGEST] HOST/REPOSITORY:TAG`
    "#]]);
    manifest(&["-b", &output, "--name", "Run"]).code(2).says(expect![[r#"
        error: invalid value 'Run' for '--name <NAME>': `Run` is not a valid object name: expected up to 40 lower-case letters, digits and `-`, starting with a letter and not ending with `-`

        For more information, try '--help'.
    "#]]);
    project.write("../home/.config/wake/config.toml", "[kubernetes]\nstore = \"/store\"\n");
    manifest(&[]).code(2).says(expect![[r#"
        error: `store` must be a path from the top of the volume, such as `wake/store`
         --> [BASE]/home/.config/wake/config.toml:2:9
          |
        2 | store = "/store"
          |         ^^^^^^^^
    "#]]);
}
