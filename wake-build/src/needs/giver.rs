//! Which registry or retriever provides a package to be added.

use wake_eval::argument_of;
use wake_model::{GetPkg, PkgSource};
use wake_steps::diagnostic::{Class, Diagnostic};

use super::{Addition, PkgFileEdit};
use crate::session::Session;

/// The provider of a package.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Giver {
    /// The registry of its namespace.
    Registry,
    /// An exec of another package.
    Exec(From),
}

/// The value of `from=` in a package file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// The same as for another package in that file.
    AsThere(String),
    /// A reference to a file, as typed.
    Reference(String),
}

impl From {
    /// Returns the Jsonnet text, where the library has this name.
    pub(super) fn written(&self, library: &str) -> String {
        match self {
            From::AsThere(text) => text.clone(),
            From::Reference(reference) => format!("{library}.exec('{reference}')"),
        }
    }
}

impl Session {
    /// Returns the provider of a package: the one given, or the one of other packages in its namespace that the surrounding package names.
    pub(super) fn giver(
        &self,
        addition: &Addition,
        edit: &PkgFileEdit,
    ) -> Result<Giver, Diagnostic> {
        if let Some(by) = &addition.by {
            let is_plain = |c: char| !matches!(c, '\'' | '\\') && !c.is_control();
            if by.is_empty() || !by.chars().all(is_plain) {
                let message = format!("`{}` is not a file of a package", by.escape_debug());
                return Err(Diagnostic::error(Class::Usage, message)
                    .help("name an exec as in a package file: `pkg.wheels./retrieve`"));
            }
            return Ok(Giver::Exec(From::Reference(by.clone())));
        }
        let checkout = self.look(None);
        // Errors in the package are reported once it has been changed.
        let Ok(pkg) = self.loaded_in(&checkout, &edit.dir) else { return Ok(Giver::Registry) };
        let is_alike = |get: &GetPkg| {
            get.request.namespace == addition.name.namespace
                && matches!(get.from, PkgSource::Retriever(_))
        };
        let alike = pkg.decl.pkgs.iter().filter(|(_, get)| is_alike(get));
        let keys: Vec<&str> = alike.map(|(key, _)| key.as_str()).collect();
        let mut texts: Vec<String> =
            keys.iter().filter_map(|key| argument_of(&edit.before, key, "from")).collect();
        texts.sort();
        texts.dedup();
        match (texts.pop(), texts.is_empty()) {
            (Some(text), true) => Ok(Giver::Exec(From::AsThere(text))),
            (None, _) if keys.is_empty() => Ok(Giver::Registry),
            _ => {
                let message = format!("the provider of {} is ambiguous", addition.name);
                Err(Diagnostic::error(Class::Usage, message)
                    .note(format!("{} come from retrievers", keys.join(", ")))
                    .help("give the exec with `--by REFERENCE`: `--by pkg.wheels./retrieve`"))
            }
        }
    }
}
