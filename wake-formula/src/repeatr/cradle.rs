//! Defaults, and the identity that includes them.

use wake_store::ware::AbsPath;
use wake_store::ware::cbor::Item;

use super::{Cradle, Formula, Output, UserInfo, write};
use crate::json::{map, object, text};
use crate::{FormulaId, WrittenPath};

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// A formula with every default filled in: what is hashed and what is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CompleteFormula {
    /// The formula.
    pub formula: Formula,
    /// The user number of the action.
    pub uid: u32,
    /// The group number of the action.
    pub gid: u32,
    /// The working directory of the action.
    pub cwd: WrittenPath,
}

impl Formula {
    /// Fills in the defaults of the cradle.
    pub fn cradle(mut self) -> CompleteFormula {
        let action = &mut self.action;
        let user = action.userinfo.get_or_insert_with(UserInfo::default);
        let uid = *user.uid.get_or_insert(1000);
        let gid = *user.gid.get_or_insert(1000);
        let default_cwd = match action.cradle {
            Cradle::Default => "/task",
            Cradle::Disable => "/",
        };
        let cwd = action.cwd.get_or_insert_with(|| fixed(default_cwd)).clone();
        if action.cradle == Cradle::Default {
            let username = user
                .username
                .get_or_insert_with(|| if uid == 0 { "root" } else { "reuser" }.to_owned());
            let home = || match uid {
                0 => fixed("/root"),
                _ => fixed(&format!("/home/{username}")),
            };
            let homedir = user.homedir.get_or_insert_with(home);
            for (name, value) in [("HOME", homedir.as_str()), ("USER", username), ("PATH", PATH)] {
                action.env.entry(name.to_owned()).or_insert_with(|| value.to_owned());
            }
        }
        CompleteFormula { formula: self, uid, gid, cwd }
    }
}

impl CompleteFormula {
    /// Returns the identity: base58 of SHA-384 over the CBOR of the formula with its defaults.
    pub fn id(&self) -> FormulaId {
        let Formula { inputs, action, outputs } = &self.formula;
        let outputs = outputs.as_ref().map_or(Item::Null, |outputs| {
            Item::Map(outputs.iter().map(|(path, one)| (path.to_string(), output(one))).collect())
        });
        FormulaId::of_cbor(&object([
            ("inputs", Some(inputs.as_ref().map_or(Item::Null, map))),
            ("action", Some(write::action(action))),
            ("outputs", Some(outputs)),
        ]))
    }
}

/// Returns an output in hashed form, where filters are present even if empty.
fn output(output: &Output) -> Item {
    let Output { packtype, filters } = output;
    object([("packtype", Some(text(packtype))), ("filters", Some(map(filters.to_map())))])
}

/// Returns a path that cannot be relative, and contains no NUL because user names do not.
fn fixed(path: &str) -> WrittenPath {
    path.parse().unwrap_or_else(|_| AbsPath::root().into())
}
