//! The meaning of unquoted scalars in YAML 1.1.

use serde_json::{Number, Value};

/// Returns the value that YAML 1.1 reads, as text, if it differs from what is written: `8.10` is the number `8.1`.
pub(crate) fn other_than_written(text: &str) -> Option<String> {
    let value = truth(text).or_else(|| whole(text)).or_else(|| float(text))?;
    (value != text).then_some(value)
}

/// Returns the value that YAML 1.1 reads. Numbers that JSON does not have stay strings.
pub(crate) fn value(text: &str) -> Value {
    if let Some(truth) = truth(text) {
        return Value::Bool(truth == "true");
    }
    let number = match whole(text) {
        Some(digits) => digits.parse::<i64>().ok().map(Number::from).or_else(|| {
            let large = digits.parse::<u64>().ok().map(Number::from);
            large.or_else(|| Number::from_f64(digits.parse().ok()?))
        }),
        None => float(text).and_then(|digits| Number::from_f64(digits.parse().ok()?)),
    };
    number.map_or_else(|| text.into(), Value::Number)
}

/// Writes a number in a form that [`value`] reads.
pub(crate) fn written(number: &Number) -> String {
    let text = number.to_string();
    let Some((mantissa, exponent)) = text.split_once(['e', 'E']) else { return text };
    let point = if mantissa.contains('.') { "" } else { ".0" };
    let sign = if exponent.starts_with(['+', '-']) { "" } else { "+" };
    format!("{mantissa}{point}e{sign}{exponent}")
}

fn truth(text: &str) -> Option<String> {
    let forms = |word: &str| {
        let (first, rest) = word.split_at(1);
        text == word || text == word.to_uppercase() || text == first.to_uppercase() + rest
    };
    if ["yes", "true", "on"].into_iter().any(forms) {
        return Some("true".to_owned());
    }
    ["no", "false", "off"].into_iter().any(forms).then(|| "false".to_owned())
}

fn unsigned(text: &str) -> (&str, &str) {
    match text.as_bytes().first() {
        Some(b'-') => ("-", &text[1..]),
        Some(b'+') => ("", &text[1..]),
        _ => ("", text),
    }
}

fn whole(text: &str) -> Option<String> {
    let (sign, digits) = unsigned(text);
    let radix = |digits: &str, radix: u32| {
        let digits = digits.replace('_', "");
        u128::from_str_radix(&digits, radix).ok().map(|number| format!("{sign}{number}"))
    };
    let only = |allowed: fn(char) -> bool, digits: &str| {
        !digits.is_empty() && digits.chars().all(|c| allowed(c) || c == '_')
    };
    if let Some(rest) =
        digits.strip_prefix("0b").filter(|rest| only(|c| matches!(c, '0' | '1'), rest))
    {
        return radix(rest, 2);
    }
    if let Some(rest) =
        digits.strip_prefix("0x").filter(|rest| only(|c| c.is_ascii_hexdigit(), rest))
    {
        return radix(rest, 16);
    }
    if digits.len() > 1 && digits.starts_with('0') && only(|c| matches!(c, '0'..='7'), digits) {
        return radix(digits, 8);
    }
    if !digits.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    if digits.contains(':') {
        return sexagesimal(digits).map(|number| format!("{sign}{number}"));
    }
    let decimal = digits == "0" || !digits.starts_with('0');
    (decimal && only(|c| c.is_ascii_digit(), digits))
        .then(|| format!("{sign}{}", digits.replace('_', "")))
}

/// `1:30` is ninety.
fn sexagesimal(digits: &str) -> Option<u128> {
    let mut parts = digits.split(':');
    let first = parts.next().filter(|first| !first.starts_with('0'))?;
    let mut number: u128 = first.replace('_', "").parse().ok()?;
    for part in parts {
        let part = part.parse::<u128>().ok().filter(|&part| part < 60 && !digits.is_empty())?;
        number = number.checked_mul(60)?.checked_add(part)?;
    }
    Some(number)
}

fn float(text: &str) -> Option<String> {
    let (sign, digits) = unsigned(text);
    if [".inf", ".Inf", ".INF"].contains(&digits) {
        return Some(format!("{sign}inf"));
    }
    if [".nan", ".NaN", ".NAN"].contains(&text) {
        return Some("nan".to_owned());
    }
    // Without a sign in its exponent, it is a string.
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (&digits[..at], &digits[at + 1..]),
        None => (digits, "+0"),
    };
    let signed = exponent.strip_prefix(['+', '-'])?;
    let (before, after) = mantissa.split_once('.')?;
    let number = |part: &str| part.chars().all(|c| c.is_ascii_digit() || c == '_');
    let form = number(before)
        && number(after)
        && !before.starts_with('_')
        && (!before.is_empty() || after.starts_with(|c: char| c.is_ascii_digit()))
        && !signed.is_empty()
        && signed.chars().all(|c| c.is_ascii_digit());
    if !form {
        return None;
    }
    let value: f64 =
        format!("{sign}0{}.{}0e{exponent}", before.replace('_', ""), after.replace('_', ""))
            .parse()
            .ok()?;
    Some(format!("{value:?}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{other_than_written, value, written};

    #[test]
    fn scalars_have_the_types_of_yaml() {
        for (text, expected) in [
            ("1", json!(1)),
            ("-7", json!(-7)),
            ("18446744073709551615", json!(18_446_744_073_709_551_615_u64)),
            ("1.5", json!(1.5)),
            ("yes", json!(true)),
            ("No", json!(false)),
            ("0x1F", json!(31)),
            ("1e3", json!("1e3")),
            ("1.0.2", json!("1.0.2")),
            (".inf", json!(".inf")),
            ("-", json!("-")),
        ] {
            assert_eq!(value(text), expected, "{text}");
        }
    }

    #[test]
    fn a_number_is_read_as_it_was_computed() {
        for number in [json!(0), json!(-3), json!(0.1), json!(1e21), json!(1.5e-9), json!(2.0)] {
            let serde_json::Value::Number(number) = number else { continue };
            assert_eq!(value(&written(&number)), serde_json::Value::Number(number));
        }
    }

    #[test]
    fn a_canonical_number_keeps_its_spelling() {
        for text in
            ["12", "1.0", "22.04", "0", "8.1", "1.2.3", "1e3", "stream8", "v1", "12-rc1", "-", ""]
        {
            assert_eq!(other_than_written(text), None, "{text}");
        }
    }

    #[test]
    fn numbers_that_yaml_rewrites_are_reported() {
        for (text, value) in [
            ("8.10", "8.1"),
            ("12.30", "12.3"),
            ("007", "7"),
            ("010", "8"),
            ("0x1F", "31"),
            ("1_000", "1000"),
            ("1:30", "90"),
            ("1.", "1.0"),
            (".5", "0.5"),
            ("1.5e+3", "1500.0"),
            ("+1", "1"),
            ("-1.50", "-1.5"),
            ("yes", "true"),
            ("Off", "false"),
            (".inf", "inf"),
        ] {
            assert_eq!(other_than_written(text).as_deref(), Some(value), "{text}");
        }
    }
}
