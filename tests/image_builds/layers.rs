//! The layer of a command's changes.

use std::fs;
use std::process::Command;

use wake_tests::{has_program, is_root, skip};

use crate::{NEEDS_OS, commands, image, last_layer, layout, ran, site, wake};

#[test]
fn a_layer_contains_only_changes() {
    let Some(project) = site("a_layer_contains_only_changes") else { return };
    let before = [
        "mkdir -p /keep /away/deep /emptied /again",
        "for x in a b c; do echo $x > /keep/$x; echo $x > /emptied/$x; echo $x > /again/$x; done",
        "echo x > /away/deep/x",
        "ln -s a /keep/link",
        "busybox chmod 640 /keep/b",
    ];
    let with_tools = |lines: &[&str]| {
        let tools = "for x in mkdir ln rm mv touch chmod cp; do eval \"$x() { busybox $x \\\"\\$@\\\"; }\"; done";
        commands(&[&[tools], lines].concat())
    };
    image(&project, "before", "1", NEEDS_OS, &with_tools(&before));
    let after = [
        // Files that are touched, rewritten with the same bytes, or moved away and back are not included.
        "touch /keep/a && echo c > /keep/c && mv /keep/link /l && mv /l /keep/link",
        "chmod 600 /keep/b && chmod 640 /keep/b",
        // Removed files are.
        "rm /etc/motd && rm -r /away && rm /emptied/*",
        // A directory that replaces another one contains only what was created in it.
        "rm -r /again && mkdir /again && echo new > /again/new && echo b > /again/b",
        "mkdir /new && chmod 1777 /new && echo s > /new/s && chmod 4711 /new/s",
        "ln -s ../new/s /new/link && ln /new/s /new/hard",
        "chmod 700 /keep",
    ];
    image(&project, "after", "1", "dependencies: [before]", &with_tools(&after));
    wake(&project, &["build", "-n", "after", "after"]).run().success();
    let listed = last_layer(&layout(&project, "after"));
    let expected = [
        "-rw-r--r-- 0/0               0 1980-01-02 00:00 .wh.away",
        "-rw-r--r-- 0/0               0 1980-01-02 00:00 again/.wh.a",
        "-rw-r--r-- 0/0               0 1980-01-02 00:00 again/.wh.c",
        "-rw-r--r-- 0/0               4 1980-01-02 00:00 again/new",
        "-rw-r--r-- 0/0               0 1980-01-02 00:00 emptied/.wh..wh..opq",
        "-rw-r--r-- 0/0               0 1980-01-02 00:00 etc/.wh..wh..opq",
        "drwx------ 0/0               0 1980-01-02 00:00 keep/",
        "drwxrwxrwt 0/0               0 1980-01-02 00:00 new/",
        "-rws--x--x 0/0               2 1980-01-02 00:00 new/hard",
        "lrwxrwxrwx 0/0               0 1980-01-02 00:00 new/link -> ../new/s",
        "-rws--x--x 0/0               2 1980-01-02 00:00 new/s",
    ];
    // A directory that had a single file records the removal of that file.
    let expected = expected.map(|line| line.replace("etc/.wh..wh..opq", "etc/.wh.motd"));
    assert_eq!(listed, expected);
    another_tool_agrees(&project);
}

fn another_tool_agrees(project: &wake_tests::Project) {
    if !(has_program("umoci") && is_root()) {
        return skip("another_tool_agrees", "needs root and umoci");
    }
    let image = format!("{}:latest", project.path("layout").display());
    let bundle = project.path("bundle");
    let mut umoci = Command::new("umoci");
    let status = umoci.args(["unpack", "--image", &image]).arg(&bundle).status();
    assert!(status.unwrap().success());
    let names = |dir: &str| {
        let entries = fs::read_dir(bundle.join("rootfs").join(dir)).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    };
    assert_eq!(names("again"), ["b", "new"]);
    assert!(names("emptied").is_empty() && names("etc").is_empty());
    assert_eq!(names("keep"), ["a", "b", "c", "link"]);
    assert!(!names("").contains(&"away".to_owned()));
}

#[test]
fn a_file_keeps_the_owner_that_a_command_sets() {
    let test = "a_file_keeps_the_owner_that_a_command_sets";
    let Some(project) = site(test) else { return };
    if !is_root() {
        return skip(test, "needs root");
    }
    let lines = ["echo x > /x", "busybox chown 7:8 /x", "busybox mkdir /d", "busybox chown 9 /d"];
    image(&project, "a", "1", NEEDS_OS, &commands(&lines));
    // Files keep their owner, whatever is done to them.
    image(&project, "b", "1", "dependencies: [a]", &commands(&["echo y >> /x"]));
    wake(&project, &["build", "-n", "a", "a"]).run().success();
    let a = [
        "drwxr-xr-x 9/0               0 1980-01-02 00:00 d/",
        "-rw-r--r-- 7/8               2 1980-01-02 00:00 x",
    ];
    assert_eq!(last_layer(&layout(&project, "a")), a);
    wake(&project, &["build", "-n", "b", "b"]).run().success();
    let b = ["-rw-r--r-- 7/8               4 1980-01-02 00:00 x"];
    assert_eq!(last_layer(&layout(&project, "b")), b);

    // A single available user has them as declared.
    let digest = crate::inspected(&project, "a")["digest"].as_str().unwrap().to_owned();
    wake(&project, &["save", "a", "oci:given"]).run().success();
    let given = format!("@from\n    oci:../given@{digest}\n@run\n    echo y >> /x\n");
    image(&project, "c", "1", "{}", &given);
    let user = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"];
    let program = wake_tests::copy_of_binary(project.base());
    let own = Command::new("chown").args(["-R", "65534:65534"]).arg(project.base()).status();
    assert!(own.unwrap().success());
    let own_store = project.base().join("own");
    let as_user =
        |args: &[&str]| wake(&project, args).program(&program).wrapper(user).store(&own_store);
    as_user(&["build", "-n", "c", "-o", "oci:made", "c"]).run().success();
    assert_eq!(last_layer(&project.path("made")), b);
    // What it cannot do fails, and is not ignored.
    image(&project, "d", "1", "{}", &given.replace("echo y >> /x", "busybox chown 7 /bin/sh"));
    as_user(&["build", "d"]).run().code(1).mentions("this line of `@run` failed");
}

#[test]
fn files_created_by_the_sandbox_are_not_in_layers() {
    let Some(project) = site("files_created_by_the_sandbox_are_not_in_layers") else { return };
    image(
        &project,
        "a",
        "1",
        NEEDS_OS,
        &commands(&["echo x > /dev/null", "echo $$ > /p && busybox rm /p"]),
    );
    wake(&project, &["build", "--allow-network", "-n", "a", "a"]).run().success();
    assert!(last_layer(&layout(&project, "a")).is_empty());
    assert!(
        ran(&project, &["a"]).contains(&"a@=1:run".to_owned()),
        "network access is part of the key"
    );
}
