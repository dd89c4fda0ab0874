//! Defaults, and the identity that they are part of.

use super::{Action, Cradle, Formula, Input, Output, UserInfo};
use crate::FormulaId;
use std::collections::BTreeMap;
use wake_store::ware::AbsPath;
use wake_store::ware::cbor::Item;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A formula with every default filled in: what is hashed and what is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cradled {
    formula: Formula,
    uid: u32,
    gid: u32,
    cwd: AbsPath,
}

impl Formula {
    /// Fills in the defaults of the cradle.
    pub fn cradle(mut self) -> Cradled {
        let action = &mut self.action;
        let user = action.userinfo.get_or_insert_with(UserInfo::default);
        let uid = *user.uid.get_or_insert(1000);
        let gid = *user.gid.get_or_insert(1000);
        let default_cwd = match action.cradle {
            Cradle::Default => fixed("/task"),
            Cradle::Disable => AbsPath::root(),
        };
        let cwd = action.cwd.get_or_insert(default_cwd).clone();
        if action.cradle == Cradle::Default {
            let username = user
                .username
                .get_or_insert_with(|| if uid == 0 { "root" } else { "reuser" }.to_owned());
            let home = if uid == 0 { fixed("/root") } else { fixed("/home").child(username) };
            let homedir = user.homedir.get_or_insert(home);
            for (name, value) in [("HOME", homedir.as_str()), ("USER", username), ("PATH", PATH)] {
                action.env.entry(name.to_owned()).or_insert_with(|| value.to_owned());
            }
        }
        Cradled { formula: self, uid, gid, cwd }
    }
}

impl Cradled {
    /// The formula with its defaults.
    pub fn formula(&self) -> &Formula {
        &self.formula
    }

    /// The user number of the action.
    pub fn uid(&self) -> u32 {
        self.uid
    }

    /// The group number of the action.
    pub fn gid(&self) -> u32 {
        self.gid
    }

    /// The working directory of the action.
    pub fn cwd(&self) -> &AbsPath {
        &self.cwd
    }

    /// The identity: base58 of SHA-384 over the CBOR of the formula with its defaults.
    pub fn id(&self) -> FormulaId {
        let Formula { inputs, action, outputs } = &self.formula;
        FormulaId::of_cbor(&Item::Map(vec![
            ("inputs".to_owned(), inputs.as_ref().map_or(Item::Null, inputs_item)),
            ("action".to_owned(), action_item(action)),
            ("outputs".to_owned(), outputs.as_ref().map_or(Item::Null, outputs_item)),
        ]))
    }
}

fn inputs_item(inputs: &BTreeMap<AbsPath, Input>) -> Item {
    texts(inputs.iter())
}

fn outputs_item(outputs: &BTreeMap<AbsPath, Output>) -> Item {
    let output = |(path, Output { packtype, filters }): (&AbsPath, &Output)| {
        let fields = vec![
            ("packtype".to_owned(), Item::Text(packtype.to_string())),
            ("filters".to_owned(), texts(filters.to_map())),
        ];
        (path.to_string(), Item::Map(fields))
    };
    Item::Map(outputs.iter().map(output).collect())
}

/// The fields stand in the order of repeatr's declaration, each left out when it is empty.
fn action_item(action: &Action) -> Item {
    let Action { exec, noop, policy, cwd, env, userinfo, cradle, hostname } = action;
    let text = |text: &str| (!text.is_empty()).then(|| Item::Text(text.to_owned()));
    let fields = [
        (
            "exec",
            (!exec.is_empty()).then(|| Item::Array(exec.iter().cloned().map(Item::Text).collect())),
        ),
        ("noop", noop.then_some(Item::Bool(true))),
        ("policy", policy.and_then(|policy| text(policy.as_str()))),
        ("cwd", cwd.as_ref().and_then(|cwd| text(cwd.as_str()))),
        ("env", (!env.is_empty()).then(|| texts(env.iter()))),
        ("userinfo", userinfo.as_ref().map(userinfo_item)),
        ("cradle", (*cradle == Cradle::Disable).then(|| Item::Text("disable".to_owned()))),
        ("hostname", hostname.as_deref().and_then(text)),
    ];
    present(fields)
}

fn userinfo_item(userinfo: &UserInfo) -> Item {
    let UserInfo { uid, gid, username, homedir } = userinfo;
    let text = |text: &str| (!text.is_empty()).then(|| Item::Text(text.to_owned()));
    present([
        ("uid", uid.map(|uid| Item::Int(uid.into()))),
        ("gid", gid.map(|gid| Item::Int(gid.into()))),
        ("username", username.as_deref().and_then(text)),
        ("homedir", homedir.as_ref().and_then(|homedir| text(homedir.as_str()))),
    ])
}

fn present<const N: usize>(fields: [(&str, Option<Item>); N]) -> Item {
    Item::Map(fields.into_iter().filter_map(|(key, item)| Some((key.to_owned(), item?))).collect())
}

fn texts<K: ToString, V: ToString>(pairs: impl IntoIterator<Item = (K, V)>) -> Item {
    Item::Map(
        pairs
            .into_iter()
            .map(|(key, value)| (key.to_string(), Item::Text(value.to_string())))
            .collect(),
    )
}

fn fixed(path: &'static str) -> AbsPath {
    path.parse().unwrap_or_else(|_| AbsPath::root())
}
