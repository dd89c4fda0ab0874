//! Invalid documents and jobs.

use serde_json::json;
use wake_tests::{Expect, expect, is_root};

use crate::bed::Bed;

#[test]
fn an_invalid_job_is_reported_before_it_runs() {
    let Some(bed) = Bed::new("an_invalid_job_is_reported_before_it_runs") else { return };
    let exec = |words: &[&str]| bed.formula("", |d| d["formula"]["action"]["exec"] = json!(words));
    bed.refuses(
        &exec(&["mkdir", "x"]),
        40,
        expect![[r#"
                 Formula unpacking [WARE]
            error: `mkdir` is not an absolute path: a formula's program is not searched for in `PATH`
             = note: category repeatr-job-invalid, exit code 40
        "#]],
    );
    bed.refuses(
        &exec(&["/bin/absent"]),
        40,
        expect![[r#"
            error: `/bin/absent` does not exist in the inputs
             = note: category repeatr-job-invalid, exit code 40
        "#]],
    );
    bed.refuses(
        &exec(&["/bin"]),
        40,
        expect![[r#"
            error: `/bin` is not a regular file in the inputs
             = note: category repeatr-job-invalid, exit code 40
        "#]],
    );
    let cwd = bed.formula("", |d| d["formula"]["action"]["cwd"] = json!("/bin/sh"));
    bed.refuses(
        &cwd,
        40,
        expect![[r#"
            error: `/bin/sh` must be a directory, but is not one in the inputs
             = note: category repeatr-job-invalid, exit code 40
        "#]],
    );
    let below = bed.formula("", |d| d["formula"]["action"]["cwd"] = json!("/bin/busybox/x"));
    bed.refuses(
        &below,
        40,
        expect![[r#"
            error: `/bin/busybox/x` is below `/bin/busybox`, which is not a directory
             = note: category repeatr-job-invalid, exit code 40
        "#]],
    );
    let home = json!({"homedir": "/proc/home"});
    let system = bed.formula("", |d| d["formula"]["action"]["userinfo"] = home);
    bed.refuses(
        &system,
        40,
        expect![[r#"
            error: `/proc/home` cannot be created: `/dev` and `/proc` are the sandbox's own
             = note: category repeatr-job-invalid, exit code 40
        "#]],
    );
    let input = |at: &str| {
        bed.formula("", |d| {
            d["formula"]["inputs"][at] = json!(bed.root);
            d["context"]["fetchUrls"][at] = json!(["ca+file://./warehouse"]);
        })
    };
    bed.refuses(
        &input("/dev"),
        10,
        expect![[r#"
            error: input `/dev` cannot be there: `/dev` and `/proc` are the sandbox's own
             = note: category rio-assembly-invalid, exit code 10
        "#]],
    );
    bed.refuses(
        &input("/bin/busybox/x"),
        10,
        expect![[r#"
            error: `/bin/busybox/x` is below `/bin/busybox`, which is not a directory
             = note: category rio-assembly-invalid, exit code 10
        "#]],
    );
    let disabled = bed.formula("", |d| {
        d["formula"]["action"]["cradle"] = json!("disable");
        d["formula"]["action"]["cwd"] = json!("/absent");
    });
    bed.refuses(
        &disabled,
        40,
        expect![[r#"
            error: cwd `/absent` is not a directory in the inputs
             = note: category repeatr-job-invalid, exit code 40
        "#]],
    );
    let mount = bed.formula("", |d| {
        d["formula"]["inputs"]["/m"] = json!("mount:ro:/absent/on/host");
    });
    bed.refuses(
        &mount,
        10,
        expect![[r#"
            error: input `/m` is a mount of `/absent/on/host`, which cannot be used: No such file or directory (os error 2)
             = note: category rio-assembly-invalid, exit code 10
        "#]],
    );
    let capsule = json!({"formula": {"formula.v1": {
        "inputs": {"/": format!("ware:{}", bed.root), "/m": "mount:ro:.", "/m/x": "literal:x"},
        "action": {"exec": {"command": ["/bin/true"]}},
        "outputs": {},
    }}});
    bed.refuses(
        &capsule,
        10,
        expect![[r#"
            error: input `/m/x` is below `/m`, which is mounted from the host
             = note: category rio-assembly-invalid, exit code 10
        "#]],
    );
    if is_root() {
        // Only root can keep the owners of an input's parts.
        return;
    }
    let kept = bed.formula("", |d| {
        d["formula"]["outputs"] = json!({"/bin": {"packtype": "tar", "filters": {"uid": "keep"}}});
    });
    bed.refuses(
        &kept,
        40,
        expect![[r#"
            error: output `/bin` keeps its owners, but part of it comes from an input: give numbers for `uid` and `gid`
             = note: category repeatr-job-invalid, exit code 40
        "#]],
    );
}

#[test]
fn an_invalid_document_is_shown_at_the_faulty_position() {
    let Some(bed) = Bed::new("an_invalid_document_is_shown_at_the_faulty_position") else { return };
    let check = |text: &str, expected: Expect| {
        bed.project.write("wrong.json", text);
        bed.project.wake(["formula", "check", "wrong.json"]).run().code(40).says(expected);
    };
    check(
        "{\"formula\": {\n  \"inptus\": {},\n  \"action\": {\"exec\": [\"/x\"]},\n  \"outputs\": {}\n}}",
        expect![[r#"
            error: unknown field `inptus` in the formula
             --> wrong.json:2:3
              |
            2 |   "inptus": {},
              |   ^
              help: did you mean `inputs`?
        "#]],
    );
    check(
        "{\"formula\": {\n  \"inputs\": {\"/a\": \"tar:abc\", \"/a/\": \"tar:abd\"},\n  \"action\": {\"exec\": [\"/x\"]}\n}}",
        expect![[r#"
            error: two inputs at one path: `/a`
             --> wrong.json:2:31
              |
            2 |   "inputs": {"/a": "tar:abc", "/a/": "tar:abd"},
              |                               ^
        "#]],
    );
    check(
        "{\"formula\": {\n  \"inputs\": {\"/a\": \"mount:ro:/x\", \"/a/b\": \"tar:abd\"},\n  \"action\": {\"exec\": [\"/x\"]}\n}}",
        expect![[r#"
            error: input `/a/b` is below `/a`, which is mounted from the host
             --> wrong.json:2:35
              |
            2 |   "inputs": {"/a": "mount:ro:/x", "/a/b": "tar:abd"},
              |                                   ^
        "#]],
    );
    check(
        "{\"formula\": {\n  \"inputs\": {\"/a\": \"rar:abc\"},\n  \"action\": {\"exec\": [\"/x\"]}\n}}",
        expect![[r#"
            error: pack type `rar` is unknown: expected `tar`, `tree`, `zip` or `git`
             --> wrong.json:2:20
              |
            2 |   "inputs": {"/a": "rar:abc"},
              |                    ^
        "#]],
    );
    check(
        "{\"formula\": {\n  \"inputs\": {\"/a\": \"tar\"},\n  \"action\": {\"exec\": [\"/x\"]}\n}}",
        expect![[r#"
            error: ware id `tar` has no colon: expected `packtype:hash`
             --> wrong.json:2:20
              |
            2 |   "inputs": {"/a": "tar"},
              |                    ^
        "#]],
    );
    check(
        "{\"formula\": {\n  \"inputs\": {\"a\": \"tar:abc\"},\n  \"action\": {\"exec\": [\"/x\"]}\n}}",
        expect![[r#"
            error: path `a` is relative: expected one that starts with `/`
             --> wrong.json:2:14
              |
            2 |   "inputs": {"a": "tar:abc"},
              |              ^
        "#]],
    );
    check(
        "{\"formula\": {\n  \"inputs\": {},\n  \"action\": {\"exec\": [\"/x\"]},\n  \"outputs\": {\"/o\": {\"packtype\": \"tar\", \"filters\": {\"uid\": 0}}}\n}}",
        expect![[r#"
            error: filter `uid` is a number: expected a string
             --> wrong.json:4:60
              |
            4 |   "outputs": {"/o": {"packtype": "tar", "filters": {"uid": 0}}}
              |                                                            ^
              help: write `"0"`
        "#]],
    );
    let absent = bed.project.wake(["formula", "check", "absent.json"]).run().code(2);
    absent.says(expect![[r#"
        error: cannot read `absent.json`: No such file or directory (os error 2)
    "#]]);
}

/// A document may be untrusted.
#[test]
fn only_allowed_documents_reach_outside_their_directory() {
    let Some(bed) = Bed::new("only_allowed_documents_reach_outside_their_directory") else {
        return;
    };
    let home = bed.project.base().join("home");
    std::fs::create_dir_all(&home).unwrap();
    std::fs::write(home.join("mine"), "mine\n").unwrap();
    let at = |path: &std::path::Path| path.display().to_string();
    let mounting = |mode: &str, host: &str| {
        bed.formula("mkdir out; ls /m > out/l; echo x > /m/new; true", |d| {
            d["formula"]["inputs"]["/m"] = json!(format!("mount:{mode}:{host}"));
        })
    };
    std::fs::create_dir(bed.project.path("below")).unwrap();
    std::os::unix::fs::symlink(&home, bed.project.path("below/link")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o777);
    std::fs::set_permissions(bed.project.path("below"), mode).unwrap();
    let link = at(&bed.project.path("below/link"));
    for (mode, host) in [
        ("ro", at(&home)),
        ("rw", at(&home)),
        ("ro", "/run".into()),
        ("ro", "/".into()),
        ("rw", link),
    ] {
        let refused = bed.run(&mounting(mode, &host), &[]).code(1);
        refused.mentions("which is outside the document's directory").mentions("--allow-host");
        bed.project.wake(["build", "f.json"]).run().code(2).mentions("outside the document's");
    }
    assert!(!home.join("new").exists());
    bed.run(&mounting("ro", &at(&home)), &["--allow-host"]).success();
    // Its own directory, and the system directories that every command may see.
    bed.run(&mounting("rw", &at(&bed.project.path("below"))), &[]).success();
    assert_eq!(bed.project.read("below/new"), "x\n");
    bed.run(&mounting("ro", "/usr/bin"), &[]).success();
    bed.run(&mounting("ro", "/etc/alternatives"), &[]).success();
    bed.run(&mounting("ro", "/etc"), &[]).code(1);
    bed.run(&mounting("rw", "/usr/bin"), &[]).code(1);

    let saving = |url: String| {
        bed.formula("echo x > out", |d| d["context"]["saveUrls"] = json!({"/task/out": url}))
    };
    for url in [format!("file://{}/mine", home.display()), format!("ca+file://{}", home.display())]
    {
        bed.run(&saving(url), &[]).code(1).mentions("which is outside the document's directory");
    }
    let through = format!("file://{}/below/link/mine", bed.project.root().display());
    bed.run(&saving(through), &[]).code(1).mentions("which is outside");
    assert_eq!(std::fs::read_to_string(home.join("mine")).unwrap(), "mine\n");
    bed.run(&saving(format!("file://{}/saved", home.display())), &["--allow-host"]).success();
    assert!(home.join("saved").is_file());
    bed.run(&saving("file://./below/saved".into()), &[]).success();
    // A part of a warehouse in its directory that links elsewhere.
    let done = bed.run(&saving("ca+file://./warehouse".into()), &[]).success();
    let ware = crate::bed::record(&done)["results"]["/task/out"].as_str().unwrap()[4..].to_owned();
    let shard = bed.project.path(&format!("warehouse/{}", &ware[..3]));
    std::fs::remove_dir_all(&shard).unwrap();
    std::os::unix::fs::symlink(&home, &shard).unwrap();
    bed.run(&saving("ca+file://./warehouse".into()), &[]).code(1).mentions("which is outside");
    assert!(!home.join(&ware[3..6]).exists());
}
