//! Streaming reader of FASTA files: `>name` lines, each followed by the lines of its sequence; gzip-compressed or not.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;

use crate::error::{AssetError, At};

/// The most bytes in a header line.
const LONGEST_HEADER: usize = 1 << 20;
const BUFFER: usize = 256 << 10;

/// Receives the sequences of a file in order.
pub(crate) trait Visit {
    /// Called at the start of a sequence with its header line after the `>`. Returns whether its bytes are wanted; none stops reading.
    fn header(&mut self, line: &str) -> Result<Option<Wanted>, String>;
    /// Called with the next bytes of the sequence, without line endings. An empty line, which may precede the first header, gives no bytes.
    fn bytes(&mut self, bytes: &[u8]) -> Result<(), String>;
}

/// Whether the bytes of a sequence are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    All,
    Nothing,
}

/// Reads the file at `path` in constant memory.
pub(crate) fn read(path: &Path, visit: &mut dyn Visit) -> Result<(), AssetError> {
    let mut file = BufReader::with_capacity(BUFFER, File::open(path).at(path)?);
    let is_packed = file.fill_buf().at(path)?.starts_with(&[0x1f, 0x8b]);
    let read = match is_packed {
        true => {
            let unpacked = MultiGzDecoder::new(file);
            lines(&mut BufReader::with_capacity(BUFFER, unpacked), visit)
        }
        false => lines(&mut file, visit),
    };
    read.map_err(|fault| match fault {
        Fault::Io(source) if is_packed && source.kind() != io::ErrorKind::IsADirectory => {
            let problem = format!("cannot be decompressed: {source}");
            AssetError::Fasta { path: path.to_owned(), problem }
        }
        Fault::Io(source) => AssetError::Io { path: path.to_owned(), source },
        Fault::Text(problem) => AssetError::Fasta { path: path.to_owned(), problem },
    })
}

enum Fault {
    Io(io::Error),
    Text(String),
}

impl From<io::Error> for Fault {
    fn from(error: io::Error) -> Self {
        Fault::Io(error)
    }
}

impl From<String> for Fault {
    fn from(problem: String) -> Self {
        Fault::Text(problem)
    }
}

/// The part of a line being read.
enum Part {
    Start,
    Header(Vec<u8>),
    Sequence,
    Empty,
}

/// A line ends with `\n`, `\r\n` or `\r`, as in Python's text mode.
fn lines(source: &mut impl Read, visit: &mut dyn Visit) -> Result<(), Fault> {
    let mut buffer = vec![0; BUFFER];
    let (mut at, mut wanted, mut line) = (Part::Start, None, 1u64);
    let mut is_behind_return = false;
    loop {
        let length = match source.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error.into()),
        };
        let mut rest = &buffer[..length];
        while !rest.is_empty() {
            if matches!(at, Part::Start) {
                if std::mem::take(&mut is_behind_return) && rest[0] == b'\n' {
                    rest = &rest[1..];
                    continue;
                }
                at = match rest[0] {
                    b'>' => Part::Header(Vec::new()),
                    b'\n' | b'\r' => Part::Empty,
                    _ => Part::Sequence,
                };
            }
            let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let piece = &rest[..end.unwrap_or(rest.len())];
            match &mut at {
                Part::Header(header) => {
                    if header.len() + piece.len() > LONGEST_HEADER {
                        return Err(format!("line {line} is longer than 1 MiB").into());
                    }
                    header.extend_from_slice(piece);
                }
                Part::Empty if wanted != Some(Wanted::Nothing) => visit.bytes(piece)?,
                _ if piece.is_empty() => {}
                _ => match wanted {
                    None => {
                        let problem = format!("not FASTA: line {line} comes before the first `>`");
                        return Err(problem.into());
                    }
                    Some(Wanted::All) => visit.bytes(piece)?,
                    Some(Wanted::Nothing) => {}
                },
            }
            let Some(end) = end else { break };
            if let Part::Header(header) = &at {
                match visit.header(&text(header, line)?)? {
                    None => return Ok(()),
                    some => wanted = some,
                }
            }
            is_behind_return = rest[end] == b'\r';
            line += 1;
            at = Part::Start;
            rest = &rest[end + 1..];
        }
    }
    if let Part::Header(header) = &at {
        wanted = visit.header(&text(header, line)?)?.or(wanted);
    }
    match wanted {
        Some(_) => Ok(()),
        None => Err("no sequences".to_owned().into()),
    }
}

/// The header without any `>`.
fn text(header: &[u8], line: u64) -> Result<String, String> {
    let text = std::str::from_utf8(header).map_err(|_| format!("line {line} is not UTF-8"))?;
    Ok(text.replace('>', ""))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::io::Write;

    use super::*;

    #[derive(Default)]
    struct Seen(Vec<(String, String)>);

    impl Visit for Seen {
        fn header(&mut self, line: &str) -> Result<Option<Wanted>, String> {
            self.0.push((line.to_owned(), String::new()));
            Ok(Some(Wanted::All))
        }

        fn bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
            let Some(last) = self.0.last_mut() else { return Ok(()) };
            last.1.push_str(std::str::from_utf8(bytes).unwrap());
            Ok(())
        }
    }

    /// Gives one byte at a time, so that every boundary is met.
    struct Slow<'a>(&'a [u8]);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            buffer[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    fn seen(text: &str) -> Result<Vec<(String, String)>, String> {
        let fault = |fault| match fault {
            Fault::Io(error) => error.to_string(),
            Fault::Text(text) => text,
        };
        let (mut whole, mut slow) = (Seen::default(), Seen::default());
        let came = lines(&mut text.as_bytes(), &mut whole).map_err(fault);
        assert_eq!(lines(&mut Slow(text.as_bytes()), &mut slow).map_err(fault), came);
        assert_eq!(slow.0, whole.0);
        came.map(|()| whole.0)
    }

    #[test]
    fn sequences_have_lines_of_any_length() {
        let expected =
            vec![("chr1".to_owned(), "ACGT".to_owned()), ("c 2".to_owned(), "n N".to_owned())];
        for text in [
            ">chr1\nAC\nGT\n>c> 2\nn N\n",
            ">chr1\r\nACG\r\n\r\nT\r\n>c 2\r\nn N",
            "\n>chr1\rACGT\r>c 2\rn N\r",
        ] {
            assert_eq!(seen(text).unwrap(), expected, "{text:?}");
        }
        assert_eq!(seen(">a\n>b").unwrap().len(), 2);
    }

    #[test]
    fn a_file_that_is_not_fasta_is_refused() {
        assert_eq!(seen("").unwrap_err(), "no sequences");
        assert_eq!(seen("\nACGT\n").unwrap_err(), "not FASTA: line 2 comes before the first `>`");
    }

    #[test]
    fn gzip_members_are_concatenated() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.fa.gz");
        let mut bytes = Vec::new();
        for part in [&b">a\nAC"[..], b"GT\n>b\nN"] {
            let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            packed.write_all(part).unwrap();
            bytes.extend(packed.finish().unwrap());
        }
        std::fs::write(&path, &bytes).unwrap();
        let mut seen = Seen::default();
        read(&path, &mut seen).unwrap();
        assert_eq!(seen.0, [("a".to_owned(), "ACGT".to_owned()), ("b".to_owned(), "N".to_owned())]);
        std::fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
        let error = read(&path, &mut Seen::default()).unwrap_err();
        assert!(error.to_string().contains("cannot be decompressed"), "{error}");
    }
}
