//! What an output of a remembered job was: the blocks that went into it.

use std::fmt;

use wake_buffer::Content;
use wake_model::{BlobDigest, Digest};
use wake_store::StreamBlock;

/// A stream by its content and its blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamList {
    pub(crate) content: Content,
    pub(crate) blocks: Vec<StreamBlock>,
}

const HEAD: &str = "wake stream 1";

/// `wake stream 1`, the content and its size, then a line for each block: digest, size, MD5 in hexadecimal.
impl fmt::Display for StreamList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}\n{} {}", self.content.digest, self.content.size)?;
        for StreamBlock { blob, size, md5 } in &self.blocks {
            writeln!(f, "{blob} {size} {:032x}", u128::from_be_bytes(*md5))?;
        }
        Ok(())
    }
}

impl StreamList {
    /// Reads what was written; none if it was something else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        lines.next().filter(|&head| head == HEAD)?;
        let (digest, size) = lines.next()?.split_once(' ')?;
        let digest = BlobDigest(digest.parse::<Digest>().ok()?);
        let content = Content { digest, size: size.parse().ok()? };
        let block = |line: &str| {
            let mut parts = line.split(' ');
            let blob = BlobDigest(parts.next()?.parse::<Digest>().ok()?);
            let size = parts.next()?.parse().ok()?;
            let md5 = u128::from_str_radix(parts.next()?, 16).ok()?.to_be_bytes();
            Some(StreamBlock { blob, size, md5 })
        };
        let blocks = lines.map(block).collect::<Option<_>>()?;
        Some(StreamList { content, blocks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_as_it_was_written() {
        let block = |byte: u8| StreamBlock {
            blob: BlobDigest::of(&[byte]),
            size: byte.into(),
            md5: [byte; 16],
        };
        let content = Content { digest: BlobDigest::of(b"all"), size: 3 };
        for blocks in [vec![], vec![block(0), block(1), block(255)]] {
            let list = StreamList { content, blocks };
            assert_eq!(StreamList::parse(&list.to_string()), Some(list));
        }
        for wrong in ["", "wake stream 2\n", "wake stream 1\nx 3\n"] {
            assert_eq!(StreamList::parse(wrong), None);
        }
    }
}
