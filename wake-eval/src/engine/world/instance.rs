//! Instances of packages, as sent to an evaluation.

use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::ops::{Deref, Range};
use std::rc::Rc;

use jrsonnet_evaluator::{IStr, Result};
use serde::de::{self, DeserializeOwned, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use wake_model::RelPath;

use crate::engine::note::Note;

/// A package with its inputs: the current one, or another as seen from outside.
///
/// The text is kept, and each part is parsed on first access. For most packages only the names of modules are needed,
/// and parsed data takes eight times as much memory as its text.
#[derive(Debug)]
pub(crate) struct Instance {
    pub(crate) key: String,
    text: Box<str>,
    pkg_info: Range<usize>,
    files: LazyPart<Vec<Text>>,
    inputs: LazyPart<Value>,
    pkgs: LazyPart<BTreeMap<String, String>>,
    modules: LazyPart<Vec<String>>,
    /// The import library; not sent for other packages.
    pub(crate) imports: Vec<RelPath>,
    choices: RefCell<HashMap<IStr, Choice>>,
}

/// The files of a package that a pattern matches.
pub(crate) type Choice = Rc<[IStr]>;

/// A part of the text, and its value once it has been parsed.
#[derive(Debug)]
struct LazyPart<T> {
    place: Range<usize>,
    read: OnceCell<T>,
}

/// The parts of a text.
#[derive(Deserialize)]
struct InstanceParts<'a> {
    key: String,
    #[serde(borrow, rename = "pkgInfo")]
    pkg_info: &'a RawValue,
    #[serde(borrow, default)]
    files: Option<&'a RawValue>,
    #[serde(borrow, default)]
    inputs: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pkgs: Option<&'a RawValue>,
    #[serde(borrow, default)]
    modules: Option<&'a RawValue>,
    #[serde(default)]
    imports: Vec<RelPath>,
}

/// A string that is held by the engine, so that it can be used as a value without conversion.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Text(IStr);

/// The kind of a path in a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PathKind {
    File,
    Dir,
}

impl Instance {
    /// Finds the parts of a text.
    pub(crate) fn parse(text: &str) -> serde_json::Result<Instance> {
        let InstanceParts { key, pkg_info, files, inputs, pkgs, modules, imports } =
            serde_json::from_str(text)?;
        Ok(Instance {
            key,
            pkg_info: place(text, Some(pkg_info)),
            files: LazyPart::new(place(text, files)),
            inputs: LazyPart::new(place(text, inputs)),
            pkgs: LazyPart::new(place(text, pkgs)),
            modules: LazyPart::new(place(text, modules)),
            imports,
            choices: RefCell::default(),
            text: text.into(),
        })
    }

    /// Returns the files that `pattern` matches; computed once, however many modules ask.
    pub(crate) fn choice(
        &self,
        pattern: &IStr,
        choose: impl FnOnce(&[Text]) -> Result<Vec<&Text>>,
    ) -> Result<Choice> {
        if let Some(known) = self.choices.borrow().get(pattern) {
            return Ok(known.clone());
        }
        let chosen: Choice = choose(self.files()?)?.into_iter().map(Text::istr).collect();
        self.choices.borrow_mut().insert(pattern.clone(), chosen.clone());
        Ok(chosen)
    }

    /// Returns the name, namespace and version.
    pub(crate) fn pkg_info(&self) -> Result<Value> {
        read(&self.key, &self.text[self.pkg_info.clone()])
    }

    /// Returns the files, sorted.
    pub(crate) fn files(&self) -> Result<&[Text]> {
        let sorted = |mut files: Vec<Text>| {
            if !files.is_sorted() {
                files.sort_unstable();
            }
            files
        };
        self.files.get(self, sorted).map(Vec::as_slice)
    }

    /// Returns the inputs; null if there are none.
    pub(crate) fn inputs(&self) -> Result<&Value> {
        self.inputs.get(self, |inputs| inputs)
    }

    /// Returns the package keys of the dependencies, by the package's own keys for them.
    pub(crate) fn pkgs(&self) -> Result<&BTreeMap<String, String>> {
        self.pkgs.get(self, |pkgs| pkgs)
    }

    /// Returns the names of the modules.
    pub(crate) fn modules(&self) -> Result<&Vec<String>> {
        self.modules.get(self, |modules| modules)
    }

    /// Whether `path` is one of the files, or a directory above some of them.
    pub(crate) fn holds(&self, path: &str) -> Result<Option<PathKind>> {
        let files = self.files()?;
        if files.binary_search_by(|file| (**file).cmp(path)).is_ok() {
            return Ok(Some(PathKind::File));
        }
        let dir = if path.ends_with('/') { path.to_owned() } else { format!("{path}/") };
        let next = files.partition_point(|file| **file < *dir);
        Ok(files.get(next).is_some_and(|file| file.starts_with(&dir)).then_some(PathKind::Dir))
    }

    /// Returns the directory of the package as seen by other packages.
    pub(crate) fn outside(&self) -> String {
        format!("./.wake/pkgs/{}", self.key)
    }

    /// Returns the value of a reference to the package itself.
    pub(crate) fn reference(&self) -> Result<Value> {
        let info = self.pkg_info()?;
        let field = |name: &str| info.get(name).cloned().unwrap_or(Value::Null);
        Ok(serde_json::json!({
            "type": "pkg",
            "name": field("name"),
            "version": field("version"),
            "namespace": field("namespace"),
            "path": self.outside(),
        }))
    }
}

impl Text {
    pub(crate) fn istr(&self) -> IStr {
        self.0.clone()
    }
}

impl Deref for Text {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Characters;
        impl Visitor<'_> for Characters {
            type Value = Text;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> std::result::Result<Text, E> {
                Ok(Text(text.into()))
            }
        }
        deserializer.deserialize_str(Characters)
    }
}

impl<T: DeserializeOwned + Default> LazyPart<T> {
    fn new(place: Range<usize>) -> Self {
        LazyPart { place, read: OnceCell::new() }
    }

    /// Returns the value of the part, processed by `order` when it is parsed; the default if there is no such part.
    fn get(&self, instance: &Instance, order: impl FnOnce(T) -> T) -> Result<&T> {
        if let Some(read) = self.read.get() {
            return Ok(read);
        }
        let value = match &instance.text[self.place.clone()] {
            "" => T::default(),
            text => order(read(&instance.key, text)?),
        };
        Ok(self.read.get_or_init(|| value))
    }
}

fn read<T: DeserializeOwned>(key: &str, text: &str) -> Result<T> {
    serde_json::from_str(text)
        .map_err(|error| Note::new(format!("the instance of `{key}` is malformed: {error}")).into())
}

/// Returns the range of a part within the text.
fn place(text: &str, part: Option<&RawValue>) -> Range<usize> {
    let Some(part) = part else { return 0..0 };
    let start = part.get().as_ptr().addr() - text.as_ptr().addr();
    start..start + part.get().len()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn each_part_is_parsed_from_the_text() {
        let text = r#" {"modules": ["b", "a"], "key": "@a@1.0.0", "files": ["./z", "./d/x", "./d/y"],
            "pkgInfo": {"name": "a\n", "version": "1.0.0", "namespace": null}, "pkgs": {"é": "@b@1.0.0"}} "#;
        let instance = Instance::parse(text).unwrap();
        assert_eq!(instance.key, "@a@1.0.0");
        assert_eq!(instance.modules().unwrap(), &["b", "a"]);
        let files: Vec<&str> = instance.files().unwrap().iter().map(|file| &**file).collect();
        assert_eq!(files, ["./d/x", "./d/y", "./z"]);
        assert_eq!(instance.pkgs().unwrap()["é"], "@b@1.0.0");
        assert_eq!(instance.inputs().unwrap(), &Value::Null);
        assert_eq!(instance.pkg_info().unwrap()["name"], "a\n");
        assert_eq!(instance.holds("./d").unwrap(), Some(PathKind::Dir));
        assert_eq!(instance.holds("./d/x").unwrap(), Some(PathKind::File));
        assert_eq!(instance.holds("./d/").unwrap(), Some(PathKind::Dir));
        assert_eq!(instance.holds("./e").unwrap(), None);
    }

    #[test]
    fn an_invalid_part_is_an_error_when_accessed() {
        assert!(Instance::parse("{}").is_err());
        assert!(Instance::parse(r#"{"key": "@a@1.0.0", "pkgInfo": {}"#).is_err());
        let text = r#"{"key": "@a@1.0.0", "pkgInfo": {}, "files": [1], "modules": ["a"]}"#;
        let instance = Instance::parse(text).unwrap();
        assert!(instance.modules().is_ok() && instance.files().is_err());
    }
}
