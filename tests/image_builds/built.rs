//! Image builds, and what they are cached by.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::process::Command;
use std::thread;

use wake_tests::{copy_of_binary, copy_tree, has_program, is_root, project, skip};

use crate::containers::Registry;
use crate::{NEEDS_OS, commands, image, inspected, last_layer, ran, site, wake};

const HELLO: &str = "@from
    %(__base__)
@run
    mkdir -p /opt/hello
    echo \"hello from $(id -u)\" > /opt/hello/text
@env
    WHO you
    PATH /opt/hello:$PATH
@label
    team tools
@entry
    /bin/busybox cat /opt/hello/text
";

#[test]
fn an_image_is_built_reproducibly_without_other_tools() {
    let Some(one) = site("an_image_is_built_reproducibly_without_other_tools") else { return };
    image(&one, "hello", "1", NEEDS_OS, HELLO);
    let built = wake(&one, &["build", "-n", "hello", "hello"]).run().success();
    let said = inspected(&one, "hello");
    let digest = said["digest"].as_str().unwrap().to_owned();
    assert_eq!(built.stdout, format!("localhost/hello:latest@{digest}\n"));
    let config = &said["config"];
    assert_eq!(config["Env"], serde_json::json!(["PATH=/opt/hello:/bin", "WHO=you"]));
    assert_eq!(config["Labels"]["team"], "tools");
    assert_eq!(said["layers"].as_array().unwrap().len(), 2);
    assert!(ran(&one, &["hello"]).is_empty());

    // Another directory and store, other times; and another user, if possible.
    let other = project().build();
    copy_tree(one.root(), other.root());
    other.touch("images/os/1/frontier/busybox");
    let mut call = wake(&other, &["build", "-n", "hello", "hello"]);
    if is_root() && has_program("setpriv") {
        let program = copy_of_binary(other.base());
        let own = Command::new("chown").args(["-R", "65534:65534"]).arg(other.base()).status();
        assert!(own.unwrap().success());
        let user = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
        call = call.program(program).wrapper(user);
    }
    assert_eq!(call.run().success().stdout, built.stdout);
    runs_in_podman(&one, &digest);
}

/// Pushes the image, and pulls and runs it with another engine.
fn runs_in_podman(project: &wake_tests::Project, digest: &str) {
    let test = "an_image_runs_in_another_engine";
    if !(has_program("podman") && has_program("runc") && is_root()) {
        return skip(test, "needs root, podman and runc");
    }
    let Some(registry) = Registry::start(test, &project.base().join("registry"), "") else {
        return;
    };
    let target = format!("{}/team/hello:1", registry.host);
    wake(project, &["push", "hello", &target]).run().success();
    let podman = |args: &[&str]| {
        let mut podman = Command::new("podman");
        let dir = project.base();
        podman.arg("--root").arg(dir.join("podman")).arg("--runroot").arg(dir.join("podman-run"));
        podman.args(["--storage-driver", "vfs", "--cgroup-manager", "cgroupfs"]);
        let output = podman.args(["--runtime", "runc"]).args(args).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let pinned = format!("{}/team/hello@{digest}", registry.host);
    podman(&["pull", "--quiet", "--tls-verify=false", &pinned]);
    let run = ["run", "--rm", "--network", "none", "--ulimit", "nofile=1024:1024"];
    let run = [&run[..], &["--ulimit", "nproc=4096:4096", &pinned]].concat();
    assert_eq!(podman(&run), "hello from 0\n");
}

#[test]
fn only_relevant_changes_rebuild_an_image() {
    let Some(project) = site("only_relevant_changes_rebuild_an_image") else { return };
    image(&project, "a", "1", NEEDS_OS, &commands(&["echo a > /a"]));
    image(&project, "b", "1", "dependencies: [a]", &commands(&["cat /a > /b"]));
    let all = ["a@=1", "a@=1:run", "b@=1", "b@=1:run", "os@=1"];
    assert_eq!(ran(&project, &["b"]), all);
    let specification = "images/a/1/specifications.yaml";
    project.edit(specification, "build_spec", "# of nobody's business\nbuild_spec");
    let template = "images/a/1/templates/ubuntu.vtmp";
    project.edit(template, "echo a", "# more\n    echo a");
    assert!(ran(&project, &["b"]).is_empty());
    // An unchanged result stops further work.
    project.edit(template, "echo a >", "echo 'a' >");
    assert_eq!(ran(&project, &["b"]), ["a@=1:run"]);
    project.edit(template, "echo 'a'", "echo other");
    assert_eq!(ran(&project, &["b"]), ["a@=1", "a@=1:run", "b@=1", "b@=1:run"]);
    project.write("images/os/1/frontier/etc/motd", "good day\n");
    assert_eq!(ran(&project, &["b"]), all);
}

#[test]
fn another_host_reuses_images_built_here() {
    let test = "another_host_reuses_images_built_here";
    let Some(project) = site(test) else { return };
    if !(is_root() && has_program("unshare")) {
        return skip(test, "needs root and unshare");
    }
    image(&project, "a", "1", NEEDS_OS, &commands(&["echo a > /a"]));
    assert_eq!(ran(&project, &["a"]), ["a@=1", "a@=1:run", "os@=1"]);
    project.write("release", "ID=other\n");
    let release = project.path("release");
    let other = format!(
        "mount --bind {} /etc/os-release && hostname elsewhere && exec \"$@\"",
        release.display()
    );
    let call = wake(&project, &["--message-format", "json", "build", "a"]);
    let call = call.env("PATH", std::env::var_os("PATH").unwrap());
    let call = call.wrapper(["unshare", "-m", "-u", "sh", "-c", other.as_str(), "sh"]);
    assert!(call.run().success().events().ran().is_empty());
}

#[test]
fn independent_images_are_built_concurrently() {
    let Some(project) = site("independent_images_are_built_concurrently") else { return };
    wake(&project, &["build", "-o", "oci:base", "os"]).run().success();
    let base = project.path("base").display().to_string();
    // Each command waits until another one is running.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let names = ["a", "b", "c", "d"];
    for name in names {
        let template =
            format!("@from\n    oci:{base}\n@run\n    busybox nc 127.0.0.1 {port} > /{name}\n");
        image(&project, name, "1", "{}", &template);
    }
    let pairs = thread::spawn(move || {
        for _ in 0..2 {
            let mut pair = [listener.accept().unwrap().0, listener.accept().unwrap().0];
            listener.set_nonblocking(true).unwrap();
            let third = listener.accept().is_ok();
            listener.set_nonblocking(false).unwrap();
            assert!(!third, "three commands run at once");
            pair.iter_mut().for_each(|stream| stream.write_all(b"go\n").unwrap());
            for mut stream in pair {
                stream.shutdown(std::net::Shutdown::Write).unwrap();
                let _ = stream.read(&mut [0]);
            }
        }
    });
    let build = ["-j", "2", "build", "--allow-network", "a", "b", "c", "d"];
    let built = wake(&project, &build).run().success();
    assert_eq!(built.stdout.lines().count(), 4);
    pairs.join().unwrap();
}

#[test]
fn files_created_by_a_prolog_are_copied() {
    let Some(project) = site("files_created_by_a_prolog_are_copied") else { return };
    if !has_program("bash") {
        return skip("files_created_by_a_prolog_are_copied", "needs bash");
    }
    let template = "@from\n    %(__base__)\n@copy\n    made/text /opt/\n    made /srv/made\n@run\n    cat /opt/text\n";
    let leaf = "{dependencies: [os], prolog: get.sh}";
    image(&project, "app", "1", leaf, template);
    let prolog = "mkdir made\ncat given > made/text\n";
    project.write("images/app/1/frontier/get.sh", prolog);
    project.write("images/app/1/frontier/given", "given\n");
    let app = ["app@=1", "app@=1:copy", "app@=1:prolog", "app@=1:run"];
    assert_eq!(ran(&project, &["app"]), [&app[..], &["os@=1"]].concat());
    assert!(ran(&project, &["app"]).is_empty());
    // If a changed prolog leaves the same files, later steps do not run.
    project.write("images/app/1/frontier/get.sh", "mkdir -p made\ncat given > made/text\n");
    let again = ran(&project, &["app"]);
    assert_eq!(again[..1], ["app@=1:prolog"], "{again:?}");
    project.write("images/app/1/frontier/get.sh", "false\nmkdir made\n");
    let failed = wake(&project, &["build", "app"]).run().code(1);
    failed.mentions("error: the prolog of `app@=1` failed: exit 1");
}

#[test]
fn image_builds_are_explained_and_their_logs_kept() {
    let Some(project) = site("image_builds_are_explained_and_their_logs_kept") else { return };
    image(&project, "a", "1", NEEDS_OS, &commands(&["echo one", "echo one > /a"]));
    wake(&project, &["build", "a"]).run().success();
    assert_eq!(project.wake(["log", "-o", "a@=1:run"]).run().success().stdout, "one\n");
    project.edit("images/a/1/templates/ubuntu.vtmp", "echo one > /a", "echo two > /a");
    let why = wake(&project, &["why", "a"]).run().success().stdout;
    assert!(why.contains("a@=1:run") && why.contains("args.1") && why.contains("two"), "{why}");
    let entered = wake(&project, &["shell", "a", "--", "busybox", "cat", "/a"]);
    assert_eq!(entered.run().success().stdout, "two\n");
    let before = wake(&project, &["shell", "--before", "a", "--", "busybox", "cat", "/a"]);
    before.run().code(1);
}

#[test]
fn images_of_the_second_generation_are_built() {
    let Some(one) = site("images_of_the_second_generation_are_built") else { return };
    if !has_program("bash") {
        return skip("images_of_the_second_generation_are_built", "needs bash");
    }
    wake(&one, &["build", "-o", "oci:base", "os"]).run().success();
    let base = one.path("base").display().to_string();
    let specs = "versions:
  - spec: [1.2.3]
files:
  - name: given
prologs:
  - script: |
      echo \"$word\" > made
variables:
  - name: word
    value: 'two words'
";
    let template = format!(
        "@from
    oci:{base}
@copy
    made /srv/
    given /srv/
@run
    !envar PLACE /srv
    busybox cat $PLACE/made $PLACE/given > /all
@env
    MORE $PATH:/srv
"
    );
    let project = project()
        .file("images/tool/specs.yaml", specs)
        .file("images/tool/templates/default.vtmp", &template)
        .file("images/tool/files/given", "given\n")
        .build();
    let args = ["build", "-n", "tool", "tool@1.2.3"];
    wake(&project, &args).run().success();
    let entered = wake(&project, &["shell", "tool", "--", "busybox", "cat", "/all"]);
    assert_eq!(entered.run().success().stdout, "two words\ngiven\n");
    let env = &inspected(&project, "tool")["config"]["Env"];
    assert_eq!(*env, serde_json::json!(["PATH=/bin", "MORE=/bin:/srv", "PLACE=/srv"]));

    // Lines that only another tool could use are rejected, at their position.
    project.edit("images/tool/templates/default.vtmp", "@copy", "@pre\n    USER 7\n@copy");
    wake(&project, &args)
        .run()
        .code(5)
        .mentions("`@pre` and `@post` lines need another build tool");
}

#[test]
fn commands_longer_than_one_argument_are_run() {
    let Some(project) = site("commands_longer_than_one_argument_are_run") else { return };
    // Multi-byte characters, so that some part ends within one.
    let lines: Vec<String> =
        (0..2500).map(|number| format!("echo 'ä{number} {}' >> /lines", "ö".repeat(50))).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let check = [&lines[..], &["test $# = 0", "busybox wc -l < /lines > /count"]].concat();
    let template = |lines: &[&str]| commands(lines).replace("$#", "${@:-0}");
    image(&project, "a", "1", NEEDS_OS, &template(&check));
    wake(&project, &["build", "-n", "a", "a"]).run().success();
    image(&project, "b", "1", "dependencies: [a]", &commands(&["test $(cat /count) = 2500"]));
    wake(&project, &["build", "b"]).run().success();
    // Its lines are still identified by their numbers.
    let failing = [&lines[..], &["false"]].concat();
    image(&project, "c", "1", NEEDS_OS, &commands(&failing));
    let failed = wake(&project, &["build", "c"]).run().code(1);
    let failed = failed.mentions("ubuntu.vtmp:2504:5").mentions(" more\n");
    assert!(failed.stderr.len() < 20_000, "all of the commands are shown");
}

#[test]
fn an_image_is_pushed_with_its_sbom() {
    let test = "an_image_is_pushed_with_its_sbom";
    let Some(project) = site(test) else { return };
    let Some(registry) = Registry::start(test, &project.base().join("registry"), "") else {
        return;
    };
    let name = |repository: &str| format!("{}/wake/{repository}:1", registry.host);
    wake(&project, &["build", "-o", &name("os"), "os"]).run().success();
    assert_eq!(registry.tags("os").len(), 2);
    let sbom = wake(&project, &["inspect", "--sbom", &name("os")]).run().success().stdout;
    assert!(sbom.contains("SPDX-2.3"), "{sbom}");
    wake(&project, &["build", "--no-sbom", "-o", &name("bare"), "os"]).run().success();
    assert_eq!(registry.tags("bare"), ["1"]);
}

#[test]
fn a_dry_run_prints_the_calls_of_the_backend() {
    let Some(project) = site("a_dry_run_prints_the_calls_of_the_backend") else { return };
    let shown = |args: &[&str]| wake(&project, args).run().success().stdout;
    let script = shown(&["script", "os"]);
    assert!(script.contains("\tpodman build -f "), "{script}");
    assert_eq!(shown(&["build", "-d", "os"]), script.split("==> podman untag").next().unwrap());
    let docker = shown(&["build", "-d", "-e", "docker", "os"]);
    assert!(docker.contains("\tdocker build -f "), "{docker}");
}

#[test]
fn commands_run_as_the_user_of_their_image() {
    let test = "commands_run_as_the_user_of_their_image";
    let Some(project) = site(test) else { return };
    if !(is_root() && has_program("setpriv")) {
        return skip(test, "needs root and setpriv");
    }
    let passwd = "root:x:0:0::/:/bin/sh\nbo:x:7:8::/home/bo:\n";
    project.write("images/os/1/frontier/etc/passwd", passwd);
    let below = ["busybox mkdir -p /home/bo", "busybox chown 7:8 /home/bo"];
    image(&project, "home", "1", NEEDS_OS, &commands(&below));
    wake(&project, &["build", "-o", "oci:home", "home"]).run().success();
    // No line of a template sets the user of an image, so the test does.
    let digest = with_user(&project, "home", "bo");
    let template = |lines: &[&str]| {
        let lines: String = lines.iter().map(|line| format!("    {line}\n")).collect();
        format!("@from\n    oci:../home@{digest}\n@run\n    id() {{ busybox id \"$@\"; }}\n{lines}")
    };
    let lines = ["echo $(id -u):$(id -g) $HOME > /home/bo/who", "echo x > /home/bo/x"];
    image(&project, "a", "1", "{}", &template(&lines));
    let theirs = [
        "-rw-r--r-- 7/8              13 1980-01-02 00:00 home/bo/who",
        "-rw-r--r-- 7/8               2 1980-01-02 00:00 home/bo/x",
    ];
    wake(&project, &["build", "-n", "a", "-o", "oci:made", "a"]).run().success();
    assert_eq!(last_layer(&project.path("made")), theirs);
    let who = wake(&project, &["shell", "a", "--", "busybox", "cat", "/home/bo/who"]);
    assert_eq!(who.run().success().stdout, "7:8 /home/bo\n");
    // They do not change files of others.
    image(&project, "b", "1", "{}", &template(&["echo x > /etc/motd"]));
    wake(&project, &["build", "b"]).run().code(1).mentions("this line of `@run` failed");
    // There is no such user.
    let digest = with_user(&project, "home", "eve");
    let of_eve = format!("@from\n    oci:../home@{digest}\n@run\n    true\n");
    image(&project, "c", "1", "{}", &of_eve);
    wake(&project, &["build", "c"]).run().code(5).mentions("the image has no user `eve`");
    with_user(&project, "home", "bo");

    // A single available user stands for that user, with the same restrictions.
    let program = copy_of_binary(project.base());
    let own = Command::new("chown").args(["-R", "65534:65534"]).arg(project.base()).status();
    assert!(own.unwrap().success());
    let user = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    let store = project.base().join("own");
    let as_user =
        |args: &[&str]| wake(&project, args).program(&program).wrapper(user).store(&store);
    as_user(&["build", "-n", "a", "-o", "oci:alone", "a"]).run().success();
    assert_eq!(last_layer(&project.path("alone")), theirs);
    let failed = as_user(&["build", "b"]).run().code(1);
    failed
        .mentions("`/etc/motd` belongs to user 0, and user 7 changed it")
        .mentions("error: the changes made by `@run` of `b@=1` cannot be kept\n");
}

/// Sets the user of the image in a layout; returns its new digest.
fn with_user(project: &wake_tests::Project, layout: &str, user: &str) -> String {
    let dir = project.path(layout);
    let path = |digest: &str| dir.join("blobs").join(digest.replace(':', "/"));
    let read = |path: &std::path::Path| -> serde_json::Value {
        serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
    };
    let put = |value: &serde_json::Value| {
        let (text, place) = (value.to_string(), dir.join("new"));
        fs::write(&place, &text).unwrap();
        let sum = Command::new("sha256sum").arg(&place).output().unwrap().stdout;
        let sum = String::from_utf8(sum).unwrap();
        let digest = format!("sha256:{}", sum.split(' ').next().unwrap());
        fs::rename(&place, path(&digest)).unwrap();
        (digest, text.len())
    };
    let mut index = read(&dir.join("index.json"));
    let mut manifest = read(&path(index["manifests"][0]["digest"].as_str().unwrap()));
    let mut config = read(&path(manifest["config"]["digest"].as_str().unwrap()));
    config["config"]["User"] = user.into();
    let (digest, size) = put(&config);
    manifest["config"]["digest"] = digest.into();
    manifest["config"]["size"] = size.into();
    let (digest, size) = put(&manifest);
    index["manifests"][0]["digest"] = digest.clone().into();
    index["manifests"][0]["size"] = size.into();
    fs::write(dir.join("index.json"), index.to_string()).unwrap();
    digest
}
