//! Module ids.

use std::cell::OnceCell;

use serde_json::Value;
use wake_model::json;

use super::json::write::{Json, Object};

/// The id of a module as canonical JSON, parsed only if needed.
#[derive(Debug)]
pub(crate) struct ModuleId {
    text: String,
    value: OnceCell<Value>,
}

impl ModuleId {
    /// Creates an id from its JSON value.
    pub(crate) fn new(value: Value) -> Self {
        ModuleId { text: json::canonical(&value), value: value.into() }
    }

    /// Creates the id of the module `name` of the package `key` without a config.
    pub(crate) fn plain(key: &str, name: &str) -> Self {
        let mut text = String::with_capacity(48 + key.len() + name.len());
        // In the order of canonical JSON.
        Object(&[("module", &name), ("pkg", &key), ("type", &"module")]).write(&mut text);
        ModuleId { text, value: OnceCell::new() }
    }

    /// Returns the id as canonical JSON.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Returns the id as a value.
    pub(crate) fn value(&self) -> &Value {
        // A canonical text is valid JSON.
        self.value.get_or_init(|| serde_json::from_str(self.text()).unwrap_or_default())
    }
}

impl Json for ModuleId {
    fn write(&self, out: &mut String) {
        out.push_str(self.text());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_id_equals_the_id_of_its_value() {
        let value = serde_json::json!({"type": "module", "pkg": "é@\"a\"\u{1}\u{7f}@1.0.0", "module": "b\n"});
        let plain = ModuleId::plain("é@\"a\"\u{1}\u{7f}@1.0.0", "b\n");
        assert_eq!(plain.text(), json::canonical(&value));
        assert_eq!(plain.value(), &value);
        assert_eq!(plain.text(), ModuleId::new(value).text());
    }
}
