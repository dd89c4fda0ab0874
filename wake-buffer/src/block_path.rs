//! The paths of blocks in Tyger's layout, which limit the number of files per directory.

/// Returns the path of a block by its number: the last three hexadecimal digits name the file. The bit length of the rest names the first
/// directory, and its bits after the highest one, two hexadecimal digits each, name the others.
pub fn block_path(number: u64) -> String {
    let (file, rest) = (number & 0xfff, number >> 12);
    let bits = 64 - rest.leading_zeros();
    let mut path = format!("{bits:02X}/");
    if bits > 1 {
        let below = rest & !(1 << (bits - 1));
        let dirs = if bits < 2 { 0 } else { (bits - 2) / 8 + 1 };
        for dir in (0..dirs).rev() {
            path.push_str(&format!("{:02X}/", below >> (8 * dir) & 0xff));
        }
    }
    path + &format!("{file:03X}")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::block_path;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn the_vectors_hold() {
        let vectors: Value =
            serde_json::from_str(include_str!("../../spec/vectors/buffer.json")).unwrap();
        for (number, path) in vectors["paths"].as_object().unwrap() {
            assert_eq!(block_path(number.parse().unwrap()), path.as_str().unwrap(), "{number}");
        }
    }

    proptest! {
        #[test]
        fn no_two_blocks_have_the_same_path(a in any::<u64>(), b in any::<u64>()) {
            prop_assert_eq!(block_path(a) == block_path(b), a == b);
        }
    }
}
