//! The digest of a genome and its sequences.

use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha512};

use crate::error::AssetError;
use crate::fasta::{self, Visit, Wanted};
use crate::name::GenomeDigest;

/// Bytes of the SHA-512 hash that a digest keeps. Source: `spec/assets.md`, "Digests".
const KEPT: usize = 24;

/// A genome, as covered by its digest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genome {
    /// Its digest.
    pub digest: GenomeDigest,
    /// Its sequences, in the order of the file.
    pub sequences: Vec<Sequence>,
}

/// One sequence, as covered by the genome digest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// The whole header line, without any `>`.
    pub name: String,
    /// The number of characters.
    pub length: u64,
    /// The digest of its characters as written.
    #[serde(rename = "sequence")]
    pub digest: String,
}

impl Genome {
    /// Reads the genome of a FASTA file, gzip-compressed or not, in memory that does not grow with the length of its sequences.
    pub fn of_fasta(path: &Path) -> Result<Genome, AssetError> {
        let mut measure = Measure::default();
        fasta::read(path, &mut measure)?;
        measure.end_of_sequence();
        Genome::of(measure.sequences)
            .map_err(|problem| AssetError::Fasta { path: path.to_owned(), problem })
    }

    /// Returns the genome of these sequences.
    pub(crate) fn of(sequences: Vec<Sequence>) -> Result<Genome, String> {
        let mut hasher = Sha512::new();
        for (number, sequence) in sequences.iter().enumerate() {
            if number > 0 {
                hasher.update(b",");
            }
            let Sequence { name, length, digest } = sequence;
            hasher.update(truncated(Sha512::digest(format!("{name}>{length}>{digest}"))));
        }
        let digest = truncated(hasher.finalize());
        let digest = digest.parse().map_err(|error: crate::name::NameError| error.to_string())?;
        Ok(Genome { digest, sequences })
    }
}

fn truncated(digest: impl AsRef<[u8]>) -> String {
    digest.as_ref().iter().take(KEPT).map(|byte| format!("{byte:02x}")).collect()
}

#[derive(Default)]
struct Measure {
    sequences: Vec<Sequence>,
    now: Option<(String, u64, Sha512)>,
    /// Whether a line other than a header was read.
    has_any: bool,
}

impl Measure {
    fn end_of_sequence(&mut self) {
        let Some((name, length, hasher)) = self.now.take() else { return };
        let digest = truncated(hasher.finalize());
        self.sequences.push(Sequence { name, length, digest });
    }
}

impl Visit for Measure {
    fn header(&mut self, line: &str) -> Result<Option<Wanted>, String> {
        // refgenie drops sequences without lines at the start of a file, and only those.
        match self.has_any {
            true => self.end_of_sequence(),
            false => self.now = None,
        }
        self.now = Some((line.to_owned(), 0, Sha512::new()));
        Ok(Some(Wanted::All))
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
        // As in refgenie, an empty line before the first header makes a sequence without a name.
        let nameless = || (String::new(), 0, Sha512::new());
        let (_, length, hasher) = self.now.get_or_insert_with(nameless);
        // UTF-8 continuation bytes start with the bits 10.
        *length += bytes.iter().filter(|byte| **byte & 0xc0 != 0x80).count() as u64;
        hasher.update(bytes);
        self.has_any = true;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn genome(text: &str) -> Genome {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.fa");
        std::fs::write(&path, text).unwrap();
        Genome::of_fasta(&path).unwrap()
    }

    /// The expected digest was computed by refgenie.
    #[test]
    fn the_digest_is_that_of_refgenie() {
        let expected = "4e88f10ceb549493a658a41991ffa249af078781d28aa9e2";
        let whole = genome(">chr1\nACGTACGTAA\nACG\n>chr2 desc\nTTTT\n");
        assert_eq!(whole.digest.as_str(), expected);
        let lengths: Vec<u64> = whole.sequences.iter().map(|sequence| sequence.length).collect();
        assert_eq!((lengths, &*whole.sequences[1].name), (vec![13, 4], "chr2 desc"));
        for same in [
            ">chr1\r\nACGTACGTAAACG\r\n>chr2 desc\r\nTTTT",
            ">>chr1\nACGTACGTAAACG\n\n>chr2 >desc\nTT\nTT\n",
        ] {
            assert_eq!(genome(same).digest.as_str(), expected, "{same:?}");
        }
        for other in
            [">chr1\nacgtacgtaaacg\n>chr2 desc\nTTTT\n", ">chr1\nACGTACGTAAACG\n>chr2\nTTTT\n"]
        {
            assert_ne!(genome(other).digest.as_str(), expected, "{other:?}");
        }
    }

    #[test]
    fn sequences_without_lines_count_only_after_others() {
        let plain = genome(">b\nAC\n");
        assert_eq!(genome(">a\n>b\nAC\n").digest, plain.digest);
        assert_eq!(genome(">a\r\n\r\n>b\nAC\n").sequences.len(), 2);
        assert_eq!(genome("\n>b\nAC\n").sequences[0].name, "");
        assert_ne!(genome(">b\nAC\n>a\n").digest, plain.digest);
        assert_eq!(genome(">a\n").sequences[0].length, 0);
    }
}
