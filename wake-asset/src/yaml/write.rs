//! Writes a tree as text, in refgenie's style.

use std::fmt::Write as _;

use super::scalar::Scalar;
use super::tree::{Node, Value};

/// Writes a document.
pub(crate) fn write(root: &Node) -> String {
    let mut text = String::new();
    match &root.value {
        Value::Scalar(scalar) => {
            put_scalar(&mut text, scalar);
            text.push('\n');
        }
        Value::List(items) if items.is_empty() => text.push_str("[]\n"),
        Value::Map(entries) if entries.is_empty() => text.push_str("{}\n"),
        _ => put_block(&mut text, root, 0),
    }
    text
}

/// Writes the lines of a list or mapping that is not empty.
fn put_block(text: &mut String, node: &Node, depth: usize) {
    match &node.value {
        Value::Scalar(_) => {}
        Value::List(items) => {
            for item in items {
                indent(text, depth);
                text.push('-');
                put_behind(text, item, depth + 1);
            }
        }
        Value::Map(entries) => {
            for entry in entries {
                indent(text, depth);
                put_scalar(text, &entry.key);
                text.push(':');
                put_behind(text, &entry.value, depth + 1);
            }
        }
    }
}

/// Writes what follows a `:` or `-`: on the same line, or on the next lines.
fn put_behind(text: &mut String, node: &Node, depth: usize) {
    match &node.value {
        Value::Scalar(scalar) => {
            text.push(' ');
            put_scalar(text, scalar);
            text.push('\n');
        }
        Value::List(items) if items.is_empty() => text.push_str(" []\n"),
        Value::Map(entries) if entries.is_empty() => text.push_str(" {}\n"),
        _ => {
            text.push('\n');
            put_block(text, node, depth);
        }
    }
}

fn indent(text: &mut String, depth: usize) {
    for _ in 0..depth {
        text.push_str("  ");
    }
}

fn put_scalar(text: &mut String, scalar: &Scalar) {
    if let Some(tag) = &scalar.tag {
        text.push_str(tag);
        text.push(' ');
    }
    match scalar.can_be_bare() {
        true => text.push_str(&scalar.text),
        false if scalar.is_null() => text.push_str("null"),
        false => put_quoted(text, &scalar.text),
    }
}

/// Writes text in double quotes, valid in YAML 1.1 and 1.2. Source: YAML 1.2, 7.3.1.
fn put_quoted(text: &mut String, content: &str) {
    text.push('"');
    for c in content.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\t' => text.push_str("\\t"),
            '\r' => text.push_str("\\r"),
            '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' => put_code(text, c),
            c if c.is_control() => put_code(text, c),
            c => text.push(c),
        }
    }
    text.push('"');
}

fn put_code(text: &mut String, c: char) {
    // Writing to a string cannot fail.
    let _ = write!(text, "\\u{:04x}", u32::from(c));
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use wake_yaml::{Mark, Yaml};

    use super::super::{Entry, Style};
    use super::*;

    fn parse(text: &str) -> Node {
        (&*Yaml::parse("x.yaml", text.as_bytes(), "refgenie").unwrap().root).into()
    }

    fn again(text: &str) -> String {
        write(&parse(text))
    }

    #[test]
    fn writing_preserves_meaning() {
        let text = "config_version: 0.4\nservers:\n- http://a\n- b: 1\n  c: \"1\"\nempty: {}\nnone: ~\nl: []\n\"1.0\": yes\nq: 'it''s'\nblock: |\n  a\n   b\nx: &x {y: 0x10}\nz: *x\n";
        let expected = "config_version: 0.4\nservers:\n  - http://a\n  -\n    b: 1\n    c: \"1\"\nempty: {}\nnone: null\nl: []\n\"1.0\": yes\nq: \"it's\"\nblock: \"a\\n b\\n\"\nx:\n  y: 0x10\nz:\n  y: 0x10\n";
        assert_eq!(again(text), expected);
        assert_eq!(again(expected), expected);
        assert_eq!(again(""), "null\n");
    }

    fn nodes() -> impl Strategy<Value = Node> {
        let leaf =
            prop_oneof![any::<String>().prop_map(Node::text), "[ -~]{0,12}".prop_map(Node::text)];
        leaf.prop_recursive(4, 32, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5)
                    .prop_map(|items| Value::List(items).into()),
                prop::collection::btree_map("[ -~]{1,8}", inner, 0..5).prop_map(|map| {
                    let entry = |(key, value): (String, Node)| Entry {
                        key: Scalar::text(key),
                        at: Mark::NONE,
                        value,
                    };
                    Value::Map(map.into_iter().map(entry).collect()).into()
                }),
            ]
        })
    }

    fn same(one: &Node, other: &Node) -> bool {
        match (&one.value, &other.value) {
            (Value::Scalar(one), Value::Scalar(other)) => one == other,
            (Value::List(one), Value::List(other)) => {
                one.len() == other.len()
                    && one.iter().zip(other).all(|(one, other)| same(one, other))
            }
            (Value::Map(one), Value::Map(other)) => {
                one.len() == other.len()
                    && one
                        .iter()
                        .zip(other)
                        .all(|(one, other)| one.key == other.key && same(&one.value, &other.value))
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn a_written_tree_reads_back_equal(node in nodes()) {
            let text = write(&node);
            let read = parse(&text);
            prop_assert!(same(&read, &node), "{text}");
        }

        #[test]
        fn a_string_stays_a_string(text in any::<String>()) {
            let Value::Scalar(scalar) = parse(&write(&Node::text(text.clone()))).value else {
                return Err(TestCaseError::fail("no scalar"));
            };
            prop_assert_eq!(&scalar.text, &text);
            prop_assert!(!scalar.is_null() || scalar.style == Style::Quoted);
        }
    }
}
