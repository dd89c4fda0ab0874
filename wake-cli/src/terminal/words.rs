//! Human-readable numbers.

use std::borrow::Cow;
use std::time::Duration;

/// The maximum number of characters of a command to show: some contain a whole script.
const SHOWN: usize = 4000;

/// Returns a command for display; a very long one is cut, with the size of the rest.
pub(crate) fn command(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(SHOWN) {
        None => Cow::Borrowed(text),
        Some((end, _)) => {
            let left = bytes((text.len() - end) as u64);
            Cow::Owned(format!("{} ... and {left} more", &text[..end]))
        }
    }
}

/// Formats a duration according to its size: `0.04s`, `12.4s`, `1m41s`, `2h05m`.
pub(crate) fn span(duration: Duration) -> String {
    let hundredths = (duration.as_millis() + 5) / 10;
    let tenths = (duration.as_millis() + 50) / 100;
    let seconds = (duration.as_millis() + 500) / 1000;
    match () {
        () if hundredths < 100 => format!("0.{hundredths:02}s"),
        () if tenths < 600 => format!("{}.{}s", tenths / 10, tenths % 10),
        () if seconds < 3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        () => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// Describes a retrieval, `2 packages by //wheels`; safe for a terminal.
pub(crate) fn retrieving(by: &str, pkgs: usize) -> String {
    format!("{} by {}", count(pkgs, "package"), super::escape::line(by))
}

/// Formats a running clock, in whole seconds: `0s`, `41s`, `1m04s`, `2h05m`.
pub(crate) fn clock(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        seconds => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

/// Formats milliseconds like [`span`].
pub(crate) fn span_ms(milliseconds: u64) -> String {
    span(Duration::from_millis(milliseconds))
}

/// Formats a number with its noun: `1 action`, `182 actions`.
pub(crate) fn count(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}

/// Formats a number of bytes in decimal units: `512 B`, `48.1 MB`.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if number < 1000 {
        return format!("{number} B");
    }
    let mut tenths = (number + 50) / 100;
    let mut unit = 0;
    while tenths >= 10_000 && unit + 1 < UNITS.len() {
        tenths = (tenths + 500) / 1000;
        unit += 1;
    }
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// Formats a time in the past, in one unit: `just now`, `12 min ago`, `3 h ago`, `5 days ago`.
pub(crate) fn ago(duration: Duration) -> String {
    match duration.as_secs() {
        0..60 => "just now".to_owned(),
        seconds @ 60..3600 => format!("{} min ago", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h ago", seconds / 3600),
        seconds => format!("{} ago", count((seconds / 86_400) as usize, "day")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_command_is_truncated() {
        assert_eq!(command("make all"), "make all");
        let long = format!("{}{}", "\u{e4}".repeat(SHOWN), "x".repeat(2048));
        let shown = format!("{} ... and {} more", "\u{e4}".repeat(SHOWN), bytes(2048));
        assert_eq!(command(&long), shown);
    }

    #[test]
    fn spans_round_and_never_overflow_their_form() {
        for (milliseconds, text) in [
            (0, "0.00s"),
            (4, "0.00s"),
            (5, "0.01s"),
            (40, "0.04s"),
            (994, "0.99s"),
            (995, "1.0s"),
            (12_449, "12.4s"),
            (59_949, "59.9s"),
            (59_950, "1m00s"),
            (101_000, "1m41s"),
            (3_599_499, "59m59s"),
            (3_599_500, "1h00m"),
            (7_500_000, "2h05m"),
        ] {
            assert_eq!(span_ms(milliseconds), text, "{milliseconds}");
        }
    }

    #[test]
    fn bytes_keep_three_or_four_digits() {
        for (number, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (48_100_000, "48.1 MB"),
            (999_949, "999.9 kB"),
            (999_950, "1.0 MB"),
            (u64::MAX - 50, "18446.7 PB"),
        ] {
            assert_eq!(bytes(number), text, "{number}");
        }
    }

    #[test]
    fn nouns_and_ages() {
        assert_eq!(count(1, "action"), "1 action");
        assert_eq!(count(0, "action"), "0 actions");
        assert_eq!(ago(Duration::from_secs(59)), "just now");
        assert_eq!(ago(Duration::from_secs(12 * 60)), "12 min ago");
        assert_eq!(ago(Duration::from_secs(86_400)), "1 day ago");
        assert_eq!(clock(Duration::from_secs(64)), "1m04s");
    }
}
