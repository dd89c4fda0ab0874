//! The build record of an asset, in refgenie's format.

use std::fmt::Write as _;

use serde_json::Value;

/// JSON that preserves member order.
#[derive(Clone, Debug, PartialEq)]
pub enum Json {
    /// A value; members of its objects are sorted.
    Value(Value),
    /// A list.
    List(Vec<Json>),
    /// An object.
    Object(Vec<(String, Json)>),
}

/// The inputs an asset was built from.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BuildInputs {
    /// Files: name, MD5 and path of each.
    pub files: Vec<InputFile>,
    /// Assets, by input name.
    pub assets: Vec<InputAsset>,
    /// Parameters.
    pub params: Vec<(String, Value)>,
}

/// A file used as an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputFile {
    /// The name of the input.
    pub name: String,
    /// The MD5 of its bytes.
    pub checksum: String,
    /// Its path.
    pub path: String,
}

/// An asset used as an input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InputAsset {
    /// The name of the input.
    pub name: String,
    /// Its digest.
    pub checksum: String,
    /// Its id: `DIGEST/asset:tag`.
    pub path: String,
}

impl BuildInputs {
    /// Converts the inputs to refgenie's format.
    pub fn to_json(&self) -> Json {
        let text = |text: &str| Json::Value(text.into());
        let input = |name: &str, checksum: &str, path: &str| {
            let members =
                vec![("checksum".to_owned(), text(checksum)), ("path".to_owned(), text(path))];
            (name.to_owned(), Json::Object(members))
        };
        let files = self.files.iter().map(|file| input(&file.name, &file.checksum, &file.path));
        let assets =
            self.assets.iter().map(|asset| input(&asset.name, &asset.checksum, &asset.path));
        let params =
            self.params.iter().map(|(name, value)| (name.clone(), Json::Value(value.clone())));
        Json::Object(vec![
            ("files".to_owned(), Json::Object(files.collect())),
            ("assets".to_owned(), Json::Object(assets.collect())),
            ("params".to_owned(), Json::Object(params.collect())),
        ])
    }
}

impl Json {
    /// Formats it as Python's `json` does, in ASCII with an indent of four, without a final line break.
    pub fn text(&self) -> String {
        let mut text = String::new();
        put(&mut text, self, 0);
        text
    }
}

fn put(text: &mut String, json: &Json, depth: usize) {
    match json {
        Json::Value(Value::Object(members)) => {
            let members =
                members.iter().map(|(name, value)| (name.clone(), Json::Value(value.clone())));
            put_object(text, &members.collect::<Vec<_>>(), depth);
        }
        Json::Value(Value::Array(items)) => {
            put_list(text, &items.iter().cloned().map(Json::Value).collect::<Vec<_>>(), depth);
        }
        Json::Value(Value::String(content)) => put_text(text, content),
        Json::Value(other) => text.push_str(&other.to_string()),
        Json::List(items) => put_list(text, items, depth),
        Json::Object(members) => put_object(text, members, depth),
    }
}

fn put_object(text: &mut String, members: &[(String, Json)], depth: usize) {
    put_each(text, ("{", "}"), members, depth, |text, (name, value)| {
        put_text(text, name);
        text.push_str(": ");
        put(text, value, depth + 1);
    });
}

fn put_list(text: &mut String, items: &[Json], depth: usize) {
    put_each(text, ("[", "]"), items, depth, |text, item| put(text, item, depth + 1));
}

fn put_each<T>(
    text: &mut String,
    (open, close): (&str, &str),
    items: &[T],
    depth: usize,
    each: impl Fn(&mut String, &T),
) {
    text.push_str(open);
    for (number, item) in items.iter().enumerate() {
        text.push_str(if number > 0 { ",\n" } else { "\n" });
        text.push_str(&" ".repeat(4 * (depth + 1)));
        each(text, item);
    }
    if !items.is_empty() {
        text.push('\n');
        text.push_str(&" ".repeat(4 * depth));
    }
    text.push_str(close);
}

fn put_text(text: &mut String, content: &str) {
    text.push('"');
    let mut units = [0; 2];
    for c in content.chars() {
        match c {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            ' '..='~' => text.push(c),
            c => {
                for unit in c.encode_utf16(&mut units) {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "\\u{unit:04x}");
                }
            }
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn build_inputs_are_formatted_as_in_python() {
        let inputs = BuildInputs {
            files: vec![InputFile {
                name: "html".into(),
                checksum: "586b".into(),
                path: "/x/é\u{1f600}.html".into(),
            }],
            assets: vec![],
            params: vec![("cores".into(), json!(1)), ("a".into(), json!(["x", {"b": null}, []]))],
        };
        let expected = r#"{
    "files": {
        "html": {
            "checksum": "586b",
            "path": "/x/\u00e9\ud83d\ude00.html"
        }
    },
    "assets": {},
    "params": {
        "cores": 1,
        "a": [
            "x",
            {
                "b": null
            },
            []
        ]
    }
}"#;
        assert_eq!(inputs.to_json().text(), expected);
    }
}
