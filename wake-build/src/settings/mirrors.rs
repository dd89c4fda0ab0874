//! `[mirrors]`: alternative places for address prefixes.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde::de::{self, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use toml::Spanned;
use wake_registry::Address;
use wake_store::ware::AddressMirror;

use super::file::Fault;

/// A table of mirrors as written.
pub(super) type MirrorTable = BTreeMap<Spanned<String>, Spanned<Texts>>;

/// A text, or a list of them.
pub(super) struct Texts(pub(super) Vec<String>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Texts, D::Error> {
        deserializer.deserialize_any(TextsVisitor)
    }
}

struct TextsVisitor;

impl<'de> Visitor<'de> for TextsVisitor {
    type Value = Texts;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an address or a list of them")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Texts, E> {
        Ok(Texts(vec![text.to_owned()]))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Texts, A::Error> {
        let mut texts = Vec::new();
        while let Some(text) = seq.next_element()? {
            texts.push(text);
        }
        Ok(Texts(texts))
    }
}

/// Returns whether a key of the table is an address prefix rather than the name of a registry.
pub(super) fn is_of_addresses(key: &str) -> bool {
    key.contains(':')
}

/// Returns a mirror of addresses; a relative `file:` is relative to the directory `beside`.
pub(super) fn address_mirror(
    key: &Spanned<String>,
    texts: &Spanned<Texts>,
    beside: &Path,
) -> Result<AddressMirror, Fault> {
    let begin = key.get_ref();
    if begin.starts_with("oci:") {
        return image_mirror(key, texts, beside);
    }
    let is_web = begin.starts_with("https://") || begin.starts_with("http://");
    if !is_web || !begin.ends_with('/') {
        let message = format!("`{begin}` is not an address prefix");
        let help = "use a prefix with `https://` or `http://` that ends with `/`: `\"https://example.org/pub/\"`";
        return Err(Fault::at(key, message).help(help.to_owned()));
    }
    let place = |text: &String| match text.strip_prefix("file:") {
        Some(path) => {
            let path = path.strip_prefix("//").unwrap_or(path);
            Ok(format!("file://{}/", beside.join(path).display()))
        }
        None if text.starts_with("https://") || text.starts_with("http://") => {
            Ok(format!("{}/", text.trim_end_matches('/')))
        }
        None => {
            let message = format!("`{text}` is not a place of files: `https:`, `http:` or `file:`");
            Err(Fault::at(texts, message))
        }
    };
    let places = texts.get_ref().0.iter().map(place).collect::<Result<_, _>>()?;
    Ok(AddressMirror { begin: begin.clone(), places })
}

/// Returns a mirror of images in a container registry.
fn image_mirror(
    key: &Spanned<String>,
    texts: &Spanned<Texts>,
    beside: &Path,
) -> Result<AddressMirror, Fault> {
    let begin = key.get_ref();
    let is_begin = |rest: &str| rest.len() > 1 && rest.ends_with('/') && !rest.contains("//");
    if !begin.strip_prefix("oci://").is_some_and(is_begin) {
        let message = format!("`{begin}` is not a prefix of image names");
        let help =
            "use a prefix with `oci://` that ends with `/`: `\"oci://registry.example.org/\"`";
        return Err(Fault::at(key, message).help(help.to_owned()));
    }
    let place = |text: &String| match Address::parse(text, beside) {
        Ok(Address::Oci { host, prefix }) if prefix.is_empty() => Ok(format!("oci://{host}/")),
        Ok(Address::Oci { host, prefix }) => Ok(format!("oci://{host}/{prefix}/")),
        Ok(Address::Dir(dir)) => Ok(format!("file://{}/", dir.display())),
        _ => {
            let message = format!("`{text}` is not a place of images: `oci:` or `file:`");
            Err(Fault::at(texts, message))
        }
    };
    let places = texts.get_ref().0.iter().map(place).collect::<Result<_, _>>()?;
    Ok(AddressMirror { begin: begin.clone(), places })
}
