//! Zip archives, sound and hostile. The sound ones are written by Info-ZIP where it is installed.

use super::refusal;
use std::fs;
use std::process::Command;
use wake_store::ware::{
    ArchivePolicy, Meter, PackFilters, PackType, UnpackFilters, Warehouse, pack, scan,
};

struct Member<'a> {
    name: &'a str,
    content: &'a [u8],
    mode: u32,
}

/// A zip archive of stored members.
fn zip(members: &[Member<'_>]) -> Vec<u8> {
    let (mut bytes, mut central) = (Vec::new(), Vec::new());
    for Member { name, content, mode } in members {
        let mut crc = flate2::Crc::new();
        crc.update(content);
        let offset = bytes.len() as u32;
        let size = (content.len() as u32).to_le_bytes();
        // Version, flags, method, time, date: 2.0, none, stored, midnight of 2010-01-01.
        let mut shared = vec![20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0x3c];
        shared.extend(crc.sum().to_le_bytes());
        shared.extend(size);
        shared.extend(size);
        shared.extend((name.len() as u16).to_le_bytes());
        shared.extend([0, 0]);
        bytes.extend(b"PK\x03\x04");
        bytes.extend(&shared);
        bytes.extend(name.as_bytes());
        bytes.extend(*content);
        central.extend(b"PK\x01\x02\x14\x03");
        central.extend(&shared);
        central.extend([0; 6]);
        central.extend((mode << 16).to_le_bytes());
        central.extend(offset.to_le_bytes());
        central.extend(name.as_bytes());
    }
    let (count, start) = (members.len() as u16, bytes.len() as u32);
    bytes.extend(&central);
    bytes.extend(b"PK\x05\x06\0\0\0\0");
    bytes.extend(count.to_le_bytes());
    bytes.extend(count.to_le_bytes());
    bytes.extend((central.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

fn file<'a>(name: &'a str, content: &'a [u8]) -> Member<'a> {
    Member { name, content, mode: 0o100_644 }
}

fn refused(archive: &[u8]) -> String {
    refusal(PackType::Zip, archive, ArchivePolicy::WARE)
}

#[test]
fn a_zip_has_the_hash_of_the_same_tree_in_tar() {
    let temp = tempfile::tempdir().unwrap();
    let tree = temp.path().join("tree");
    fs::create_dir_all(tree.join("d")).unwrap();
    fs::write(tree.join("d/f"), "x".repeat(5000)).unwrap();
    fs::write(tree.join("empty"), "").unwrap();
    let archive = temp.path().join("tree.zip");
    let made = Command::new("zip")
        .args(["--quiet", "--recurse-paths", "--symlinks"])
        .arg(&archive)
        .args(["d", "empty"])
        .current_dir(&tree)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        return wake_tests::skip("a_zip_has_the_hash", "there is no `zip`");
    }
    // The archive has no entry for the root, so the tree gets a conjured one. Times are equal on both sides.
    let same = "uid=7,gid=7,mtime=@1262304000";
    let unpacked = temp.path().join("unpacked");
    let id = scan(
        PackType::Zip,
        &Warehouse::File(archive.clone()),
        UnpackFilters::LOSSLESS,
        ArchivePolicy::WARE,
        &Meter::default(),
    )
    .unwrap();
    let sources = [Warehouse::File(archive)];
    let result = wake_store::ware::Unpack {
        ware: &id,
        sources: &sources,
        filters: same.parse().unwrap(),
        cache: None,
        policy: ArchivePolicy::WARE,
    }
    .place_at(&unpacked, wake_store::ware::Placement::Direct, &Meter::default())
    .unwrap();
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(&tree, fs::Permissions::from_mode(0o755)).unwrap();
    let filters: PackFilters = same.parse().unwrap();
    let packed = pack(&tree, PackType::Tar, filters, None).unwrap();
    assert_eq!(result.ware.hash(), packed.hash());
}

#[test]
fn x1_x2_x6_in_zip() {
    assert_eq!(
        refused(&zip(&[file("../canary", b"dead")])),
        "path `../canary` in the archive contains `..`"
    );
    assert_eq!(refused(&zip(&[file("/etc/x", b"")])), "path `/etc/x` in the archive is absolute");
    let link = Member { name: "l", content: b"..", mode: 0o120_777 };
    assert_eq!(
        refused(&zip(&[link, file("l/canary", b"dead")])),
        "`l/canary` is below `l`, which is not a directory"
    );
    assert_eq!(
        refused(&zip(&[file("a", b""), file("a", b"")])),
        "`a` appears twice in the archive"
    );
}

#[test]
fn x9_x10_x14_in_zip() {
    let whole = zip(&[file("name", b"content")]);
    let changed = |at: usize, byte: u8| {
        let mut bytes = whole.clone();
        bytes[at] = byte;
        refused(&bytes)
    };
    // The local name, the content, the method in the central directory.
    assert!(changed(30, b'N').ends_with("a local header and the central directory disagree"));
    assert!(changed(34, b'C').ends_with("does not match its checksum"));
    let central = whole.windows(4).position(|window| window == b"PK\x01\x02").unwrap();
    assert!(
        changed(central + 10, 9).ends_with("a local header and the central directory disagree")
    );
    assert!(changed(central + 8, 1).ends_with("a local header and the central directory disagree"));
    for length in 0..whole.len() {
        let refusal = refused(&whole[..length]);
        assert!(
            refusal.contains("truncated") || refusal.contains("malformed"),
            "{length}: {refusal}"
        );
    }
    assert!(refused(&[&whole[..], b"x"].concat()).contains("follows the end"));
    assert!(refused(&[b"x", &whole[..]].concat()).contains("not where the end record says"));
}

#[test]
fn x7_overlapping_members() {
    let mut bytes = zip(&[file("a", b"content"), file("b", b"content")]);
    let second = bytes.windows(4).rposition(|window| window == b"PK\x01\x02").unwrap();
    // The second member claims the offset of the first.
    bytes[second + 42..second + 46].copy_from_slice(&[0; 4]);
    assert!(refused(&bytes).ends_with("two entries overlap"));
}

/// Some readers find entries by their local headers from the beginning, others by the central directory.
#[test]
fn x15_content_missing_from_the_central_directory() {
    let hidden = zip(&[file("hidden", b"dead")]);
    let hidden = &hidden[..hidden.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap()];
    let named = zip(&[file("a", b"content"), file("b", b"content")]);
    // Before the first entry, between two, and after the last.
    let second = named.windows(4).rposition(|bytes| bytes == b"PK\x03\x04").unwrap();
    let central = named.windows(4).position(|bytes| bytes == b"PK\x01\x02").unwrap();
    for at in [0, second, central] {
        let mut bytes = [&named[..at], hidden, &named[at..]].concat();
        let length = hidden.len() as u32;
        let moved = |bytes: &mut [u8], place: usize| {
            let old = u32::from_le_bytes(bytes[place..place + 4].try_into().unwrap());
            if old >= at as u32 {
                bytes[place..place + 4].copy_from_slice(&(old + length).to_le_bytes());
            }
        };
        let entries: Vec<usize> = (0..bytes.len() - 4)
            .filter(|place| bytes[*place..*place + 4] == *b"PK\x01\x02")
            .collect();
        entries.iter().for_each(|entry| moved(&mut bytes, entry + 42));
        let end = bytes.len() - 22;
        moved(&mut bytes, end + 16);
        let refusal = refused(&bytes);
        assert!(refusal.ends_with("an entry is not in the central directory"), "{at}: {refusal}");
    }
}

#[test]
fn x15_headers_with_different_sizes() {
    let whole = zip(&[file("name", b"content")]);
    for (at, what) in [(14, "checksum"), (18, "packed size"), (22, "size")] {
        let mut bytes = whole.clone();
        bytes[at] ^= 1;
        let refusal = refused(&bytes);
        let expected = "a local header and the central directory disagree";
        assert!(refusal.ends_with(expected), "{what}: {refusal}");
    }
}
