//! Formulas in written form, with fields in repeatr's order.

use wake_store::ware::cbor::Item;

use super::{Action, Context, Cradle, Document, Formula, Output, UserInfo};
use crate::json::{map, object, text, texts};

impl Document {
    pub(crate) fn written(&self) -> Item {
        let Context { fetch_urls, save_urls } = &self.context;
        let fetch = fetch_urls.iter().map(|(path, urls)| (path.to_string(), texts(urls)));
        let context = object([
            ("fetchUrls", (!fetch_urls.is_empty()).then(|| Item::Map(fetch.collect()))),
            ("saveUrls", (!save_urls.is_empty()).then(|| map(save_urls))),
        ]);
        let is_empty = fetch_urls.is_empty() && save_urls.is_empty();
        let formula = formula(&self.formula);
        object([("formula", Some(formula)), ("context", (!is_empty).then_some(context))])
    }
}

fn formula(formula: &Formula) -> Item {
    let Formula { inputs, action: what, outputs } = formula;
    let outputs = outputs.as_ref().map(|outputs| {
        let outputs = outputs.iter().map(|(path, one)| (path.to_string(), output(one)));
        Item::Map(outputs.collect())
    });
    object([
        ("inputs", inputs.as_ref().map(map)),
        ("action", Some(action(what))),
        ("outputs", outputs),
    ])
}

fn output(output: &Output) -> Item {
    let filters = output.filters.to_map();
    object([
        ("packtype", Some(text(output.packtype))),
        ("filters", (!filters.is_empty()).then(|| map(filters))),
    ])
}

/// Returns an action, without empty fields.
pub(super) fn action(action: &Action) -> Item {
    let Action { exec, noop, policy, cwd, env, userinfo, cradle, hostname } = action;
    object([
        ("exec", (!exec.is_empty()).then(|| texts(exec))),
        ("noop", noop.then_some(Item::Bool(true))),
        ("policy", policy.map(|policy| text(policy.as_ref()))),
        ("cwd", cwd.as_ref().map(text)),
        ("env", (!env.is_empty()).then(|| map(env))),
        ("userinfo", userinfo.as_ref().map(user)),
        ("cradle", (*cradle == Cradle::Disable).then(|| text("disable"))),
        ("hostname", hostname.as_ref().map(text)),
    ])
}

fn user(userinfo: &UserInfo) -> Item {
    let UserInfo { uid, gid, username, homedir } = userinfo;
    object([
        ("uid", uid.map(|uid| Item::Int(uid.into()))),
        ("gid", gid.map(|gid| Item::Int(gid.into()))),
        ("username", username.as_ref().map(text)),
        ("homedir", homedir.as_ref().map(text)),
    ])
}
