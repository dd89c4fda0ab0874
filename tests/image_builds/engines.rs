//! Images built by other tools, as steps.

use std::fs;
use std::io::Read as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::process::{Pid, Signal, kill_process};
use wake_tests::{Project, Wake, copy_of_binary, expect, has_program, is_root, skip, skipped};

use crate::containers::Registry;
use crate::{NEEDS_OS, commands, image, site};

/// Options that podman and buildah need on machines with restricted control groups and limits.
const MACHINE: [&str; 4] = [
    "-A",
    "value: --ulimit nofile=1024:1024; when: ''",
    "-A",
    "value: --ulimit nproc=4096:4096; when: ''",
];

/// `wake image build --engine`, with the directories of Debian's packages in `PATH`.
fn build(project: &Project, engine: &str, args: &[&str]) -> Wake {
    let lead = ["image", "-s", "frontier", "-b", "podman", "-d", "ubuntu", "-i", "images", "build"];
    let engine = ["--engine", engine];
    let words = lead.iter().chain(&engine).chain(args).copied();
    project.wake(words).env("PATH", "/usr/bin:/bin:/usr/sbin:/sbin")
}

fn ran(call: Wake) -> Vec<String> {
    let finished = call.run().success();
    finished.events().ran().into_iter().map(str::to_owned).collect()
}

fn inspected(project: &Project, name: &str) -> serde_json::Value {
    let finished = project.wake(["image", "inspect", "--json", name]).run().success();
    serde_json::from_str(&finished.stdout).unwrap()
}

/// With a tool that is really installed.
fn built_for_real(test: &str, engine: &str, flags: &[&str]) {
    let Some(project) = site(test) else { return };
    if !(has_program(engine) && has_program("runc") && is_root()) {
        return skip(test, "needs root, the tool and runc");
    }
    let hello = commands(&["busybox mkdir -p /opt", "echo hello > /opt/hello"]);
    image(
        &project,
        "hello",
        "1",
        NEEDS_OS,
        &format!("{hello}@entry\n    /bin/busybox cat /opt/hello\n"),
    );
    let args = |more: &[&'static str]| [flags, &MACHINE, more].concat();
    let json = |more: &[&'static str]| {
        let call = build(&project, engine, &args(more));
        ran(call.args(["--message-format", "json"]))
    };
    assert_eq!(json(&["hello"]), ["hello@=1", "os@=1"]);
    assert!(json(&["hello"]).is_empty());
    let first = build(&project, engine, &args(&["-n", "hello", "hello"])).run().success().stdout;
    assert!(first.starts_with("localhost/hello:latest@sha256:"), "{first}");
    let said = inspected(&project, "hello");
    assert_eq!(said["config"]["Entrypoint"][0], "/bin/busybox");
    // Another run without cached results yields the same bytes.
    let again = build(&project, engine, &args(&["-n", "hello", "-c", "hello"])).run().success();
    assert_eq!(again.stdout, first);
    // A comment rebuilds nothing; a line of the template rebuilds one image, a file of the context both.
    let document = "images/hello/1/specifications.yaml";
    project.write(document, format!("# a comment\n{}", project.read(document)));
    assert!(json(&["hello"]).is_empty());
    project.edit("images/hello/1/templates/ubuntu.vtmp", "echo hello", "echo good day");
    assert_eq!(json(&["hello"]), ["hello@=1"]);
    project.write("images/os/1/frontier/etc/motd", "good day\n");
    assert_eq!(json(&["hello"]), ["hello@=1", "os@=1"]);
    // The result can be the root of any command.
    project.wake(["image", "save", "hello", "oci:saved:hello"]).run().success();

    project.edit("images/hello/1/templates/ubuntu.vtmp", "echo good day", "echo bad; false #");
    let failed = build(&project, engine, &args(&["hello"])).run().code(1);
    let line = format!("{engine} failed to build `hello@=1`: this line of `@run` failed");
    failed.mentions(&line).mentions("ubuntu.vtmp:5:5");
    project.edit("images/hello/1/templates/ubuntu.vtmp", "@run", "@copy\n    nowhere /\n@run");
    let failed = build(&project, engine, &args(&["hello"])).run().code(1);
    let line = format!("{engine} failed to build `hello@=1`: this line of `@copy` failed");
    failed.mentions(&line).mentions("ubuntu.vtmp:4:5");
}

#[test]
fn podman_builds_cached_images() {
    let flags = ["--engine-flag=--cgroup-manager=cgroupfs", "--engine-flag=--runtime=runc"];
    built_for_real("podman_builds_cached_images", "podman", &flags);
}

#[test]
fn buildah_builds_cached_images() {
    built_for_real(
        "buildah_builds_cached_images",
        "buildah",
        &["-A", "value: --runtime runc; when: ''"],
    );
}

/// The podman of an ordinary user is isolated by its own means, and leaves nothing that only root could remove.
#[test]
fn podman_builds_for_an_ordinary_user() {
    let test = "podman_builds_for_an_ordinary_user";
    let Some(project) = site(test) else { return };
    if !(has_program("podman") && has_program("runc") && has_program("setpriv") && is_root()) {
        return skip(test, "needs root, podman, runc and setpriv");
    }
    let hello = commands(&["busybox mkdir -p /opt", "busybox id -u > /opt/hello"]);
    image(&project, "hello", "1", NEEDS_OS, &hello);
    let program = copy_of_binary(project.base());
    let own = Command::new("chown").args(["-R", "65534:65534"]).arg(project.base()).status();
    assert!(own.unwrap().success());
    let user = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    let flags = ["--engine-flag=--cgroup-manager=cgroupfs", "--engine-flag=--runtime=runc"];
    let call = |args: &[&str]| {
        let args = [&flags[..], &MACHINE, args].concat();
        build(&project, "podman", &args).program(&program).wrapper(user)
    };
    let built = call(&["-n", "hello", "hello"]).run().success().stdout;
    assert!(built.starts_with("localhost/hello:latest@sha256:"), "{built}");
    assert!(ran(call(&["--message-format", "json", "hello"])).is_empty());
    let scratch = fs::read_dir(project.store().join("tmp")).into_iter().flatten().flatten();
    let scratch: Vec<PathBuf> = scratch.map(|entry| entry.path()).collect();
    assert_eq!(scratch, [] as [PathBuf; 0]);
    let mut others = Command::new("find");
    others.arg(project.base()).args(["!", "-user", "65534", "-print"]);
    assert_eq!(String::from_utf8(others.output().unwrap().stdout).unwrap(), "");
}

/// Replaces a tool by a program that reports a version and records its calls.
fn stand_in(project: &Project, name: &str, version: &str, script: &str) -> PathBuf {
    let bin = project.base().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let calls = project.base().join(format!("{name}.calls"));
    let text = format!(
        "#!/bin/sh\n# Stands in for {name}, which is not here.\ncase \"$1\" in\n--version|version) echo '{version}'; exit 0;;\nesac\n\
         echo \"{name} $*\" >> {}\n{script}\n",
        calls.display()
    );
    let program = bin.join(name);
    fs::write(&program, text).unwrap();
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    calls
}

fn with_stand_ins(project: &Project, call: Wake) -> Wake {
    let bin = project.base().join("bin");
    call.env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
}

/// A stand-in for docker that saves a fixed image of one file.
const DOCKER: &str = "\
while [ $# -gt 0 ]; do case \"$1\" in
-o) out=$2; shift;;
build) building=1;;
esac; shift; done
[ -z \"$out\" ] || cp \"$(dirname \"$0\")/saved.tar\" \"$out\"";

#[test]
fn an_image_built_by_docker_is_exported() {
    let Some(project) = site("an_image_built_by_docker_is_exported") else { return };
    image(&project, "hello", "1", NEEDS_OS, &commands(&["make", "make"]));
    project
        .wake([
            "image",
            "-s",
            "frontier",
            "-b",
            "podman",
            "-d",
            "ubuntu",
            "-i",
            "images",
            "build",
            "-o",
            "docker-archive:saved.tar:localhost/x:1",
            "os",
        ])
        .run()
        .success();
    let calls = stand_in(&project, "docker", "Docker version 24.0.7, build afdd53b", DOCKER);
    fs::rename(project.path("saved.tar"), project.base().join("bin/saved.tar")).unwrap();
    let call = || with_stand_ins(&project, build(&project, "docker", &["-n", "hello", "hello"]));
    let built = call().run().success();
    assert!(built.stdout.starts_with("localhost/hello:latest@sha256:"), "{}", built.stdout);
    let said = fs::read_to_string(&calls).unwrap();
    let ids: Vec<String> = said
        .split("localhost/wake-")
        .skip(1)
        .map(|rest| rest.split(':').next().unwrap().to_owned())
        .collect();
    let (os, hello) = (&ids[0], ids.last().unwrap());
    assert_eq!(
        said.replace(os, "OS").replace(hello, "HELLO"),
        "docker build --network none -f script -t localhost/wake-OS:latest context\n\
         docker save -o image localhost/wake-OS:latest\n\
         docker rmi --no-prune localhost/wake-OS:latest\n\
         docker load -q -i base\n\
         docker build --network none -f script -t localhost/wake-HELLO:latest context\n\
         docker save -o image localhost/wake-HELLO:latest\n\
         docker rmi --no-prune localhost/wake-HELLO:latest\n"
    );
    assert_eq!(inspected(&project, "hello")["config"]["Env"][0], "PATH=/bin");
    assert!(ran(call().args(["--message-format", "json"])).is_empty());
    // Another version of the tool counts as another tool.
    stand_in(&project, "docker", "Docker version 25.0.0, build afdd53b", DOCKER);
    assert_eq!(ran(call().args(["--message-format", "json"])).len(), 2);
}

/// A stand-in for docker whose build fails in the third line, with docker's message.
const FAILING_DOCKER: &str = "\
case \"$*\" in *' build '*|build*) ;; *) exit 0;; esac
while [ $# -gt 0 ]; do case \"$1\" in -f) script=$2;; esac; shift; done
grep -q 'wake_line=3 && cat /nothing' \"$script\" || exit 7
cat >&2 <<'E'
#5 [2/2] RUN trap 'wake_status=$?' EXIT && wake_line=1 &&     echo one
#5 0.243 one
#5 0.244 cat: /nothing: No such file or directory
#5 0.244 wake: stopped in line 3 of @run
#5 ERROR: process \"/bin/sh -c trap\" did not complete successfully: exit code: 1
E
exit 1";

#[test]
fn a_failed_build_by_a_tool_names_the_line() {
    let Some(project) = site("a_failed_build_by_a_tool_names_the_line") else { return };
    let lines = ["echo one", "true", "cat /nothing", "echo four"].join("\n    ");
    image(&project, "os", "1", "{}", &format!("@from\n    scratch\n@run\n    {lines}\n"));
    stand_in(&project, "docker", "Docker version 24.0.7, build afdd53b", FAILING_DOCKER);
    let failed = with_stand_ins(&project, build(&project, "docker", &["os"])).run().code(1);
    let said = failed.redacted_stderr();
    let id = said.split("-t localhost/wake-").nth(1).unwrap()[..12].to_owned();
    expect![[r#"
        [TIME] warning: the sandbox is weak: commands can see more than they declare
        [TIME] FAIL os@=1 (exit 1, [TIME])  /bin/sh -c 'set -e\x0a# docker 24.0.7\x0aforget() { for live in /tmp/wake.docker-"$1".*; do [ ! -e "$live" ] || return 0; done; docker rmi --no-prune localhost/wake-"$1":latest >/dev/null 2>&1 || :; }\x0afor old in /tmp/wake.docker-*; do if [ -L "$old" ] && [ ! -e "$old" ] && rm -f "$old"; then end=${old#/tmp/wake.docker-}; forget "${end%.*}"; fi; done 2>/dev/null\x0amark=$(mktemp -u /tmp/wake.docker-[ID].XXXXXX)\x0atrap '\''rm -f "$mark"; forget [ID]'\'' EXIT\x0aln -sn "$PWD" "$mark"\x0adocker build --network none -f script -t localhost/wake-[ID]:latest context\x0adocker save -o image localhost/wake-[ID]:latest\x0a'
          | #5 [2/2] RUN trap 'wake_status=$?' EXIT && wake_line=1 &&     echo one
          | #5 0.243 one
          | #5 0.244 cat: /nothing: No such file or directory
          | #5 0.244 wake: stopped in line 3 of @run
          | #5 ERROR: process "/bin/sh -c trap" did not complete successfully: exit code: 1
          log: wake log -o os@=1
        [TIME] FAILED 1 of 1 action failed in [TIME]: os@=1
        failed: os@=1
        error: docker failed to build `os@=1`: this line of `@run` failed: exit 1
         --> images/os/1/templates/ubuntu.vtmp:6:5
          |
        6 |     cat /nothing
          |     ^
          = note: `os@=1` is declared at images/os/1/specifications.yaml:4:7
          help: read its complete standard error in `[STORE]/blob/a3/[DIGEST]`
          help: run `wake image shell --before os@=1` to inspect the root that they started with
    "#]]
    .assert_eq(&said.replace(&id, "[ID]"));
}

#[test]
fn the_next_build_removes_what_a_killed_one_left() {
    let test = "the_next_build_removes_what_a_killed_one_left";
    let Some(project) = site(test) else { return };
    if !(has_program("podman") && has_program("runc") && is_root()) {
        return skip(test, "needs root, podman and runc");
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let wait = format!("busybox nc 127.0.0.1 {port}");
    image(&project, "hello", "1", NEEDS_OS, &commands(&[&wait]));
    let flags = ["--engine-flag=--cgroup-manager=cgroupfs", "--engine-flag=--runtime=runc"];
    let call = |target| {
        let args = [&flags[..], &MACHINE, &["--allow-network", target]].concat();
        build(&project, "podman", &args)
    };
    // Until the command that waits for this is running.
    let mut child = call("hello").spawn();
    let (mut stream, _) = listener.accept().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    // Its process ends as well.
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    let own = fs::canonicalize(project.base()).unwrap();
    let left = || {
        let links = fs::read_dir("/tmp").unwrap().flatten().map(|entry| entry.path());
        let links = links.filter(|path| path.to_string_lossy().starts_with("/tmp/wake."));
        let targets = links.filter_map(|link| fs::read_link(link).ok());
        targets.filter(|target| target.starts_with(&own)).count()
    };
    assert_eq!(left(), 1);
    call("os").args(["-c"]).run().success();
    assert_eq!(left(), 0);
    // A build that is stopped removes it itself.
    let mut child = call("hello").spawn();
    let (_stream, _) = listener.accept().unwrap();
    assert_eq!(left(), 1);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(left(), 0);
    let state = fs::read_dir("/run/runc").into_iter().flatten().flatten();
    let state = state.filter(|entry| entry.file_name().to_string_lossy().starts_with("buildah-"));
    assert_eq!(state.count(), 0);
}

/// A stand-in for docker with a daemon, `tags`, whose build of `hello` sets its tag at once and then waits for a
/// listener.
const WAITING_DOCKER: &str = "\
tags=$(dirname \"$0\")/tags; mkdir -p \"$tags\"
case \"$1\" in
build) while [ $# -gt 0 ]; do case \"$1\" in -t) tag=$2;; -f) script=$2;; esac; shift; done
    : > \"$tags/${tag#localhost/}\"
    if grep -q wait \"$script\"; then busybox nc 127.0.0.1 $(cat \"$(dirname \"$0\")/port\"); fi;;
save) cp \"$(dirname \"$0\")/saved.tar\" \"$3\";;
rmi) rm \"$tags/${3#localhost/}\";;
esac";

/// The tags in the stand-in's daemon, and the links for it in `/tmp`.
fn left_of_docker(project: &Project) -> (usize, usize) {
    let own = fs::canonicalize(project.base()).unwrap();
    let tags = fs::read_dir(project.base().join("bin/tags")).into_iter().flatten().count();
    let links = fs::read_dir("/tmp").unwrap().flatten().map(|entry| entry.path());
    let links = links.filter(|path| path.to_string_lossy().starts_with("/tmp/wake.docker-"));
    let targets = links.filter_map(|link| fs::read_link(link).ok());
    (tags, targets.filter(|target| target.starts_with(&own)).count())
}

#[test]
fn a_stopped_build_by_docker_leaves_no_tag_in_the_daemon() {
    let Some(project) = site("a_stopped_build_by_docker_leaves_no_tag_in_the_daemon") else {
        return;
    };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let from_scratch = |line: &str| format!("@from\n    scratch\n@run\n    {line}\n");
    image(&project, "hello", "1", "{}", &from_scratch("wait"));
    image(&project, "os", "1", "{}", &from_scratch("true"));
    stand_in(&project, "docker", "Docker version 24.0.7, build afdd53b", WAITING_DOCKER);
    let bin = project.base().join("bin");
    fs::write(bin.join("port"), listener.local_addr().unwrap().port().to_string()).unwrap();
    fs::write(bin.join("saved.tar"), "").unwrap();
    let call = |target| with_stand_ins(&project, build(&project, "docker", &[target]));
    // After a stop, nothing is left.
    for (signal, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let mut child = call("hello").spawn();
        let (_stream, _) = listener.accept().unwrap();
        assert_eq!(left_of_docker(&project), (1, 1));
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert_eq!(left_of_docker(&project), (0, 0));
    }
    // After a kill, the next build removes the rest, even if it is of another image, and even if it fails.
    let mut child = call("hello").spawn();
    let (mut stream, _) = listener.accept().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    assert_eq!(left_of_docker(&project), (1, 1));
    let built = call("os").run();
    assert_ne!(built.code, 0, "nothing that the stand-in saves is an image");
    assert_eq!(left_of_docker(&project), (0, 0));
}

#[test]
fn apptainer_builds_each_file_from_the_previous_one() {
    let Some(project) = site("apptainer_builds_each_file_from_the_previous_one") else { return };
    let document = |leaf: &str| {
        format!("build_specifications:\n  frontier:\n    apptainer:\n      ubuntu: {leaf}\n")
    };
    project.write("images/os/1/specifications.yaml", document("{}"));
    let os = "@from\n    r.example/os:1\n@run\n    make\n";
    project.write("images/os/1/templates/ubuntu.vtmp", os);
    image(&project, "hello", "1", NEEDS_OS, &commands(&["make hello"]));
    project.write("images/hello/1/specifications.yaml", document(&format!("{{{NEEDS_OS}}}")));
    let script = "for last; do before=${out:-}; out=${script:-}; script=$last; done\ncat \"$script\" > \"$out\"";
    let calls = stand_in(&project, "apptainer", "apptainer version 1.4.5+ds1-2", script);
    project.write(
        "images/.wake.lock",
        format!("wake-lock 1\nimage:r.example/os:1 sha256:{}\n", "ab".repeat(32)),
    );
    let call = |more: &[&str]| {
        let lead = ["image", "-s", "frontier", "-b", "apptainer", "-d", "ubuntu", "-i", "images"];
        let words = ["build", "--engine", "apptainer", "-n", "hello", "hello"];
        let call = project.wake(lead.iter().chain(&words).chain(more).copied());
        with_stand_ins(&project, call)
    };
    call(&[]).run().code(5).says(expect![[r#"
        [TIME] warning: the sandbox is weak: commands can see more than they declare
        error: apptainer must fetch `r.example/os:1` itself
         --> images/os/1/templates/ubuntu.vtmp:2:5
          |
        2 |     r.example/os:1
          |     ^
          help: use `--allow-network`
        [TIME] FAIL os@=1 (no result)
        [TIME] FAILED 1 of 2 actions failed in [TIME]: os@=1; 1 skipped
        failed: os@=1
    "#]]);
    let built = call(&["--allow-network"]).run().success();
    let file = project.path("hello.sif");
    assert!(built.stdout.starts_with(&format!("{}@sha256:", file.display())), "{}", built.stdout);
    let definition = fs::read_to_string(file).unwrap();
    let trap = "trap 'wake_status=$?; [ \"$wake_status\" -eq 0 ] || echo \"wake: stopped in line $wake_line of @run\" >&2' EXIT";
    let post = format!("%post\n    {trap}\n    wake_line=1\n    make hello\n");
    assert_eq!(definition, format!("Bootstrap: localimage\nFrom: ../base\n\n{post}\n"));
    let said = fs::read_to_string(calls).unwrap();
    assert_eq!(said, "apptainer build ../image ../script\n".repeat(2));
    call(&["--allow-network", "-o", "oci:x"])
        .run()
        .code(2)
        .mentions("does not produce an image that wake can read");
}

#[test]
fn an_openshift_build_runs_on_its_cluster() {
    let Some(project) = site("an_openshift_build_runs_on_its_cluster") else { return };
    let script = "case \"$*\" in\n'get imagestreamtag'*) echo '{\"image\":{}}';;\n'describe build'*) echo 'Status: Complete';;\nesac";
    let calls = stand_in(&project, "oc", "Client Version: v4.14.0", script);
    let call = with_stand_ins(&project, build(&project, "openshift", &["--allow-network", "os"]));
    let built = call.run().success();
    assert!(built.stdout.contains("@sha256:"), "{}", built.stdout);
    let said = fs::read_to_string(calls).unwrap();
    for word in ["oc get buildconfigs v-", "oc start-build v-", "oc get imagestreamtag v-"] {
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn a_missing_or_outdated_tool_is_reported_before_anything_runs() {
    let Some(project) = site("a_missing_or_outdated_tool_is_reported_before_anything_runs") else {
        return;
    };
    let call = |engine| with_stand_ins(&project, build(&project, engine, &["os"]));
    call("apptainer").run().code(10).says(expect![[r#"
        error: no program `apptainer` in `PATH` to build the images with
         help: omit `--engine` to build the images with wake
    "#]]);
    let calls = stand_in(&project, "singularity", "singularity version 2.6.1", "");
    call("singularity").run().code(10).says(expect![[r#"
        error: singularity 2.6.1 is too old
         help: install 3.7.0 or later
    "#]]);
    assert!(!calls.exists());
    stand_in(&project, "singularity", "none", "");
    call("singularity").run().code(10).says(expect![[r#"
        error: cannot determine the version of `[BASE]/bin/singularity`: it printed `none` (exit status: 0)
    "#]]);
    call("ducker").run().code(2).says(expect![[r#"
        error: `ducker` is not an image engine
         help: omit `--engine` to build the images with wake
    "#]]);
    // A dry run prints what would be run, and runs nothing.
    let dry = with_stand_ins(&project, build(&project, "docker", &["-d", "os"])).run().success();
    assert!(dry.stdout.contains("docker build -f ") && dry.stdout.contains("FROM scratch"));
}

/// The directory of a real Apptainer, from this machine or from `scripts/setup`. No release of Debian has it, so its
/// absence is never a failure.
fn real_apptainer(test: &str) -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/apptainer/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let answers = |dir: &PathBuf| {
        let asked = Command::new(dir.join("apptainer")).arg("--version").output();
        asked.is_ok_and(|output| output.status.success())
    };
    let found = std::env::split_paths(&path).chain([beside]).find(answers);
    if found.is_none() {
        skipped(test, "needs apptainer, which no release of Debian has");
    }
    found
}

#[test]
fn a_real_apptainer_builds_definitions() {
    let test = "a_real_apptainer_builds_definitions";
    let Some(project) = site(test) else { return };
    let Some(dir) = real_apptainer(test) else { return };
    let Some(registry) = Registry::start(test, &project.base().join("registry"), "") else {
        return;
    };
    let name = format!("{}/team/os:1", registry.host);
    crate::wake(&project, &["build", "-o", &name, "os"]).run().success();
    let document = |name: &str, leaf: &str, template: &str| {
        let text = format!(
            "build_specifications:\n  frontier:\n    apptainer:\n      ubuntu: {{{leaf}}}\n"
        );
        project.write(&format!("images/{name}/1/specifications.yaml"), text);
        project.write(&format!("images/{name}/1/templates/ubuntu.vtmp"), template);
    };
    let base = format!("@from\n    {name}\n@run\n    busybox mkdir -p /tmp /opt\n");
    document("base", "arguments: [--no-https]", &base);
    let app = "@from
    %(__base__)
@copy
    data /opt/data
@run
    cat /opt/data > /opt/hello
    echo again >> /opt/hello
@env
    WHO you
@label
    team tools
@entry
    /bin/busybox sh -c 'cat /opt/hello; echo $WHO'
";
    document("app", "dependencies: [base]", app);
    project.write("images/app/1/frontier/data", "hello\n");
    let call = || {
        let lead = ["image", "-s", "frontier", "-b", "apptainer", "-d", "ubuntu", "-i", "images"];
        let words = ["build", "--engine", "apptainer", "--allow-network", "-n", "app", "app"];
        let path = format!("{}:/usr/bin:/bin:/usr/sbin:/sbin", dir.display());
        project.wake(lead.iter().chain(&words)).env("PATH", path)
    };
    let json = || ran(call().args(["--message-format", "json"]));
    call().run().success();
    let run = |args: &[&str]| {
        let mut apptainer = Command::new(dir.join("apptainer"));
        apptainer.args(args).arg("app.sif").current_dir(project.root());
        String::from_utf8(apptainer.output().unwrap().stdout).unwrap()
    };
    assert_eq!(run(&["run"]), "hello\nagain\nyou\n");
    assert!(run(&["inspect"]).contains("team: tools"));
    assert!(json().is_empty());
    // A changed line rebuilds one image, from the existing file of its base.
    let template = "images/app/1/templates/ubuntu.vtmp";
    project.edit(template, "echo again", "echo once more");
    assert_eq!(json(), ["app@=1"]);
    assert_eq!(run(&["run"]), "hello\nonce more\nyou\n");
    let failed = |line: &str, place: &str| {
        let said = format!("apptainer failed to build `app@=1`: this line of `{line}` failed");
        call().run().code(1).mentions(&said).mentions(place);
    };
    project.edit(template, "echo once more >> /opt/hello", "cat /nothing");
    failed("@run", "ubuntu.vtmp:7:5");
    project.edit(template, "data /opt/data", "date /opt/data");
    failed("@copy", "ubuntu.vtmp:4:5");
}
