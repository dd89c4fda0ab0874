//! Durations in settings and options.

use std::time::Duration;

/// Parses a duration: `90s`, `15m`, `12h`, `30d`, `4w`; none if the format is wrong.
pub fn span(text: &str) -> Option<Duration> {
    let end = text.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
    let (number, unit) = text.split_at(end);
    let seconds: f64 = match unit.trim() {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        "w" => 604_800.0,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    Duration::try_from_secs_f64(number * seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_a_number_and_a_unit() {
        assert_eq!(span("30d"), Some(Duration::from_secs(2_592_000)));
        assert_eq!(span("0s"), Some(Duration::ZERO));
        assert_eq!(span("1.5h"), Some(Duration::from_secs(5400)));
        assert_eq!(span("2 min"), Some(Duration::from_secs(120)));
        for text in ["", "30", "30x", "d", "-1d", "1.2.3s"] {
            assert_eq!(span(text), None, "{text}");
        }
    }
}
