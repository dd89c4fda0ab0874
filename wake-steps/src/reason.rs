//! Why a step ran.

use wake_model::action::{Field, FieldValue, OWN_FILES};
use wake_model::{Action, ActionDigest};
use wake_store::Store;

use crate::history::LastRun;
use crate::own_tree::tell_files;

/// Why a step ran, or did not run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its result is cached.
    Remembered,
    /// Its result is cached, and its command's depfile does not list what changed.
    Unread,
    /// The user asked for it to run.
    Asked,
    /// Its history is empty.
    New,
    /// Its key is unchanged, but its result is gone.
    Gone,
    /// Its key differs, and the previous action is gone.
    Incomparable,
    /// Its key does not cover all that it sees.
    NotRemembered,
    /// Its key differs; this is the first field that does.
    Changed(Change),
}

/// One field that differs between two actions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The field's group: `env`, `inputs`, ….
    pub group: String,
    /// Its name in the group.
    pub key: Option<String>,
    /// Its value before; none if the field did not exist.
    pub old: Option<FieldValue>,
    /// Its value now; none if the field no longer exists.
    pub new: Option<FieldValue>,
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Reason::Remembered => f.write_str("remembered"),
            Reason::Unread => f.write_str("remembered: its depfile does not list what changed"),
            Reason::Asked => f.write_str("asked to run again"),
            Reason::New => f.write_str("never built here"),
            Reason::Gone => f.write_str("its result is no longer in the store"),
            Reason::Incomparable => f.write_str("its previous action is no longer in the store"),
            Reason::NotRemembered => {
                f.write_str("it uses the network or the host's own files, so it is not remembered")
            }
            Reason::Changed(change) => write!(f, "{change}"),
        }
    }
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let verb = match (&self.old, &self.new) {
            (None, _) => "added",
            (_, None) => "removed",
            _ => "changed",
        };
        match &self.key {
            Some(key) => {
                write!(f, "{verb} {} {}", self.group, key.strip_prefix("work/").unwrap_or(key))
            }
            None => write!(f, "{verb} {}", self.group),
        }
    }
}

/// Returns why the step with this history runs now, as the action with these canonical bytes and this `key`.
pub fn reason(store: &Store, past: Option<&LastRun>, key: &ActionDigest, action: &[u8]) -> Reason {
    let Some(past) = past else { return Reason::New };
    if past.last == *key {
        return Reason::Gone;
    }
    let Ok(Some(old)) = store.action_record(&past.last) else { return Reason::Incomparable };
    let fields = Action::decode_fields;
    match Action::first_difference(old.action(), action) {
        // Usually no field before it was added or removed.
        Some((old, new))
            if (&old.group, &old.key) == (&new.group, &new.key) && old.group != OWN_FILES =>
        {
            let Field { group, key, value: new } = new;
            Reason::Changed(Change { group, key, old: Some(old.value), new: Some(new) })
        }
        _ => match (fields(old.action()), fields(action)) {
            (Ok(mut old), Ok(mut new)) => {
                tell_files(store, &mut old, &mut new);
                first_change(&old, &new).map_or(Reason::Gone, Reason::Changed)
            }
            _ => Reason::Incomparable,
        },
    }
}

/// Returns the fields of an action that the store remembers.
pub fn fields_of(store: &Store, key: &ActionDigest) -> Option<Vec<Field>> {
    let stored = store.action_record(key).ok()??;
    Action::decode_fields(stored.action()).ok()
}

/// Returns the first of [`changes`]; most fields are equal and in the same place.
fn first_change(old: &[Field], new: &[Field]) -> Option<Change> {
    let before = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old, new) = (&old[before..], &new[before..]);
    let after = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    changes(&old[..old.len() - after], &new[..new.len() - after]).into_iter().next()
}

/// Returns every field that differs, in the order in which they are hashed.
pub fn changes(old: &[Field], new: &[Field]) -> Vec<Change> {
    let name = |field: &Field| (field.group.clone(), field.key.clone());
    let old_values: std::collections::HashMap<_, _> =
        old.iter().map(|f| (name(f), &f.value)).collect();
    let new_names: std::collections::HashSet<_> = new.iter().map(name).collect();
    let change = |field: &Field, old: Option<&FieldValue>, new: Option<&FieldValue>| Change {
        group: field.group.clone(),
        key: field.key.clone(),
        old: old.cloned(),
        new: new.cloned(),
    };
    let mut found: Vec<Change> = new
        .iter()
        .filter_map(|field| match old_values.get(&name(field)) {
            Some(&value) if *value == field.value => None,
            other => Some(change(field, other.copied(), Some(&field.value))),
        })
        .collect();
    let gone = old.iter().filter(|field| !new_names.contains(&name(field)));
    found.extend(gone.map(|field| change(field, Some(&field.value), None)));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(group: &str, key: &str, text: &str) -> Field {
        Field { group: group.into(), key: Some(key.into()), value: FieldValue::Text(text.into()) }
    }

    #[test]
    fn added_changed_and_removed_fields_are_distinguished() {
        let old = [field("env", "A", "1"), field("env", "B", "1")];
        let new = [field("env", "A", "2"), field("env", "C", "1")];
        let found: Vec<String> = changes(&old, &new).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["changed env A", "added env C", "removed env B"]);
        assert!(changes(&old, &old).is_empty());
        let first = first_change(&old, &new).map(|change| change.to_string());
        assert_eq!(first.as_deref(), Some("changed env A"));
        let first = first_change(&old[1..], &old).map(|change| change.to_string());
        assert_eq!(first.as_deref(), Some("added env A"));
        assert_eq!(first_change(&old, &old), None);
    }
}
