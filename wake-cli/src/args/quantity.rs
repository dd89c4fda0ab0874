//! Parsing of sizes and ages on the command line.

use std::time::Duration;

/// Parses a size in bytes: `500M`, `20G`, `1.5T` are powers of ten, `512Mi` powers of two; `B` may follow.
pub(super) fn size(text: &str) -> Result<u64, String> {
    let expected = || format!("expected a size such as `500M` or `20G`, found `{text}`");
    let (number, unit) = split(text).ok_or_else(expected)?;
    let unit = unit.strip_suffix(['B', 'b']).unwrap_or(unit);
    let factor: f64 = match unit.to_ascii_lowercase().as_str() {
        "" => 1.0,
        "k" => 1e3,
        "m" => 1e6,
        "g" => 1e9,
        "t" => 1e12,
        "ki" => 1024.0,
        "mi" => 1024.0 * 1024.0,
        "gi" => 1024.0 * 1024.0 * 1024.0,
        "ti" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(expected()),
    };
    Ok((number * factor).round() as u64)
}

/// Parses a size in bytes as Tyger does: `16M` is a power of 1024; `B` or `iB` may follow.
pub(super) fn binary_size(text: &str) -> Result<u64, String> {
    let expected = || format!("expected a size such as `16M` or `1G`, found `{text}`");
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let shift = match unit.to_ascii_uppercase().trim_end_matches('B').trim_end_matches('I') {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err(expected()),
    };
    let number: u64 = number.parse().map_err(|_| expected())?;
    number.checked_mul(1 << shift).ok_or_else(expected)
}

/// Parses a duration: `90s`, `15m`, `12h`, `30d`, `4w`.
pub(super) fn age(text: &str) -> Result<Duration, String> {
    let expected = || format!("expected a time such as `90s`, `12h` or `30d`, found `{text}`");
    wake_build::span(text).ok_or_else(expected)
}

fn split(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    Some((number.parse().ok()?, unit.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, bytes) in
            [("0", 0), ("512", 512), ("20G", 20_000_000_000), ("1.5k", 1500), ("2MiB", 2_097_152)]
        {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
        for text in ["", "G", "-1G", "1X", "1.2.3M", "nan"] {
            assert!(size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn ages() {
        assert_eq!(age("30d"), Ok(Duration::from_secs(2_592_000)));
        assert_eq!(age("0s"), Ok(Duration::ZERO));
        assert_eq!(age("1.5h"), Ok(Duration::from_secs(5400)));
        for text in ["", "30", "30x", "d", "-1d"] {
            assert!(age(text).is_err(), "{text}");
        }
    }
}
