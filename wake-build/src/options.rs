//! The options of a build, and where they are set.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wake_eval::{OptionSetting, Read, SetValue};
use wake_model::declared::PackageDecl;
use wake_model::nearest::nearest;
use wake_steps::diagnostic::{Class, Diagnostic};

/// The options that the user sets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChosenOptions {
    /// Values as typed, by option.
    set: BTreeMap<String, String>,
    /// Profiles of the root package; later ones take precedence.
    profiles: Vec<String>,
}

impl ChosenOptions {
    /// Parses `NAME=VALUE` and `@PROFILE`; the last of several values for one option counts.
    pub fn parse(settings: &[String]) -> Result<ChosenOptions, Diagnostic> {
        let mut chosen = ChosenOptions::default();
        for text in settings {
            match (text.strip_prefix('@'), text.split_once('=')) {
                (Some(profile), _) if !profile.is_empty() => {
                    chosen.profiles.push(profile.to_owned());
                }
                (None, Some((name, value))) if !name.is_empty() => {
                    chosen.set.insert(name.to_owned(), value.to_owned());
                }
                _ => {
                    let message = format!("`--set {text}` is not a setting");
                    return Err(Diagnostic::error(Class::Usage, message)
                        .help("write `--set NAME=VALUE`, or `--set @PROFILE`"));
                }
            }
        }
        Ok(chosen)
    }

    /// Returns all settings, for the key of a request.
    pub(crate) fn words(&self) -> impl Iterator<Item = String> {
        let set = self.set.iter().map(|(name, value)| format!("{name}={value}"));
        set.chain(self.profiles.iter().map(|profile| format!("@{profile}")))
    }
}

/// The options in the root package, and what was read for them.
#[derive(Debug, Default)]
struct RootOptions {
    options: BTreeMap<String, serde_json::Value>,
    profiles: BTreeMap<String, BTreeMap<String, serde_json::Value>>,
    reads: Vec<Read>,
}

/// The options of a build, as far as they have been requested.
#[derive(Debug)]
pub(crate) struct BuildOptions<'a> {
    chosen: &'a ChosenOptions,
    root: OnceLock<RootOptions>,
    asked: Mutex<BTreeSet<String>>,
    /// Why the root package could not be read.
    fault: OnceLock<Diagnostic>,
}

/// The root package's declaration, and what was read for it; none if there is no root package.
pub(crate) type RootDecl = Result<Option<(PackageDecl, Vec<Read>)>, Diagnostic>;

impl<'a> BuildOptions<'a> {
    /// Creates the options for a build with the user's settings in `chosen`.
    pub(crate) fn new(chosen: &'a ChosenOptions) -> BuildOptions<'a> {
        BuildOptions {
            chosen,
            root: OnceLock::new(),
            asked: Mutex::default(),
            fault: OnceLock::new(),
        }
    }

    /// Returns the value of an option, as [`wake_eval::Answers::option`] does; `root` returns the root package's declaration and is
    /// called once.
    pub(crate) fn setting(&self, name: &str, root: impl FnOnce() -> RootDecl) -> Option<Arc<str>> {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if !asked.contains(name) {
            asked.insert(name.to_owned());
        }
        drop(asked);
        let setting = match self.chosen.set.get(name) {
            Some(text) => OptionSetting {
                value: SetValue::Text(text.clone()),
                by: format!("`--set {name}={text}`"),
            },
            None => self.of_root(name, root)?,
        };
        serde_json::to_string(&setting).ok().map(Into::into)
    }

    fn of_root(&self, name: &str, root: impl FnOnce() -> RootDecl) -> Option<OptionSetting> {
        let RootOptions { options, profiles, reads: _ } = self.root.get_or_init(|| match root() {
            Ok(None) => RootOptions::default(),
            Ok(Some((decl, reads))) => {
                RootOptions { options: decl.options, profiles: decl.profiles, reads }
            }
            Err(diagnostic) => {
                let _ = self.fault.set(diagnostic);
                RootOptions::default()
            }
        });
        let of = |value: &serde_json::Value, by: String| OptionSetting {
            value: SetValue::Json(value.clone()),
            by,
        };
        for profile in self.chosen.profiles.iter().rev() {
            let Some(settings) = profiles.get(profile) else {
                let _ = self.fault.set(no_profile(profile, profiles));
                continue;
            };
            if let Some(value) = settings.get(name) {
                return Some(of(value, format!("the profile `{profile}` of the root package")));
            }
        }
        let value = options.get(name)?;
        Some(of(value, "`options` of the root package".to_owned()))
    }

    /// Returns where the root package set an option: the argument of pkg(), and the keys in it.
    pub(crate) fn set_at<'s>(&'s self, name: &'s str) -> Option<(&'static str, Vec<&'s str>)> {
        if self.chosen.set.contains_key(name) {
            return None;
        }
        let profiles = &self.root.get()?.profiles;
        let sets = |profile: &&String| {
            profiles.get(*profile).is_some_and(|settings| settings.contains_key(name))
        };
        Some(match self.chosen.profiles.iter().rev().find(sets) {
            Some(profile) => ("profiles", vec![profile, name]),
            None => ("options", vec![name]),
        })
    }

    /// Checks the settings once everything has been evaluated: an option set by the user that nothing reads, a profile
    /// that does not exist, or a root package that cannot be evaluated.
    pub(crate) fn check(&self, root: impl FnOnce() -> RootDecl) -> Result<(), Diagnostic> {
        if !self.chosen.profiles.is_empty() {
            // Options may be set even if none was read.
            let _ = self.of_root("", root);
        }
        if let Some(fault) = self.fault.get() {
            return Err(fault.clone());
        }
        let asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(unread) = self.chosen.set.keys().find(|name| !asked.contains(*name)) else {
            return Ok(());
        };
        let message = format!("`--set {unread}`: nothing in this build reads an option `{unread}`");
        let error = Diagnostic::error(Class::Usage, message);
        Err(match nearest(unread, asked.iter().map(String::as_str)) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None if asked.is_empty() => error.help("nothing in this build reads any option"),
            None => {
                let known: Vec<&str> = asked.iter().map(String::as_str).collect();
                error.help(format!("this build reads `{}`", known.join("`, `")))
            }
        })
    }

    /// Returns what was read of the root package for the options.
    pub(crate) fn reads(&self) -> &[Read] {
        self.root.get().map_or(&[], |root| &root.reads)
    }
}

fn no_profile(
    profile: &str,
    profiles: &BTreeMap<String, BTreeMap<String, serde_json::Value>>,
) -> Diagnostic {
    let message = format!("`--set @{profile}`: the root package has no profile `{profile}`");
    let error = Diagnostic::error(Class::Usage, message);
    match nearest(profile, profiles.keys().map(String::as_str)) {
        Some(near) => error.help(format!("did you mean `@{near}`?")),
        None => error.help("define profiles with `profiles={ release: { … } }` in wake.pkg()"),
    }
}
