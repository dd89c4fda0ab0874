//! Pushing and pulling assets through a directory, a file server or a container registry.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use wake_tests::{Project, expect, project, read_tree};

use super::containers::Registry;
use super::server::{Manner, Server};
use super::{DIGEST, FASTA, add, add_call, lab, printed, wake};

/// A registry with the asset `fasta:a` and its child `idx:v1`.
pub(crate) fn giver() -> Project {
    let lab = lab();
    add(&lab, "tiny/fasta:a", FASTA).success();
    lab.write("d/sub/x.1", "1");
    lab.write("d/x é", "2");
    // Incompressible content, so that a transfer can be interrupted.
    let mut noise = 7u32;
    let bytes = (0..300_000).map(|_| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    });
    lab.write("d/large", bytes.collect::<Vec<u8>>());
    lab.write_script("d/run", "#!/bin/sh\n");
    std::os::unix::fs::symlink("sub/x.1", lab.path("d/link")).unwrap();
    std::fs::create_dir(lab.path("d/empty")).unwrap();
    let keys = r#"{"idx": "sub/x.1", "cores": {"value": "4", "type": "number"}}"#;
    let call = [
        "asset",
        "add",
        "tiny/idx:v1",
        "--path",
        "d",
        "--seek-keys",
        keys,
        "--parent",
        "tiny/fasta",
        "--class",
        "idx",
        "--description",
        "an index",
    ];
    wake(&lab, &call).run().success();
    lab
}

fn taker() -> Project {
    let project = project().build();
    wake(&project, &["genome", "init"]).run().success();
    project
}

/// Pushes both assets, pulls them, and compares everything.
fn from_one_to_the_other(to: &str, from: &str) -> (Project, Project) {
    let (giver, taker) = (giver(), taker());
    wake(&giver, &["asset", "push", "tiny/fasta", "tiny/idx", "--to", to]).run().success();
    wake(&taker, &["asset", "pull", "tiny/fasta", "tiny/idx", "--from", from]).run().success();
    for asset in ["tiny/fasta", "tiny/idx", "tiny/idx:v1"] {
        for what in [&["asset", "id"][..], &["asset", "id", "--tree"]] {
            let asked = [what, &[asset]].concat();
            assert_eq!(printed(&taker, &asked), printed(&giver, &asked), "{asked:?}");
        }
    }
    assert_eq!(
        printed(&taker, &["asset", "seek", "tiny/idx.cores", "--json"]),
        "{\"asset\":\"tiny/idx.cores\",\"value\":4}\n"
    );
    let listed = |lab: &Project| {
        let mut listed: serde_json::Value =
            serde_json::from_str(&printed(lab, &["asset", "list", "--json"])).unwrap();
        listed["genome_folder"] = "".into();
        listed
    };
    assert_eq!(listed(&taker), listed(&giver));
    let data = |lab: &Project| read_tree(&lab.path(&format!("g/data/{DIGEST}")));
    assert_eq!(data(&taker), data(&giver));
    let run = taker.path(&format!("g/data/{DIGEST}/idx/v1/run"));
    assert!(Command::new(run).status().unwrap().success());
    // The second time there is nothing to do.
    wake(&giver, &["asset", "push", "tiny/idx", "--to", to])
        .run()
        .success()
        .mentions("Unchanged tiny/idx");
    wake(&taker, &["asset", "pull", "tiny/idx", "--from", from])
        .run()
        .success()
        .mentions("Unchanged tiny/idx");
    (giver, taker)
}

#[test]
fn assets_survive_a_round_trip_through_a_directory() {
    let place = project().build();
    let address = format!("file:{}", place.path("assets").display());
    let (giver, _) = from_one_to_the_other(&address, &address);
    let folder = format!("assets/{DIGEST}");
    assert!(place.path(&format!("{folder}/idx__v1.tgz")).is_file());
    // Other tools can read the archive, which has one directory named after the tag.
    let listed = Command::new("tar")
        .arg("tzf")
        .arg(place.path(&format!("{folder}/idx__v1.tgz")))
        .output()
        .unwrap();
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.lines().all(|line| line.starts_with("v1/")) && listed.contains("v1/empty/\n"),
        "{listed}"
    );
    // The recorded digests are those that other tools compute.
    let said: serde_json::Value =
        serde_json::from_str(&place.read(&format!("{folder}/idx__v1.json"))).unwrap();
    for (tool, key) in [("md5sum", "archive_digest"), ("sha256sum", "archive_sha256")] {
        let output =
            Command::new(tool).arg(place.path(&format!("{folder}/idx__v1.tgz"))).output().unwrap();
        let digest = String::from_utf8(output.stdout).unwrap();
        assert_eq!(said[key].as_str(), digest.split_whitespace().next(), "{tool}");
    }
    // Different content under the same name is not overwritten by default.
    giver.write("d/x é", "other");
    wake(&giver, &["asset", "add", "tiny/idx:v1", "--path", "d", "--force", "--class", "idx"])
        .run()
        .success();
    let push = ["asset", "push", "tiny/idx", "--to", &address];
    wake(&giver, &push).run().code(6).mentions("already exists");
    wake(&giver, &[&push[..], &["--force"]].concat()).run().success();
}

#[test]
fn a_file_server_serves_a_directory_with_interruptions() {
    let place = project().build();
    let address = format!("file:{}", place.path("assets").display());
    let server = Server::of(place.path("assets"));
    let (giver, _) = from_one_to_the_other(&address, &server.address);
    let push = ["asset", "push", "tiny/idx", "--to", &server.address];
    wake(&giver, &push).run().code(4).mentions("a file server is read-only");
    // An interrupted transfer is resumed.
    server.is(Manner::CutArchives(60_000));
    let taker = taker();
    let before = server.sent.load(Ordering::Relaxed);
    let pull = ["asset", "pull", "tiny/idx", "--from", &server.address];
    wake(&taker, &pull).run().success();
    let sent = server.sent.load(Ordering::Relaxed) - before;
    assert!(sent < 320_000, "{sent} bytes were sent of 300000");
    // After giving up, the next run downloads the rest.
    let taker = self::taker();
    server.is(Manner::CutArchives(0));
    wake(&taker, &pull).run().code(9).mentions("the transfer was interrupted");
    assert_eq!(printed(&taker, &["asset", "list"]), "");
    let own = taker.path("g/.wake/partial");
    let kept: PathBuf = std::fs::read_dir(&own).unwrap().next().unwrap().unwrap().path();
    let whole = place.path(&format!("assets/{DIGEST}/idx__v1.tgz"));
    let bytes = std::fs::read(&whole).unwrap();
    std::fs::write(&kept, &bytes[..200_000]).unwrap();
    server.is(Manner::Well);
    let before = server.sent.load(Ordering::Relaxed);
    wake(&taker, &pull).run().success();
    let sent = server.sent.load(Ordering::Relaxed) - before;
    assert!(sent < 110_000, "{sent} bytes were sent of the last 100000");
    assert!(std::fs::read_dir(&own).unwrap().next().is_none());
    for manner in [Manner::Status(404), Manner::Status(500), Manner::Page] {
        server.is(manner);
        let taker = self::taker();
        assert_ne!(wake(&taker, &pull).run().code, 0, "{manner:?}");
        assert_eq!(printed(&taker, &["asset", "list"]), "", "{manner:?}");
    }
}

#[test]
fn corrupt_content_is_not_registered() {
    let place = project().build();
    let address = format!("file:{}", place.path("assets").display());
    let giver = giver();
    wake(&giver, &["asset", "push", "tiny/fasta", "tiny/idx", "--to", &address]).run().success();
    let (form, archive) = (
        format!("assets/{DIGEST}/idx__v1.json"),
        place.path(&format!("assets/{DIGEST}/idx__v1.tgz")),
    );
    let good = (place.read(&form), std::fs::read(&archive).unwrap());
    let pull = ["asset", "pull", "tiny/idx", "--from", &address];
    let refused = |code: i32| {
        let taker = taker();
        let done = wake(&taker, &pull).run().code(code);
        assert_eq!(printed(&taker, &["asset", "list"]), "");
        assert!(!taker.path(&format!("g/data/{DIGEST}")).exists());
        place.write(&form, &good.0);
        std::fs::write(&archive, &good.1).unwrap();
        done
    };
    // A changed byte, an extra byte, a missing byte.
    let mut bytes = good.1.clone();
    bytes[1000] ^= 1;
    std::fs::write(&archive, &bytes).unwrap();
    refused(7).mentions("the archive of");
    std::fs::write(&archive, [&good.1[..], b"x"].concat()).unwrap();
    refused(7).mentions("the archive of");
    std::fs::write(&archive, &good.1[..good.1.len() - 1]).unwrap();
    refused(9).mentions("the transfer was interrupted");
    std::fs::remove_file(&archive).unwrap();
    refused(4).mentions("has no archive of");
    // The document does not match.
    let tree = printed(&giver, &["asset", "id", "--tree", "tiny/idx"]);
    place.edit(&form, tree.trim_end(), &"0".repeat(64));
    refused(7).mentions("the tree of");
    place.edit(&form, "\"asset\":\"idx\"", "\"asset\":\"fasta\"");
    refused(7).mentions("the document on file://");
    place.edit(&form, "\"wake\":1", "\"wake\":2");
    refused(4).mentions("it has format version 2");
    place.edit(&form, "\"archive_sha256\":\"", "\"archive_sha256\":\"../");
    refused(4).mentions("is not a SHA-256 digest");
    place.edit(&form, "\"sub/x.1\"", "\"../../x\"");
    refused(5).mentions("points outside the asset");
    // A genome with other sequences.
    let genome = format!("assets/{DIGEST}/genome.json");
    let said = place.read(&genome);
    place.edit(&genome, "\"length\":13", "\"length\":14");
    refused(7).mentions("the genome of the sequences");
    place.write(&genome, said);
    wake(&taker(), &pull).run().success();
}

#[test]
fn parents_must_match_the_local_ones() {
    let place = project().build();
    let address = format!("file:{}", place.path("assets").display());
    let giver = giver();
    wake(&giver, &["asset", "push", "tiny/idx", "--to", &address]).run().success();
    let other = lab();
    add(&other, "tiny/fasta:a", "another one\n").success();
    let pull = ["asset", "pull", "tiny/idx", "--from", &address];
    wake(&other, &pull).run().code(7).mentions("of `idx/v1` in this registry: expected ");
    let same = lab();
    add(&same, "tiny/fasta:a", FASTA).success();
    wake(&same, &pull).run().success();
    // A different asset of the same name is kept, unless `--force` is given.
    same.write(&format!("made/x/{DIGEST}.fa"), "x");
    wake(&same, &["asset", "remove", "tiny/idx"]).run().success();
    add_call(&same, "tiny/idx:v1", "made/x").run().success();
    wake(&same, &pull).run().code(6).mentions("already exists");
    wake(&same, &[&pull[..], &["--force"]].concat()).run().success();
    assert_eq!(
        printed(&same, &["asset", "id", "tiny/idx"]),
        printed(&giver, &["asset", "id", "tiny/idx"])
    );
}

#[test]
fn malicious_archives_are_rejected() {
    let place = project().build();
    let address = format!("file:{}", place.path("assets").display());
    let giver = giver();
    wake(&giver, &["asset", "push", "tiny/fasta", "--to", &address]).run().success();
    let form = format!("assets/{DIGEST}/fasta__a.json");
    let good = place.read(&form);
    let archive = place.path(&format!("assets/{DIGEST}/fasta__a.tgz"));
    let pull = ["asset", "pull", "tiny/fasta", "--from", &address];
    for (script, says) in [
        ("mkdir a; ln -s /etc/passwd a/x; tar czf x.tgz a", "x"),
        ("mkdir a; echo x > y; tar czf x.tgz --transform 's,^y,a/../../y,' -P a y", ".."),
        ("mkdir a b; tar czf x.tgz a b", "expected only the directory `a`"),
        ("mkdir b; tar czf x.tgz b", "expected only the directory `a`"),
        ("mkdir a; mkfifo a/p; tar czf x.tgz a", "a pipe"),
        ("echo no > x.tgz", ""),
    ] {
        let dir = place.path("made");
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir(&dir).unwrap();
        let made = Command::new("sh").args(["-euc", script]).current_dir(&dir).status().unwrap();
        assert!(made.success());
        let bytes = std::fs::read(dir.join("x.tgz")).unwrap();
        std::fs::write(&archive, &bytes).unwrap();
        let sum = |tool: &str| {
            let output = Command::new(tool).arg(&archive).output().unwrap();
            String::from_utf8(output.stdout).unwrap().split_whitespace().next().unwrap().to_owned()
        };
        let mut said: serde_json::Value = serde_json::from_str(&good).unwrap();
        said["archive_digest"] = sum("md5sum").into();
        said["archive_sha256"] = sum("sha256sum").into();
        said["archive_size"] = bytes.len().into();
        place.write(&form, said.to_string());
        let taker = taker();
        wake(&taker, &pull).run().code(5).mentions(says);
        assert_eq!(printed(&taker, &["asset", "list"]), "", "{script}");
    }
}

#[test]
fn a_registry_of_containers_gives_what_it_was_given() {
    let place = project().build();
    let test = "a_registry_of_containers_gives_what_it_was_given";
    let Some(registry) = Registry::start(test, &place.path("registry"), "") else { return };
    let address = registry.address();
    let (giver, _) = from_one_to_the_other(&address, &address);
    wake(&giver, &["asset", "tag", "tiny/fasta:a", "--to", "~odd._-9"]).run().success();
    wake(&giver, &["asset", "push", "tiny/fasta", "--to", &address]).run().success();
    let taker = taker();
    wake(&taker, &["asset", "pull", "tiny/fasta:~odd._-9", "--from", &address]).run().success();
    assert!(printed(&taker, &["asset", "seek", "tiny/fasta"]).contains("~odd._-9"));
    wake(&taker, &["asset", "pull", "tiny/none", "--from", &address])
        .run()
        .code(4)
        .mentions("has no asset `tiny/none`");
    wake(&taker, &["asset", "pull", "other/fasta", "--from", &address])
        .run()
        .code(4)
        .mentions("has no genome `other`");
    drop(registry);
    let pull = wake(&taker, &["asset", "pull", "tiny/idx", "--from", &address, "--offline"]);
    pull.run().code(9);
}

/// A proxy that counts response bytes and breaks off after a number of bytes, a given number of times.
struct Gate {
    host: String,
    came: Arc<AtomicUsize>,
    cuts: Arc<AtomicUsize>,
}

impl Gate {
    fn to(host: &str, most: usize) -> Gate {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gate = Gate {
            host: listener.local_addr().unwrap().to_string(),
            came: Arc::default(),
            cuts: Arc::default(),
        };
        let (host, came, cuts) = (host.to_owned(), gate.came.clone(), gate.cuts.clone());
        thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let far = TcpStream::connect(&host).unwrap();
                let (mut asked, mut to) = (near.try_clone().unwrap(), far.try_clone().unwrap());
                thread::spawn(move || std::io::copy(&mut asked, &mut to));
                let (came, cuts) = (came.clone(), cuts.clone());
                // The client may have disconnected.
                thread::spawn(move || drop(carry(far, near, most, &came, &cuts)));
            }
        });
        gate
    }
}

fn carry(
    mut far: TcpStream,
    mut near: TcpStream,
    most: usize,
    came: &AtomicUsize,
    cuts: &AtomicUsize,
) -> std::io::Result<()> {
    let (mut buffer, mut all) = ([0; 4096], 0);
    loop {
        let length = far.read(&mut buffer)?;
        if length == 0 {
            return near.shutdown(Shutdown::Both);
        }
        near.write_all(&buffer[..length])?;
        came.fetch_add(length, Ordering::Relaxed);
        all += length;
        let take_one = |left: usize| left.checked_sub(1);
        let order = Ordering::Relaxed;
        if all > most && cuts.fetch_update(order, order, take_one).is_ok() {
            return near.shutdown(Shutdown::Both);
        }
    }
}

#[test]
fn an_interrupted_archive_from_a_container_registry_is_resumed() {
    const TEST: &str = "an_interrupted_archive_from_a_container_registry_is_resumed";
    let place = project().build();
    let Some(registry) = Registry::start(TEST, &place.path("registry"), "") else { return };
    let giver = giver();
    let push = ["asset", "push", "tiny/idx", "--to", &registry.address()];
    wake(&giver, &push).run().success();
    let gate = Gate::to(&registry.host, 100_000);
    let address = format!("oci://{}/wake", gate.host);
    let taker = taker();
    gate.cuts.store(2, Ordering::Relaxed);
    wake(&taker, &["asset", "pull", "tiny/idx", "--from", &address]).run().success();
    assert_eq!(gate.cuts.load(Ordering::Relaxed), 0);
    let came = gate.came.load(Ordering::Relaxed);
    assert!(came < 400_000, "{came} bytes came for 300000");
    // A partial download of an earlier run is resumed as well.
    let taker = self::taker();
    gate.cuts.store(100, Ordering::Relaxed);
    let pull = ["asset", "pull", "tiny/idx", "--from", &address];
    let mut child = wake(&taker, &pull).spawn();
    let own = taker.path("g/.wake/partial");
    let has_some = || {
        let entries = std::fs::read_dir(&own).into_iter().flatten().flatten();
        entries.map(|entry| entry.metadata().unwrap().len()).max().unwrap_or(0) > 50_000
    };
    while !has_some() && child.try_wait().unwrap().is_none() {
        thread::yield_now();
    }
    let _ = child.kill();
    child.wait().unwrap();
    gate.cuts.store(0, Ordering::Relaxed);
    let before = gate.came.load(Ordering::Relaxed);
    wake(&taker, &pull).run().success();
    let came = gate.came.load(Ordering::Relaxed) - before;
    assert!(came < 290_000, "{came} bytes came for the rest of 300000");
}

#[test]
fn links_to_parents_resolve_after_a_pull() {
    let place = project().build();
    let address = format!("file:{}", place.path("assets").display());
    let giver = lab();
    add(&giver, "tiny/fasta:a", FASTA).success();
    giver.write("d/index", "1");
    let target = format!("../../fasta/a/{DIGEST}.fa");
    std::os::unix::fs::symlink(&target, giver.path("d/sequences")).unwrap();
    let call = ["asset", "add", "tiny/idx:v1", "--path", "d", "--parent", "tiny/fasta"];
    wake(&giver, &call).run().success();
    wake(&giver, &["asset", "push", "tiny/fasta", "tiny/idx", "--to", &address]).run().success();
    let taker = taker();
    let pull = |asset: &str| wake(&taker, &["asset", "pull", asset, "--from", &address]).run();
    pull("tiny/idx").code(4).says(expect![[r#"
        error: `4e88f10ceb549493a658a41991ffa249af078781d28aa9e2/idx:v1` has links to `4e88f10ceb549493a658a41991ffa249af078781d28aa9e2/fasta:a`, which is not in the registry
         help: pull it first: `wake asset pull 4e88f10ceb549493a658a41991ffa249af078781d28aa9e2/fasta:a`
    "#]]);
    pull("tiny/fasta").success();
    pull("tiny/idx").success();
    assert_eq!(taker.read("g/alias/tiny/idx/v1/sequences"), FASTA);
}

#[test]
fn recipes_classes_and_dates_go_with_an_asset() {
    let place = project().build();
    let address = format!("file:{}", place.path("assets").display());
    let giver = lab();
    giver.write(
        "docs/base_asset_class.yaml",
        "name: base\nversion: 0.0.1\ndescription: d\nseek_keys: {}\n",
    );
    giver.write(
        "docs/words_asset_class.yaml",
        "name: words\nversion: 0.0.1\ndescription: Words\nseek_keys:\n  words: { value: words, type: file, description: w }\nparents: [base]\n",
    );
    giver.write(
        "docs/words_asset_recipe.yaml",
        "name: words\nversion: 0.0.2\noutput_asset_class: words\ndescription: How words are made\ninputs: { files: null, params: null, assets: null }\ncommand_template_list:\n  - echo {{genome}} > {{asset_outfolder}}/words\n",
    );
    let build = ["recipe", "build", "tiny/words", "--documents", "docs", "--rootfs", "host"];
    wake(&giver, &build).run().success();
    giver.edit("g/genome_config.yaml", "date_built: 20", "date_built: 2020-01-02_03:04 # 20");
    wake(&giver, &["asset", "push", "tiny/words", "--to", &address]).run().success();
    let taker = taker();
    wake(&taker, &["asset", "pull", "tiny/words", "--from", &address]).run().success();
    let listed = |lab: &Project| printed(lab, &["recipe", "list"]);
    assert_eq!(listed(&taker), listed(&giver));
    assert_eq!(listed(&taker).lines().count(), 3, "{}", listed(&taker));
    assert!(taker.read("g/genome_config.yaml").contains("date_built: 2020-01-02_03:04\n"));
    // A build there finds it unchanged.
    let again = ["recipe", "build", "tiny/words", "--rootfs", "host"];
    wake(&taker, &again).run().success().mentions("Unchanged tiny/words");
    // The recipe goes along under another tag as well.
    wake(&giver, &["asset", "tag", "tiny/words", "--to", "v2"]).run().success();
    wake(&giver, &["asset", "push", "tiny/words", "--to", &address]).run().success();
    let second = self::taker();
    wake(&second, &["asset", "pull", "tiny/words:v2", "--from", &address]).run().success();
    assert_eq!(listed(&second), listed(&giver));
    // An existing document of that name is kept.
    let other = self::taker();
    other.write(
        "words_asset_class.yaml",
        "name: words\nversion: 9\ndescription: Others\nseek_keys: {}\n",
    );
    wake(&other, &["recipe", "add", "words_asset_class.yaml"]).run().success();
    wake(&other, &["asset", "pull", "tiny/words", "--from", &address]).run().success();
    let listed = listed(&other);
    assert!(listed.contains("Others") && !listed.contains("Words"), "{listed}");
    // A name that points outside the folder is invalid.
    let form = format!("assets/{DIGEST}/words__default.json");
    place.edit(&form, "\"name\":\"base\"", "\"name\":\"../base\"");
    wake(&self::taker(), &["asset", "pull", "tiny/words", "--from", &address])
        .run()
        .code(2)
        .mentions("`../base` is not a valid ");
}
