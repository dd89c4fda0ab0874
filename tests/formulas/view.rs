//! What a formula's command finds around it.

use std::fs;

use serde_json::{Value, json};
use wake_tests::expect;

use crate::bed::{Bed, record, unchanged};

#[test]
fn the_cradle_prepares_what_programs_expect() {
    let Some(bed) = Bed::new("the_cradle") else { return };
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
    assert_eq!(said, "/\nbin\ndev\nproc\ntmp\ntools\n\n");
}

#[test]
fn inputs_stand_where_they_should_and_do_not_change() {
    let Some(bed) = Bed::new("inputs_stand") else { return };
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
fn the_top_of_a_ware_has_the_mode_that_it_declares() {
    let Some(bed) = Bed::new("the_top_of_a_ware") else { return };
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
fn mounts_show_the_host_and_are_never_remembered() {
    let Some(bed) = Bed::new("mounts") else { return };
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
fn the_network_is_there_only_where_asked_and_allowed() {
    let Some(bed) = Bed::new("the_network") else { return };
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
             help: `wake formula run --allow-network` allows it
        "#]],
    );
    bed.run(&document, &["--allow-network"]).success();
    let quiet = bed.formula("cat /proc/net/dev", unchanged);
    let said = bed.run(&quiet, &["-q"]).stderr;
    let devices: Vec<&str> = said.lines().skip(2).collect();
    assert!(devices.len() == 1 && devices[0].trim().starts_with("lo:"), "{said}");
}

#[test]
fn a_policy_that_is_not_granted_is_mentioned() {
    let Some(bed) = Bed::new("a_policy") else { return };
    let note = "Note policy `governor` is not granted: the command gets the rights of `routine`\n";
    let document = bed.formula("true", |d| d["formula"]["action"]["policy"] = json!("governor"));
    // Also where nothing runs.
    bed.run(&document, &[]).success().mentions(note);
    bed.run(&document, &[]).success().mentions("Remembered").mentions(note);
    let events = bed.run(&document, &["--format", "json"]).success().stdout;
    let first: Value = serde_json::from_str(events.lines().next().unwrap()).unwrap();
    assert_eq!(first["log"]["lvl"], 3, "{events}");
    let routine = bed.formula("true", |d| d["formula"]["action"]["policy"] = json!("routine"));
    assert!(!bed.run(&routine, &[]).success().stderr.contains("policy"));
}
