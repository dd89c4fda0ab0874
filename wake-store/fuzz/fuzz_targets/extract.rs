//! Arbitrary bytes, read as an archive, are listed or refused; what can be listed can be unpacked beside a canary, and
//! has the id that listing returned.
//!
//! `cargo +nightly fuzz run extract` in `wake-store/`; the first byte of an input chooses the pack type.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::fs;
use wake_store::ware::{Meter, PackType, Placement, ArchivePolicy, Unpack, UnpackFilters, Warehouse, list};

fuzz_target!(|input: &[u8]| {
    let Some((first, bytes)) = input.split_first() else { return };
    let packtype = [PackType::Tar, PackType::Tree, PackType::Zip][usize::from(first % 3)];
    let policy = ArchivePolicy { max_bytes: 1 << 20, max_entries: 1000, ..ArchivePolicy::WARE };
    let temp = tempfile::tempdir().expect("a directory");
    fs::write(temp.path().join("archive"), bytes).expect("a file");
    fs::write(temp.path().join("canary"), "alive").expect("a file");
    let sources = [Warehouse::File(temp.path().join("archive"))];
    let Ok((ware, _)) = list(packtype, &sources[0], policy, &Meter::default()) else { return };
    let filters = UnpackFilters::LOW_PRIV;
    let unpack = Unpack { ware: &ware, sources: &sources, filters, cache: None, policy };
    // Filters and the file system may refuse what could be listed; a mismatch must not happen.
    if let Err(error) = unpack.place_at(&temp.path().join("out"), Placement::Direct, &Meter::default()) {
        assert!(!error.to_string().contains("hash mismatch"), "{error}");
    }
    assert_eq!(fs::read_to_string(temp.path().join("canary")).expect("the canary"), "alive");
});
