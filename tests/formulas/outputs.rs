//! How the outputs of a command are packed.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::process::Command;

use serde_json::{Value, json};
use wake_tests::is_root;

use crate::bed::{Bed, record};

#[test]
fn an_output_equals_the_same_tree_packed_by_hand() {
    let Some(bed) = Bed::new("an_output_equals_the_same_tree_packed_by_hand") else { return };
    let document = bed.formula("mkdir -p /task/out/sub && echo text > /task/out/sub/f", |d| {
        d["formula"]["outputs"]["/task/none"] = json!({"packtype": "tar"});
        d["context"]["saveUrls"] = json!({"/task/out": "ca+file://./warehouse"});
    });
    let results = record(&bed.run(&document, &[]).success())["results"].clone();
    bed.project.write("same/sub/f", "text\n");
    for dir in ["same", "same/sub"] {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        fs::set_permissions(bed.project.path(dir), mode).unwrap();
    }
    let by_hand = bed.project.wake(["ware", "id", "tar", "same"]).run().success().stdout;
    assert_eq!(results["/task/out"], by_hand.trim());
    assert_eq!(results["/task/none"], "tar:-", "a missing path is packed as the empty id");
    let ware = results["/task/out"].as_str().unwrap();
    let unpack = ["ware", "unpack", ware, "back", "--source", "ca+file://./warehouse"];
    assert_eq!(
        bed.project.wake(unpack).run().success().stdout.trim().split(':').next(),
        Some("tar")
    );
    assert_eq!(bed.project.read("back/sub/f"), "text\n");
    // Cached only while the saved ware exists.
    let hash = ware.strip_prefix("tar:").unwrap();
    let saved = bed.project.path(&format!("warehouse/{}/{}/{hash}", &hash[..3], &hash[3..6]));
    fs::remove_file(&saved).unwrap();
    bed.run(&document, &[]).success();
    assert!(saved.is_file());
}

#[test]
fn pipes_are_packed_like_other_files() {
    let Some(bed) = Bed::new("pipes_are_packed_like_other_files") else { return };
    let document = bed.formula("mkdir out; /bin/busybox mkfifo -m 604 out/p", |d| {
        d["formula"]["outputs"]["/task/out"]["packtype"] = json!("tree");
    });
    let results = record(&bed.run(&document, &[]).success())["results"].clone();
    // Computed from the rules of `spec/wares.md` by an independent program.
    let expected = "tree:5a5TbDeQzZJqPkrLbDPHw8ZNXpFjPMYUbXH2B8ZENvfkMDaKC1FC4bTnX6TnexMs2C";
    assert_eq!(results["/task/out"], expected);
}

#[test]
fn files_that_the_command_creates_belong_to_its_user() {
    let Some(bed) = Bed::new("files_that_the_command_creates_belong_to_its_user") else { return };
    let made = |filters: Value| {
        let document = bed.formula("mkdir out; touch out/f", |d| {
            d["formula"]["action"]["userinfo"] = json!({"uid": 1234, "gid": 4321});
            d["formula"]["outputs"]["/task/out"]["filters"] = filters;
        });
        record(&bed.run(&document, &[]).success())["results"].clone()
    };
    let kept = made(json!({"uid": "keep", "gid": "keep"}));
    assert_eq!(kept, made(json!({"uid": "1234", "gid": "4321"})));
    assert_ne!(kept, made(json!({})));
}

/// A root with various owners, times and modes.
fn root_of_many_kinds(bed: &Bed) -> String {
    let root = |path: &str| bed.project.path(&format!("root/{path}"));
    for (dir, mode) in [("dev", 0o755), ("proc", 0o555), ("tmp", 0o700), ("etc", 0o750)] {
        fs::create_dir_all(root(dir)).unwrap();
        fs::set_permissions(root(dir), PermissionsExt::from_mode(mode)).unwrap();
    }
    fs::write(root("etc/motd"), "hello\n").unwrap();
    fs::set_permissions(root("etc/motd"), PermissionsExt::from_mode(0o640)).unwrap();
    fs::write(root("dev/of-the-ware"), "").unwrap();
    if is_root() {
        chown(root("etc/motd"), Some(3), Some(4)).unwrap();
        let device = ["mknod", "-m", "666"].map(str::to_owned);
        let null = root("dev/null").display().to_string();
        let made =
            Command::new(&device[0]).args(&device[1..]).arg(null).args(["c", "1", "3"]).status();
        assert!(made.unwrap().success());
    }
    let keep = "uid=keep,gid=keep,mtime=@1300000000,setid=keep,dev=keep";
    let pack = ["ware", "pack", "tar", "root", "--target", "ca+file://./warehouse", "--filters"];
    bed.project.wake(pack).args([keep]).run().success().stdout.trim().to_owned()
}

fn root_formula(bed: &Bed, root: &str, script: &str, filters: Value) -> Value {
    bed.formula(script, |d| {
        d["formula"]["inputs"]["/"] = json!(root);
        d["formula"]["action"]["cradle"] = json!("disable");
        d["formula"]["action"]["userinfo"] = json!({"uid": 0, "gid": 0});
        d["formula"]["outputs"] = json!({"/": {"packtype": "tar", "filters": filters}});
        d["context"]["saveUrls"] = json!({"/": "ca+file://./warehouse"});
    })
}

#[test]
fn a_root_as_output_differs_only_by_the_commands_changes() {
    let Some(bed) = Bed::new("a_root_as_output_differs_only_by_the_commands_changes") else {
        return;
    };
    let root = root_of_many_kinds(&bed);
    let run = |script: &str, filters: Value| {
        let done = bed.run(&root_formula(&bed, &root, script, filters), &[]).success();
        record(&done)["results"]["/"].as_str().unwrap().to_owned()
    };
    let flat = |dir: &str| {
        let flat = "setid=keep,dev=keep";
        let id = bed.project.wake(["ware", "id", "tar", dir, "--filters", flat]).run().success();
        id.stdout.trim().to_owned()
    };
    assert_eq!(run("true", json!({})), flat("root"));
    if is_root() {
        // Including its owners and times, and devices.
        let keep = json!({"uid": "keep", "gid": "keep", "mtime": "keep", "sticky": "keep"});
        assert_eq!(run("/bin/busybox true", keep), root);
        let unpack = ["ware", "unpack", &root, "back", "--source", "ca+file://./warehouse"];
        let all = ["--filters", "uid=follow,gid=follow,setid=follow,dev=follow"];
        bed.project.wake(unpack).args(all).run().success();
        let kind = fs::metadata(bed.project.path("back/dev/null")).unwrap().file_type();
        assert!(std::os::unix::fs::FileTypeExt::is_char_device(&kind));
    }
    let changed = run("echo x > /bin/new; /bin/busybox rm /tools; mkdir /dev/shm/x", json!({}));
    bed.project.write("root/bin/new", "x\n");
    fs::remove_file(bed.project.path("root/tools")).unwrap();
    assert_eq!(changed, flat("root"));
}

#[test]
fn a_root_as_output_includes_the_inputs_at_their_paths() {
    let Some(bed) = Bed::new("a_root_as_output_includes_the_inputs_at_their_paths") else { return };
    bed.project.write("data/f", "x\n");
    fs::set_permissions(bed.project.path("data"), PermissionsExt::from_mode(0o755)).unwrap();
    let pack = ["ware", "pack", "tar", "data", "--target", "ca+file://./warehouse"];
    let data = bed.project.wake(pack).run().success().stdout;
    let mut document = root_formula(&bed, &bed.root, "echo y > /in/g", json!({}));
    document["formula"]["inputs"]["/in"] = json!(data.trim());
    document["context"]["fetchUrls"]["/in"] = json!(["ca+file://./warehouse"]);
    document["formula"]["action"]["userinfo"] = json!({"uid": 1000, "gid": 1000});
    document["formula"]["outputs"]["/in"] = json!({"packtype": "zip"});
    let results = record(&bed.run(&document, &[]).success())["results"].clone();
    for (name, text) in [("f", "x\n"), ("g", "y\n")] {
        bed.project.write(&format!("root/in/{name}"), text);
    }
    fs::set_permissions(bed.project.path("root/in"), PermissionsExt::from_mode(0o755)).unwrap();
    let id = |packtype: &str, dir: &str| {
        let id = bed.project.wake(["ware", "id", packtype, dir]).run().success();
        id.stdout.trim().to_owned()
    };
    assert_eq!(results, json!({"/": id("tar", "root"), "/in": id("zip", "root/in")}));
}

#[test]
fn an_output_of_an_omitted_file_type_is_empty() {
    let Some(bed) = Bed::new("an_output_of_an_omitted_file_type_is_empty") else { return };
    let script = "/bin/busybox ln -s x l; /bin/busybox mkfifo p";
    let document = bed.formula(script, |d| {
        let output = |packtype: &str| json!({"packtype": packtype});
        d["formula"]["outputs"] =
            json!({"/task/l": output("tar"), "/task/p": output("tar"), "/task//l/": output("zip")});
    });
    // Two spellings of one path are an error, as for inputs.
    bed.run(&document, &[]).code(40).mentions("two outputs at one path");
    let mut document = document;
    document["formula"]["outputs"].as_object_mut().unwrap().remove("/task//l/");
    let results = record(&bed.run(&document, &[]).success())["results"].clone();
    assert_eq!(results, json!({"/task/l": "tar:-", "/task/p": "tar:-"}));
}

#[test]
fn results_are_listed_under_paths_as_written() {
    let Some(bed) = Bed::new("results_are_listed_under_paths_as_written") else { return };
    let document = bed.formula("mkdir /task/out", |d| {
        d["formula"]["outputs"] = json!({"//task/out/": {"packtype": "tar"}});
        d["formula"]["action"]["cwd"] = json!("/task/");
        d["context"]["saveUrls"] = json!({"/task/out": "ca+file://./warehouse"});
    });
    let results = record(&bed.run(&document, &[]).success())["results"].clone();
    let names: Vec<&String> = results.as_object().unwrap().keys().collect();
    assert_eq!(names, ["//task/out/"]);
}

#[test]
fn a_warpforge_workspace_keeps_the_wares_of_its_formulas() {
    let Some(bed) = Bed::new("a_warpforge_workspace_keeps_the_wares_of_its_formulas") else {
        return;
    };
    bed.project.write("flow/.warpforge/root", "");
    let capsule = |inputs: Value, script: &str| {
        let mut capsule = json!({"formula": {"formula.v1": {
            "inputs": {"/": format!("ware:{}", bed.root)},
            "action": {"exec": {"command": ["/bin/sh", "-c", script]}},
            "outputs": {"o": {"from": "/out", "packtype": "tar"}}}},
            "context": {"context.v1": {"warehouses": {bed.root.clone(): "ca+file://../../warehouse"}}}});
        for (port, input) in inputs.as_object().unwrap() {
            capsule["formula"]["formula.v1"]["inputs"][port] = input.clone();
        }
        capsule
    };
    let run = |document: &Value| {
        bed.project.write("flow/deep/f.wf", document.to_string());
        bed.project.wake(["formula", "run", "flow/deep/f.wf"]).run()
    };
    let one = run(&capsule(json!({}), "mkdir /out; echo hello > /out/f")).success();
    let ware = record(&one)["results"]["o"].clone();
    let two = capsule(json!({"/in": ware}), "/bin/busybox cp -r /in /out; cat /in/f");
    run(&two).success().mentions("hello");
    // A link that leads out of the workspace is not its warehouse.
    fs::remove_dir_all(bed.project.path("flow/.warpforge/warehouse")).unwrap();
    fs::create_dir(bed.project.path("elsewhere")).unwrap();
    symlink("../../elsewhere", bed.project.path("flow/.warpforge/warehouse")).unwrap();
    run(&capsule(json!({}), "mkdir /out; echo other > /out/f")).success();
    assert_eq!(fs::read_dir(bed.project.path("elsewhere")).unwrap().count(), 0);
}
