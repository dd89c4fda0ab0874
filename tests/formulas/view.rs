//! The environment of a formula's command.

use std::fs;

use serde_json::{Value, json};
use wake_tests::{expect, is_root, skip};

use crate::bed::{Bed, record, unchanged};

#[test]
fn the_cradle_provides_what_programs_expect() {
    let Some(bed) = Bed::new("the_cradle_provides_what_programs_expect") else { return };
    let script = "pwd; id; echo $HOME $USER $PATH; ls -ld /tmp | cut -c1-10; echo x > $HOME/f && echo home; \
                  echo x > /tmp/f && echo tmp; echo x > /bin/f";
    let said = bed.run(&bed.formula(script, unchanged), &["-q"]).code(32).stderr;
    let expected = "/task\nuid=1000 gid=1000\n\
                    /home/reuser reuser /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n";
    assert!(said.starts_with(expected), "{said}");
    assert!(said.contains("home\ntmp\n") && said.contains("can't create /bin/f"), "{said}");
    let disabled = bed.formula("pwd; ls /; echo $USER$HOME", |d| {
        d["formula"]["action"]["cradle"] = json!("disable");
        d["formula"]["outputs"] = json!({});
    });
    let said = bed.run(&disabled, &["-q"]).success().stderr;
    assert_eq!(said, "/\nbin\ndev\nproc\ntools\n\n");
}

#[test]
fn inputs_are_at_their_paths_and_cannot_be_changed() {
    let Some(bed) = Bed::new("inputs_are_at_their_paths_and_cannot_be_changed") else { return };
    bed.project.write("data/f", "from the ware\n");
    let pack = ["ware", "pack", "tree", "data", "--target", "ca+file://./warehouse"];
    let data = bed.project.wake(pack).run().success().stdout;
    let script =
        "cat /in/data/f; echo more > /in/data/g && ls /in/data; /tools/sh -c 'echo by a link'";
    let document = bed.formula(script, |d| {
        d["formula"]["inputs"]["/in/data"] = json!(data.trim());
        d["context"]["fetchUrls"]["/in/data"] = json!(["ca+file://./warehouse"]);
    });
    for _ in 0..2 {
        let said = bed.run(&document, &["-q", "--rerun"]).success().stderr;
        assert_eq!(said, "from the ware\nf\ng\nby a link\n");
    }
}

#[test]
fn the_root_directory_of_a_ware_keeps_its_mode() {
    let Some(bed) = Bed::new("the_root_directory_of_a_ware_keeps_its_mode") else { return };
    fs::create_dir(bed.project.path("open")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o1777);
    fs::set_permissions(bed.project.path("open"), mode).unwrap();
    let pack = ["ware", "pack", "tar", "open", "--target", "ca+file://./warehouse"];
    let open = bed.project.wake(pack).run().success().stdout;
    let script = "ls -ld /in/open | cut -c1-10; echo x > /in/open/f && ls /in/open";
    let document = bed.formula(script, |d| {
        d["formula"]["inputs"]["/in/open"] = json!(open.trim());
        d["context"]["fetchUrls"]["/in/open"] = json!(["ca+file://./warehouse"]);
    });
    let said = bed.run(&document, &["-q"]).success().stderr;
    assert_eq!(said, "drwxrwxrwt\nf\n");
}

#[test]
fn mounts_show_the_host_and_are_never_cached() {
    let Some(bed) = Bed::new("mounts_show_the_host_and_are_never_cached") else { return };
    bed.project.write("host/f", "one");
    let host = bed.project.path("host").display().to_string();
    let formula = |mode: &str, script: &str| {
        bed.formula(script, |d| {
            d["formula"]["inputs"]["/host"] = json!(format!("mount:{mode}:{host}"));
        })
    };
    let reading = formula("ro", "mkdir out; cat /host/f > out/f; echo x > /host/g");
    let one = record(&bed.run(&reading, &[]).code(32));
    bed.project.write("host/f", "two");
    let two = record(&bed.run(&reading, &[]).code(32));
    assert_ne!(one["results"], two["results"]);
    assert!(!bed.project.path("host/g").exists());
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    fs::set_permissions(bed.project.path("host"), mode).unwrap();
    let writing = formula("rw", "mkdir out; echo written > /host/g");
    for _ in 0..2 {
        let _ = fs::remove_file(bed.project.path("host/g"));
        bed.run(&writing, &[]).success();
        assert_eq!(bed.project.read("host/g"), "written\n");
    }
}

#[test]
fn network_access_must_be_both_requested_and_allowed() {
    let Some(bed) = Bed::new("network_access_must_be_both_requested_and_allowed") else { return };
    let document = json!({
        "formula": {"formula.v1": {
            "inputs": {"/": format!("ware:{}", bed.root)},
            "action": {"exec": {"command": ["/bin/cat", "/proc/net/dev"], "network": true}},
            "outputs": {},
        }},
        "context": {"context.v1": {"warehouses": {bed.root.clone(): "ca+file://./warehouse"}}},
    });
    bed.refuses(
        &document,
        1,
        expect![[r#"
            error: the formula asks for the network
             = note: category repeatr-usage-error, exit code 1
             help: use `wake formula run --allow-network` to allow it
        "#]],
    );
    bed.run(&document, &["--allow-network"]).success();
    let quiet = bed.formula("cat /proc/net/dev", unchanged);
    let said = bed.run(&quiet, &["-q"]).stderr;
    let devices: Vec<&str> = said.lines().skip(2).collect();
    assert!(devices.len() == 1 && devices[0].trim().starts_with("lo:"), "{said}");
}

#[test]
fn allowing_the_network_grants_it_to_formulas_that_cannot_request_it() {
    let Some(bed) = Bed::new("allowing_the_network_grants_it_to_formulas_that_cannot_request_it")
    else {
        return;
    };
    let document = bed.formula("cat /proc/net/dev", unchanged);
    let devices = |more: &[&str]| bed.run(&document, more).success().stderr.matches(": ").count();
    let (own, hosts) = (devices(&["-q"]), devices(&["-q", "--allow-network"]));
    let host = fs::read_to_string("/proc/net/dev").unwrap().matches(": ").count();
    assert_eq!((own, hosts), (1, host));
    // The flag grants more than the key covers, so it runs again.
    bed.run(&document, &["--allow-network"]).success().mentions("running");
    bed.run(&document, &[]).success().mentions("Cached");
}

#[test]
fn a_policy_is_allowed_or_refused_before_anything_runs() {
    let Some(bed) = Bed::new("a_policy_is_allowed_or_refused_before_anything_runs") else { return };
    let governor = |uid: u32, script: &str| {
        bed.formula(script, |d| {
            d["formula"]["action"]["policy"] = json!("governor");
            d["formula"]["action"]["userinfo"] = json!({"uid": uid, "gid": uid});
            d["formula"]["outputs"] =
                json!({"/task/out": {"packtype": "tar", "filters": {"uid": "keep", "gid": "keep"}}});
        })
    };
    let mut sysad = governor(0, "true");
    sysad["formula"]["action"]["policy"] = json!("sysad");
    bed.refuses(
        &sysad,
        42,
        expect![[r#"
            error: policy `sysad` cannot be granted: no command gets rights over the machine
             = note: category repeatr-executor-problem, exit code 42
             help: use `governor` for the rights to change owners and users
        "#]],
    );
    let give = "umask 022; mkdir out; echo x > out/f; /bin/busybox chown 5:6 out/f";
    if !is_root() {
        bed.refuses(
            &governor(0, give),
            42,
            expect![[r#"
                error: policy `governor` cannot be granted: this process cannot give its command more than one user and group
                 = note: category repeatr-executor-problem, exit code 42
                 help: run it as root
            "#]],
        );
        return;
    }
    bed.project.write("out/f", "x\n");
    std::os::unix::fs::chown(bed.project.path("out/f"), Some(5), Some(6)).unwrap();
    for uid in [0, 1000, 70_000] {
        let done = record(&bed.run(&governor(uid, give), &[]).success());
        std::os::unix::fs::chown(bed.project.path("out"), Some(uid), Some(uid)).unwrap();
        let by_hand = ["ware", "id", "tar", "out", "--filters", "uid=keep,gid=keep"];
        let by_hand = bed.project.wake(by_hand).run().success().stdout;
        assert_eq!(done["results"]["/task/out"], json!(by_hand.trim()), "user {uid}");
    }
    let others = "/bin/busybox chown 1:1 /bin/cat && mkdir /etc && echo other::7:7::/:/bin/sh > /etc/passwd && \
                  /bin/busybox su other -c '/bin/id -u'; \
                  /bin/busybox chroot / /bin/echo its root; /bin/busybox mount -t tmpfs x /task || echo no mount; \
                  echo 1 > /proc/sys/kernel/sysrq || echo no setting; \
                  echo b > /proc/sysrq-trigger || echo no reboot";
    let said = bed.run(&governor(0, others), &["-q"]).success().stderr;
    for right in ["7\n", "its root\n", "no mount\n", "no setting\n", "no reboot\n"] {
        assert!(said.contains(right), "{right}: {said}");
    }
    // Without the policy it has no such rights.
    let mut plain = governor(0, give);
    plain["formula"]["action"]["policy"] = json!("routine");
    bed.run(&plain, &[]).code(32).mentions("not permitted");
}

#[test]
fn nothing_created_for_a_command_shows_the_current_time() {
    let Some(bed) = Bed::new("nothing_created_for_a_command_shows_the_current_time") else {
        return;
    };
    bed.project.write("data/sub/f", "x\n");
    let pack = ["ware", "pack", "tar", "data", "--filters", "mtime=@1300000000"];
    let data = bed.project.wake(pack).args(["--target", "ca+file://./warehouse"]).run().success();
    let dates = |paths: &str| format!("/bin/busybox stat -c '%n %Y' {paths}");
    let paths = "/ /bin /data /data/sub /data/sub/in /made /made/by /task /home /home/reuser /tmp";
    let document = bed.formula(&dates(paths), |d| {
        for at in ["/data", "/data/sub/in", "/made/by/wake"] {
            d["formula"]["inputs"][at] = json!(data.stdout.trim());
            d["context"]["fetchUrls"][at] = json!(["ca+file://./warehouse"]);
        }
    });
    let said = bed.run(&document, &["-q"]).success().stderr;
    let expected: String = paths
        .split(' ')
        .map(|path| match path.starts_with("/data") {
            true => format!("{path} 1300000000\n"),
            false => format!("{path} 1262304000\n"),
        })
        .collect();
    assert_eq!(said, expected);
    // Nor without a root.
    let capsule = json!({"formula": {"formula.v1": {
        "inputs": {"/bin": format!("ware:{}", bed.root), "/script": "literal:x"},
        "action": {"exec": {"command": ["/bin/bin/busybox", "stat", "-c", "%n %Y", "/", "/script"]}},
        "outputs": {}}},
        "context": {"context.v1": {"warehouses": {bed.root.clone(): "ca+file://./warehouse"}}}});
    let said = bed.run(&capsule, &["-q"]).success().stderr;
    assert_eq!(said, "/ 1262304000\n/script 1262304000\n");
}

/// A root packed from a private directory, which others may not enter.
#[test]
fn the_cradle_makes_its_directories_accessible() {
    let Some(bed) = Bed::new("the_cradle_makes_its_directories_accessible") else { return };
    for (dir, mode) in [("root", 0o700), ("root/home", 0o750)] {
        fs::create_dir_all(bed.project.path(dir)).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(bed.project.path(dir), mode).unwrap();
    }
    let pack = ["ware", "pack", "tar", "root", "--target", "ca+file://./warehouse", "--filters"];
    let closed = bed.project.wake(pack).args(["uid=0,gid=0"]).run().success().stdout;
    let script = "/bin/busybox stat -c '%n %a' / /home /home/reuser /task; echo x > $HOME/f";
    let document = bed.formula(script, |d| d["formula"]["inputs"]["/"] = json!(closed.trim()));
    let said = bed.run(&document, &["-q"]).success().stderr;
    assert_eq!(said, "/ 701\n/home 751\n/home/reuser 755\n/task 755\n");
}

#[test]
fn streams_can_be_opened_by_name() {
    let Some(bed) = Bed::new("streams_can_be_opened_by_name") else { return };
    let script = "echo one > /dev/stderr && echo two > /dev/stdout && cat /dev/stdin";
    for uid in [0, 1000, 4_294_967_294u32] {
        let document = bed.formula(script, |d| {
            d["formula"]["action"]["userinfo"] = json!({"uid": uid, "gid": uid});
        });
        let said = bed.run(&document, &["-q"]).success().stderr;
        let mut lines: Vec<&str> = said.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, ["one", "two"], "user {uid}");
    }
}

#[test]
fn a_mount_shows_the_owners_on_disk() {
    let Some(bed) = Bed::new("a_mount_shows_the_owners_on_disk") else { return };
    if !is_root() {
        return skip(
            "a_mount_shows_the_owners_on_disk",
            "needs root to create files of several owners",
        );
    }
    let document = |uid: u32| {
        bed.formula("/bin/busybox stat -c %u /m; echo x > /m/made", |d| {
            d["formula"]["inputs"]["/m"] =
                json!(format!("mount:rw:{}", bed.project.path("m").display()));
            d["formula"]["action"]["userinfo"] = json!({"uid": uid, "gid": uid});
        })
    };
    for uid in [0, 1000] {
        bed.project.write("m/f", "");
        std::os::unix::fs::chown(bed.project.path("m"), Some(uid), Some(uid)).unwrap();
        let said = bed.run(&document(uid), &["-q"]).success().stderr;
        assert_eq!(said, format!("{uid}\n"));
        let made = fs::metadata(bed.project.path("m/made")).unwrap();
        assert_eq!(std::os::unix::fs::MetadataExt::uid(&made), uid);
        // Other users may not write to it.
        bed.run(&document(uid + 1), &["-q"]).code(32);
        fs::remove_file(bed.project.path("m/made")).unwrap();
    }
}

#[test]
fn a_capsule_begins_with_the_environment_of_its_runtime() {
    let Some(bed) = Bed::new("a_capsule_begins_with_the_environment_of_its_runtime") else {
        return;
    };
    let said = |inputs: Value, action: Value| {
        let mut capsule = json!({"formula": {"formula.v1": {
            "inputs": {"/": format!("ware:{}", bed.root)}, "action": action, "outputs": {}}},
            "context": {"context.v1": {"warehouses": {bed.root.clone(): "ca+file://./warehouse"}}}});
        for (port, input) in inputs.as_object().unwrap() {
            capsule["formula"]["formula.v1"]["inputs"][port] = input.clone();
        }
        bed.run(&capsule, &["-q"]).success().stderr
    };
    let env = json!({"exec": {"command": ["/bin/busybox", "env"]}});
    let expected =
        "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\nTERM=xterm\n";
    assert_eq!(said(json!({}), env.clone()), expected);
    let given = json!({"$PATH": "literal:/mine", "$A": "literal:b"});
    assert_eq!(said(given, env), "A=b\nPATH=/mine\nTERM=xterm\n");
    // Programs are found through its `PATH`, and each part of a script ends with its line.
    assert_eq!(said(json!({}), json!({"exec": {"command": ["echo", "found"]}})), "found\n");
    let contents = json!(["A=1 # no line end", "echo $A $0"]);
    let script = json!({"script": {"interpreter": "/bin/sh", "contents": contents}});
    assert_eq!(said(json!({}), script), "1 /.warpforge.container/script/run\n");
}
