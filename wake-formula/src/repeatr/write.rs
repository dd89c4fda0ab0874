//! Writes formulas as JSON, in the order in which repeatr declares its fields.

use super::{Action, Context, Cradle, Document, Formula, Output, UserInfo};
use crate::json::Print;

impl Document {
    pub(crate) fn to_json(&self) -> Print {
        let mut fields = vec![("formula".to_owned(), formula(&self.formula))];
        let Context { fetch_urls, save_urls } = &self.context;
        let mut context = Vec::new();
        if !fetch_urls.is_empty() {
            let urls = fetch_urls.iter().map(|(path, urls)| (path.to_string(), Print::texts(urls)));
            context.push(("fetchUrls".to_owned(), Print::Object(urls.collect())));
        }
        if !save_urls.is_empty() {
            context.push(("saveUrls".to_owned(), Print::map(save_urls)));
        }
        if !context.is_empty() {
            fields.push(("context".to_owned(), Print::Object(context)));
        }
        Print::Object(fields)
    }
}

fn formula(formula: &Formula) -> Print {
    let Formula { inputs, action: what, outputs } = formula;
    let mut fields = Vec::new();
    if let Some(inputs) = inputs {
        fields.push(("inputs".to_owned(), Print::map(inputs)));
    }
    fields.push(("action".to_owned(), action(what)));
    if let Some(outputs) = outputs {
        let outputs = outputs.iter().map(|(path, one)| (path.to_string(), output(one)));
        fields.push(("outputs".to_owned(), Print::Object(outputs.collect())));
    }
    Print::Object(fields)
}

fn output(output: &Output) -> Print {
    let mut fields = vec![("packtype".to_owned(), Print::text(output.packtype))];
    let filters = output.filters.to_map();
    if !filters.is_empty() {
        fields.push(("filters".to_owned(), Print::map(filters)));
    }
    Print::Object(fields)
}

fn action(action: &Action) -> Print {
    let Action { exec, noop, policy, cwd, env, userinfo, cradle, hostname } = action;
    let fields = [
        ("exec", (!exec.is_empty()).then(|| Print::texts(exec))),
        ("noop", noop.then_some(Print::Bool(true))),
        ("policy", policy.map(|policy| Print::text(policy.as_str()))),
        ("cwd", cwd.as_ref().map(Print::text)),
        ("env", (!env.is_empty()).then(|| Print::map(env))),
        ("userinfo", userinfo.as_ref().map(user)),
        ("cradle", (*cradle == Cradle::Disable).then(|| Print::text("disable"))),
        ("hostname", hostname.as_ref().map(Print::text)),
    ];
    present(fields)
}

fn user(userinfo: &UserInfo) -> Print {
    let UserInfo { uid, gid, username, homedir } = userinfo;
    present([
        ("uid", uid.map(|uid| Print::Int(uid.into()))),
        ("gid", gid.map(|gid| Print::Int(gid.into()))),
        ("username", username.as_ref().map(Print::text)),
        ("homedir", homedir.as_ref().map(Print::text)),
    ])
}

fn present<const N: usize>(fields: [(&str, Option<Print>); N]) -> Print {
    Print::Object(
        fields.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?))).collect(),
    )
}
