//! Zip wares: what is packed can be read back, and archives of other programs are read like rio does.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;

use wake_store::ware::{
    ArchivePolicy, Category, Meta, Meter, Node, PackError, PackFilters, PackType, Placement,
    Timestamp, Unpack, UnpackFilters, WareId, Warehouse, list, pack,
};

/// One file of a zip archive, as its headers describe it.
struct Member {
    name: &'static str,
    host: u8,
    attributes: u32,
    date: u16,
    time: u16,
    extra: Vec<u8>,
}

impl Default for Member {
    fn default() -> Self {
        // 2010-01-01, midnight.
        let (date, time, extra) = (0x3c21, 0, Vec::new());
        Member { name: "f", host: 3, attributes: 0o100_644 << 16, date, time, extra }
    }
}

fn archive(member: &Member) -> Vec<u8> {
    let Member { name, host, attributes, date, time, extra } = member;
    let header = |extra: &[u8]| {
        let mut bytes = vec![20, 0, 0, 0, 0, 0];
        bytes.extend(time.to_le_bytes());
        bytes.extend(date.to_le_bytes());
        bytes.extend([0; 12]);
        bytes.extend((name.len() as u16).to_le_bytes());
        bytes.extend((extra.len() as u16).to_le_bytes());
        bytes
    };
    let mut bytes = [&b"PK\x03\x04"[..], &header(&[]), name.as_bytes()].concat();
    let start = bytes.len() as u32;
    let mut central = [&b"PK\x01\x02\x14"[..], &[*host], &header(extra), &[0; 6]].concat();
    central.extend(attributes.to_le_bytes());
    central.extend([0; 4]);
    central.extend(name.as_bytes());
    central.extend(extra);
    bytes.extend(&central);
    bytes.extend(b"PK\x05\x06\0\0\0\0\x01\0\x01\0");
    bytes.extend((central.len() as u32).to_le_bytes());
    bytes.extend(start.to_le_bytes());
    bytes.extend([0, 0]);
    bytes
}

/// Returns how the only entry is read.
fn read(member: &Member) -> Result<Meta, String> {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("x.zip");
    fs::write(&path, archive(member)).unwrap();
    let policy = ArchivePolicy::WARE;
    list(PackType::Zip, &Warehouse::File(path), policy, &Meter::default())
        .map(|(_, nodes)| nodes.last().unwrap().1.clone())
        .map_err(|error| error.to_string())
}

/// Source: rio, which reads modes with Go's `archive/zip`.
#[test]
fn modes_depend_on_the_system_that_created_the_archive() {
    let mode = |name, host, attributes| {
        let meta = read(&Member { name, host, attributes, ..Member::default() }).unwrap();
        (if meta.is_dir() { 'd' } else { 'f' }, meta.perms)
    };
    let (read_only, directory, archive) = (0x01u32, 0x10, 0x20);
    for dos in [0, 11, 14] {
        // The Unix mode does not count.
        assert_eq!(mode("f", dos, archive | 0o100_640 << 16), ('f', 0o666));
        assert_eq!(mode("f", dos, read_only), ('f', 0o444));
        assert_eq!(mode("f", dos, directory), ('d', 0o777));
        assert_eq!(mode("f", dos, directory | read_only), ('d', 0o555));
        assert_eq!(mode("f/", dos, 0), ('d', 0o666));
    }
    for unix in [3, 19] {
        assert_eq!(mode("f", unix, 0o100_4751 << 16), ('f', 0o4751));
        assert_eq!(mode("f", unix, 0o040_750 << 16), ('d', 0o750));
        assert_eq!(mode("f/", unix, 0o100_644 << 16), ('d', 0o644));
        assert_eq!(mode("f", unix, directory), ('f', 0));
    }
    for other in [1, 10, 255] {
        assert_eq!(mode("f", other, directory | 0o100_644 << 16), ('f', 0));
        assert_eq!(mode("f/", other, 0), ('d', 0));
    }
    let pipe = Member { attributes: 0o010_644 << 16, ..Member::default() };
    assert!(read(&pipe).unwrap_err().contains("neither file, directory nor link"));
}

fn field(id: u16, content: &[u8]) -> Vec<u8> {
    [&id.to_le_bytes()[..], &(content.len() as u16).to_le_bytes(), content].concat()
}

#[test]
fn the_last_time_in_the_extra_fields_counts() {
    let at = |seconds, nanos| Timestamp { seconds, nanos };
    let mtime = |extra: Vec<u8>| read(&Member { extra, ..Member::default() }).unwrap().mtime;
    let extended = field(0x5455, &[&[1][..], &2_000_000_000u32.to_le_bytes()].concat());
    let pair = [7u32.to_le_bytes(), 1_000_000_000u32.to_le_bytes()].concat();
    // 2000-01-01T00:00:00.5Z in tenths of microseconds since 1601.
    let ticks = 125_911_584_005_000_000u64;
    let ntfs = [&[0; 4][..], &[1, 0, 24, 0], &ticks.to_le_bytes(), &[0; 16]].concat();
    let ntfs = field(0x000a, &ntfs);
    assert_eq!(mtime(Vec::new()), at(1_262_304_000, 0));
    assert_eq!(mtime(extended.clone()), at(2_000_000_000, 0));
    assert_eq!(mtime(field(0x5455, &[2, 9, 9, 9, 9])), at(1_262_304_000, 0), "no modification");
    for old in [0x000d, 0x5855] {
        assert_eq!(mtime(field(old, &pair)), at(1_000_000_000, 0));
        assert_eq!(mtime(field(old, &pair[..4])), at(1_262_304_000, 0), "of access alone");
    }
    assert_eq!(mtime(ntfs.clone()), at(946_684_800, 500_000_000));
    assert_eq!(mtime([extended.clone(), ntfs.clone()].concat()), at(946_684_800, 500_000_000));
    assert_eq!(mtime([ntfs, extended.clone()].concat()), at(2_000_000_000, 0));
    let late = field(0x5455, &[&[1][..], &u32::MAX.to_le_bytes()].concat());
    assert_eq!(mtime(late), at(u32::MAX.into(), 0));
    let cut = [extended, vec![0x55, 0x54, 9, 0, 1]].concat();
    assert!(read(&Member { extra: cut, ..Member::default() }).unwrap_err().contains("extra field"));
}

#[test]
fn invalid_dates_overflow_into_valid_ones() {
    let seconds =
        |date, time| read(&Member { date, time, ..Member::default() }).unwrap().mtime.seconds;
    // 1979-11-30, 1980-03-02T01:00:30Z, 2010-01-01T23:59:58Z.
    assert_eq!(seconds(0, 0), 312_768_000);
    assert_eq!(seconds(2 << 5 | 31, 1 << 11 | 15), 320_806_830);
    assert_eq!(seconds(0x3c21, 23 << 11 | 59 << 5 | 29), 1_262_390_398);
}

#[test]
fn the_last_owner_of_the_newest_field_type_counts() {
    let owner = |extra: Vec<u8>| {
        let meta = read(&Member { extra, ..Member::default() }).unwrap();
        (meta.uid, meta.gid)
    };
    let new = |uid: u32, gid: u32| {
        let sized = |id: u32| [&[4][..], &id.to_le_bytes()].concat();
        field(0x7875, &[&[1][..], &sized(uid), &sized(gid)].concat())
    };
    let old = field(0x7855, &[5, 0, 6, 0]);
    assert_eq!(owner(Vec::new()), (1000, 1000));
    assert_eq!(owner(old.clone()), (5, 6));
    assert_eq!(owner([new(70_000, 3), old].concat()), (70_000, 3));
    assert_eq!(owner([new(1, 2), new(3, 4)].concat()), (3, 4));
}

fn sample(dir: &Path) {
    fs::create_dir_all(dir.join("d/empty")).unwrap();
    fs::write(dir.join("d/text"), "line\n".repeat(50_000)).unwrap();
    fs::write(dir.join("none"), "").unwrap();
    symlink("../elsewhere", dir.join("d/link")).unwrap();
    fs::set_permissions(dir.join("none"), PermissionsExt::from_mode(0o604)).unwrap();
}

fn unpacked(ware: &WareId, sources: &[Warehouse], to: &Path) {
    let (filters, policy) = (UnpackFilters::LOSSLESS, ArchivePolicy::WARE);
    let unpack = Unpack { ware, sources, filters, cache: None, policy };
    unpack.place_at(to, Placement::Direct, &Meter::default()).unwrap();
}

#[test]
fn packed_trees_are_read_back() {
    let temp = tempfile::tempdir().unwrap();
    let (tree, archive) = (temp.path().join("tree"), temp.path().join("tree.zip"));
    sample(&tree);
    let target = Warehouse::File(archive.clone());
    // The last three are not valid DOS times, or do not fit into 32 bits.
    for mtime in [1_262_304_000, 1_262_304_001, 0, -5, 5_000_000_000i64] {
        let filters = PackFilters::from_map([("mtime", format!("@{mtime}").as_str())]).unwrap();
        let ware = pack(&tree, PackType::Zip, filters, Some(&target)).unwrap();
        let bytes = fs::read(&archive).unwrap();
        assert_eq!(pack(&tree, PackType::Zip, filters, Some(&target)).unwrap(), ware);
        assert_eq!(fs::read(&archive).unwrap(), bytes, "the same tree gives the same bytes");
        assert!(bytes.len() < 5_000, "it is compressed");
        let same = pack(&tree, PackType::Tar, filters, None).unwrap();
        assert_eq!(ware.hash(), same.hash());
        let back = temp.path().join(format!("back{mtime}"));
        unpacked(&ware, std::slice::from_ref(&target), &back);
        let whole = |dir: &Path| pack(dir, PackType::Tree, filters, None).unwrap();
        assert_eq!(whole(&back), whole(&tree));
        assert_eq!(fs::metadata(back.join("d")).unwrap().mtime(), mtime);
    }
}

#[test]
fn other_programs_read_packed_archives() {
    let temp = tempfile::tempdir().unwrap();
    let (tree, archive) = (temp.path().join("tree"), temp.path().join("tree.zip"));
    sample(&tree);
    pack(&tree, PackType::Zip, PackFilters::FLATTEN, Some(&Warehouse::File(archive.clone())))
        .unwrap();
    let script = "import sys, zipfile\n\
                  z = zipfile.ZipFile(sys.argv[1])\n\
                  assert z.testzip() is None\n\
                  assert len(z.read('d/text')) == 250000 and z.read('d/link') == b'../elsewhere'\n\
                  assert z.namelist() == ['./', 'd/', 'd/empty/', 'd/link', 'd/text', 'none'], z.namelist()\n\
                  assert z.getinfo('none').date_time == (2010, 1, 1, 0, 0, 0)\n\
                  assert z.getinfo('none').external_attr >> 16 == 0o100604\n";
    match Command::new("python3").args(["-c", script]).arg(&archive).output() {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr))
        }
        Err(_) => wake_tests::skip("other_programs_read_packed_archives", "there is no `python3`"),
    }
}

#[test]
fn a_single_file_is_packed() {
    let temp = tempfile::tempdir().unwrap();
    let (file, archive) = (temp.path().join("f"), temp.path().join("f.zip"));
    fs::write(&file, "hello\n").unwrap();
    let target = Warehouse::File(archive);
    let ware = pack(&file, PackType::Zip, PackFilters::LOSSLESS, Some(&target)).unwrap();
    let back = temp.path().join("back");
    unpacked(&ware, &[target], &back);
    assert_eq!(fs::read_to_string(back).unwrap(), "hello\n");
}

#[test]
fn zip_archives_and_ids_exclude_pipes() {
    let temp = tempfile::tempdir().unwrap();
    let tree = temp.path().join("tree");
    sample(&tree);
    let without = pack(&tree, PackType::Zip, PackFilters::FLATTEN, None).unwrap();
    let fifo = rustix::fs::FileType::Fifo;
    rustix::fs::mknodat(rustix::fs::CWD, tree.join("p"), fifo, 0o644.into(), 0).unwrap();
    assert_eq!(pack(&tree, PackType::Zip, PackFilters::FLATTEN, None).unwrap(), without);
    let target = Warehouse::File(temp.path().join("tree.zip"));
    let error = pack(&tree, PackType::Zip, PackFilters::FLATTEN, Some(&target)).unwrap_err();
    assert!(matches!(error, PackError::Kind { .. }) && error.category() == Category::PackInvalid);
    assert!(!temp.path().join("tree.zip").exists());
    // By itself it is nothing, like a link.
    for packtype in [PackType::Zip, PackType::Tar] {
        for alone in ["p", "d/link"] {
            let ware = pack(&tree.join(alone), packtype, PackFilters::FLATTEN, None).unwrap();
            assert!(ware.is_nothing(), "{ware}");
        }
    }
    let whole = pack(&tree.join("d/link"), PackType::Tree, PackFilters::FLATTEN, None).unwrap();
    assert!(!whole.is_nothing());
}

#[test]
fn a_link_is_read_as_its_content() {
    let temp = tempfile::tempdir().unwrap();
    let (tree, archive) = (temp.path().join("tree"), temp.path().join("x.zip"));
    sample(&tree);
    let target = Warehouse::File(archive);
    pack(&tree, PackType::Zip, PackFilters::FLATTEN, Some(&target)).unwrap();
    let (_, nodes) = list(PackType::Zip, &target, ArchivePolicy::WARE, &Meter::default()).unwrap();
    let link = nodes.iter().find(|(path, _)| path.as_str() == "d/link").unwrap();
    assert_eq!(link.1.node, Node::Symlink { target: "../elsewhere".to_owned() });
}
