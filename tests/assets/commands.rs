//! The commands and their messages.

use wake_tests::{expect, project};

use super::{DIGEST, FASTA, add, config, lab, printed, wake};

#[test]
fn an_asset_is_found_by_alias_and_digest_until_it_is_removed() {
    let lab = lab();
    add(&lab, "tiny/fasta:a", FASTA).success().mentions("Registered tiny/fasta:a, 37 B");
    let links = lab.path("g/alias/tiny/fasta/a");
    let file = format!("{}\n", links.join("tiny.fa").display());
    for named in ["tiny/fasta", "tiny/fasta:a", "tiny/fasta.fasta", &format!("{DIGEST}/fasta")] {
        assert_eq!(printed(&lab, &["asset", "seek", named]), file);
    }
    assert_eq!(
        printed(&lab, &["asset", "seek", "tiny/fasta.dir"]),
        format!("{}\n", links.display())
    );
    let data = lab.path(&format!("g/data/{DIGEST}/fasta/a/{DIGEST}.fa"));
    assert_eq!(
        printed(&lab, &["asset", "seek", "--data", "tiny/fasta"]),
        format!("{}\n", data.display())
    );
    assert_eq!(std::fs::read_to_string(links.join("tiny.fa")).unwrap(), FASTA);
    assert_eq!(printed(&lab, &["asset", "id", "tiny/fasta"]), by_tools(&lab));
    assert_eq!(printed(&lab, &["asset", "list"]), "tiny                 fasta\n");
    assert_eq!(
        printed(&lab, &["asset", "list", "-g", "tiny"]),
        format!("{DIGEST} tiny\n  fasta:a (default)                fasta, dir\n")
    );
    wake(&lab, &["asset", "remove", "tiny/fasta"]).run().success();
    wake(&lab, &["asset", "seek", "tiny/fasta"]).run().code(4).says(expect![[r#"
        error: genome `tiny` has no asset `fasta`
         help: add one with `wake recipe build`, `wake asset add` or `wake asset pull`
    "#]]);
    assert!(!data.exists() && !links.exists());
}

fn by_tools(lab: &wake_tests::Project) -> String {
    let script =
        "find . -type f -exec md5sum {} + | sort -k 2 | awk '{print $1}' | md5sum | cut -c-32";
    let output = std::process::Command::new("sh")
        .args(["-c", script])
        .env("LC_ALL", "C")
        .current_dir(lab.path("made/tiny_fasta_a"))
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn json_listings_are_complete() {
    let lab = lab();
    add(&lab, "tiny/fasta:a", FASTA).success();
    let listed: serde_json::Value =
        serde_json::from_str(&printed(&lab, &["asset", "list", "--json"])).unwrap();
    let genome = &listed["genomes"][0];
    assert_eq!((&genome["digest"], &genome["aliases"][0]), (&DIGEST.into(), &"tiny".into()));
    let tag = &genome["assets"][0]["tags"][0];
    assert_eq!(
        (&tag["tag"], &tag["seek_keys"]["dir"], &tag["size"]),
        (&"a".into(), &".".into(), &"37.00 B".into())
    );
}

#[test]
fn values_have_the_types_that_they_were_given() {
    let lab = lab();
    lab.write("d/x.1.bt2", "1");
    lab.write("d/x.2.bt2", "2");
    let keys = r#"{"prefix": "x", "one": "x.1.bt2", "cores": {"value": "4", "type": "number"}, "on": {"value": "true", "type": "boolean"}, "note": "4", "list": {"value": "[1, 2]", "type": "array"}}"#;
    let call = ["asset", "add", "tiny/idx:v1", "--path", "d", "--seek-keys", keys];
    wake(&lab, &call).run().success();
    let text = std::fs::read_to_string(config(&lab)).unwrap();
    assert!(text.contains("cores: \"4\"\n") && text.contains("note: \"4\"\n"), "{text}");
    let asked = [
        "asset",
        "seek",
        "--json",
        "tiny/idx.cores",
        "tiny/idx.on",
        "tiny/idx.note",
        "tiny/idx.list",
    ];
    assert_eq!(
        printed(&lab, &asked),
        "{\"asset\":\"tiny/idx.cores\",\"value\":4}\n{\"asset\":\"tiny/idx.on\",\"value\":true}\n{\"asset\":\"tiny/idx.note\",\"value\":\"4\"}\n{\"asset\":\"tiny/idx.list\",\"value\":[1,2]}\n"
    );
    assert!(
        printed(&lab, &["asset", "seek", "tiny/idx.prefix"]).ends_with("alias/tiny/idx/v1/x\n")
    );
    std::fs::remove_file(lab.path("g/alias/tiny/idx/v1/x.1.bt2")).unwrap();
    wake(&lab, &["asset", "seek", "tiny/idx.one"]).run().code(5).mentions("does not exist");
    wake(&lab, &["asset", "seek", "--unchecked", "tiny/idx.one"]).run().success();
}

#[test]
fn invalid_requests_are_refused_before_anything_changes() {
    let lab = lab();
    add(&lab, "tiny/fasta:a", FASTA).success();
    let before = std::fs::read(config(&lab)).unwrap();
    add(&lab, "tiny/fasta:a", FASTA).code(6).says(expect![[r#"
        error: `tiny/fasta:a` already exists
         help: use `--force` to replace it
    "#]]);
    add(&lab, "tiny/fasta:1.0", FASTA).code(2).says(expect![[r#"
        error: `1.0` is not a valid new tag: refgenie would read it as a number
    "#]]);
    add(&lab, "tiny/fasta:a b", FASTA).code(2).says(expect![[r#"
        error: `a b` is not a valid tag: it contains a space
         help: a registry path is [GENOME/]ASSET[.SEEK_KEY][:TAG]
    "#]]);
    add(&lab, "tinny/fasta:b", FASTA).code(4).says(expect![[r#"
        error: no genome `tinny` in the registry
         help: did you mean `tiny`?
    "#]]);
    lab.write("d/x", "x");
    let call = |keys: &str| {
        wake(&lab, &["asset", "add", "tiny/y", "--path", "d", "--seek-keys", keys]).run()
    };
    call(r#"{"y": {"value": "z", "type": "file"}}"#).code(5).says(expect![[r#"
        error: seek key `y` of `4e88f10ceb549493a658a41991ffa249af078781d28aa9e2/y:default`: file `z` does not exist
    "#]]);
    call(r#"{"y": {"value": "../x", "type": "file"}}"#)
        .code(5)
        .mentions("`../x` points outside the asset");
    call(r#"{"y": {"value": "z", "type": "text"}}"#)
        .code(2)
        .mentions("`text` is not a seek key type");
    call("[]").code(2).mentions("expected one JSON object");
    wake(&lab, &["asset", "add", "tiny/y", "--path", "none"])
        .run()
        .code(4)
        .mentions("No such file");
    wake(&lab, &["asset", "seek", "a/b/c"]).run().code(2).mentions("more than one `/`");
    wake(&lab, &["asset", "seek", "fasta"])
        .run()
        .code(2)
        .mentions("`fasta` does not name a genome");
    wake(&lab, &["asset", "seek", "tiny/fasta:zz"]).run().code(4).mentions("it has `a`");
    wake(&lab, &["asset", "remove", "tiny/fasta:b"]).run().code(4).mentions("has no tag `b`");
    lab.wake(["asset", "list"]).run().code(2).says(expect![[r#"
        error: no asset registry configured
         help: pass its `genome_config.yaml` with `--genome-config FILE` or REFGENIE; `wake genome init FASTA` creates a registry if there is none
    "#]]);
    lab.wake(["asset", "list", "--genome-config", "none.yaml"]).run().code(4).says(expect![[r#"
        error: no asset registry at `[ROOT]/none.yaml`
         help: create one with `wake genome init FASTA`, or name one with `--genome-config` or `REFGENIE`
    "#]]);
    assert_eq!(std::fs::read(config(&lab)).unwrap(), before);
}

#[test]
fn an_asset_with_children_is_not_removed_without_force() {
    let lab = lab();
    add(&lab, "tiny/fasta:a", FASTA).success();
    lab.write("d/x", "x");
    let child =
        ["asset", "add", "tiny/idx:b", "--path", "d", "--parent", "tiny/fasta", "--class", "idx"];
    wake(&lab, &child).run().success();
    wake(&lab, &["asset", "remove", "tiny/fasta"])
        .run()
        .code(6)
        .mentions("`tiny/fasta:a` is a parent of ");
    let other = ["asset", "add", "tiny/idx:c", "--path", "d", "--class", "other"];
    wake(&lab, &other).run().code(6).says(expect![[r#"
        error: `tiny/idx` has class `idx`, but the new asset has class `other`
         help: register it under another name
    "#]]);
    wake(&lab, &["asset", "tag", "tiny/fasta:a", "--to", "v2"]).run().success();
    let listed: serde_json::Value =
        serde_json::from_str(&printed(&lab, &["asset", "list", "--json"])).unwrap();
    let parents = &listed["genomes"][0]["assets"][1]["tags"][0]["parents"];
    assert_eq!(parents, &serde_json::json!([format!("{DIGEST}/fasta:v2")]));
    wake(&lab, &["asset", "remove", "--force", "tiny/fasta"]).run().success();
    let listed = printed(&lab, &["asset", "list", "--json"]);
    assert!(!listed.contains("fasta"), "{listed}");
}

#[test]
fn the_default_tag_is_the_first_one_until_another_is_made_that() {
    let lab = lab();
    for tag in ["a", "b", "c"] {
        add(&lab, &format!("tiny/fasta:{tag}"), tag).success();
    }
    let meant =
        || printed(&lab, &["asset", "seek", "tiny/fasta.dir"]).trim_end().chars().last().unwrap();
    assert_eq!(meant(), 'a');
    wake(&lab, &["asset", "tag", "tiny/fasta:c", "--default"]).run().success();
    assert_eq!(meant(), 'c');
    wake(&lab, &["asset", "remove", "tiny/fasta:c"]).run().success();
    assert_eq!(meant(), 'a');
    wake(&lab, &["asset", "tag", "tiny/fasta:a", "--to", "b"])
        .run()
        .code(6)
        .mentions("`tiny/fasta:b` already exists");
    wake(&lab, &["asset", "tag", "tiny/fasta:a", "--to", "b", "--force"]).run().success();
    assert_eq!(meant(), 'b');
    let link = lab.path("g/alias/tiny/fasta/b/tiny.fa");
    assert_eq!(std::fs::read_to_string(link).unwrap(), "a");
    let tags = printed(&lab, &["asset", "list", "-g", "tiny"]);
    assert_eq!(tags.lines().count(), 2, "{tags}");
}

#[test]
fn genomes_are_named_shown_and_compared() {
    let lab = lab();
    lab.write("more.fa", format!("{FASTA}>chr3\nGGGGG\n"));
    lab.write("odd.fa", ">x\nCC\n");
    let more =
        printed(&lab, &["genome", "init", "more.fa", "--alias", "more", "--alias", "GRCh.1"]);
    printed(&lab, &["genome", "init", "odd.fa", "--alias", "odd"]);
    assert_eq!(
        printed(&lab, &["genome", "compare", "tiny", "more"]),
        "Flag: 2005\nBinary: 0b11111010101\nCONTENT_ALL_A_IN_B\nLENGTHS_ALL_A_IN_B\nNAMES_ALL_A_IN_B\nCONTENT_A_ORDER\nCONTENT_B_ORDER\nCONTENT_ANY_SHARED\nLENGTHS_ANY_SHARED\nNAMES_ANY_SHARED\n"
    );
    assert_eq!(
        printed(&lab, &["genome", "compare", "tiny", "odd", "--json"]),
        "{\n  \"flag\": 0,\n  \"shared\": []\n}\n"
    );
    assert_eq!(
        printed(&lab, &["genome", "alias", "get", "more"]),
        format!("{} more GRCh.1\n", more.trim_end())
    );
    wake(&lab, &["genome", "alias", "set", "tiny", "GRCh.1"])
        .run()
        .code(6)
        .mentions("`GRCh.1` already names genome");
    wake(&lab, &["genome", "alias", "set", "tiny", "GRCh.1", "--force"]).run().success();
    assert_eq!(
        printed(&lab, &["genome", "alias", "get", "GRCh.1"]),
        format!("{DIGEST} tiny GRCh.1\n")
    );
    wake(&lab, &["genome", "alias", "remove", "tiny"]).run().success();
    wake(&lab, &["genome", "compare", "tiny", "odd"])
        .run()
        .code(4)
        .mentions("no genome `tiny` in the registry");
    // Adding the same genome again is not an error.
    assert_eq!(
        printed(&lab, &["genome", "init", "t.fa", "--alias", "tiny"]),
        format!("{DIGEST}\n")
    );
    wake(&lab, &["genome", "init", "t.fa", "--alias", "odd"])
        .run()
        .code(6)
        .mentions("`odd` already names genome");
    lab.write("no.fa", "hello\n");
    wake(&lab, &["genome", "init", "no.fa"]).run().code(5).says(expect![[r#"
        error: `[ROOT]/no.fa`: not FASTA: line 1 comes before the first `>`
    "#]]);
}

#[test]
fn sequences_are_printed_from_their_asset() {
    let lab = lab();
    add(&lab, "tiny/fasta:a", FASTA).success();
    assert_eq!(printed(&lab, &["genome", "getseq", "tiny", "chr1"]), "ACGTACGTAAACG\n");
    assert_eq!(printed(&lab, &["genome", "getseq", "tiny", "chr1:1-4"]), "CGT\n");
    wake(&lab, &["genome", "getseq", "tiny", "chr2:2-5"]).run().code(4).says(expect![[r#"
        error: sequence `chr2` has 4 characters, fewer than 5
         help: positions start at 0, and END is exclusive
    "#]]);
    wake(&lab, &["genome", "getseq", "tiny", "chr"]).run().code(4).mentions("did you mean `chr1`?");
    wake(&lab, &["genome", "getseq", "tiny", "chr1:4-1"])
        .run()
        .code(2)
        .mentions("is not a valid locus");
}

#[test]
fn names_of_assets_in_a_text_become_paths() {
    let lab = lab();
    add(&lab, "tiny/fasta:1.2-a", FASTA).success();
    lab.write("in.txt", "a: refgenie://tiny/fasta.fasta:1.2-a\nb: 'refgenie://tiny/fasta.dir'.\n");
    let links = lab.path("g/alias/tiny/fasta/1.2-a").display().to_string();
    assert_eq!(
        printed(&lab, &["asset", "populate", "in.txt"]),
        format!("a: {links}/tiny.fa\nb: '{links}'.\n")
    );
    lab.write("in.txt", "a\nrefgenie://tiny/fsta\n");
    wake(&lab, &["asset", "populate", "in.txt"]).run().code(4).says(expect![[r#"
        error: in.txt:2: genome `tiny` has no asset `fsta`
         help: did you mean `fasta`?
    "#]]);
}

#[test]
fn a_registry_is_created_at_the_given_path() {
    let project = project().file("t.fa", FASTA).build();
    let call =
        |args: &[&str]| project.wake(args.iter().copied()).env("DATA", project.path("data2")).run();
    call(&[
        "genome",
        "init",
        "--genome-config",
        "c/g.yaml",
        "--genome-folder",
        "elsewhere",
        "--genome-server",
        "http://a.example.org",
    ])
    .success()
    .mentions("Creating an asset registry at [ROOT]/c/g.yaml");
    call(&["genome", "init", "t.fa", "--genome-config", "c/g.yaml", "-a", "tiny"]).success();
    assert!(project.path(&format!("elsewhere/data/{DIGEST}/{DIGEST}__ASDs.json")).is_file());
    assert!(project.path("elsewhere/alias/tiny").is_dir());
    call(&["genome", "init", "--genome-config", "c/g.yaml", "--genome-folder", "x"]).code(6);
    project.write("v.yaml", "config_version: 0.4\ngenome_folder: ${DATA}/g\ngenomes: {}\n");
    call(&["genome", "init", "t.fa", "--genome-config", "v.yaml"]).success();
    assert!(project.path("data2/g/data").is_dir());
    project.write("v.yaml", "config_version: 0.4\ngenome_folder: $NOT_SET/g\ngenomes: {}\n");
    call(&["asset", "list", "--genome-config", "v.yaml"])
        .code(4)
        .mentions("uses the variable `NOT_SET`, which is not set");
}
