//! `wake formula`: documents of the Timeless Stack, run for real in a root file system of busybox.
//!
//! Published ids are compared where the fixtures are: `WAKE_FIXTURES`, else `../shared/fixtures` beside the checkout.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use wake_tests::{Expect, Finished, Project, expect, project, skip};

const BUSYBOX: &str = "/bin/busybox";

/// A workspace with a root file system packed into `warehouse`; none where there is no busybox.
struct Bed {
    project: Project,
    root: String,
}

impl Bed {
    fn new(test: &str) -> Option<Bed> {
        if !Path::new(BUSYBOX).is_file() {
            skip(test, "there is no `/bin/busybox` (Debian: busybox-static)");
            return None;
        }
        let project = project().build();
        let bin = project.path("root/bin");
        fs::create_dir_all(&bin).unwrap();
        fs::create_dir_all(project.path("warehouse")).unwrap();
        fs::copy(BUSYBOX, bin.join("busybox")).unwrap();
        for name in ["sh", "mkdir", "cat", "echo", "id", "kill", "sleep", "ls", "wget"] {
            symlink("busybox", bin.join(name)).unwrap();
        }
        symlink("bin", project.path("root/tools")).unwrap();
        let packed = project
            .wake(["ware", "pack", "tar", "root", "--target", "ca+file://./warehouse"])
            .args(["--filters", "uid=0,gid=0"])
            .run()
            .success();
        let root = packed.stdout.trim().to_owned();
        Some(Bed { project, root })
    }

    /// A formula that runs `script` in the root file system, changed by `change`.
    fn formula(&self, script: &str, change: impl FnOnce(&mut Value)) -> Value {
        let mut document = json!({
            "formula": {
                "inputs": {"/": self.root},
                "action": {"exec": ["/bin/sh", "-c", script]},
                "outputs": {"/task/out": {"packtype": "tar"}},
            },
            "context": {"fetchUrls": {"/": ["ca+file://./warehouse"]}},
        });
        change(&mut document);
        document
    }

    fn run(&self, document: &Value, more: &[&str]) -> Finished {
        self.project.write("f.json", document.to_string());
        self.project.wake(["formula", "run", "f.json"]).args(more).run()
    }

    /// Runs a formula that is wrong, and compares everything that is said.
    #[track_caller]
    fn refuses(&self, document: &Value, code: i32, expected: Expect) {
        let finished = self.run(document, &[]).code(code);
        assert_eq!(finished.stdout, "", "there is no record");
        finished.says(expected);
    }
}

fn record(finished: &Finished) -> Value {
    serde_json::from_str(&finished.stdout).unwrap()
}

fn unchanged(_: &mut Value) {}

#[test]
fn a_formula_runs_once_and_its_record_is_remembered() {
    let Some(bed) = Bed::new("a_formula_runs_once") else { return };
    let document = bed.formula("mkdir -p /task/out && echo made >&2", unchanged);
    let first = bed.run(&document, &[]).success().mentions("made\n");
    let made = record(&first);
    let id = bed.project.wake(["formula", "id", "f.json"]).run().success().stdout;
    assert_eq!(made["formulaID"], id.trim());
    assert_eq!(made["exitCode"], 0);
    let keys: Vec<&String> = made.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["exitCode", "formulaID", "guid", "results", "time"]);
    // Without the warehouse: what is remembered needs none.
    fs::rename(bed.project.path("warehouse"), bed.project.path("gone")).unwrap();
    let second = bed.run(&document, &[]).success().mentions("Remembered");
    assert_eq!(record(&second), made);
    // The ware is in the store's cache by now.
    let again = record(&bed.run(&document, &["--rerun"]).success().mentions("made\n"));
    assert_ne!(again["guid"], made["guid"]);
    let listed = bed.project.wake(["log", "--formulas"]).run().success().stdout;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let guid = made["guid"].as_str().unwrap();
    let kept = record(&bed.project.wake(["log", "--formulas", guid]).run().success());
    assert_eq!((&kept["results"], &kept["exitCode"]), (&made["results"], &made["exitCode"]));
    let remarks = kept["metadata"].as_object().unwrap();
    for key in ["wall_us", "user_us", "peak_bytes", "sandbox", "host", "hermetic", "stderr"] {
        assert!(remarks.contains_key(&format!("wake.{key}")), "{kept}");
    }
    bed.project.wake(["log", "--formulas", "zz"]).run().code(4);
    assert_eq!(again["results"], made["results"]);
    let elsewhere = bed.project.base().join("another-store");
    let finished = bed.project.wake(["formula", "run", "f.json"]).store(elsewhere).run();
    finished.code(3).mentions("rio-warehouse-unavailable");
}

#[test]
fn relative_addresses_start_where_the_call_is_made() {
    let Some(bed) = Bed::new("relative_addresses_start") else { return };
    let document = bed.formula("mkdir -p /task/out", unchanged);
    bed.project.write("below/f.json", document.to_string());
    bed.project.wake(["formula", "run", "below/f.json"]).run().success();
    let elsewhere = bed.project.wake(["formula", "run", "--rerun", "f.json"]);
    let store = bed.project.base().join("another-store");
    let elsewhere = elsewhere.cwd(bed.project.path("below")).store(store);
    elsewhere.run().code(3).mentions("/below/warehouse");
}

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
fn a_command_that_fails_leaves_a_record_and_is_not_remembered() {
    let Some(bed) = Bed::new("a_command_that_fails") else { return };
    for (script, code) in [("mkdir -p out; exit 3", 3), ("mkdir -p out; kill -9 $$", 137)] {
        let document = bed.formula(script, unchanged);
        let mut guids = Vec::new();
        for _ in 0..2 {
            let record = record(&bed.run(&document, &[]).code(32));
            assert_eq!(record["exitCode"], code);
            assert_ne!(record["results"]["/task/out"], "tar:-", "outputs are packed all the same");
            guids.push(record["guid"].clone());
        }
        assert_ne!(guids[0], guids[1]);
    }
}

#[test]
fn what_could_not_be_saved_is_not_made() {
    let Some(bed) = Bed::new("what_could_not_be_saved") else { return };
    let to = |url: &str| {
        bed.formula("echo ran; mkdir out", |d| d["context"]["saveUrls"] = json!({"/task/out": url}))
    };
    let finished = bed.run(&to("ca+file:///no/where"), &["-q"]).code(3);
    finished.says(expect![[r#"
        error: output `/task/out`: warehouse `ca+file:///no/where` is unavailable: `/no/where` is not a directory
         = note: category rio-warehouse-unavailable, exit code 3
    "#]]);
    let finished = bed.run(&to("https://127.0.0.1/"), &["-q"]).code(4);
    finished.says(expect![[r#"
        error: output `/task/out`: warehouse `https://127.0.0.1/` cannot be written: only `file://` and `ca+file://` can be written
         = note: category rio-warehouse-unwritable, exit code 4
    "#]]);
    assert!(!bed.project.wake(["log", "--formulas"]).run().stdout.contains("failed"));
}

#[test]
fn a_command_whose_outputs_cannot_be_kept_leaves_a_record() {
    let Some(bed) = Bed::new("a_command_whose_outputs_cannot_be_kept") else { return };
    let document = bed.formula("mkdir out; touch out/\"$(printf '\\377')\"", unchanged);
    let mut records = 0;
    // It is not remembered either.
    for _ in 0..2 {
        let finished = bed.run(&document, &["-q"]).code(11);
        assert_eq!(finished.stdout, "");
        let listed = bed.project.wake(["log", "--formulas"]).run().success().stdout;
        records += 1;
        assert_eq!(listed.lines().count(), records, "{listed}");
        let guid = listed.split_whitespace().next().unwrap();
        let kept = record(&bed.project.wake(["log", "--formulas", guid]).run().success());
        assert_eq!((&kept["exitCode"], &kept["results"]), (&json!(0), &json!({})));
        let fault = "`task/out/\u{fffd}` has a name that is not valid UTF-8";
        assert_eq!(kept["metadata"]["wake.faults"], fault);
    }
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
fn a_formula_of_warpforge_runs_as_well() {
    let Some(bed) = Bed::new("a_formula_of_warpforge") else { return };
    let document = json!({
        "formula": {"formula.v1": {
            "inputs": {
                "/": format!("ware:{}", bed.root),
                "/lit/hello": "literal:hello\n",
                "$WHO": "literal:you",
            },
            "action": {"script": {"interpreter": "/bin/sh", "contents": ["mkdir /out", "cat /lit/hello > /out/log; echo $WHO >> /out/log"]}},
            "outputs": {"log": {"from": "/out/log", "packtype": "tar"}},
        }},
        "context": {"context.v1": {"warehouses": {bed.root.clone(): "ca+file://./warehouse"}}},
    });
    let record = record(&bed.run(&document, &[]).success());
    assert_eq!(record["exitcode"], 0);
    bed.project.write("log", "hello\nyou\n");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o644);
    fs::set_permissions(bed.project.path("log"), mode).unwrap();
    let filters = "uid=0,gid=0";
    let id = bed.project.wake(["ware", "id", "tar", "log", "--filters", filters]).run().success();
    assert_eq!(record["results"]["log"], format!("ware:{}", id.stdout.trim()));
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
             help: allow it: `--allow-network`
        "#]],
    );
    bed.run(&document, &["--allow-network"]).success();
    let quiet = bed.formula("cat /proc/net/dev", unchanged);
    let said = bed.run(&quiet, &["-q"]).stderr;
    let devices: Vec<&str> = said.lines().skip(2).collect();
    assert!(devices.len() == 1 && devices[0].trim().starts_with("lo:"), "{said}");
}

#[test]
fn an_input_that_was_altered_in_the_store_is_unpacked_anew() {
    let Some(bed) = Bed::new("an_input_that_was_altered") else { return };
    let document = bed.formula("cat /bin/note", unchanged);
    bed.run(&document, &[]).code(32);
    let hash = bed.root.strip_prefix("tar:").unwrap();
    let place = bed.project.store().join("ware/tar/fileset");
    let place = place.join(&hash[..3]).join(&hash[3..6]).join(hash);
    assert!(place.join("bin").is_dir());
    fs::write(place.join("bin/note"), "planted\n").unwrap();
    let run = bed.run(&document, &[]).code(32);
    assert!(run.stderr.contains("was altered in the store"), "{run}");
    assert!(!run.stderr.contains("planted"), "{run}");
    assert!(!place.join("bin/note").exists());
    let again = bed.run(&document, &[]).code(32).stderr;
    assert!(!again.contains("altered") && !again.contains("unpacking"), "{again}");
}

/// The command waits for a file that the test makes when it has heard the first line.
#[test]
fn what_a_command_writes_is_told_while_it_runs() {
    let Some(bed) = Bed::new("what_a_command_writes") else { return };
    bed.project.write("host/f", "");
    let host = bed.project.path("host").display().to_string();
    let script = "echo first; n=0; until [ -e /host/heard ]; do n=$((n+1)); [ $n -lt 300 ] || exit 3; \
                  sleep 0.1; done; echo second; printf third";
    let document = bed.formula(script, |d| {
        d["formula"]["inputs"]["/host"] = json!(format!("mount:ro:{host}"));
        d["formula"]["outputs"] = json!({});
    });
    bed.project.write("f.json", document.to_string());
    for format in ["text", "json"] {
        let _ = fs::remove_file(bed.project.path("host/heard"));
        let run = ["-q", "formula", "run", "f.json", "--format", format];
        let mut child = bed.project.wake(run).spawn();
        let mut lines: Box<dyn Iterator<Item = String>> = match format {
            "text" => {
                Box::new(BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap))
            }
            _ => Box::new(BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap)),
        };
        let mut said = Vec::new();
        let is_first = |line: &String| line == "first" || line.contains("\"msg\":\"first");
        while !said.last().is_some_and(is_first) {
            said.push(lines.next().expect("nothing is said before the command ends"));
        }
        bed.project.write("host/heard", "");
        said.extend(lines);
        assert!(child.wait().unwrap().success(), "{said:?}");
        if format == "text" {
            assert_eq!(said, ["first", "second", "third"]);
        } else {
            let texts: Vec<String> = said
                .iter()
                .filter_map(|line| {
                    let event: Value = serde_json::from_str(line).unwrap();
                    Some(event["txt"]["msg"].as_str()?.to_owned())
                })
                .collect();
            assert_eq!(texts, ["first\n", "second\n", "third"]);
        }
    }
}

#[test]
fn events_end_in_the_result() {
    let Some(bed) = Bed::new("events") else { return };
    let finished = bed.run(&bed.formula("echo said", unchanged), &["--format", "json"]).success();
    assert_eq!(finished.stderr, "");
    let events: Vec<Value> =
        finished.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert!(events.iter().any(|event| event["txt"]["msg"] == "said\n"));
    assert!(events.iter().any(|event| event["log"]["lvl"] == 2));
    let result = &events.last().unwrap()["result"];
    assert_eq!((&result["runRecord"]["exitCode"], &result["error"]), (&json!(0), &Value::Null));
    let wrong = bed.formula("", |d| d["formula"]["action"]["exec"] = json!(["sh"]));
    let finished = bed.run(&wrong, &["--format", "json"]).code(40);
    let last: Value = serde_json::from_str(finished.stdout.lines().last().unwrap()).unwrap();
    assert_eq!(last["result"]["error"]["category"], "repeatr-job-invalid");
}

#[test]
fn two_runs_of_one_formula_at_once_do_not_disturb_each_other() {
    let Some(bed) = Bed::new("two_runs") else { return };
    let document = bed.formula("mkdir out; sleep 0.2; echo x > out/f", unchanged);
    bed.project.write("f.json", document.to_string());
    let start = || bed.project.wake(["formula", "run", "f.json"]).spawn();
    let runs: Vec<Value> = [start(), start(), start()]
        .map(|child| child.wait_with_output().unwrap())
        .iter()
        .map(|output| serde_json::from_slice(&output.stdout).unwrap())
        .collect();
    assert_eq!(runs[0]["results"], runs[1]["results"]);
    assert_eq!(runs[0]["results"], runs[2]["results"]);
}

#[test]
fn what_is_wrong_with_a_job_is_said_before_it_runs() {
    let Some(bed) = Bed::new("what_is_wrong") else { return };
    let exec = |words: &[&str]| bed.formula("", |d| d["formula"]["action"]["exec"] = json!(words));
    bed.refuses(
        &exec(&["mkdir", "x"]),
        40,
        expect![[r#"
                 Formula unpacking [WARE]
            error: `mkdir` is no absolute path: a formula's program is not searched for in `PATH`
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
            error: `/bin` is no regular file in the inputs
             = note: category repeatr-job-invalid, exit code 40
        "#]],
    );
    let cwd = bed.formula("", |d| d["formula"]["action"]["cwd"] = json!("/bin/sh"));
    bed.refuses(
        &cwd,
        40,
        expect![[r#"
            error: `/bin/sh` is to be a directory, and is none in the inputs
             = note: category repeatr-job-invalid, exit code 40
        "#]],
    );
    let below = bed.formula("", |d| d["formula"]["action"]["cwd"] = json!("/bin/busybox/x"));
    bed.refuses(
        &below,
        40,
        expect![[r#"
            error: `/bin/busybox/x` lies below `/bin/busybox`, which is no directory
             = note: category repeatr-job-invalid, exit code 40
        "#]],
    );
    let home = json!({"homedir": "/proc/home"});
    let system = bed.formula("", |d| d["formula"]["action"]["userinfo"] = home);
    bed.refuses(
        &system,
        40,
        expect![[r#"
            error: `/proc/home` cannot be made: `/dev` and `/proc` are the sandbox's own
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
            error: input `/dev` cannot stand there: `/dev` and `/proc` are the sandbox's own
             = note: category rio-assembly-invalid, exit code 10
        "#]],
    );
    bed.refuses(
        &input("/bin/busybox/x"),
        10,
        expect![[r#"
            error: `/bin/busybox/x` lies below `/bin/busybox`, which is no directory
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
            error: cwd `/absent` is no directory in the inputs
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
            error: input `/m/x` lies below `/m`, which is mounted from the host
             = note: category rio-assembly-invalid, exit code 10
        "#]],
    );
    let kept = bed.formula("", |d| {
        d["formula"]["outputs"] = json!({"/bin": {"packtype": "tar", "filters": {"uid": "keep"}}});
    });
    bed.refuses(
        &kept,
        40,
        expect![[r#"
            error: output `/bin` is to keep its owners, and an input brings some of it: give numbers for `uid` and `gid`
             = note: category repeatr-job-invalid, exit code 40
        "#]],
    );
}

#[test]
fn a_document_that_is_wrong_is_shown_where_it_is() {
    let Some(bed) = Bed::new("a_document_that_is_wrong") else { return };
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
            error: input `/a/b` lies below `/a`, which is mounted from the host
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
        error: `absent.json` cannot be read: No such file or directory (os error 2)
    "#]]);
}

/// The document of the Timeless Stack's own description, with its published id and result.
#[test]
fn the_published_example() {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures");
    let dir = std::env::var_os("WAKE_FIXTURES").map_or(beside, PathBuf::from).join("timeless");
    if !dir.is_dir() {
        // These fixtures are no part of the project, so their absence is no failure anywhere.
        let _ = writeln!(
            std::io::stderr(),
            "skipped: the_published_example: no fixtures at `{}`",
            dir.display()
        );
        return;
    }
    let project = project().build();
    let text = fs::read_to_string(dir.join("example1.formula")).unwrap();
    let published = "ca+https://repeatr.s3.amazonaws.com/warehouse/";
    assert!(text.contains(published));
    let here = format!("file://{}", dir.join("busybash.tgz").display());
    project.write("example1.formula", text.replace(published, &here));
    let finished = project.wake(["formula", "run", "example1.formula"]).run().success();
    let found = record(&finished);
    let expected: Value =
        serde_json::from_str(&fs::read_to_string(dir.join("example1.runrecord")).unwrap()).unwrap();
    for key in ["formulaID", "exitCode", "results"] {
        assert_eq!(found[key], expected[key], "{key}");
    }
}
