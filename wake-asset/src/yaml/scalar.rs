//! YAML scalars, and how readers interpret them.

/// A scalar as written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Scalar {
    pub(crate) text: String,
    pub(crate) style: Style,
    /// Its tag, such as `!!binary`, if written.
    pub(crate) tag: Option<String>,
}

/// Whether a YAML reader may interpret a scalar as other than a string.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Without quotes: it may be a number, a boolean or null.
    Plain,
    /// In quotes, or a block: a string.
    Quoted,
}

impl Scalar {
    /// A string that every reader reads as a string.
    pub(crate) fn text(text: impl Into<String>) -> Scalar {
        let text = text.into();
        let style = if is_plainly_text(&text) { Style::Plain } else { Style::Quoted };
        Scalar { text, style, tag: None }
    }

    /// A scalar written without quotes, whatever readers make of it.
    pub(crate) fn plain(text: impl Into<String>) -> Scalar {
        Scalar { text: text.into(), style: Style::Plain, tag: None }
    }

    pub(crate) fn is_null(&self) -> bool {
        self.style == Style::Plain
            && self.tag.is_none()
            && matches!(&*self.text, "" | "~" | "null" | "Null" | "NULL")
    }

    /// Whether it can be written without quotes and keeps its meaning.
    pub(crate) fn can_be_bare(&self) -> bool {
        self.style == Style::Plain && is_one_word(&self.text)
    }
}

/// Whether every YAML 1.1 and 1.2 reader reads the unquoted text as that string, in any context.
fn is_plainly_text(text: &str) -> bool {
    is_one_word(text) && !has_other_meaning(text)
}

/// Whether no character of it has a syntactic meaning. This is stricter than YAML.
fn is_one_word(text: &str) -> bool {
    let inside =
        |c: char| !c.is_control() && !matches!(c, '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
    let begins = |c: char| {
        c.is_alphanumeric() || matches!(c, '.' | '/' | '_' | '$' | '+' | '(' | '^' | '<' | '~')
    };
    let begins_well = text.starts_with(begins)
        || (text.starts_with('-')
            && text[1..].starts_with(|c: char| c.is_alphanumeric() || c == '.'));
    begins_well
        && !text.ends_with([' ', ':'])
        && !text.starts_with("...")
        && text.chars().all(inside)
        && !text.contains([',', '[', ']', '{', '}'])
        && [": ", " #", ":\t"].iter().all(|mark| !text.contains(mark))
}

/// Whether some reader reads it as a number, a boolean, a date, null or a merge key.
fn has_other_meaning(text: &str) -> bool {
    const WORDS: [&str; 13] =
        ["", "~", "null", "true", "false", "yes", "no", "on", "off", "y", "n", "<<", "="];
    let lower = text.to_ascii_lowercase();
    if WORDS.contains(&&*lower) {
        return true;
    }
    let unsigned = lower.strip_prefix(['-', '+']).unwrap_or(&lower);
    if matches!(unsigned, ".inf" | ".nan" | "inf" | "nan" | "infinity") {
        return true;
    }
    // Numbers in any base, with or without `_`, sexagesimal, with an exponent; and dates and times.
    let is_of_number = |c: char| {
        c.is_ascii_hexdigit()
            || matches!(c, '_' | '.' | ':' | '-' | '+' | 'x' | 'o' | 't' | 'z' | ' ')
    };
    let begins = unsigned.starts_with(|c: char| c.is_ascii_digit())
        || (unsigned.starts_with('.')
            && unsigned[1..].starts_with(|c: char| c.is_ascii_digit() || c == '_'));
    begins && unsigned.chars().all(is_of_number) && is_number_or_date(unsigned)
}

fn is_number_or_date(text: &str) -> bool {
    let bare = text.replace('_', "");
    let only =
        |digits: &str, fits: fn(char) -> bool| !digits.is_empty() && digits.chars().all(fits);
    let whole = |text: &str| only(text, |c| c.is_ascii_digit());
    if bare.parse::<f64>().is_ok() {
        return true;
    }
    if let Some((_, digits)) = bare.split_once('x').filter(|(zero, _)| *zero == "0") {
        return only(digits, |c| c.is_ascii_hexdigit());
    }
    if let Some((_, digits)) = bare.split_once('o').filter(|(zero, _)| *zero == "0") {
        return whole(digits);
    }
    if let Some((_, digits)) = bare.split_once('b').filter(|(zero, _)| *zero == "0") {
        return whole(digits);
    }
    // Sexagesimal: `1:30`, `190:20:30.15`.
    let mut sixties = bare.split('.').next().unwrap_or_default().split(':');
    if bare.contains(':') && sixties.all(whole) {
        return true;
    }
    // A date, or a text that starts with one; the time of day is not checked.
    let mut parts = text.splitn(3, '-');
    let (year, month, rest) = (parts.next(), parts.next(), parts.next());
    match (year, month, rest) {
        (Some(year), Some(month), Some(rest)) => {
            let day: String = rest.chars().take_while(char::is_ascii_digit).collect();
            let behind = &rest[day.len()..];
            year.len() == 4
                && whole(year)
                && whole(month)
                && month.len() <= 2
                && (1..=2).contains(&day.len())
                && (behind.is_empty() || behind.starts_with(['t', ' ']))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ambiguous_strings_are_quoted() {
        for text in [
            "",
            "~",
            "null",
            "Null",
            "true",
            "Yes",
            "off",
            "y",
            "N",
            "4",
            "-4",
            "+4",
            "1.0",
            ".5",
            "5.",
            "1e5",
            "1.5e+3",
            "0x1F",
            "0o17",
            "017",
            "0b11",
            "1_000",
            "1:30",
            "190:20:30.15",
            ".inf",
            "-.INF",
            ".NaN",
            "2026-11-20",
            "2026-1-2",
            "2026-11-20T23:28:00Z",
            "2026-11-20 23:28:00",
            "<<",
            "=",
            "123456789012345678901234567890123456789012345678",
            "12e34",
            "1__0",
            "a: b",
            "a #b",
            " a",
            "a ",
            "a:",
            "- a",
            "-",
            "---",
            "...",
            "?",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "`a",
            "#a",
            "|",
            ">",
            "'a",
            "\"a",
            "[a]",
            "{a}",
            "a, b",
            "a\nb",
            "a\tb\u{7}",
        ] {
            assert_eq!(Scalar::text(text).style, Style::Quoted, "{text:?}");
        }
        for text in [
            "default",
            "1.2.3-a",
            "4e88f10ceb549493a658a41991ffa249af078781d28aa9e2.fa",
            "2026-11-20_23:28",
            ".",
            "cores-4",
            "v9.9x-c4",
            "4e88f10ceb549493a658a41991ffa249af078781d28aa9e2/report:b",
            "http://example.org",
            "a b",
            "yes!",
            "1.2.3",
            "é",
            "/data/g",
            "~/x",
            "$HOME/g",
            "-f",
        ] {
            assert_eq!(Scalar::text(text).style, Style::Plain, "{text:?}");
        }
    }
}
