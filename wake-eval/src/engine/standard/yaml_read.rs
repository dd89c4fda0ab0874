//! YAML parser.

use std::collections::BTreeMap;
use std::fmt;

use jrsonnet_evaluator::{ObjValueBuilder, Result, Val};
use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_saphyr::DuplicateKeyPolicy;

use crate::engine::note::{Note, refuse};

/// Parses a YAML text: the value of its document, or a list of values if there are several.
pub(super) fn value(text: &str) -> Result<Val> {
    let options = serde_saphyr::options! {
        legacy_octal_numbers: true,
        duplicate_keys: DuplicateKeyPolicy::LastWins,
        budget: None,
    };
    let documents: Vec<Node> = match serde_saphyr::from_multiple_with_options(text, options) {
        Ok(documents) => documents,
        Err(error) => {
            let message = error.to_string();
            let first = message.lines().next().unwrap_or_default();
            refuse!(Note::new(format!("invalid YAML: {}", first.trim_start_matches("error: "))));
        }
    };
    let mut documents: Vec<Val> = documents.into_iter().map(|document| document.0).collect();
    // An empty document that was started counts as one.
    if text.trim_end().ends_with("\n---") {
        documents.push(Val::Null);
    }
    Ok(match documents.len() {
        0 => Val::Null,
        1 => documents.remove(0),
        _ => Val::Arr(documents.into()),
    })
}

struct Node(Val);

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E>(self, flag: bool) -> std::result::Result<Node, E> {
        Ok(Node(Val::Bool(flag)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> std::result::Result<Node, E> {
        self.visit_f64(number as f64)
    }

    fn visit_u64<E: Error>(self, number: u64) -> std::result::Result<Node, E> {
        self.visit_f64(number as f64)
    }

    fn visit_i128<E: Error>(self, number: i128) -> std::result::Result<Node, E> {
        self.visit_f64(number as f64)
    }

    fn visit_u128<E: Error>(self, number: u128) -> std::result::Result<Node, E> {
        self.visit_f64(number as f64)
    }

    fn visit_f64<E: Error>(self, number: f64) -> std::result::Result<Node, E> {
        Val::try_num(number).map(Node).map_err(|_| E::custom("a number is not finite"))
    }

    fn visit_str<E: Error>(self, text: &str) -> std::result::Result<Node, E> {
        // The parser represents numbers that are infinite, too large or not a number in this way.
        if matches!(text, ".inf" | "-.inf" | ".nan") {
            return Err(E::custom("a number is not finite"));
        }
        Ok(Node(Val::string(text)))
    }

    fn visit_unit<E>(self) -> std::result::Result<Node, E> {
        Ok(Node(Val::Null))
    }

    fn visit_none<E>(self) -> std::result::Result<Node, E> {
        Ok(Node(Val::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> std::result::Result<Node, A::Error> {
        let mut list: Vec<Val> = Vec::new();
        while let Some(Node(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Node(Val::Arr(list.into())))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> std::result::Result<Node, A::Error> {
        let mut fields: BTreeMap<String, Val> = BTreeMap::new();
        while let Some((key, Node(value))) = entries.next_entry::<String, Node>()? {
            fields.insert(key, value);
        }
        let mut builder = ObjValueBuilder::with_capacity(fields.len());
        for (name, value) in fields {
            builder.field(name).value(value);
        }
        Ok(Node(Val::Obj(builder.build())))
    }
}
