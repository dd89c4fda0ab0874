//! Concurrent processes, some of which are killed or run out of space.

use std::process::Child;
use std::time::Duration;

use serde_json::Value;
use wake_tests::{Project, has_program, is_root, skip};

use super::{DIGEST, FASTA, add, add_call, config, lab, printed, wake};

fn tags(lab: &Project) -> Vec<String> {
    let listed: Value = serde_json::from_str(&printed(lab, &["asset", "list", "--json"])).unwrap();
    let genome = &listed["genomes"][0];
    let assets = genome["assets"].as_array().unwrap().iter();
    let tags = assets.flat_map(|asset| {
        let name = asset["name"].as_str().unwrap();
        let tags = asset["tags"].as_array().unwrap().iter();
        tags.map(move |tag| format!("{name}:{}", tag["tag"].as_str().unwrap()))
    });
    tags.collect()
}

/// Checks that every registered asset is complete: its data match its digest, and its links resolve.
#[track_caller]
fn is_whole(lab: &Project) {
    for asset in tags(lab) {
        let named = format!("tiny/{asset}");
        let file = printed(lab, &["asset", "seek", &named]);
        let text = std::fs::read_to_string(file.trim_end()).unwrap();
        let tree = printed(lab, &["asset", "id", "--tree", &named]);
        let data = printed(
            lab,
            &[
                "asset",
                "seek",
                "--data",
                &format!(
                    "tiny/{}.dir:{}",
                    asset.split(':').next().unwrap(),
                    asset.split(':').nth(1).unwrap()
                ),
            ],
        );
        let again = "tiny/again:x".to_owned();
        wake(lab, &["asset", "add", &again, "--path", data.trim_end(), "--force"]).run().success();
        assert_eq!(printed(lab, &["asset", "id", "--tree", &again]), tree, "{named}");
        wake(lab, &["asset", "remove", &again]).run().success();
        assert!(!text.is_empty());
    }
}

#[test]
fn many_register_at_once_and_none_is_lost() {
    let lab = lab();
    std::fs::write(
        config(&lab),
        format!("# ours\n{}mine: 1\n", std::fs::read_to_string(config(&lab)).unwrap()),
    )
    .unwrap();
    let started: Vec<(String, Child)> = (0..12)
        .map(|number| {
            let (dir, asset) =
                (format!("made/{number}"), format!("tiny/fasta{}:t{number}", number % 3));
            lab.write(&format!("{dir}/{DIGEST}.fa"), format!("{FASTA}{number}"));
            let child = add_call(&lab, &asset, &dir).spawn();
            (asset, child)
        })
        .collect();
    for (asset, child) in started {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{asset}: {}", String::from_utf8_lossy(&output.stderr));
    }
    assert_eq!(tags(&lab).len(), 12);
    is_whole(&lab);
    let text = std::fs::read_to_string(config(&lab)).unwrap();
    assert!(text.starts_with("# ours\n") && text.contains("\nmine: 1\n"), "{text}");
}

#[test]
fn one_name_is_registered_once() {
    let lab = lab();
    let children: Vec<Child> = (0..6)
        .map(|number| {
            lab.write(&format!("made/{number}/{DIGEST}.fa"), format!("{number}"));
            add_call(&lab, "tiny/fasta:a", &format!("made/{number}")).spawn()
        })
        .collect();
    let codes: Vec<i32> =
        children.into_iter().map(|mut child| child.wait().unwrap().code().unwrap()).collect();
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    assert_eq!(codes.iter().filter(|code| **code == 6).count(), 5, "{codes:?}");
    is_whole(&lab);
}

#[test]
fn a_kill_at_any_time_leaves_each_change_whole_or_undone() {
    let lab = lab();
    add(&lab, "tiny/fasta:first", FASTA).success();
    for file in 0..40 {
        lab.write(&format!("made/many/f{file}"), "x".repeat(20_000));
    }
    lab.write(&format!("made/many/{DIGEST}.fa"), FASTA);
    let kills =
        std::env::var("WAKE_TEST_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(40u64);
    let mut seed = 88_172_645_463_325_252u64;
    for kill in 0..kills {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let call = match kill % 4 {
            3 => wake(&lab, &["asset", "tag", "tiny/fasta:first", "--to", "first2"]),
            _ => add_call(&lab, &format!("tiny/fasta:k{kill}"), "made/many"),
        };
        let mut child = call.spawn();
        std::thread::sleep(Duration::from_micros(seed % 60_000));
        let _ = child.kill();
        child.wait().unwrap();
        let there = tags(&lab);
        // A renamed asset has one of its two names.
        let first = there.iter().filter(|tag| tag.starts_with("fasta:first")).count();
        assert_eq!(first, 1, "{there:?}");
        if there.contains(&"fasta:first2".to_owned()) {
            wake(&lab, &["asset", "tag", "tiny/fasta:first2", "--to", "first"]).run().success();
        }
        for asset in tags(&lab) {
            printed(&lab, &["asset", "seek", &format!("tiny/{asset}")]);
        }
    }
    is_whole(&lab);
    // The next change removes what killed processes left.
    add(&lab, "tiny/fasta:last", FASTA).success();
    let left: Vec<_> = std::fs::read_dir(lab.path("g/.wake/staging")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
    let beside: Vec<_> =
        std::fs::read_dir(lab.path("g")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!beside.iter().any(|name| name.to_string_lossy().starts_with("lock-")), "{beside:?}");
}

#[test]
fn a_full_disk_leaves_the_registry_as_it_was() {
    if !is_root() || !has_program("unshare") {
        return skip("a_full_disk_leaves_the_registry_as_it_was", "it needs root and unshare");
    }
    let lab = lab();
    lab.write("big/x", vec![b'x'; 3 << 20]);
    lab.write("small/x", "x");
    let script = "mount -t tmpfs -o size=2m,mode=755 tmpfs \"$1\"; wake=$2; export REFGENIE=$1/genome_config.yaml
        \"$wake\" genome init t.fa --alias tiny
        \"$wake\" asset add tiny/small --path small
        cp \"$REFGENIE\" before
        if \"$wake\" asset add tiny/big --path big; then exit 20; else code=$?; fi
        cmp \"$REFGENIE\" before
        test -z \"$(ls \"$1/.wake/staging\")\"
        \"$wake\" asset add tiny/other --path small
        \"$wake\" asset list
        exit $code";
    std::fs::create_dir(lab.path("disk")).unwrap();
    let wrapper = ["unshare", "--mount", "--", "sh", "-euc", script, "sh", "disk"];
    let done = lab.wake([] as [&str; 0]).wrapper(wrapper).run().code(10);
    assert!(done.stdout.ends_with("tiny                 small, other\n"), "{done}");
    assert!(done.stderr.contains("No space left on device"), "{done}");
}
