//! Hostile archives, each named by its entry in the list of attacks (X1 to X15).
//!
//! Each is tried twice: listed without touching a disk, and unpacked beside a canary that must not change.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

mod agreement;
mod tar_bytes;
mod zip;

use std::fs;
use std::path::Path;
use tar_bytes::{Header, TarBytes};
use wake_store::ware::{
    ArchivePolicy, Category, Meter, PackType, Placement, Unpack, UnpackError, UnpackFilters,
    WareId, Warehouse, list, scan,
};

/// The result of listing and unpacking an archive.
fn refusal(packtype: PackType, archive: &[u8], policy: ArchivePolicy) -> String {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("archive");
    fs::write(&file, archive).unwrap();
    let source = Warehouse::File(file);
    let listed = list(packtype, &source, policy, &Meter::default()).unwrap_err();
    let unpacked = unpack_beside_canary(temp.path(), packtype, &source, policy).unwrap_err();
    assert_eq!(listed.to_string(), unpacked.to_string());
    assert_eq!(listed.category(), Category::WareCorrupt, "{listed}");
    listed.to_string()
}

fn refused_tar(tar: TarBytes) -> String {
    refusal(PackType::Tar, &tar.finish(), ArchivePolicy::WARE)
}

fn refused_package(tar: TarBytes) -> String {
    refusal(PackType::Tar, &tar.finish(), ArchivePolicy::PACKAGE)
}

/// Unpacks to `dir/inner/out`; whatever happens, nothing else below `dir` may change.
fn unpack_beside_canary(
    dir: &Path,
    packtype: PackType,
    source: &Warehouse,
    policy: ArchivePolicy,
) -> Result<(), UnpackError> {
    let inner = dir.join("inner");
    fs::create_dir(&inner).unwrap();
    fs::write(dir.join("canary"), "alive").unwrap();
    fs::write(inner.join("canary"), "alive").unwrap();
    // No archive has this id, so a well-formed one ends in a mismatch, after it was unpacked.
    let ware: WareId = format!("{packtype}:2").parse().unwrap();
    let sources = [source.clone()];
    let filters = UnpackFilters::LOW_PRIV;
    let unpack = Unpack { ware: &ware, sources: &sources, filters, cache: None, policy };
    let result =
        unpack.place_at(&inner.join("out"), Placement::Direct, &Meter::default()).map(|_| ());
    assert_eq!(fs::read_to_string(dir.join("canary")).unwrap(), "alive");
    assert_eq!(fs::read_to_string(inner.join("canary")).unwrap(), "alive");
    let mut left: Vec<_> =
        fs::read_dir(&inner).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    left.sort();
    assert_eq!(left, ["canary"], "something was left behind");
    result
}

#[test]
fn x1_paths_out_of_the_tree() {
    for (name, problem) in [
        ("../canary", "contains `..`"),
        ("a/../../canary", "contains `..`"),
        ("/tmp/x", "is absolute"),
        ("//server/share", "is absolute"),
    ] {
        let refusal = refused_tar(TarBytes::new().file(name, b"dead"));
        assert_eq!(refusal, format!("path `{name}` in the archive {problem}"));
    }
}

#[test]
fn x1_foreign_path_syntax_is_refused_in_packages() {
    for name in ["..\\canary", "C:\\x", "C:x", "\\\\server\\share"] {
        let refusal = refused_package(TarBytes::new().file(name, b""));
        assert!(refusal.ends_with("has a name that is not portable"), "{refusal}");
        let temp = tempfile::tempdir().unwrap();
        let file = temp.path().join("archive");
        fs::write(&file, TarBytes::new().file(name, b"").finish()).unwrap();
        let source = Warehouse::File(file);
        let (_, nodes) =
            list(PackType::Tar, &source, ArchivePolicy::WARE, &Meter::default()).unwrap();
        assert_eq!(nodes.last().unwrap().0.as_str(), name);
        let error = unpack_beside_canary(temp.path(), PackType::Tar, &source, ArchivePolicy::WARE)
            .unwrap_err();
        assert_eq!(error.category(), Category::HashMismatch);
    }
}

#[test]
fn x2_through_a_link() {
    let tar = TarBytes::new().link(b'2', "l", "..").file("l/canary", b"dead");
    assert_eq!(refused_tar(tar), "`l/canary` is below `l`, which is not a directory");
    let tar = TarBytes::new().link(b'2', "l", "/").link(b'2', "l/x", "y");
    assert_eq!(refused_tar(tar), "`l/x` is below `l`, which is not a directory");
}

#[test]
fn x3_x4_links_out_of_a_package() {
    for target in ["../other", "/etc/passwd", "a/../../x"] {
        let refusal = refused_package(TarBytes::new().link(b'2', "PKG.libsonnet", target));
        assert_eq!(refusal, format!("link `PKG.libsonnet` points outside the tree: `{target}`"));
    }
}

#[test]
fn x5_a_directory_becomes_a_link() {
    let tar = TarBytes::new().dir("d").link(b'2', "d", "..").file("d/canary", b"dead");
    assert_eq!(refused_tar(tar), "`d` appears twice in the archive");
    let tar = TarBytes::new().file("d/x", b"").link(b'2', "d", "..");
    assert_eq!(refused_tar(tar), "`d` appears twice in the archive");
}

#[test]
fn x6_two_names_for_one_file() {
    assert_eq!(
        refused_tar(TarBytes::new().file("a", b"1").file("./a", b"2")),
        "`a` appears twice in the archive"
    );
    let tar = TarBytes::new().file("Makefile", b"").file("makefile", b"");
    assert_eq!(
        refused_package(tar),
        "`makefile` and `Makefile` are the same name on some file systems"
    );
    let tar = TarBytes::new().file("\u{e4}", b"").file("a\u{308}", b"");
    assert!(refused_package(tar).ends_with("are the same name on some file systems"));
    let tar = TarBytes::new().file("Lib/a", b"").file("lib/b", b"");
    assert_eq!(refused_package(tar), "`lib` and `Lib` are the same name on some file systems");
}

#[test]
fn x7_bombs() {
    use std::io::Write;
    // 96 MiB of zeros in a few hundred bytes of zstd.
    let mut tar = zstd_encoder();
    tar.write_all(&Header::file("zeros", 96 << 20).bytes()).unwrap();
    for _ in 0..96 {
        tar.write_all(&vec![0; 1 << 20]).unwrap();
    }
    tar.write_all(&[0; 1024]).unwrap();
    let bomb = tar.finish().unwrap();
    assert_eq!(
        refusal(PackType::Tar, &bomb, ArchivePolicy::WARE),
        "the archive exceeds the limit of 4096 uncompressed bytes for each compressed one"
    );

    let mut tar = TarBytes::new();
    for number in 0..50 {
        tar = tar.file(&format!("f{number}"), b"");
    }
    let policy = ArchivePolicy { max_entries: 49, ..ArchivePolicy::WARE };
    assert_eq!(
        refusal(PackType::Tar, &tar.finish(), policy),
        "the archive exceeds the limit of 49 entries at `f49`"
    );

    let policy = ArchivePolicy { max_bytes: 10_000, ..ArchivePolicy::WARE };
    let tar = TarBytes::new().file("big", &[b'x'; 20_000]);
    assert_eq!(
        refusal(PackType::Tar, &tar.finish(), policy),
        "the archive exceeds the limit of 10000 uncompressed bytes"
    );
}

fn zstd_encoder() -> zstd::Encoder<'static, Vec<u8>> {
    zstd::Encoder::new(Vec::new(), 19).unwrap()
}

#[test]
fn x7_sparse_files() {
    let tar = TarBytes::new().raw(Header { typeflag: b'S', ..Header::file("s", 0) }.bytes());
    assert!(refused_tar(tar).ends_with("is malformed: a sparse file, which is not supported"));
    let tar = TarBytes::new().pax(b"22 GNU.sparse.major=1\n").file("s", b"");
    assert!(refused_tar(tar).ends_with("a sparse file, which is not supported"));
}

#[test]
fn x8_depth_and_length() {
    let deep = "d/".repeat(200) + "f";
    assert!(
        refused_tar(TarBytes::new().long_name(&deep).file("short", b"")).ends_with("is too deep")
    );
    let long = "x".repeat(256);
    assert!(
        refused_tar(TarBytes::new().long_name(&long).file("short", b""))
            .ends_with("more than 255 bytes")
    );
    let million = "d/".repeat(500_000);
    assert!(refused_tar(TarBytes::new().long_name(&million).dir("short")).ends_with("is too long"));
}

#[test]
fn x9_disagreements() {
    let tar = TarBytes::new().pax(b"10 size=9\n").file("f", b"12345");
    assert!(refused_tar(tar).ends_with("extended header and header disagree about the size"));
    let tar = TarBytes::new().pax(b"10 path=a\n").long_name("b").file("c", b"");
    assert!(refused_tar(tar).ends_with("two long names of different kinds for one entry"));
    let tar = TarBytes::new().pax(b"10 path=a\n").pax(b"10 path=b\n").file("c", b"");
    assert!(refused_tar(tar).ends_with("a second extended header for one entry"));
    let tar = TarBytes::new().pax(b"10 path=a\n10 path=b\n").file("c", b"");
    assert!(refused_tar(tar).ends_with("extended header repeats `path`"));
    let mut negative = Header::file("f", 0).bytes();
    negative[124..136].copy_from_slice(&[0xff; 12]);
    assert!(
        refused_tar(TarBytes::new().raw(tar_bytes::with_checksum(negative)))
            .ends_with("a size is negative")
    );
    let mut huge = Header::file("f", 0).bytes();
    huge[124..136].copy_from_slice(&[0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]);
    let refusal = refused_tar(TarBytes::new().raw(tar_bytes::with_checksum(huge)));
    assert!(refusal.ends_with("field `size` is not a number"), "{refusal}");
    let tar =
        TarBytes::new().raw(Header { size: 512, ..Header::dir("d") }.bytes()).raw([b'x'; 512]);
    assert!(refused_tar(tar).ends_with("an entry that is not a file has a size"));
}

#[test]
fn x10_malformed_headers() {
    let mut header = Header::file("f", 0).bytes();
    header[0] = b'g';
    assert_eq!(
        refused_tar(TarBytes::new().raw(header)),
        "the archive's header at byte 0 is malformed: the checksum is wrong"
    );
    let mut header = Header::file("f", 0).bytes();
    header[257] = b'X';
    assert!(
        refused_tar(TarBytes::new().raw(tar_bytes::with_checksum(header)))
            .ends_with("the format is unknown")
    );
    let mut header = Header::file("f", 0).bytes();
    header[100] = b'9';
    let refusal = refused_tar(TarBytes::new().raw(tar_bytes::with_checksum(header)));
    assert!(refusal.ends_with("field `mode` is not a number"), "{refusal}");
    // 2^32 - 1 is not a user, and 2^32 does not fit.
    for records in [b"18 uid=4294967295\n", b"18 gid=4294967295\n", b"18 uid=4294967296\n"] {
        let refusal = refused_tar(TarBytes::new().pax(records).file("f", b""));
        assert!(refusal.ends_with("an owner's number is out of range"), "{refusal}");
    }
    let tar = TarBytes::new().file("f", b"").pax(b"10 path=a\n");
    assert!(refused_tar(tar).ends_with("an extended header without an entry"));
    let tar = TarBytes::new().global(b"10 path=a\n").file("f", b"");
    assert!(refused_tar(tar).ends_with("global extended header sets `path`"));
    assert!(refused_tar(TarBytes::new().file("", b"")).ends_with("is empty"));
}

#[test]
fn x11_hard_links() {
    for target in ["../canary", "/etc/passwd", "later", "d"] {
        let tar = TarBytes::new().dir("d").link(b'1', "h", target).file("later", b"");
        let refusal = refused_tar(tar);
        assert_eq!(
            refusal,
            format!("hard link `h` names `{target}`, which is not an earlier file in the archive")
        );
    }
    let tar = TarBytes::new().link(b'2', "l", "..").link(b'1', "h", "l/canary");
    assert!(refused_tar(tar).contains("is not an earlier file"));
}

#[test]
fn x13_devices_pipes_and_setuid_bits() {
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("archive");
    let source = Warehouse::File(file.clone());
    let rejection = |tar: TarBytes| {
        fs::write(&file, tar.finish()).unwrap();
        let error = scan(
            PackType::Tar,
            &source,
            UnpackFilters::LOW_PRIV,
            ArchivePolicy::WARE,
            &Meter::default(),
        )
        .unwrap_err();
        assert_eq!(error.category(), Category::FilterRejection);
        error.to_string()
    };
    assert_eq!(
        rejection(TarBytes::new().raw(Header { mode: 0o4755, ..Header::file("su", 0) }.bytes())),
        "`su` has permissions 04755, which filter `setid=reject` refuses"
    );
    assert_eq!(
        rejection(
            TarBytes::new()
                .raw(Header { typeflag: b'4', device: (8, 1), ..Header::file("sda1", 0) }.bytes())
        ),
        "`sda1` is the block device 8,1, which filter `dev=reject` refuses"
    );
    fs::write(
        &file,
        TarBytes::new().raw(Header { typeflag: b'6', ..Header::file("p", 0) }.bytes()).finish(),
    )
    .unwrap();
    scan(PackType::Tar, &source, UnpackFilters::LOW_PRIV, ArchivePolicy::WARE, &Meter::default())
        .unwrap();
}

#[test]
fn x14_ends_of_archives() {
    let whole = TarBytes::new().file("f", &[b'x'; 700]).finish();
    for length in [1, 511, 512, 513, 1000, 1212, 1536, 1537, 2048, 2559] {
        let refusal = refusal(PackType::Tar, &whole[..length], ArchivePolicy::WARE);
        assert!(refusal.starts_with("the archive is truncated after"), "{length}: {refusal}");
    }
    let with = |tail: &[u8]| refusal(PackType::Tar, &[&whole, tail].concat(), ArchivePolicy::WARE);
    assert_eq!(with(b"x"), "data follows the end of the archive at byte 2560");
    assert_eq!(with(&whole), "data follows the end of the archive at byte 2560");
    let one_zero_block =
        TarBytes::new().file("f", b"").raw([0; 512]).raw(Header::file("g", 0).bytes());
    assert!(refused_tar(one_zero_block).starts_with("data follows the end"));
}

#[test]
fn x14_ends_of_compressed_archives() {
    let whole = TarBytes::new().file("f", &[b'x'; 700]).finish();
    for packed in tar_bytes::compressed(&whole) {
        for cut in [packed.len() / 2, packed.len() - 1] {
            let message = refusal(PackType::Tar, &packed[..cut], ArchivePolicy::WARE);
            assert!(message.contains("truncated") || message.contains("corrupt"), "{message}");
        }
        let message =
            refusal(PackType::Tar, &[&packed[..], b"garbage"].concat(), ArchivePolicy::WARE);
        assert!(message.contains("corrupt") || message.contains("truncated"), "{message}");
    }
}

#[test]
fn every_compression_gives_the_same_ware() {
    let whole = TarBytes::new().dir("d").file("d/f", &[b'x'; 700]).finish();
    let temp = tempfile::tempdir().unwrap();
    let file = temp.path().join("archive");
    let id = |bytes: &[u8]| {
        fs::write(&file, bytes).unwrap();
        scan(
            PackType::Tar,
            &Warehouse::File(file.clone()),
            UnpackFilters::LOSSLESS,
            ArchivePolicy::WARE,
            &Meter::default(),
        )
        .unwrap()
    };
    let plain = id(&whole);
    // Concatenated members form one stream: tools that compress in parallel write them.
    let (one, two) = whole.split_at(600);
    let halves = tar_bytes::compressed(one).into_iter().zip(tar_bytes::compressed(two));
    for (packed, (one, two)) in tar_bytes::compressed(&whole).into_iter().zip(halves) {
        assert_eq!(id(&packed), plain);
        assert_eq!(id(&[one, two].concat()), plain);
    }
}

#[test]
fn x7_endless_zeros_after_an_archive() {
    let mut bytes = TarBytes::new().file("f", b"x").finish();
    let end = bytes.len();
    bytes.resize(end + (1 << 20), 0);
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("archive");
    fs::write(&path, &bytes).unwrap();
    let source = Warehouse::File(path);
    list(PackType::Tar, &source, ArchivePolicy::WARE, &Meter::default()).unwrap();
    bytes.resize(end + (17 << 20), 0);
    for archive in [bytes.clone(), tar_bytes::compressed(&bytes).swap_remove(0)] {
        let refusal = refusal(PackType::Tar, &archive, ArchivePolicy::WARE);
        assert_eq!(refusal, "the archive exceeds the limit of 16777216 bytes after its end");
    }
}

/// What `tar -r` and archives assembled from parts contain.
#[test]
fn the_last_entry_of_a_repeated_directory_counts() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("archive");
    let dir = |mode: u32| Header { mode, ..Header::dir("d") }.bytes();
    let id = |tar: TarBytes| {
        fs::write(&path, tar.finish()).unwrap();
        let (source, policy) = (Warehouse::File(path.clone()), ArchivePolicy::WARE);
        let (ware, nodes) = list(PackType::Tar, &source, policy, &Meter::default()).unwrap();
        let out = temp.path().join("out");
        let filters = UnpackFilters::LOW_PRIV;
        let sources = [source];
        let unpack = Unpack { ware: &ware, sources: &sources, filters, cache: None, policy };
        unpack.place_at(&out, Placement::Direct, &Meter::default()).unwrap();
        let mode = fs::metadata(out.join("d")).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o7777;
        let declared = nodes.iter().find(|(path, _)| path.as_str() == "d").unwrap().1.perms;
        assert_eq!(mode, u32::from(declared));
        (ware, mode)
    };
    let once = id(TarBytes::new().raw(dir(0o711)).file("d/f", b"x"));
    assert_eq!(once.1, 0o711);
    assert_eq!(id(TarBytes::new().raw(dir(0o755)).file("d/f", b"x").raw(dir(0o711))), once);
    assert_eq!(id(TarBytes::new().raw(dir(0o755)).raw(dir(0o711)).file("d/f", b"x")), once);
    let file_then_dir = TarBytes::new().file("d", b"").raw(dir(0o755));
    assert_eq!(refused_tar(file_then_dir), "`d` appears twice in the archive");
}
