//! Expands variables in a template's values, as container engines do.

use std::collections::BTreeMap;

/// Replaces `$NAME` and `${NAME}` in `text` by the values in `variables`, or by nothing. A backslash escapes `$`, `"`
/// and `\`.
pub(crate) fn filled(text: &str, variables: &BTreeMap<String, String>) -> String {
    let mut filled = String::new();
    let mut characters = text.chars().peekable();
    let is_name = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    while let Some(c) = characters.next() {
        match c {
            '\\' => match characters.next_if(|c| matches!(c, '$' | '"' | '\\')) {
                Some(plain) => filled.push(plain),
                None => filled.push('\\'),
            },
            '$' => {
                let in_braces = characters.next_if_eq(&'{').is_some();
                let mut name = String::new();
                while let Some(c) = characters.next_if(|c| is_name(c)) {
                    name.push(c);
                }
                if in_braces {
                    characters.next_if_eq(&'}');
                }
                match (name.is_empty(), variables.get(&name)) {
                    (true, _) => filled.push('$'),
                    (false, value) => filled.push_str(value.map_or("", String::as_str)),
                }
            }
            c => filled.push(c),
        }
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::filled;

    #[test]
    fn variables_are_substituted() {
        let variables = [("PATH", "/bin"), ("A_1", "x")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        for (text, expected) in [
            ("/opt:$PATH", "/opt:/bin"),
            ("${A_1}b$A_1", "xbx"),
            ("$NONE.", "."),
            (r#"\$PATH \\ \" \n"#, r#"$PATH \ " \n"#),
            ("5$", "5$"),
        ] {
            assert_eq!(filled(text, &variables), expected);
        }
    }
}
