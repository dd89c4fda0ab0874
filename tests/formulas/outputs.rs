//! What is packed of what a command leaves.

use std::fs;

use serde_json::{Value, json};

use crate::bed::{Bed, record};

#[test]
fn an_output_is_what_packing_the_same_tree_by_hand_gives() {
    let Some(bed) = Bed::new("an_output_is_what_packing_gives") else { return };
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
    assert_eq!(results["/task/none"], "tar:-", "what is not there is packed as nothing");
    let ware = results["/task/out"].as_str().unwrap();
    let unpack = ["ware", "unpack", ware, "back", "--source", "ca+file://./warehouse"];
    assert_eq!(
        bed.project.wake(unpack).run().success().stdout.trim().split(':').next(),
        Some("tar")
    );
    assert_eq!(bed.project.read("back/sub/f"), "text\n");
    // Remembered only while what was to be saved is there.
    let hash = ware.strip_prefix("tar:").unwrap();
    let saved = bed.project.path(&format!("warehouse/{}/{}/{hash}", &hash[..3], &hash[3..6]));
    fs::remove_file(&saved).unwrap();
    bed.run(&document, &[]).success();
    assert!(saved.is_file());
}

#[test]
fn pipes_are_packed_as_by_hand() {
    let Some(bed) = Bed::new("pipes_are_packed") else { return };
    let document = bed.formula("mkdir out; /bin/busybox mkfifo -m 604 out/p", |d| {
        d["formula"]["outputs"]["/task/out"]["packtype"] = json!("tree");
    });
    let results = record(&bed.run(&document, &[]).success())["results"].clone();
    // Computed from the rules of `spec/wares.md` by a program of its own.
    let expected = "tree:5a5TbDeQzZJqPkrLbDPHw8ZNXpFjPMYUbXH2B8ZENvfkMDaKC1FC4bTnX6TnexMs2C";
    assert_eq!(results["/task/out"], expected);
}

#[test]
fn what_the_command_makes_is_its_own() {
    let Some(bed) = Bed::new("what_the_command_makes") else { return };
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
