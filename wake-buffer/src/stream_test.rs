//! Writing and reading buffers of a store.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::io::{Read, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use wake_model::{BufferId, Lifetime, Tags};
use wake_store::{GcOptions, Store};

use crate::{
    BufferError, BufferWriter, Buffers, Change, Flush, State, Unwritten, Wanted, WriteOptions,
};

const NOW: u64 = 1_000_000;

struct Bed {
    store: Store,
    dir: tempfile::TempDir,
}

impl Bed {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        Bed { store, dir }
    }

    fn buffers(&self) -> Buffers<'_> {
        Buffers::new(&self.store)
    }

    fn create(&self) -> BufferId {
        self.buffers().create(&Tags::default(), None, NOW).unwrap()
    }

    fn written(&self, bytes: &[u8], block: u64) -> BufferId {
        let id = self.create();
        let file = self.dir.path().join("source");
        fs::write(&file, bytes).unwrap();
        let options = WriteOptions { block, ..WriteOptions::default() };
        self.buffers().write(&id, &mut fs::File::open(file).unwrap(), options, NOW).unwrap();
        id
    }

    fn begin(&self, id: &BufferId) -> Result<BufferWriter<'_>, BufferError> {
        self.buffers().begin(id, WriteOptions::default(), NOW)
    }

    fn read(&self, id: &BufferId) -> Result<Vec<u8>, BufferError> {
        let mut bytes = Vec::new();
        self.buffers().read(id, Unwritten::Refuse, &mut bytes, NOW, &|| false)?;
        Ok(bytes)
    }
}

#[expect(clippy::disallowed_methods, reason = "whoever writes has a clock")]
fn soon() -> Flush {
    Flush { after: std::time::Duration::from_millis(5), clock: std::time::Instant::now }
}

fn bytes() -> Vec<u8> {
    (0..100_000u32).flat_map(u32::to_le_bytes).collect()
}

#[test]
fn a_buffer_that_its_writer_left_is_settled_by_another_process() {
    let bed = Bed::new();
    for (reason, word) in [(None, "complete"), (Some("another one failed"), "failed")] {
        let id = bed.create();
        let mut writer = bed.begin(&id).unwrap();
        writer.write(b"bytes").unwrap();
        let content = writer.leave().unwrap();
        assert_eq!(bed.buffers().get(&id).unwrap().state, State::Writing);
        assert!(matches!(bed.begin(&id), Err(BufferError::Written(_))));
        assert!(matches!(bed.buffers().purge(&id), Err(BufferError::BeingWritten(_))));
        thread::scope(|scope| {
            // A reader waits for the decision.
            let reader = scope.spawn(|| bed.read(&id));
            thread::sleep(std::time::Duration::from_millis(50));
            assert!(!reader.is_finished());
            bed.buffers().settle(&id, reason).unwrap();
            match (reason, reader.join().unwrap()) {
                (None, read) => assert_eq!(read.unwrap(), b"bytes"),
                (Some(reason), read) => assert!(read.unwrap_err().to_string().contains(reason)),
            }
        });
        // A decision is final.
        bed.buffers().settle(&id, Some("too late")).unwrap();
        let state = bed.buffers().get(&id).unwrap().state;
        assert_eq!(state.as_str(), word);
        assert!(reason.is_some() || state == State::Complete(content));
    }
    // A buffer that no writer has left is not affected.
    let id = bed.create();
    bed.buffers().settle(&id, None).unwrap();
    assert_eq!(bed.buffers().get(&id).unwrap().state, State::Unwritten);
}

#[test]
fn a_stream_comes_out_as_it_went_in_and_is_written_once() {
    let bed = Bed::new();
    for (bytes, block) in
        [(bytes(), 4096), (bytes(), 1 << 20), (Vec::new(), 16), (b"x".to_vec(), 1)]
    {
        let id = bed.written(&bytes, block);
        assert_eq!(bed.read(&id).unwrap(), bytes);
        let buffer = bed.buffers().get(&id).unwrap();
        let State::Complete(content) = buffer.state else { panic!("{:?}", buffer.state) };
        // It is the digest of the bytes, independent of block boundaries.
        assert_eq!(content.digest, wake_model::BlobDigest::of(&bytes));
        assert_eq!((content.size, buffer.size), (bytes.len() as u64, bytes.len() as u64));
        assert_eq!(buffer.blocks, (bytes.len() as u64).div_ceil(block));
        assert!(matches!(bed.begin(&id), Err(BufferError::Written(_))));
    }
}

#[test]
fn a_reader_begins_before_the_writer_and_ends_after_it() {
    let bed = Bed::new();
    let id = bed.create();
    thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let mut all = Vec::new();
            bed.buffers().read(&id, Unwritten::Wait, &mut all, NOW, &|| false).unwrap();
            all
        });
        let (from, mut to) = std::io::pipe().unwrap();
        let writer = scope.spawn(|| {
            let mut from = from;
            bed.buffers().write(&id, &mut from, WriteOptions::default(), NOW).unwrap()
        });
        for part in bytes().chunks(70_000) {
            to.write_all(part).unwrap();
        }
        drop(to);
        writer.join().unwrap();
        assert_eq!(reader.join().unwrap(), bytes());
    });
}

#[test]
fn an_unfinished_block_is_stored_after_a_time() {
    let bed = Bed::new();
    let id = bed.create();
    thread::scope(|scope| {
        let (from, mut to) = std::io::pipe().unwrap();
        let writer = scope.spawn(|| {
            let mut from = from;
            let options = WriteOptions { flush: Some(soon()), ..WriteOptions::default() };
            bed.buffers().write(&id, &mut from, options, NOW).unwrap()
        });
        to.write_all(b"first").unwrap();
        let mut reader = bed.buffers().open(&id, Unwritten::Wait, NOW).unwrap();
        // The source is still open.
        let mut first = String::new();
        reader.next(&|| false).unwrap().unwrap().file.read_to_string(&mut first).unwrap();
        assert_eq!(first, "first");
        drop(to);
        writer.join().unwrap();
        assert!(reader.next(&|| false).unwrap().is_none());
    });
}

#[test]
fn an_unfinished_block_is_stored_although_more_keeps_arriving() {
    let bed = Bed::new();
    let (id, done) = (bed.create(), AtomicBool::new(false));
    thread::scope(|scope| {
        let (from, to) = std::io::pipe().unwrap();
        scope.spawn(|| {
            let mut from = from;
            let options = WriteOptions { flush: Some(soon()), ..WriteOptions::default() };
            bed.buffers().write(&id, &mut from, options, NOW).unwrap();
        });
        scope.spawn(|| {
            let mut to = to;
            // There is always something to read.
            while !done.load(Ordering::Relaxed) {
                to.write_all(b"x").unwrap();
            }
        });
        let mut reader = bed.buffers().open(&id, Unwritten::Wait, NOW).unwrap();
        let block = reader.next(&|| false).unwrap().unwrap();
        assert!(block.size < crate::USUAL_BLOCK);
        done.store(true, Ordering::Relaxed);
    });
}

#[test]
fn blocks_of_another_buffer_are_not_those_of_this_one() {
    let bed = Bed::new();
    let (id, other) = (bed.written(&bytes(), 4096), bed.written(&bytes()[4..], 4096));
    let list = |id: &BufferId| bed.store.buffers_dir().join(id.as_str()).join("blocks");
    fs::copy(list(&other), list(&id)).unwrap();
    let told = bed.read(&id);
    assert!(matches!(told, Err(BufferError::Damaged { block: 98, .. })), "{told:?}");
    // A list that is cut off after a block.
    let bytes = fs::read(list(&other)).unwrap();
    fs::write(list(&other), &bytes[..8 + 48 * 3]).unwrap();
    assert!(matches!(bed.read(&other), Err(BufferError::Damaged { block: 3, .. })));
}

#[test]
fn a_writer_that_is_dropped_leaves_a_buffer_that_is_broken_off() {
    let bed = Bed::new();
    let id = bed.create();
    assert_eq!(bed.buffers().get(&id).unwrap().state, State::Unwritten);
    assert!(matches!(bed.read(&id), Err(BufferError::Unwritten(_))));
    let mut writer = bed.begin(&id).unwrap();
    writer.write(b"half").unwrap();
    writer.put_down().unwrap();
    writer.write(b" of it").unwrap();
    assert_eq!(bed.buffers().get(&id).unwrap().state, State::Writing);
    drop(writer);
    assert_eq!(bed.buffers().get(&id).unwrap().state, State::BrokenOff);
    assert!(matches!(bed.read(&id), Err(BufferError::BrokenOff { bytes: 4, .. })));
    assert!(matches!(bed.begin(&id), Err(BufferError::Written(_))));
    let failed = bed.create();
    bed.begin(&failed).unwrap().fail("the source is gone").unwrap();
    let told = bed.read(&failed).unwrap_err().to_string();
    assert!(told.ends_with("is in a permanently failed state: the source is gone"), "{told}");
}

#[test]
fn a_damaged_block_is_detected() {
    let bed = Bed::new();
    let id = bed.written(&bytes(), 4096);
    let blob = wake_model::BlobDigest::of(&bytes()[4096..8192]);
    let place = bed.store.blob_place(&blob);
    let mut changed = fs::read(&place).unwrap();
    changed[17] ^= 1;
    fs::write(&place, changed).unwrap();
    assert!(matches!(bed.read(&id), Err(BufferError::Damaged { block: 1, .. })));
    // It is set aside, and missing from then on.
    assert!(matches!(bed.read(&id), Err(BufferError::Damaged { block: 1, .. })));
}

#[test]
fn tags_lifetimes_and_deletion() {
    let bed = Bed::new();
    let buffers = bed.buffers();
    let mut tags = Tags::default();
    tags.set("kind", "raw").unwrap();
    let short = buffers.create(&tags, Some("0.00:01".parse::<Lifetime>().unwrap()), NOW).unwrap();
    let long = buffers.create(&tags, None, NOW + 1).unwrap();
    let plain = buffers.create(&Tags::default(), None, NOW + 2).unwrap();
    let list = |wanted: &Wanted, now| -> Vec<BufferId> {
        buffers.list(wanted, now).unwrap().into_iter().map(|buffer| buffer.id).collect()
    };
    let tagged = Wanted { tags: tags.clone(), ..Wanted::default() };
    let others = Wanted { without: tags.clone(), ..Wanted::default() };
    let deleted = Wanted { deleted: true, ..Wanted::default() };
    assert_eq!(list(&tagged, NOW), [long.clone(), short.clone()]);
    assert_eq!(list(&others, NOW), std::slice::from_ref(&plain));
    assert_eq!(list(&tagged, NOW + 60_000), std::slice::from_ref(&long));
    assert_eq!(list(&deleted, NOW + 60_000), std::slice::from_ref(&short));
    assert!(matches!(buffers.live(&short, NOW + 60_000), Err(BufferError::Expired(_))));
    buffers.restore(&short, NOW + 60_000).unwrap();
    assert!(buffers.live(&short, u64::MAX).is_ok());
    buffers.delete(&plain, NOW).unwrap();
    assert!(matches!(bed.begin(&plain), Err(BufferError::Deleted(_))));
    buffers.restore(&plain, NOW).unwrap();
    let change = Change {
        clear_tags: true,
        tags: vec![("a".into(), "1".into()), ("b".into(), "2".into())],
        without: vec!["kind".into()],
        lifetime: Some(Some("1".parse().unwrap())),
    };
    buffers.change(&long, &change, NOW).unwrap();
    let changed = buffers.get(&long).unwrap();
    assert_eq!(changed.tags.iter().collect::<Vec<_>>(), [("a", "1"), ("b", "2")]);
    assert_eq!(changed.expires, Some(NOW + 86_400_000));
    buffers.delete(&long, NOW).unwrap();
    assert_eq!(buffers.purge_deleted(NOW).unwrap(), 1);
    assert!(matches!(buffers.get(&long), Err(BufferError::NotFound(_))));
    let stranger = BufferId::from_bytes([9; 16]);
    assert!(matches!(buffers.delete(&stranger, NOW), Err(BufferError::NotFound(_))));
}

#[test]
fn garbage_collection_keeps_what_a_buffer_holds() {
    let bed = Bed::new();
    let (kept, purged) = (bed.written(&bytes(), 4096), bed.written(b"other", 16));
    bed.buffers().purge(&purged).unwrap();
    bed.store.gc(&GcOptions::default(), &mut |_| {}).unwrap();
    assert_eq!(bed.read(&kept).unwrap(), bytes());
    assert!(bed.store.blob(&wake_model::BlobDigest::of(b"other")).unwrap().is_none());
}

#[test]
fn a_directory_in_tygers_layout_comes_back_as_the_same_stream() {
    let bed = Bed::new();
    let id = bed.written(&bytes(), 50_000);
    let dir = bed.dir.path().join("out");
    let content = bed.buffers().export(&id, &dir, NOW).unwrap();
    assert_eq!(
        fs::read_to_string(dir.join("data/.bufferstart")).unwrap(),
        "{\"version\":\"0.3.0\"}"
    );
    assert_eq!(
        fs::read_to_string(dir.join("data/.bufferend")).unwrap(),
        "{\"status\":\"complete\"}"
    );
    assert_eq!(fs::read(dir.join("data/00/007")).unwrap().len(), 50_000);
    assert_eq!(fs::read(dir.join("data/00/008")).unwrap().len(), 0);
    let taken = bed.buffers().export(&id, &dir, NOW).unwrap_err().to_string();
    assert!(taken.ends_with("already exists"), "{taken}");
    let again = bed.create();
    assert_eq!(bed.buffers().import(&again, &dir, NOW).unwrap(), content);
    let nowhere = bed.buffers().import(&bed.create(), bed.dir.path(), NOW).unwrap_err().to_string();
    assert!(
        nowhere.ends_with("has no `data/.bufferstart`, the first file of Tyger's layout"),
        "{nowhere}"
    );
    assert_eq!(bed.read(&again).unwrap(), bytes());
    let told = |change: &dyn Fn()| {
        change();
        let id = bed.create();
        let told = bed.buffers().import(&id, &dir, NOW).unwrap_err().to_string();
        assert!(!matches!(bed.buffers().get(&id).unwrap().state, State::Complete(_)));
        told
    };
    let block = dir.join("data/00/003");
    let bytes = fs::read(&block).unwrap();
    assert!(told(&|| fs::write(&block, b"changed").unwrap()).contains("MD5"));
    assert!(told(&|| fs::remove_file(&block).unwrap()).contains("no block 3"));
    fs::write(&block, &bytes).unwrap();
    // The headers of another block.
    let headers = dir.join("metadata/00/003");
    let text = fs::read_to_string(&headers).unwrap();
    let chain = |text: &str| text.replace("hash_chain\":\"", "hash_chain\":\"x");
    assert!(told(&|| fs::write(&headers, chain(&text)).unwrap()).contains("hash chain mismatch"));
    fs::write(&headers, text).unwrap();
    fs::write(dir.join("data/.bufferend"), "{\"status\":\"failed\"}").unwrap();
    assert!(told(&|| ()).contains("permanently failed"));
}
