//! Export to and import from Tyger's layout: blocks under `data/`, their headers under `metadata/`.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use wake_model::BufferId;

use crate::about::Content;
use crate::block_path::block_path;
use crate::buffers::Buffers;
use crate::chain::{HashChain, text};
use crate::error::BufferError;
use crate::read::Unwritten;
use crate::write::{BufferWriter, PIECE, WriteOptions};

/// The version of the layout.
const VERSION: &str = "0.3.0";
const START: &str = ".bufferstart";
const END: &str = ".bufferend";

/// The headers of a block.
#[derive(Debug, Serialize, Deserialize)]
struct Headers {
    #[serde(rename = "Content-MD5")]
    md5: String,
    #[serde(rename = "x-ms-meta-cumulative_hash_chain")]
    chain: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Start {
    version: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Finish {
    status: String,
}

impl Buffers<'_> {
    /// Writes a complete buffer into a directory that does not exist yet.
    pub fn export(&self, id: &BufferId, dir: &Path, now: u64) -> Result<Content, BufferError> {
        fs::create_dir(dir).map_err(|source| match source.kind() {
            io::ErrorKind::AlreadyExists => BufferError::Taken(dir.to_owned()),
            _ => io_error(dir, source),
        })?;
        let exported = self.export_into(id, dir, now);
        if exported.is_err() {
            // A partial export is of no use.
            let _ = fs::remove_dir_all(dir);
        }
        exported
    }

    fn export_into(&self, id: &BufferId, dir: &Path, now: u64) -> Result<Content, BufferError> {
        let mut reader = self.open(id, Unwritten::Refuse, now)?;
        let data = dir.join("data");
        write_json(&data.join(START), &Start { version: VERSION.to_owned() })?;
        let mut chain = HashChain::default();
        let mut number = 0;
        while let Some(block) = reader.next(&|| false)? {
            put(dir, number, &mut { block.file }, &mut chain)?;
            number += 1;
        }
        // An empty block ends the stream.
        put(dir, number, &mut io::empty(), &mut chain)?;
        write_json(&data.join(END), &Finish { status: "complete".to_owned() })?;
        reader.content().ok_or_else(|| BufferError::Unwritten(id.clone()))
    }

    /// Writes a buffer from a directory, verifying each block against its headers.
    pub fn import(&self, id: &BufferId, dir: &Path, now: u64) -> Result<Content, BufferError> {
        let data = dir.join("data");
        let Some(start) = optional(read_json::<Start>(&data.join(START)))? else {
            return Err(layout(
                dir,
                &format!("has no `data/{START}`, the first file of Tyger's layout"),
            ));
        };
        if start.version != VERSION {
            let problem = format!("has version `{}`: expected `{VERSION}`", start.version);
            return Err(layout(&data.join(START), &problem));
        }
        if let Some(finish) = optional(read_json::<Finish>(&data.join(END)))?
            && finish.status != "complete"
        {
            return Err(layout(dir, "is in a permanently failed state"));
        }
        let options = WriteOptions { block: u64::MAX, ..WriteOptions::default() };
        let mut writer = self.begin(id, options, now)?;
        match take_all(dir, &mut writer) {
            Ok(()) => writer.finish(),
            Err(error) => {
                // If even this cannot be written, the buffer is broken off, which readers see as a failure too.
                let _ = writer.fail(&error.to_string());
                Err(error)
            }
        }
    }
}

/// Writes a block and its headers, and extends the chain.
fn put(
    dir: &Path,
    number: u64,
    bytes: &mut impl Read,
    chain: &mut HashChain,
) -> Result<(), BufferError> {
    let path = block_path(number);
    let place = dir.join("data").join(&path);
    let mut file = create(&place)?;
    let (mut md5, mut piece) = (Md5::new(), vec![0; PIECE]);
    let mut copied = || loop {
        match next_piece(bytes, &mut piece)? {
            [] => return Ok(()),
            piece => {
                md5.update(piece);
                file.write_all(piece)?;
            }
        }
    };
    copied().map_err(|source| io_error(&place, source))?;
    let md5: [u8; 16] = md5.finalize().into();
    *chain = chain.with(&md5);
    let headers = Headers { md5: text(&md5), chain: chain.as_str().to_owned() };
    write_json(&dir.join("metadata").join(&path), &headers)
}

/// Reads blocks up to the empty one.
fn take_all(dir: &Path, writer: &mut BufferWriter<'_>) -> Result<(), BufferError> {
    let mut chain = HashChain::default();
    for number in 0.. {
        match take(dir, number, &mut chain, writer)? {
            0 => break,
            _ => writer.put_down()?,
        }
    }
    Ok(())
}

/// Reads and verifies a block, and returns its size.
fn take(
    dir: &Path,
    number: u64,
    chain: &mut HashChain,
    writer: &mut BufferWriter<'_>,
) -> Result<u64, BufferError> {
    let path = block_path(number);
    let place = dir.join("data").join(&path);
    let mut file = match File::open(&place) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let problem = format!("has no block {number}, which was expected to exist");
            return Err(layout(dir, &problem));
        }
        file => file.map_err(|source| io_error(&place, source))?,
    };
    let headers: Headers = read_json(&dir.join("metadata").join(&path))?;
    let (mut md5, mut size, mut piece) = (Md5::new(), 0, vec![0; PIECE]);
    loop {
        let piece = next_piece(&mut file, &mut piece).map_err(|source| io_error(&place, source))?;
        if piece.is_empty() {
            break;
        }
        md5.update(piece);
        writer.write(piece)?;
        size += piece.len() as u64;
    }
    let md5: [u8; 16] = md5.finalize().into();
    if text(&md5) != headers.md5 {
        writer.forget();
        return Err(layout(&place, "does not match its recorded MD5"));
    }
    *chain = chain.with(&md5);
    if chain.as_str() != headers.chain {
        writer.forget();
        return Err(layout(&place, "does not follow the blocks before it: hash chain mismatch"));
    }
    Ok(size)
}

fn write_json(path: &Path, value: &impl Serialize) -> Result<(), BufferError> {
    let bytes = serde_json::to_vec(value).map_err(|error| layout(path, &error.to_string()))?;
    write(path, &bytes)
}

fn write(path: &Path, bytes: &[u8]) -> Result<(), BufferError> {
    create(path)?.write_all(bytes).map_err(|source| io_error(path, source))
}

fn create(path: &Path) -> Result<File, BufferError> {
    let made = path.parent().map_or(Ok(()), fs::create_dir_all);
    made.and_then(|()| File::create_new(path)).map_err(|source| io_error(path, source))
}

/// Reads the next bytes, at most as many as fit; empty at the end.
fn next_piece<'p>(from: &mut impl Read, piece: &'p mut [u8]) -> io::Result<&'p [u8]> {
    loop {
        match from.read(piece) {
            Ok(many) => return Ok(&piece[..many]),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn read_json<T: for<'d> Deserialize<'d>>(path: &Path) -> Result<T, BufferError> {
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(|source| io_error(path, source))?;
    file.take(64 << 10).read_to_end(&mut bytes).map_err(|source| io_error(path, source))?;
    serde_json::from_slice(&bytes)
        .map_err(|error| layout(path, &format!("is not in Tyger's format: {error}")))
}

fn optional<T>(result: Result<T, BufferError>) -> Result<Option<T>, BufferError> {
    match result {
        Err(BufferError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

fn layout(path: &Path, problem: &str) -> BufferError {
    BufferError::Layout { path: path.to_owned(), problem: problem.to_owned() }
}

fn io_error(path: &Path, source: io::Error) -> BufferError {
    BufferError::Io { path: PathBuf::from(path), source }
}
