//! Loci: sequences, or parts of them.

use std::fmt;
use std::io::Write;
use std::ops::Range;
use std::path::Path;
use std::str::FromStr;

use wake_model::nearest::nearest;

use crate::error::AssetError;
use crate::fasta::{self, Visit, Wanted};

/// A sequence of a genome, or a part of it: `NAME` or `NAME:START-END`.
///
/// As in refgenie, positions start at 0 and `END` is exclusive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Locus {
    /// The sequence, by the first word of its header.
    pub name: String,
    /// The range; none for the whole sequence.
    pub part: Option<Range<u64>>,
}

/// A text that is not a valid locus.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a valid locus: expected `NAME` or `NAME:START-END`, with START less than END"
)]
pub struct ParseLocusError(String);

impl FromStr for Locus {
    type Err = ParseLocusError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseLocusError(text.escape_debug().to_string());
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        // A name may contain `:`.
        let part =
            text.rsplit_once(':').and_then(|(name, part)| Some((name, part.split_once('-')?)));
        let (name, part) = match part {
            Some((name, (start, end))) if is_number(start) && is_number(end) => {
                let number = |text: &str| text.parse::<u64>().map_err(|_| wrong());
                (name, Some(number(start)?..number(end)?))
            }
            _ => (text, None),
        };
        if name.is_empty() || part.as_ref().is_some_and(Range::is_empty) {
            return Err(wrong());
        }
        Ok(Locus { name: name.to_owned(), part })
    }
}

impl fmt::Display for Locus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.part {
            Some(part) => write!(f, "{}:{}-{}", self.name, part.start, part.end),
            None => f.write_str(&self.name),
        }
    }
}

impl Locus {
    /// Writes this part of a FASTA file as it is in the file, without line endings.
    pub fn write(&self, fasta: &Path, out: &mut dyn Write) -> Result<(), AssetError> {
        let mut copy = Copy {
            locus: self,
            out,
            at: 0,
            state: State::Before,
            names: Vec::new(),
            unwritten: None,
        };
        let read = fasta::read(fasta, &mut copy);
        if let Some(source) = copy.unwritten.take() {
            return Err(AssetError::Write(source));
        }
        read?;
        let Copy { at, state, names, .. } = copy;
        let end = self.part.as_ref().map_or(at, |part| part.end);
        match state {
            State::Before => {
                let problem = format!("`{}` has no sequence `{}`", fasta.display(), self.name);
                let near = nearest(&self.name, names.iter().map(String::as_str));
                let some = || format!("it has `{}`", names[..names.len().min(8)].join("`, `"));
                let hint = near.map_or_else(some, |near| format!("did you mean `{near}`?"));
                Err(AssetError::Locus { problem, hint: Some(hint) })
            }
            _ if at < end => {
                let problem =
                    format!("sequence `{}` has {at} characters, fewer than {end}", self.name);
                let hint = "positions start at 0, and END is exclusive".to_owned();
                Err(AssetError::Locus { problem, hint: Some(hint) })
            }
            _ => Ok(()),
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Before,
    Inside,
    Behind,
}

struct Copy<'a> {
    locus: &'a Locus,
    out: &'a mut dyn Write,
    at: u64,
    state: State,
    names: Vec<String>,
    unwritten: Option<std::io::Error>,
}

impl Visit for Copy<'_> {
    fn header(&mut self, line: &str) -> Result<Option<Wanted>, String> {
        let name = line.split_whitespace().next().unwrap_or_default();
        if self.state != State::Before {
            self.state = State::Behind;
            return Ok(None);
        }
        if name == self.locus.name {
            self.state = State::Inside;
            return Ok(Some(Wanted::All));
        }
        if self.names.len() < 10_000 {
            self.names.push(name.to_owned());
        }
        Ok(Some(Wanted::Nothing))
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
        if self.state != State::Inside {
            return Ok(());
        }
        let (from, to) = (self.at, self.at + bytes.len() as u64);
        self.at = to;
        let part = self.locus.part.clone().unwrap_or(0..u64::MAX);
        let (start, end) = (part.start.clamp(from, to), part.end.clamp(from, to));
        let wanted = &bytes[(start - from) as usize..(end - from) as usize];
        self.out.write_all(wanted).map_err(|error| {
            self.unwritten = Some(error);
            String::new()
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_locus_is_zero_based_and_half_open() {
        let dir = tempfile::tempdir().unwrap();
        let fasta = dir.path().join("x.fa");
        std::fs::write(&fasta, ">chr1 first\nACG\nTAC\n\n>HLA:1-2\nNN\n").unwrap();
        let said = |locus: &str| {
            let mut out = Vec::new();
            let locus: Locus = locus.parse().unwrap();
            match locus.write(&fasta, &mut out) {
                Ok(()) => String::from_utf8(out).unwrap(),
                Err(error) => format!("{error}; {}", error.hint().unwrap_or_default()),
            }
        };
        for (locus, expected) in [
            ("chr1", "ACGTAC"),
            ("chr1:0-1", "A"),
            ("chr1:2-5", "GTA"),
            ("chr1:5-6", "C"),
            ("HLA:1-2:0-2", "NN"),
        ] {
            assert_eq!(said(locus), expected, "{locus}");
            assert_eq!(locus.parse::<Locus>().unwrap().to_string(), locus);
        }
        assert_eq!(
            said("chr1:5-7"),
            "sequence `chr1` has 6 characters, fewer than 7; positions start at 0, and END is exclusive"
        );
        assert!(said("chr2").ends_with("has no sequence `chr2`; did you mean `chr1`?"));
        assert!(said("Q").ends_with("it has `chr1`, `HLA:1-2`"));
        for text in ["", ":1-2", "a:2-2", "a:3-2", "a:1-99999999999999999999"] {
            assert!(text.parse::<Locus>().is_err(), "{text}");
        }
    }
}
