//! An output of a remembered job: the list of its blocks.

use std::fmt;

use wake_buffer::Content;
use wake_model::{BlobDigest, Digest};
use wake_store::StreamBlock;

/// The content and the blocks of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StreamList {
    pub(crate) content: Content,
    pub(crate) blocks: Vec<StreamBlock>,
}

const HEAD: &str = "wake stream 2";

/// `wake stream 2`, the content and its size, then a line for each block: digest and size.
impl fmt::Display for StreamList {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{HEAD}\n{} {}", self.content.digest, self.content.size)?;
        for StreamBlock { blob, size } in &self.blocks {
            writeln!(f, "{blob} {size}")?;
        }
        Ok(())
    }
}

impl StreamList {
    /// Parses a list; none if the text is something else.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        lines.next().filter(|&head| head == HEAD)?;
        let (digest, size) = lines.next()?.split_once(' ')?;
        let digest = BlobDigest(digest.parse::<Digest>().ok()?);
        let content = Content { digest, size: size.parse().ok()? };
        let block = |line: &str| {
            let (blob, size) = line.split_once(' ')?;
            let blob = BlobDigest(blob.parse::<Digest>().ok()?);
            Some(StreamBlock { blob, size: size.parse().ok()? })
        };
        let blocks = lines.map(block).collect::<Option<_>>()?;
        Some(StreamList { content, blocks })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_reads_back_as_it_was() {
        let block = |byte: u8| StreamBlock { blob: BlobDigest::of(&[byte]), size: byte.into() };
        let content = Content { digest: BlobDigest::of(b"all"), size: 3 };
        for blocks in [vec![], vec![block(0), block(1), block(255)]] {
            let list = StreamList { content, blocks };
            assert_eq!(StreamList::parse(&list.to_string()), Some(list));
        }
        for wrong in ["", "wake stream 1\n", "wake stream 2\nx 3\n"] {
            assert_eq!(StreamList::parse(wrong), None);
        }
    }
}
