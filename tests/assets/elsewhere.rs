//! Listing remote places.

use std::process::Command;

use serde_json::{Value, json};
use wake_tests::{Project, expect, project};

use super::archives::giver;
use super::containers::Registry;
use super::served::{StandIn, served};
use super::server::{Manner, Server};
use super::{DIGEST, config, lab, printed, wake};

fn listed(lab: &Project, args: &[&str]) -> Value {
    let args = [&["asset", "list", "--json"], args].concat();
    serde_json::from_str(&printed(lab, &args)).unwrap()
}

/// A place lists what was pushed to it as the pushing registry lists it.
fn shows_what_was_pushed(giver: &Project, from: &str, shown: &str) {
    // Listing needs no registry.
    let stranger = project().build();
    let list = |args: &[&str]| {
        let args = [&["asset", "list", "--from", from], args].concat();
        stranger.wake(&args).run().success().stdout
    };
    assert_eq!(list(&[]), printed(giver, &["asset", "list"]));
    let of_genome = printed(giver, &["asset", "list", "-g", "tiny"]);
    assert_eq!(list(&["-g", "tiny"]), of_genome);
    assert_eq!(list(&["-g", DIGEST]), of_genome);
    let mut expected = listed(giver, &[])["genomes"].clone();
    for asset in expected[0]["assets"].as_array_mut().unwrap() {
        // Remote assets are packed.
        asset["tags"][0]["size"] = Value::Null;
    }
    let found: Value = serde_json::from_str(&list(&["--json"])).unwrap();
    assert_eq!(found, json!({"places": [{"from": shown, "genomes": expected}]}));
}

#[test]
fn a_place_shows_what_was_pushed_there() {
    let place = project().build();
    let giver = giver();
    let dir = format!("file://{}", place.path("assets").display());
    let push = |to: &str| {
        wake(&giver, &["asset", "push", "tiny/fasta", "tiny/idx", "--to", to]).run().success();
    };
    push(&dir);
    shows_what_was_pushed(&giver, &dir, &dir);
    let server = Server::of(place.path("assets"));
    shows_what_was_pushed(&giver, &server.address, server.address.trim_end_matches('/'));
    let test = "a_place_shows_what_was_pushed_there";
    let Some(registry) = Registry::start(test, &place.path("registry"), "") else { return };
    push(&registry.address());
    shows_what_was_pushed(&giver, &registry.address(), &registry.address());
}

/// A directory without an index, from before there was one, gets one from the next push, even if nothing is new.
#[test]
fn a_push_without_changes_writes_a_missing_index() {
    let place = project().build();
    let giver = giver();
    let dir = format!("file:{}", place.path("assets").display());
    let push = || wake(&giver, &["asset", "push", "tiny/fasta", "--to", &dir]).run().success();
    push();
    let index = place.read("assets/index.json");
    let said: Value = serde_json::from_str(&index).unwrap();
    let assets = json!([{"asset": "fasta", "tags": ["a"]}]);
    let genomes = json!([{"aliases": ["tiny"], "assets": assets, "digest": DIGEST}]);
    assert_eq!(said, json!({"genomes": genomes, "wake": 1}));
    std::fs::remove_file(place.path("assets/index.json")).unwrap();
    push().mentions("Unchanged tiny/fasta");
    assert_eq!(place.read("assets/index.json"), index);
}

/// Sets up the server's list of assets.
fn says_what_it_has(server: &StandIn) {
    server.says("/v3/genomes/alias_dict", &json!({DIGEST: ["tiny", "t 1"], "77": ["other"]}));
    let parts = json!({
        DIGEST: ["fasta.chrom_sizes:v1", "fasta:v1", "fasta.dir:v1", "idx:v2", "idx.parts:v2", "odd name:v1"],
        "77": ["fasta:default"],
    });
    for truth in ["true", "True"] {
        server.says(&format!("/v3/assets/list?includeSeekKeys={truth}"), &parts);
    }
}

#[test]
fn a_server_of_refgenie_shows_what_it_has() {
    let made = project().build();
    let server = served(&made);
    says_what_it_has(&server);
    let stranger = project().build();
    let list = |args: &[&str]| {
        let args = [&["asset", "list", "--from", &server.address], args].concat();
        stranger.wake(&args).run().success().stdout
    };
    assert_eq!(list(&[]), "other                fasta\ntiny                 fasta, idx\n");
    assert_eq!(
        list(&["-g", "tiny"]),
        format!(
            "{DIGEST} tiny\n  fasta:v1 (default)               chrom_sizes, dir, fasta\n  idx:v2 (default)                 idx, parts\n"
        )
    );
    let found: Value = serde_json::from_str(&list(&["-g", "tiny", "--json"])).unwrap();
    let genome = &found["places"][0]["genomes"][0];
    assert_eq!(genome["description"], "a small one");
    let idx = &genome["assets"][1]["tags"][0];
    assert_eq!(idx["parents"], json!([format!("{DIGEST}/fasta:v1")]));
    assert_eq!(idx["seek_keys"]["parts"], DIGEST);
    assert_eq!(idx["size"], "1.0KB");
    assert_eq!(idx["tree_digest"], Value::Null);
}

#[test]
fn all_servers_of_the_configuration_are_asked() {
    let (one, two) = (served(&project().build()), served(&project().build()));
    says_what_it_has(&one);
    two.says("/v3/genomes/alias_dict", &json!({"88": ["small"]}));
    two.says("/v3/assets/list?includeSeekKeys=true", &json!({"88": ["fasta:x"]}));
    let taker = project().build();
    let servers = ["--genome-server", &one.address, "--genome-server", &two.address];
    wake(&taker, &[&["genome", "init"][..], &servers].concat()).run().success();
    assert_eq!(
        printed(&taker, &["asset", "list", "--from"]),
        format!(
            "{}\nother                fasta\ntiny                 fasta, idx\n{}\nsmall                fasta\n",
            one.address, two.address
        )
    );
    // A genome must be on one of the servers, not on all.
    let small = printed(&taker, &["asset", "list", "-g", "small", "--from"]);
    assert_eq!(small, format!("{}\n{}\n88 small\n  fasta:x (default)\n", one.address, two.address));
    wake(&taker, &["asset", "list", "-g", "smal", "--from"])
        .run()
        .code(4)
        .mentions("has no genome `smal`");
    wake(&lab(), &["asset", "list", "--from"]).run().code(2).says(expect![[r#"
        error: no server to pull from
         help: use `--from ADDRESS`, or set `genome_servers` in the registry configuration
    "#]]);
}

#[test]
fn a_place_that_shows_nothing_says_why() {
    let made = project().build();
    let server = served(&made);
    let stranger = project().build();
    let says = |from: &str, args: &[&str], code: i32, expected: wake_tests::Expect| {
        let args = [&["asset", "list", "--from", from], args].concat();
        let done = stranger.wake(&args).run().code(code);
        let host = from.trim_end_matches('/');
        expected.assert_eq(&done.redacted_stderr().replace(host, "PLACE"));
        assert_eq!(done.stdout, "");
    };
    // A refgenie server without a list, one with an invalid list, and an unknown genome.
    says(
        &server.address,
        &[],
        4,
        expect![[r#"
        error: PLACE: this refgenie server does not list its assets
    "#]],
    );
    server.gives("/v3/assets/list?includeSeekKeys=true", b"<html>".to_vec());
    says(
        &server.address,
        &[],
        4,
        expect![[r#"
        error: PLACE/v3/assets/list?includeSeekKeys=***** not a response of a refgenie server: expected value at line 1 column 1
    "#]],
    );
    says_what_it_has(&server);
    says(
        &server.address,
        &["-g", "tinny"],
        4,
        expect![[r#"
        error: PLACE has no genome `tinny`
         help: did you mean `tiny`?
    "#]],
    );
    // A file server without an index, one that answers with HTML pages, and one that fails.
    let place = project().build();
    place.write("assets/x", "");
    let files = Server::of(place.path("assets"));
    says(
        &files.address,
        &[],
        4,
        expect![[r#"
        error: PLACE: cannot list its assets: not a refgenie server, and it has no `index.json`
         help: push to the served directory with `wake asset push`, which writes the index
    "#]],
    );
    files.is(Manner::Page);
    says(
        &files.address,
        &[],
        4,
        expect![[r#"
        error: PLACE/index.json: not an asset document: expected value at line 1 column 1
    "#]],
    );
    files.is(Manner::Status(403));
    says(
        &files.address,
        &[],
        9,
        expect![[r#"
        error: PLACE/openapi.json: 403 Forbidden
    "#]],
    );
    // No network, and no such directory.
    says(
        &server.address,
        &["--offline"],
        9,
        expect![[r#"
        error: PLACE/openapi.json: network access is disabled (offline)
    "#]],
    );
    let nowhere = format!("file://{}", place.path("nowhere").display());
    says(
        &nowhere,
        &[],
        4,
        expect![[r#"
        error: PLACE: no such directory
    "#]],
    );
}

/// refgenie's library can read the stand-in's list as well; its program uses another, private operation.
#[test]
fn refgenie_lists_the_same_of_the_stand_in() {
    const TEST: &str = "refgenie_lists_the_same_of_the_stand_in";
    let Some(program) = super::refgenie::program(TEST) else { return };
    let made = project().build();
    let server = served(&made);
    says_what_it_has(&server);
    let taker = project().build();
    let init = ["genome", "init", "--genome-server", &server.address];
    wake(&taker, &init).run().success();
    let script = "import sys, json; from refgenconf import RefGenConf; print(json.dumps(RefGenConf.from_yaml_file(sys.argv[1]).listr()))";
    let python = program.with_file_name("python");
    let output = Command::new(python).args(["-c", script]).arg(config(&taker)).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{said}"));
    let listed = listed.as_object().unwrap().values().next().unwrap();
    assert_eq!(listed["other"], json!(["fasta:default"]));
    assert_eq!(listed["tiny"].as_array().unwrap().len(), 6);
}
