//! `fetch`: a download with a known digest.

use jrsonnet_evaluator::{Result, Val};
use serde_json::json;
use wake_model::place::fetched_place;

use super::call::{Call, Param, Spec, text_list};
use crate::engine::json::from_json;
use crate::engine::note::{Note, refuse};

pub(crate) static FETCH: Spec = Spec {
    name: "wake.fetch",
    params: &[
        Param::required("url"),
        Param::optional("sha256"),
        Param::optional("unpack"),
        Param::optional("strip"),
        Param::optional("executable"),
    ],
    member: true,
    run: fetch,
};

/// The maximum number of leading directories to strip.
const DEEPEST: f64 = 20.0;

fn fetch(call: &Call<'_>) -> Result<Val> {
    let Some(url) = call.get("url")? else {
        refuse!(call.expected("url", "an address", &Val::Null));
    };
    let urls = text_list(call, "url", "an address or a list of addresses", &url)?;
    let Some(first) = urls.first() else {
        refuse!(call.fault("url", "contains no address"));
    };
    for url in &urls {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
        let is_address = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'));
        if !is_address || url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            let message =
                format!("`{url}` is not an address that starts with `https://` or `http://`");
            refuse!(Note::new(message).argument("url").key(url.as_str()));
        }
    }
    let sha256 = call.text("sha256")?;
    if let Some(digest) = &sha256 {
        let is_digit = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        if digest.len() != 64 || !digest.chars().all(is_digit) {
            refuse!(call.fault("sha256", "must be 64 lower-case hexadecimal digits"));
        }
    }
    let (unpack, executable) = (call.flag("unpack")?, call.flag("executable")?);
    let strip = match call.get("strip")? {
        None => 0,
        Some(Val::Num(count))
            if count.get().fract() == 0.0 && (0.0..=DEEPEST).contains(&count.get()) =>
        {
            count.get() as u32
        }
        Some(other) => {
            return Err(call.expected("strip", "a whole number up to 20", &other).into());
        }
    };
    if executable && unpack {
        refuse!(call.fault("executable", "cannot be combined with `unpack`"));
    }
    if strip > 0 && !unpack {
        refuse!(call.fault("strip", "requires `unpack=true`"));
    }
    let base = fetched_place(sha256.as_deref().unwrap_or_default(), first, unpack, strip);
    let path = format!("{base}{}", if unpack { "/" } else { "" });
    let urls: Vec<&str> = urls.iter().map(|url| url.as_str()).collect();
    Ok(from_json(&json!({
        "type": "file",
        "path": path,
        "from": null,
        "dump": false,
        "fetch": {
            "base": base, "executable": executable, "sha256": sha256.as_deref(),
            "strip": strip, "unpack": unpack, "urls": urls,
        },
    })))
}
