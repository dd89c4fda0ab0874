//! Arbitrarily altered registry data is either read or rejected (tests only). N6 of the attack checklist.
#![allow(clippy::unwrap_used)]

use serde_json::json;
use wake_model::{PkgName, Release};

use crate::attestation::{Attestation, Provenance};
use crate::event::{ArchiveSum, Event};
use crate::head::Head;
use crate::key::tests::key_of_the_rfc;
use crate::log::{PkgLog, first_change, whole};
use crate::trust::{Demand, Trust, said_signers};

fn release(version: &str) -> Release {
    Release::of(json!({
        "api": 1, "content": "ab".repeat(32), "files": 2, "license": "MIT", "modules": ["a"], "name": "greet",
        "namespace": "acme", "size": 9, "version": version, "wake": 1,
        "pkgs": { "text": { "from": "registry", "name": "text", "namespace": "acme", "version": "^2.0" } },
    }))
    .unwrap()
}

fn log() -> String {
    let publish = |version: &str| Event::Publish {
        at: 1_764_547_200,
        archive: ArchiveSum { sha256: "cd".repeat(32), size: 551 },
        attestations: 1,
        meta: Box::new(release(version)),
    };
    let yank = Event::Yank {
        at: 1_764_633_600,
        version: "1.2.0".parse().unwrap(),
        reason: "prints to the wrong file".to_owned(),
        instead: Some("^1.2.1".to_owned()),
    };
    let events = [publish("1.2.0"), yank, publish("1.2.1")];
    events.iter().filter_map(Event::line).collect()
}

/// Every truncation of a text, and every change, duplication and removal of a byte.
fn alterations(text: &str) -> impl Iterator<Item = Vec<u8>> {
    const BYTES: [u8; 9] = [0, b'\n', b'"', b'\\', b'{', b'9', b'-', 0x7f, 0xff];
    (0..text.len()).flat_map(move |at| {
        let bytes = text.as_bytes();
        let with = move |byte: u8| [&bytes[..at], &[byte], &bytes[at + 1..]].concat();
        let doubled = [&bytes[..=at], &bytes[at..]].concat();
        let gone = [&bytes[..at], &bytes[at + 1..]].concat();
        let changed = BYTES.into_iter().chain([bytes[at] ^ 1, bytes[at] ^ 0x20]).map(with);
        [bytes[..at].to_vec(), doubled, gone].into_iter().chain(changed)
    })
}

#[test]
fn n6_a_log_that_is_altered_is_read_or_refused_at_its_line() {
    let pkg: PkgName = "acme/greet".parse().unwrap();
    let text = log();
    let original = PkgLog::parse(text.as_bytes(), &pkg).unwrap();
    assert_eq!(original.versions().count(), 2);
    let lines = text.lines().count();
    for bytes in alterations(&text) {
        if let Err(fault) = PkgLog::parse(&bytes, &pkg) {
            assert!((1..=lines + 1).contains(&fault.line) && !fault.problem.is_empty());
        }
        // A reader who has seen the original notices the change, unless something was only appended.
        let now = whole(&bytes);
        let is_more = now.starts_with(text.as_bytes());
        assert_eq!(first_change(text.as_bytes(), now).is_none(), is_more);
    }
}

#[test]
fn n6_attestations_that_are_altered_vouch_for_nothing_else() {
    let (key, release) = (key_of_the_rfc(), release("1.2.0"));
    let line =
        Provenance { sandbox: "strict".to_owned(), ..Provenance::default() }.sign(&release, &key);
    let trust = Trust { keys: vec![key.public()], demand: Demand::Provenance };
    let original = &Attestation::all(line.as_bytes())[0].envelope.payload;
    for bytes in alterations(&line) {
        said_signers(&bytes, &release.content);
        // If the signature is still valid, the payload is unchanged.
        if trust.check(&bytes, &release.content).is_ok() {
            let attestations = Attestation::all(&bytes);
            assert!(attestations.iter().any(|one| one.envelope.payload == *original));
        }
    }
}

#[test]
fn n6_a_head_that_is_altered_is_refused() {
    let key = key_of_the_rfc();
    let head = Head::after(None, Default::default(), 1_764_547_200, 7_776_000);
    let text = head.sign(&key);
    let keys = [key.public()];
    assert!(Head::parse(&text, &keys).is_ok());
    for bytes in alterations(&text) {
        let altered = String::from_utf8_lossy(&bytes);
        if let Ok((read, _)) = Head::parse(&altered, &keys) {
            assert_eq!(read, head);
        }
    }
}
