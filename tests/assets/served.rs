//! Pulling from a refgenie server: a stand-in for version 3 of its API.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use serde_json::{Value, json};
use wake_tests::{Project, expect, project};

use super::{DIGEST, FASTA, add, lab, printed, wake};

/// The response to a path.
#[derive(Clone)]
enum Answer {
    Bytes(Vec<u8>),
    Moved(String),
}

/// The stand-in server.
pub(crate) struct StandIn {
    pub(crate) address: String,
    answers: Arc<Mutex<BTreeMap<String, Answer>>>,
    /// The most bytes in a response.
    most: Arc<AtomicUsize>,
    /// The number of bytes sent.
    sent: Arc<AtomicUsize>,
}

/// The paths and ids of its operations.
const OPERATIONS: [(&str, &str); 8] = [
    ("/v3/assets/list", "v3custom_Id_assets"),
    ("/v3/genomes/alias_dict", "v3custom_Id_aliases_dict"),
    ("/v3/genomes/genome_digest/{alias}", "v3custom_Id_alias_digest"),
    ("/v3/genomes/attrs/{genome}", "v3custom_Id_genome_attrs"),
    ("/v3/assets/default_tag/{genome}/{asset}", "v3custom_Id_default_tag"),
    ("/v3/assets/attrs/{genome}/{asset}", "v3custom_Id_asset_attrs"),
    ("/v3/assets/asset_digest/{genome}/{asset}", "v3custom_Id_asset_digest"),
    ("/v3/assets/archive/{genome}/{asset}", "v3custom_Id_archive"),
];

impl StandIn {
    fn start() -> StandIn {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let most = Arc::new(AtomicUsize::new(usize::MAX));
        let server = StandIn { address, answers: Arc::default(), most, sent: Arc::default() };
        let (answers, most, sent) =
            (server.answers.clone(), server.most.clone(), server.sent.clone());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let answers = answers.lock().unwrap().clone();
                let (most, sent) = (most.load(Ordering::Relaxed), sent.clone());
                // The client may have disconnected.
                thread::spawn(move || drop(answer(stream, &answers, most, &sent)));
            }
        });
        let paths: serde_json::Map<String, Value> = OPERATIONS
            .iter()
            .map(|(path, name)| ((*path).to_owned(), json!({"get": {"operationId": name}})))
            .collect();
        server.says("/openapi.json", &json!({"openapi": "3.0.2", "paths": paths}));
        server
    }

    pub(crate) fn says(&self, path: &str, value: &Value) {
        self.gives(path, value.to_string().into_bytes());
    }

    pub(crate) fn gives(&self, path: &str, bytes: Vec<u8>) {
        self.answers.lock().unwrap().insert(path.to_owned(), Answer::Bytes(bytes));
    }

    /// Serves an asset: the directory `made/NAME`, which contains one named after the tag.
    fn has(&self, lab: &Project, asset: &str, tag: &str, seek: &Value, parents: &[&str]) {
        let dir = lab.path(&format!("made/{asset}"));
        let run = |script: &str| {
            let output = Command::new("sh").args(["-euc", script]).current_dir(&dir).output();
            String::from_utf8(output.unwrap().stdout).unwrap()
        };
        run(&format!("tar czf ../{asset}.tgz {tag}"));
        let archive = std::fs::read(lab.path(&format!("made/{asset}.tgz"))).unwrap();
        let digest = run(&format!(
            "cd {tag}; find . -type f -exec md5sum {{}} + | LC_ALL=C sort -k 2 | awk '{{print $1}}' | md5sum | cut -c-32"
        ));
        let sum = run(&format!("md5sum ../{asset}.tgz | cut -c-32"));
        let attributes = json!({
            "asset_path": asset, "asset_digest": digest.trim(), "archive_digest": sum.trim(),
            "asset_size": "1.0KB", "archive_size": "1.0KB", "seek_keys": seek,
            "asset_parents": parents, "asset_children": [],
        });
        self.says("/v3/genomes/genome_digest/tiny", &json!(DIGEST));
        let genome = json!({"genome_description": "a small one"});
        self.says(&format!("/v3/genomes/attrs/{DIGEST}"), &genome);
        self.says(&format!("/v3/assets/default_tag/{DIGEST}/{asset}"), &json!(tag));
        let of = |what: &str| format!("/v3/assets/{what}/{DIGEST}/{asset}?tag={tag}");
        self.says(&of("attrs"), &attributes);
        self.says(&of("asset_digest"), &json!(digest.trim()));
        // The archive is at another location, as on the public server.
        let place = format!("/files/{asset}__{tag}.tgz");
        let moved = Answer::Moved(format!("{}{place}", self.address));
        self.answers.lock().unwrap().insert(of("archive"), moved);
        self.gives(&place, archive);
    }
}

fn answer(
    mut stream: TcpStream,
    answers: &BTreeMap<String, Answer>,
    most: usize,
    sent: &AtomicUsize,
) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut first = String::new();
    reader.read_line(&mut first)?;
    let mut from = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? <= 2 {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("range: bytes=") {
            from = value.trim().trim_end_matches('-').parse().unwrap();
        }
    }
    let path = first.split(' ').nth(1).unwrap_or_default();
    let head = |status: &str, length: usize, more: &str| {
        format!("HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{more}\r\n")
    };
    match answers.get(path) {
        None => stream.write_all(head("404 Not Found", 0, "").as_bytes()),
        Some(Answer::Moved(to)) => {
            stream.write_all(head("307 Moved", 0, &format!("location: {to}\r\n")).as_bytes())
        }
        Some(Answer::Bytes(bytes)) => {
            let rest = &bytes[from.min(bytes.len())..];
            let range =
                format!("content-range: bytes {from}-{}/{}\r\n", bytes.len() - 1, bytes.len());
            let (status, range) = if from > 0 { ("206 Part", &*range) } else { ("200 OK", "") };
            stream.write_all(head(status, rest.len(), range).as_bytes())?;
            let rest = &rest[..rest.len().min(most)];
            sent.fetch_add(rest.len(), Ordering::Relaxed);
            stream.write_all(rest)
        }
    }
}

/// A server with `fasta:v1` and its child `idx:v2`, which has a link to it.
pub(crate) fn served(lab: &Project) -> StandIn {
    let server = StandIn::start();
    lab.write(&format!("made/fasta/v1/{DIGEST}.fa"), FASTA);
    lab.write(&format!("made/fasta/v1/{DIGEST}.chrom.sizes"), "chr1\t13\nchr2\t4\n");
    let seek = json!({"fasta": format!("{DIGEST}.fa"), "chrom_sizes": format!("{DIGEST}.chrom.sizes"), "dir": "."});
    server.has(lab, "fasta", "v1", &seek, &[]);
    let mut noise = 7u32;
    let bytes = (0..300_000).map(|_| {
        noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (noise >> 24) as u8
    });
    lab.write(&format!("made/idx/v2/{DIGEST}.1"), bytes.collect::<Vec<u8>>());
    let link = lab.path(&format!("made/idx/v2/{DIGEST}.fa"));
    std::os::unix::fs::symlink(format!("../../fasta/v1/{DIGEST}.fa"), link).unwrap();
    let seek = json!({"idx": format!("{DIGEST}.fa"), "parts": DIGEST});
    server.has(lab, "idx", "v2", &seek, &[&format!("{DIGEST}/fasta:v1")]);
    server
}

fn taker(server: &StandIn) -> Project {
    let project = project().build();
    let init = ["genome", "init", "--genome-server", &server.address];
    wake(&project, &init).run().success();
    project
}

#[test]
fn assets_of_a_server_of_refgenie_are_pulled() {
    let made = project().build();
    let server = served(&made);
    let taker = taker(&server);
    // The configuration names the server.
    wake(&taker, &["asset", "pull", "tiny/fasta"]).run().success();
    let fasta = printed(&taker, &["asset", "seek", "tiny/fasta"]);
    assert_eq!(std::fs::read_to_string(fasta.trim_end()).unwrap(), FASTA);
    assert!(fasta.ends_with("alias/tiny/fasta/v1/tiny.fa\n"), "{fasta}");
    assert_eq!(printed(&taker, &["genome", "getseq", "tiny", "chr2"]), "TTTT\n");
    // All bits are set: the genomes are the same.
    let compared = printed(&taker, &["genome", "compare", "tiny", DIGEST, "--json"]);
    assert!(compared.contains("\"flag\": 2047"), "{compared}");
    wake(&taker, &["asset", "pull", "tiny/idx:v2", "--from", &server.address]).run().success();
    let listed = printed(&taker, &["asset", "list", "--json"]);
    let listed: Value = serde_json::from_str(&listed).unwrap();
    let genome = &listed["genomes"][0];
    assert_eq!(genome["description"], "a small one");
    assert_eq!(genome["assets"][0]["tags"][0]["children"], json!([format!("{DIGEST}/idx:v2")]));
    assert_eq!(genome["assets"][1]["tags"][0]["parents"], json!([format!("{DIGEST}/fasta:v1")]));
    let idx = printed(&taker, &["asset", "seek", "tiny/idx"]);
    assert_eq!(std::fs::read_to_string(idx.trim_end()).unwrap(), FASTA);
    assert!(printed(&taker, &["asset", "seek", "tiny/idx.parts"]).ends_with("idx/v2/tiny\n"));
    wake(&taker, &["asset", "pull", "tiny/idx"]).run().success().mentions("Unchanged tiny/idx");
}

#[test]
fn an_interrupted_download_is_resumed() {
    let made = project().build();
    let server = served(&made);
    let taker = taker(&server);
    wake(&taker, &["asset", "pull", "tiny/fasta"]).run().success();
    server.most.store(60_000, Ordering::Relaxed);
    let before = server.sent.load(Ordering::Relaxed);
    wake(&taker, &["asset", "pull", "tiny/idx"]).run().success();
    let sent = server.sent.load(Ordering::Relaxed) - before;
    assert!(sent < 320_000, "{sent} bytes were sent of 300000");
    let left: Vec<_> = std::fs::read_dir(taker.path("g/.wake/partial")).unwrap().collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn content_that_does_not_match_is_not_registered() {
    let made = project().build();
    let server = served(&made);
    let taker = taker(&server);
    let pull = |asset: &str| wake(&taker, &["asset", "pull", asset]).run();
    let says = |done: wake_tests::Finished, code: i32, expected: wake_tests::Expect| {
        let done = done.code(code);
        expected.assert_eq(&done.redacted_stderr().replace(&server.address, "http://SERVER"));
        assert_eq!(printed(&taker, &["asset", "list"]), "");
    };
    says(
        pull("tiny/idx"),
        4,
        expect![[r#"
        error: `4e88f10ceb549493a658a41991ffa249af078781d28aa9e2/idx:v2` has links to `4e88f10ceb549493a658a41991ffa249af078781d28aa9e2/fasta:v1`, which is not in the registry
         help: pull it first: `wake asset pull 4e88f10ceb549493a658a41991ffa249af078781d28aa9e2/fasta:v1`
    "#]],
    );
    says(
        pull("other/fasta"),
        4,
        expect![[r#"
        error: http://SERVER has no genome `other`
    "#]],
    );
    says(
        pull("tiny/fasta:zz"),
        4,
        expect![[r#"
        error: http://SERVER has no asset `4e88f10ceb549493a658a41991ffa249af078781d28aa9e2/fasta:zz`
    "#]],
    );
    // An archive with another digest.
    let place = "/files/fasta__v1.tgz";
    let mut bytes = std::fs::read(made.path("made/fasta.tgz")).unwrap();
    bytes[100] ^= 1;
    server.gives(place, bytes);
    pull("tiny/fasta").code(7).mentions(&format!("the archive of `{DIGEST}/fasta:v1`: expected "));
    assert_eq!(printed(&taker, &["asset", "list"]), "");
    // Sequences of another genome.
    made.write(&format!("made/fasta/v1/{DIGEST}.fa"), ">x\nAC\n");
    let seek = json!({"fasta": format!("{DIGEST}.fa")});
    server.has(&made, "fasta", "v1", &seek, &[]);
    says(
        pull("tiny/fasta"),
        7,
        expect![[r#"
        error: the genome of the sequences in `4e88f10ceb549493a658a41991ffa249af078781d28aa9e2/fasta:v1`: expected 4e88f10ceb549493a658a41991ffa249af078781d28aa9e2, got 6157820f8e904425b7ab8508a7663d78dc3a5f740ab6bc1a
    "#]],
    );
    // A link to something that is not a parent.
    made.write(&format!("made/fasta/v1/{DIGEST}.fa"), FASTA);
    std::os::unix::fs::symlink("/etc/passwd", made.path("made/fasta/v1/link")).unwrap();
    server.has(&made, "fasta", "v1", &seek, &[]);
    says(
        pull("tiny/fasta"),
        5,
        expect![[r#"
        error: `link` cannot be an asset: it points to `/etc/passwd`, outside the asset
    "#]],
    );
    server.says("/v3/genomes/genome_digest/tiny", &json!({"no": 1}));
    says(
        pull("tiny/fasta"),
        4,
        expect![[r#"
        error: http://SERVER/v3/genomes/genome_digest/tiny: not a response of a refgenie server: invalid type: map, expected a string at line 1 column 0
    "#]],
    );
    // The local parent differs.
    let server = served(&project().build());
    let other = lab();
    add(&other, "tiny/fasta:v1", "another one\n").success();
    wake(&other, &["asset", "pull", "tiny/idx", "--from", &server.address])
        .run()
        .code(7)
        .mentions("of `idx/v2` in this registry: expected ");
    lab_without_servers_says_so();
}

fn lab_without_servers_says_so() {
    wake(&lab(), &["asset", "pull", "tiny/idx"]).run().code(2).says(expect![[r#"
        error: no server to pull from
         help: use `--from ADDRESS`, or set `genome_servers` in the registry configuration
    "#]]);
}

/// refgenie accepts the stand-in as well.
#[test]
fn refgenie_pulls_the_same_from_the_stand_in() {
    const TEST: &str = "refgenie_pulls_the_same_from_the_stand_in";
    let Some(program) = super::refgenie::program(TEST) else { return };
    let made = project().build();
    let server = served(&made);
    let taker = taker(&server);
    super::refgenie::refgenie(&program, &taker, &["pull", "tiny/fasta"]);
    assert_eq!(
        super::refgenie::refgenie(&program, &taker, &["id", "tiny/fasta"]),
        printed(&taker, &["asset", "id", "tiny/fasta"])
    );
    let data = taker.path(&format!("g/data/{DIGEST}/fasta/v1"));
    assert!(Path::new(&data).join(format!("{DIGEST}.fa")).is_file());
    wake(&taker, &["asset", "pull", "tiny/fasta"]).run().success().mentions("Unchanged");
    wake(&taker, &["asset", "pull", "tiny/idx"]).run().success();
}
