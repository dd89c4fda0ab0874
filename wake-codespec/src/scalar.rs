//! Reads scalars as strings, numbers and quantities.

use wake_yaml::{DocumentError, Node, Value, Yaml, kind, mismatch};

use crate::quantity::Quantity;
use crate::said::Said;

/// Returns what an unquoted scalar is to YAML if it is not a string, with its article.
fn other_than_text(text: &str) -> Option<&'static str> {
    let word = text.to_ascii_lowercase();
    let cased = text == word
        || text == word.to_ascii_uppercase()
        || text.chars().skip(1).eq(word.chars().skip(1));
    if cased && ["true", "false", "yes", "no", "on", "off"].contains(&word.as_str()) {
        return Some("a boolean");
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let all = |digits: &str, fits: fn(char) -> bool| {
        !digits.is_empty()
            && digits.chars().all(|c| fits(c) || c == '_')
            && !digits.starts_with('_')
    };
    let radix = [
        ("0x", (|c: char| c.is_ascii_hexdigit()) as fn(char) -> bool),
        ("0o", |c| matches!(c, '0'..='7')),
        ("0b", |c| matches!(c, '0' | '1')),
    ];
    let is_number = all(digits, |c| c.is_ascii_digit())
        || radix
            .iter()
            .any(|(lead, fits)| digits.strip_prefix(lead).is_some_and(|rest| all(rest, *fits)))
        || is_float(digits);
    is_number.then_some("a number")
}

fn is_float(digits: &str) -> bool {
    if [".inf", ".Inf", ".INF", ".nan", ".NaN", ".NAN"].contains(&digits) {
        return true;
    }
    let (mantissa, exponent) = match digits.find(['e', 'E']) {
        Some(at) => (&digits[..at], Some(&digits[at + 1..])),
        None => (digits, None),
    };
    let number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent = exponent.map(|text| text.strip_prefix(['-', '+']).unwrap_or(text));
    number(whole)
        && number(fraction)
        && !(whole.is_empty() && fraction.is_empty())
        && exponent.is_none_or(|text| !text.is_empty() && number(text))
}

/// Reads a string; a scalar that YAML would read as something else needs quotes.
pub(crate) fn text(yaml: &Yaml, node: &Node, what: &str) -> Result<Said<String>, DocumentError> {
    let Value::Text { text, quoted } = &node.value else {
        return Err(mismatch(yaml, node, what, "a string"));
    };
    match other_than_text(text).filter(|_| !quoted) {
        None => Ok(Said::at(node.at, text.clone())),
        Some(kind) => {
            let message = format!("{what} is {kind}: expected a string");
            Err(yaml.source.error(node.at, message).with_hint(format!("write `\"{text}\"`")))
        }
    }
}

/// Reads a non-negative whole number.
pub(crate) fn number(yaml: &Yaml, node: &Node, what: &str) -> Result<Said<u64>, DocumentError> {
    let wrong = |found: &str| {
        let message = format!("{what} is {found}: expected a whole number");
        yaml.source.error(node.at, message)
    };
    match &node.value {
        Value::Text { text, quoted: false } => match text.parse() {
            Ok(number) if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                Ok(Said::at(node.at, number))
            }
            _ => Err(wrong(&format!("`{text}`"))),
        },
        _ => Err(wrong(kind(node))),
    }
}

/// Reads a quantity, written as a string or a number.
pub(crate) fn quantity(
    yaml: &Yaml,
    node: &Node,
    what: &str,
) -> Result<Said<Quantity>, DocumentError> {
    let Value::Text { text, .. } = &node.value else {
        return Err(mismatch(yaml, node, what, "a quantity"));
    };
    amount(text)
        .map(|amount| Said::at(node.at, amount))
        .map_err(|problem| yaml.source.error(node.at, format!("{what}: {problem}")))
}

/// Parses a quantity that is not negative.
pub(crate) fn amount(text: &str) -> Result<Quantity, String> {
    let amount: Quantity = text.parse().map_err(|error| format!("{error}"))?;
    match amount.is_negative() {
        true => Err(format!("`{text}` is negative")),
        false => Ok(amount),
    }
}

/// Reads a list of strings.
pub(crate) fn texts(
    yaml: &Yaml,
    node: &Node,
    what: &str,
) -> Result<Vec<Said<String>>, DocumentError> {
    let items = wake_yaml::list(yaml, node, what)?;
    let items = items.iter().enumerate();
    items.map(|(number, item)| text(yaml, item, &format!("{what}[{number}]"))).collect()
}

#[cfg(test)]
mod tests {
    use super::other_than_text;

    #[test]
    fn scalars_that_are_not_strings_to_yaml() {
        for text in
            ["1", "-1", "1.5", "1e3", ".5", "5.", "0x1F", "0o7", "1_000", "007", "+2", ".inf"]
        {
            assert_eq!(other_than_text(text), Some("a number"), "{text}");
        }
        for text in ["true", "False", "YES", "no", "On", "off"] {
            assert_eq!(other_than_text(text), Some("a boolean"), "{text}");
        }
        for text in [
            "", "1G", "v1", "1.2.3", "yEs", "-", ".", "e3", "1e", "0x", "_1", "-i", "nut", "500m",
            "é",
        ] {
            assert_eq!(other_than_text(text), None, "{text}");
        }
    }
}
