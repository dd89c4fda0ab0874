//! Scanning of eight bytes at a time: a loop over single bytes is mispredicted at the end of nearly every word.

const ONES: u64 = 0x0101_0101_0101_0101;
/// The highest bit of each byte.
const TOPS: u64 = 0x80 * ONES;

/// Returns the eight bytes from `at` on, the first one lowest, padded with zeros at the end.
#[inline]
pub(super) fn eight(bytes: &[u8], at: usize) -> u64 {
    match bytes.get(at..).and_then(|rest| rest.first_chunk()) {
        Some(eight) => u64::from_le_bytes(*eight),
        None => last(bytes, at),
    }
}

/// Fewer than eight bytes.
#[cold]
#[inline(never)]
fn last(bytes: &[u8], at: usize) -> u64 {
    let rest = bytes.get(at..).unwrap_or_default();
    rest.iter().rev().fold(0, |eight, byte| eight << 8 | u64::from(*byte))
}

/// Returns the number of leading spaces.
#[inline]
pub(super) fn spaces(eight: u64) -> usize {
    ((eight ^ (u64::from(b' ') * ONES)).trailing_zeros() / 8) as usize
}

/// Returns the number of leading bytes that are neither of two bytes.
#[inline]
pub(super) fn until(eight: u64, one: u8, other: u8) -> usize {
    // The lowest top bit that is set is that of the first zero byte.
    let zeros = |bytes: u64| bytes.wrapping_sub(ONES) & !bytes;
    let found = zeros(eight ^ (u64::from(one) * ONES)) | zeros(eight ^ (u64::from(other) * ONES));
    ((found & TOPS).trailing_zeros() / 8) as usize
}

/// Returns the number of leading ASCII letters, digits and `_`.
#[inline]
pub(super) fn word(eight: u64) -> usize {
    let low = eight & !TOPS;
    // The top bit of each byte tells whether its other bits are in a range of characters.
    let between = |bytes: u64, from: u8, to: u8| {
        let reaches = bytes + u64::from(0x80 - from) * ONES;
        let exceeds = bytes + u64::from(0x7F - to) * ONES;
        reaches & !exceeds
    };
    let letters = between(low | (0x20 * ONES), b'a', b'z');
    let known = letters | between(low, b'0', b'9') | between(low, b'_', b'_');
    ((!known | eight) & TOPS).trailing_zeros() as usize / 8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_as_one_at_a_time() {
        for byte in 0..=u8::MAX {
            for at in 0..8 {
                for filler in *b" z9_" {
                    let mut bytes = [filler; 8];
                    bytes[at] = byte;
                    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_';
                    let eight = eight(&bytes, 0);
                    let counted = bytes.iter().take_while(|byte| is_word(byte)).count();
                    assert_eq!(word(eight), counted, "{bytes:?}");
                    let counted = bytes.iter().take_while(|byte| **byte == b' ').count();
                    assert_eq!(spaces(eight), counted, "{bytes:?}");
                    for (one, other) in [(b'\'', b'\\'), (b'\n', b'\n'), (b'z', b' '), (0x80, 0)] {
                        let is_other = |byte: &&u8| ![one, other].contains(byte);
                        let counted = bytes.iter().take_while(is_other).count();
                        assert_eq!(until(eight, one, other), counted, "{bytes:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn bytes_past_the_end_are_zeros() {
        assert_eq!(eight(b"ab", 0), u64::from(b'a') | u64::from(b'b') << 8);
        assert_eq!((eight(b"ab", 2), eight(b"ab", 9), word(eight(b"ab", 1))), (0, 0, 1));
        assert_eq!(eight(b"0123456789", 1).to_le_bytes(), *b"12345678");
    }
}
