//! Amounts of resources, in Kubernetes' notation.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// An amount: `1`, `500m`, `1.5Gi`, `2e3`.
///
/// Amounts are compared by value, however they are written. Source: `resource.Quantity` of Kubernetes.
#[derive(Clone, Copy, Debug)]
pub struct Quantity {
    /// The amount in thousandths, the finest unit.
    milli: i128,
    /// The notation, which determines how it is displayed.
    form: Form,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Powers of 1000.
    Decimal,
    /// Powers of 1024.
    Binary,
    /// A power of ten.
    Exponent,
}

/// The text is not a quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a quantity: expected a number, optionally followed by `n`, `u`, `m`, `k`, `M`, `G`, `T`, `P`, `E`, `Ki`, `Mi`, `Gi`, `Ti`, `Pi`, `Ei` or `eN`"
)]
pub struct ParseQuantityError(String);

/// The largest amount, to which larger ones are reduced.
const LARGEST: i128 = i64::MAX as i128;

/// The suffixes of powers of ten, with the power.
const DECIMAL: [(&str, i32); 10] = [
    ("n", -9),
    ("u", -6),
    ("m", -3),
    ("", 0),
    ("k", 3),
    ("M", 6),
    ("G", 9),
    ("T", 12),
    ("P", 15),
    ("E", 18),
];

/// The suffixes of powers of 1024, from the first.
const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

impl Quantity {
    /// The amount rounded up to a whole number.
    pub fn rounded_up(&self) -> i128 {
        div_up(self.milli, 1000)
    }

    /// The amount in thousandths.
    pub fn milli(&self) -> i128 {
        self.milli
    }

    /// Whether it is negative.
    pub fn is_negative(&self) -> bool {
        self.milli < 0
    }

    /// Returns the canonical text, the same for equal amounts.
    pub fn canonical(&self) -> String {
        Quantity { form: Form::Decimal, ..*self }.to_string()
    }
}

impl FromStr for Quantity {
    type Err = ParseQuantityError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let wrong = || ParseQuantityError(text.to_owned());
        let (negative, rest) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(end);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
            return Err(wrong());
        }
        let (form, scale) = scale(suffix).ok_or_else(wrong)?;
        let milli = amount(whole, fraction, scale);
        let milli = if negative { -milli } else { milli };
        Ok(Quantity { milli, form })
    }
}

/// The factor of a suffix.
#[derive(Clone, Copy)]
enum Scale {
    Ten(i32),
    Two(u32),
}

fn scale(suffix: &str) -> Option<(Form, Scale)> {
    if let Some((_, power)) = DECIMAL.iter().find(|(known, _)| *known == suffix) {
        return Some((Form::Decimal, Scale::Ten(*power)));
    }
    if let Some(at) = BINARY.iter().position(|known| *known == suffix) {
        return Some((Form::Binary, Scale::Two(10 * (at as u32 + 1))));
    }
    let power = suffix.strip_prefix(['e', 'E'])?;
    let digits = power.strip_prefix(['+', '-']).unwrap_or(power);
    if digits.is_empty() || digits.len() > 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    Some((Form::Exponent, Scale::Ten(power.parse().ok()?)))
}

/// Returns `whole.fraction` times a scale in thousandths, rounded up, and at most the largest amount.
fn amount(whole: &str, fraction: &str, scale: Scale) -> i128 {
    let whole = whole.trim_start_matches('0');
    let fraction = fraction.trim_end_matches('0');
    let digits: String = [whole, fraction].concat();
    let digits = digits.trim_start_matches('0');
    if digits.is_empty() {
        return 0;
    }
    // In thousandths, the amount is the digits as a whole number times this power of ten.
    let power = 3 - i64::try_from(fraction.len()).unwrap_or(i64::MAX);
    let power = match scale {
        Scale::Ten(by) => power.saturating_add(by.into()),
        Scale::Two(_) => power,
    };
    let two = match scale {
        Scale::Ten(_) => 0,
        Scale::Two(by) => by,
    };
    let most = LARGEST * 1000;
    // The number of digits in thousandths before the power of two is applied, which has at most 19.
    let length = i64::try_from(digits.len()).unwrap_or(i64::MAX).saturating_add(power);
    if length > 23 {
        return most;
    }
    if length < -20 {
        return 1;
    }
    exact(digits, power, two).min(most)
}

/// The same for results of a representable magnitude.
fn exact(digits: &str, power: i64, two: u32) -> i128 {
    // Digits beyond the twentieth only affect whether it is rounded up.
    let (head, tail) = digits.split_at(digits.len().min(20));
    let beyond = tail.bytes().any(|digit| digit != b'0');
    let power = power + tail.len() as i64;
    let mut number: i128 = head.parse().unwrap_or(LARGEST);
    number =
        number.checked_shl(two).filter(|shifted| shifted >> two == number).unwrap_or(i128::MAX);
    let (mut rest, mut value) = (beyond, number);
    if power >= 0 {
        for _ in 0..power {
            value = value.saturating_mul(10);
        }
    } else {
        for _ in 0..-power {
            rest |= value % 10 != 0;
            value /= 10;
        }
    }
    value.saturating_add(i128::from(rest))
}

fn div_up(number: i128, by: i128) -> i128 {
    number.div_euclid(by) + i128::from(number.rem_euclid(by) != 0)
}

impl fmt::Display for Quantity {
    /// Formats as Kubernetes does: without a fraction, with the largest suffix that gives a whole number.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.milli == 0 {
            return f.write_str("0");
        }
        let whole = self.milli % 1000 == 0;
        if self.form == Form::Binary && whole && self.milli.abs() >= 1024 * 1000 {
            let number = self.milli / 1000;
            let fits = |power: &usize| number % (1i128 << (10 * power)) == 0;
            let power = (1..=BINARY.len()).rev().find(fits);
            let suffix = power.map_or("", |power| BINARY[power - 1]);
            return write!(f, "{}{suffix}", number >> (10 * power.unwrap_or(0)));
        }
        let fits = |(_, power): &&(&str, i32)| {
            let by = 10i128.pow(u32::try_from(power + 3).unwrap_or(0));
            *power >= -3 && self.milli % by == 0
        };
        let (suffix, power) = DECIMAL.iter().rev().find(fits).copied().unwrap_or(("m", -3));
        let number = self.milli / 10i128.pow(u32::try_from(power + 3).unwrap_or(0));
        match (self.form, power) {
            (Form::Exponent, 0) | (Form::Decimal | Form::Binary, _) => {
                write!(f, "{number}{suffix}")
            }
            (Form::Exponent, power) => write!(f, "{number}e{power}"),
        }
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.milli == other.milli
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        self.milli.cmp(&other.milli)
    }
}

impl Hash for Quantity {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.milli.hash(state);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn quantity(text: &str) -> Quantity {
        text.parse().unwrap_or_else(|error| panic!("{error}"))
    }

    #[test]
    fn quantities_are_displayed_as_in_kubernetes() {
        for (text, shown) in [
            ("1", "1"),
            ("1.5", "1500m"),
            ("0.5", "500m"),
            ("1000m", "1"),
            ("1.5Gi", "1536Mi"),
            ("1Gi", "1Gi"),
            ("1024", "1024"),
            ("1024Ki", "1Mi"),
            ("0.5Ki", "512"),
            ("0.001Ki", "1024m"),
            ("1G", "1G"),
            ("1000k", "1M"),
            ("3000m", "3"),
            ("1e3", "1e3"),
            ("1E3", "1e3"),
            ("1E", "1E"),
            ("100e-2", "1"),
            ("+1", "1"),
            ("-1.5", "-1500m"),
            ("0", "0"),
            ("00.00", "0"),
            (".5", "500m"),
            ("5.", "5"),
            // Finer amounts are rounded up.
            ("0.1m", "1m"),
            ("1n", "1m"),
            ("1.0001", "1001m"),
            ("1e-400", "1e-3"),
            // Larger amounts are reduced to the largest.
            ("9223372036854775807", "9223372036854775807"),
            ("9223372036854775808", "9223372036854775807"),
            ("1e400", "9223372036854775807e0"),
            ("8Ei", "9223372036854775807"),
        ] {
            let shown = shown.strip_suffix("e0").unwrap_or(shown);
            assert_eq!(quantity(text).to_string(), shown, "{text}");
        }
    }

    #[test]
    fn invalid_quantities_are_refused() {
        for text in [
            "", ".", "-", "1x", "1 G", "1KI", "1ki", "K", "1K", "1.2.3", "1e", "1e+", "1e1.5",
            "0x10", "١", "1Gi ", "NaN", "1_000", "--1",
        ] {
            assert!(text.parse::<Quantity>().is_err(), "{text}");
        }
    }

    #[test]
    fn equal_amounts_are_equal() {
        for (a, b) in [("1", "1000m"), ("1Ki", "1024"), ("1e3", "1k"), ("0.1m", "1m"), ("0", "-0")]
        {
            assert_eq!(quantity(a), quantity(b));
            assert_eq!(quantity(a).canonical(), quantity(b).canonical());
        }
        for (a, b) in [("1", "10001m"), ("1k", "1Ki"), ("1m", "1M")] {
            assert_ne!(quantity(a), quantity(b));
        }
    }

    proptest! {
        #[test]
        fn an_amount_survives_its_text(milli in 0..i64::MAX, suffix in "(|m|k|M|Ki|Gi|e2)") {
            let one = quantity(&format!("{milli}{suffix}"));
            prop_assert_eq!(quantity(&one.to_string()), one);
            prop_assert_eq!(quantity(&one.canonical()), one);
        }

        #[test]
        fn no_text_overflows(text in "[-+]?[0-9.]{0,60}[a-zA-Z0-9+-]{0,9}") {
            if let Ok(one) = text.parse::<Quantity>() {
                prop_assert_eq!(quantity(&one.to_string()), one);
            }
        }
    }
}
