//! `host`: distribution packages as a root file system.

use jrsonnet_evaluator::{Result, Val};
use serde_json::json;

use super::call::{Call, Param, Spec, text_list};
use crate::engine::json::from_json;
use crate::engine::note::{Note, refuse};

pub(crate) static HOST: Spec =
    Spec { name: "wake.host", params: &[Param::required("packages")], member: true, run: host };

fn host(call: &Call<'_>) -> Result<Val> {
    let Some(value) = call.get("packages")? else {
        refuse!(call.expected("packages", "a list of names", &Val::Null));
    };
    let names = text_list(call, "packages", "a list of names", &value)?;
    if names.is_empty() {
        refuse!(call.fault("packages", "contains no package").hint(
            "use `rootfs=wake.EMPTY` for an empty root, or `rootfs=wake.HOST` for the whole machine"
        ));
    }
    let fits = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '+' | '-' | '.' | ':');
    for name in &names {
        if name.is_empty() || !name.chars().all(fits) {
            let message = format!("`{name}` is not a valid name of a distribution package");
            refuse!(Note::new(message).argument("packages").key(name.as_str()));
        }
    }
    let mut names: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    Ok(from_json(&json!({"type": "hostPackages", "packages": names})))
}
