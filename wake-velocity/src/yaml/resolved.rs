//! What YAML 1.1 makes of a scalar without quotes.

/// The text of the value that YAML 1.1 reads, where it is not the text that is written: `8.10` is the number `8.1`.
pub(super) fn other_than_written(text: &str) -> Option<String> {
    let value = truth(text).or_else(|| whole(text)).or_else(|| float(text))?;
    (value != text).then_some(value)
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
    // An exponent has a sign, or this is a text.
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
    use super::other_than_written;

    #[test]
    fn a_number_that_is_written_as_it_is_read_is_no_other() {
        for text in
            ["12", "1.0", "22.04", "0", "8.1", "1.2.3", "1e3", "stream8", "v1", "12-rc1", "-", ""]
        {
            assert_eq!(other_than_written(text), None, "{text}");
        }
    }

    #[test]
    fn what_yaml_reads_otherwise_is_told() {
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
