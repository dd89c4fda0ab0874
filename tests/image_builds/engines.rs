//! Images that other tools build, as steps.

use std::fs;
use std::path::PathBuf;

use wake_tests::{Project, Wake, expect, has_program, is_root, skip};

use crate::{NEEDS_OS, commands, image, site};

/// What podman and buildah need on machines whose control groups and limits are not theirs to change.
const MACHINE: [&str; 4] = [
    "-A",
    "value: --ulimit nofile=1024:1024; when: ''",
    "-A",
    "value: --ulimit nproc=4096:4096; when: ''",
];

/// `wake image build --engine`, where the programs of Debian's packages are found.
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

/// By a tool that is really here.
fn built_for_real(test: &str, engine: &str, flags: &[&str]) {
    let Some(project) = site(test) else { return };
    if !(has_program(engine) && has_program("runc") && is_root()) {
        return skip(test, "the tool or runc is not here, or one is not root");
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
    // The same bytes from another run, of which nothing is remembered.
    let again = build(&project, engine, &args(&["-n", "hello", "-c", "hello"])).run().success();
    assert_eq!(again.stdout, first);
    // A comment builds nothing; a line of the template one image, a file of the context both.
    let document = "images/hello/1/specifications.yaml";
    project.write(document, format!("# a comment\n{}", project.read(document)));
    assert!(json(&["hello"]).is_empty());
    project.edit("images/hello/1/templates/ubuntu.vtmp", "echo hello", "echo good day");
    assert_eq!(json(&["hello"]), ["hello@=1"]);
    project.write("images/os/1/frontier/etc/motd", "good day\n");
    assert_eq!(json(&["hello"]), ["hello@=1", "os@=1"]);
    // What is built is a root for any command.
    project.wake(["image", "save", "hello", "oci:saved:hello"]).run().success();

    project.edit("images/hello/1/templates/ubuntu.vtmp", "echo good day", "echo bad; false #");
    let failed = build(&project, engine, &args(&["hello"])).run().code(1);
    failed.mentions(&format!("{engine} did not build `hello@=1`")).mentions("ubuntu.vtmp:2:5");
}

#[test]
fn podman_builds_images_that_are_remembered() {
    let flags = ["--engine-flag=--cgroup-manager=cgroupfs", "--engine-flag=--runtime=runc"];
    built_for_real("podman_builds_images", "podman", &flags);
}

#[test]
fn buildah_builds_images_that_are_remembered() {
    built_for_real("buildah_builds_images", "buildah", &["-A", "value: --runtime runc; when: ''"]);
}

/// Puts a program in the place of a tool, which says which version it is and writes down how it was called.
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

/// A docker that saves what another tool would have made of nothing: an image of one file.
const DOCKER: &str = "\
while [ $# -gt 0 ]; do case \"$1\" in
-o) out=$2; shift;;
build) building=1;;
esac; shift; done
[ -z \"$out\" ] || cp \"$(dirname \"$0\")/saved.tar\" \"$out\"";

#[test]
fn docker_is_told_to_build_and_its_image_is_taken() {
    let Some(project) = site("docker_is_told_to_build") else { return };
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
    // Another version of the tool is another tool.
    stand_in(&project, "docker", "Docker version 25.0.0, build afdd53b", DOCKER);
    assert_eq!(ran(call().args(["--message-format", "json"])).len(), 2);
}

#[test]
fn apptainer_makes_files_each_from_the_one_before() {
    let Some(project) = site("apptainer_makes_files") else { return };
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
        [TIME] warning: the sandbox is weak: commands can see more than what is declared
        error: apptainer fetches `r.example/os:1` itself
         --> images/os/1/templates/ubuntu.vtmp:2:5
          |
        2 |     r.example/os:1
          |     ^
          help: let it reach the network: `--allow-network`
        [TIME] FAIL os@=1 (no result)
        [TIME] FAILED 1 of 2 actions failed in [TIME]: os@=1; 1 skipped
        failed: os@=1
    "#]]);
    let built = call(&["--allow-network"]).run().success();
    let file = project.path("hello.sif");
    assert!(built.stdout.starts_with(&format!("{}@sha256:", file.display())), "{}", built.stdout);
    let definition = fs::read_to_string(file).unwrap();
    assert_eq!(definition, "Bootstrap: localimage\nFrom: ../base\n\n%post\n    make hello\n\n");
    let said = fs::read_to_string(calls).unwrap();
    assert_eq!(said, "apptainer build ../image ../script\n".repeat(2));
    call(&["--allow-network", "-o", "oci:x"]).run().code(2).mentions("makes none that wake reads");
}

#[test]
fn a_cluster_is_asked_and_what_it_says_is_kept() {
    let Some(project) = site("a_cluster_is_asked") else { return };
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
fn a_tool_that_is_not_here_or_too_old_is_an_error_before_anything_runs() {
    let Some(project) = site("a_tool_that_is_not_here") else { return };
    let call = |engine| with_stand_ins(&project, build(&project, engine, &["os"]));
    call("apptainer").run().code(10).says(expect![[r#"
        error: there is no program `apptainer` in `PATH`, and it is to build
         help: without `--engine` wake builds images itself
    "#]]);
    let calls = stand_in(&project, "singularity", "singularity version 2.6.1", "");
    call("singularity").run().code(10).says(expect![[r#"
        error: singularity 2.6.1 is too old to build
         help: it must be 3.7.0 or later
    "#]]);
    assert!(!calls.exists());
    stand_in(&project, "singularity", "none", "");
    call("singularity").run().code(10).says(expect![[r#"
        error: `[BASE]/bin/singularity` does not say which version it is: it says `none`, and ends with exit status: 0
    "#]]);
    call("ducker").run().code(2).says(expect![[r#"
        error: `ducker` is no engine that builds images
         help: without `--engine` wake builds them itself
    "#]]);
    // What would be said and run, and nothing is.
    let dry = with_stand_ins(&project, build(&project, "docker", &["-d", "os"])).run().success();
    assert!(dry.stdout.contains("docker build -f ") && dry.stdout.contains("FROM scratch"));
}
