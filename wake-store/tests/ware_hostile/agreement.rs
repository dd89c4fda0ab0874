//! X15: wake lists what GNU tar lists, or refuses the archive.

use super::tar_bytes::{Header, TarBytes, with_checksum};
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use wake_store::ware::{ArchivePolicy, Meter, Node, PackType, Warehouse, list};

/// Returns names and sizes of files as listed by GNU tar; none if it fails or is not installed.
fn gnu_listing(path: &std::path::Path) -> Option<BTreeSet<(String, u64)>> {
    let output = Command::new("tar")
        .args(["--list", "--verbose", "--numeric-owner", "--quoting-style=literal", "--file"])
        .arg(path)
        .env("LC_ALL", "C")
        .output()
        .ok()?;
    if !output.status.success() {
        return None;
    }
    let text = String::from_utf8(output.stdout).ok()?;
    let files = text.lines().filter(|line| line.starts_with('-')).map(|line| {
        let mut fields = line.split_whitespace();
        let size = fields.nth(2).unwrap().parse().unwrap();
        let name = fields.nth(2).unwrap();
        (name.trim_start_matches("./").to_owned(), size)
    });
    Some(files.collect())
}

/// Generates an archive from a seed: mostly sound, occasionally with one flaw.
fn archive(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = |below: u64| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state % below
    };
    let mut tar = TarBytes::new();
    for number in 0..1 + draw(4) {
        let name = format!("f{number}");
        let content = vec![b'x'; draw(1200) as usize];
        tar = match draw(12) {
            0 => tar.long_name(&format!("long{number}")).file(&name, &content),
            1 => tar.pax(format!("{} path=p{number}\n", 11).as_bytes()).file(&name, &content),
            2 => tar.pax(format!("12 size={:03}\n", draw(1000)).as_bytes()).file(&name, &content),
            3 => tar.global(b"13 comment=x\n").file(&name, &content),
            4 => tar.raw(Header { size: draw(2000), ..Header::dir(&name) }.bytes()),
            5 => tar.raw(Header { typeflag: 0, ..Header::file(&name, 0) }.bytes()),
            6 => {
                let mut block = Header::file(&name, 0).bytes();
                block[draw(512) as usize] ^= 1 << draw(8);
                tar.raw(if draw(2) == 0 { with_checksum(block) } else { block })
            }
            7 => tar.raw([0; 512]),
            _ => tar.file(&name, &content),
        };
    }
    let mut bytes = tar.finish();
    if draw(6) == 0 {
        bytes.truncate(draw(bytes.len() as u64) as usize);
    }
    bytes
}

#[test]
fn x15_we_agree_with_gnu_tar_or_refuse() {
    let version = Command::new("tar").arg("--version").output();
    if !version.is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("GNU tar")) {
        return wake_tests::skip("x15_we_agree_with_gnu_tar", "there is no GNU tar");
    }
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("archive.tar");
    let (mut agreed, mut refused) = (0, 0);
    for seed in 1..=400 {
        fs::write(&path, archive(seed)).unwrap();
        let Ok((_, nodes)) = list(
            PackType::Tar,
            &Warehouse::File(path.clone()),
            ArchivePolicy::WARE,
            &Meter::default(),
        ) else {
            refused += 1;
            continue;
        };
        let ours: BTreeSet<(String, u64)> = nodes
            .iter()
            .filter_map(|(path, meta)| match meta.node {
                Node::File { size } => Some((path.to_string(), size)),
                _ => None,
            })
            .collect();
        assert_eq!(Some(ours), gnu_listing(&path), "seed {seed}");
        agreed += 1;
    }
    assert!(
        agreed > 100 && refused > 50,
        "agreed on {agreed}, refused {refused}: the generator is lopsided"
    );
}
