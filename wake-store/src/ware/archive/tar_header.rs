//! The 512 bytes before each entry of a tar archive (POSIX.1-2017 `pax`, "ustar Interchange Format"; GNU tar manual).

use super::ExtractError;

/// Length of a header, and the unit in which archives are laid out.
pub(super) const BLOCK: usize = 512;

/// A header with a correct checksum and valid numbers.
#[derive(Debug)]
pub(super) struct Header {
    pub(super) name: Vec<u8>,
    pub(super) linkname: Vec<u8>,
    pub(super) mode: i64,
    pub(super) uid: i64,
    pub(super) gid: i64,
    pub(super) size: i64,
    pub(super) mtime: i64,
    pub(super) typeflag: u8,
    pub(super) dev_major: i64,
    pub(super) dev_minor: i64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum TarDialect {
    V7,
    Ustar,
    Gnu,
}

impl Header {
    /// Parses the block that starts at `offset`.
    pub(super) fn parse(block: &[u8; BLOCK], offset: u64) -> Result<Self, ExtractError> {
        let malformed =
            |problem: &str| ExtractError::Malformed { offset, problem: problem.to_owned() };
        let number = |from: usize, to: usize, field: &str| {
            parse_number(&block[from..to])
                .ok_or_else(|| malformed(&format!("field `{field}` is not a number")))
        };
        if Some(checksum(block)) != parse_number(&block[148..156]) {
            return Err(malformed("the checksum is wrong"));
        }
        let dialect = match &block[257..265] {
            b"ustar\x0000" => TarDialect::Ustar,
            b"ustar  \0" => TarDialect::Gnu,
            // Some writers omit the version.
            b"ustar\0\0\0" => TarDialect::Ustar,
            [0, 0, 0, 0, 0, 0, 0, 0] => TarDialect::V7,
            _ => return Err(malformed("the format is unknown")),
        };
        let mut name = text(&block[0..100]).to_vec();
        let prefix = text(&block[345..500]);
        if dialect == TarDialect::Ustar && !prefix.is_empty() {
            name = [prefix, b"/", &name].concat();
        }
        let typeflag = block[156];
        let is_device = dialect != TarDialect::V7 && matches!(typeflag, b'3' | b'4');
        let device = |from, to, field| if is_device { number(from, to, field) } else { Ok(0) };
        Ok(Self {
            name,
            linkname: text(&block[157..257]).to_vec(),
            mode: number(100, 108, "mode")?,
            uid: number(108, 116, "uid")?,
            gid: number(116, 124, "gid")?,
            size: number(124, 136, "size")?,
            mtime: number(136, 148, "mtime")?,
            typeflag,
            dev_major: device(329, 337, "devmajor")?,
            dev_minor: device(337, 345, "devminor")?,
        })
    }
}

/// Returns the sum of all bytes, with the checksum field counted as spaces.
pub(super) fn checksum(block: &[u8; BLOCK]) -> i64 {
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    let field: u32 = block[148..156].iter().map(|byte| u32::from(*byte)).sum();
    i64::from(sum - field + 8 * u32::from(b' '))
}

fn text(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|byte| *byte == 0).unwrap_or(field.len());
    &field[..end]
}

/// Parses octal digits among spaces and NULs, or the base-256 form of GNU and star; a blank field is 0.
fn parse_number(field: &[u8]) -> Option<i64> {
    if field[0] & 0x80 != 0 {
        return parse_base256(field);
    }
    let start = field.iter().position(|byte| *byte != b' ').unwrap_or(field.len());
    let rest = &field[start..];
    let end = rest.iter().position(|byte| matches!(byte, b' ' | 0)).unwrap_or(rest.len());
    let (digits, padding) = rest.split_at(end);
    if !padding.iter().all(|byte| matches!(byte, b' ' | 0)) {
        return None;
    }
    digits.iter().try_fold(0i64, |value, digit| match digit {
        b'0'..=b'7' => value.checked_mul(8)?.checked_add(i64::from(digit - b'0')),
        _ => None,
    })
}

/// Parses big-endian two's complement; the highest bit of the first byte only marks the form.
fn parse_base256(field: &[u8]) -> Option<i64> {
    let negative = field[0] & 0x40 != 0;
    let first = if negative { field[0] } else { field[0] & 0x7f };
    let mut value: i128 = if negative { -1 } else { 0 };
    value = value << 8 | i128::from(first);
    for byte in &field[1..] {
        value = value << 8 | i128::from(*byte);
    }
    i64::try_from(value).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn x9_octal_numbers_are_checked() {
        assert_eq!(parse_number(b"0000644\0"), Some(0o644));
        assert_eq!(parse_number(b"   644 \0"), Some(0o644));
        assert_eq!(parse_number(b"\0\0\0\0\0\0\0\0"), Some(0));
        assert_eq!(parse_number(b"77777777"), Some(0o77777777));
        assert_eq!(parse_number(b"0000648\0"), None);
        assert_eq!(parse_number(b"-000644\0"), None);
        assert_eq!(parse_number(b"0644\x00644"), None);
        assert_eq!(parse_number(b"0x1f\0\0\0\0"), None);
    }

    #[test]
    fn x9_base_256_numbers_are_checked() {
        assert_eq!(parse_number(&[0x80, 0, 0, 0, 0, 0, 1, 0]), Some(256));
        assert_eq!(parse_number(&[0xff; 8]), Some(-1));
        assert_eq!(parse_number(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]), Some(-2));
        // 2^64 in twelve bytes does not fit.
        assert_eq!(parse_number(&[0x80, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }
}
