//! Bytes for experiments, in the same pattern as Tyger's.

use std::io::{self, Write};

/// The period of the pattern in bytes.
const PERIOD: usize = 64 << 10;

/// Writes `size` bytes that cycle through `:` to `y`, restarting every 64 KiB.
pub fn generate(size: u64, sink: &mut impl Write) -> io::Result<()> {
    let pattern: Vec<u8> =
        (0..PERIOD).map(|at| b':' + (at % usize::from(b'z' - b':')) as u8).collect();
    let mut left = size;
    while left > 0 {
        let part = usize::try_from(left).map_or(PERIOD, |left| left.min(PERIOD));
        sink.write_all(&pattern[..part])?;
        left -= part as u64;
    }
    sink.flush()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::generate;

    #[test]
    fn the_pattern_restarts_every_64_kib() {
        let mut bytes = Vec::new();
        generate((64 << 10) + 3, &mut bytes).unwrap();
        assert_eq!(bytes.len(), (64 << 10) + 3);
        assert_eq!(
            (&bytes[..3], bytes[63], bytes[64], bytes[(64 << 10) - 1]),
            (&b":;<"[..], b'y', b':', b':' + (((64 << 10) - 1) & 63) as u8)
        );
        assert_eq!(&bytes[64 << 10..], b":;<");
    }
}
