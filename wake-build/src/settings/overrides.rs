//! `[overrides]` of `wake.toml`: packages of the workspace that stand in for published ones. The only table that changes what is built.

use std::collections::BTreeMap;

use wake_model::nearest::nearest;
use wake_model::place::PKG_FILE;
use wake_model::{PathError, PkgName, RelPath};
use wake_steps::diagnostic::{Class, Diagnostic, Place};

use super::file::{Fault, SettingsText, Table};

/// The published packages that are overridden.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overrides(BTreeMap<PkgName, Override>);

/// The override of a published package.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Override {
    /// The directory of the package in the workspace.
    pub(crate) dir: RelPath,
    /// Where the name of the published package is written.
    pub(crate) name_at: Place,
    /// Where the directory is written.
    pub(crate) dir_at: Place,
}

impl Overrides {
    /// Returns whether there are no overrides.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the override for the package of this name.
    pub(crate) fn of(&self, name: &PkgName) -> Option<&Override> {
        self.0.get(name)
    }

    /// Returns each overridden package with the directory of its override.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&PkgName, &RelPath)> {
        self.0.iter().map(|(name, other)| (name, &other.dir))
    }

    /// Returns the packages that the one in this directory overrides.
    pub(crate) fn by(&self, dir: &RelPath) -> impl Iterator<Item = (&PkgName, &Override)> {
        self.0.iter().filter(move |(_, other)| other.dir == *dir)
    }

    /// Returns the directories of the overrides.
    pub(crate) fn dirs(&self) -> impl Iterator<Item = &RelPath> {
        self.0.values().map(|other| &other.dir)
    }

    /// Returns a line for each: `acme/tls by //libs/tls`.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        self.0.iter().map(|(name, other)| format!("{name} by //{}", other.dir.as_str()))
    }

    /// Reads the table `overrides`.
    pub(super) fn read(table: &Table, text: &SettingsText) -> Result<Overrides, Fault> {
        let mut overrides = Overrides::default();
        for (name, dir) in table {
            let of: PkgName = name.get_ref().parse().map_err(|error| {
                Fault::at(name, error).help("write `name` or `namespace/name`".to_owned())
            })?;
            let there = RelPath::parse(dir.get_ref()).map_err(|error| {
                Fault::at(dir, outside(error))
                    .help("give a directory of the workspace, relative to its root".to_owned())
            })?;
            let (name_at, dir_at) = (text.place(name.span()), text.place(dir.span()));
            overrides.0.insert(of, Override { dir: there, name_at, dir_at });
        }
        Ok(overrides)
    }
}

/// Describes why a path is not in the workspace.
fn outside(error: PathError) -> String {
    match error {
        PathError::Climbs(path) => format!("`{path}` leaves the workspace"),
        PathError::Absolute(path) => format!("`{path}` is absolute"),
        other => other.to_string(),
    }
}

impl Override {
    /// Returns the error that there is no package; `exists`: whether its directory exists; `known`: the directories of packages.
    pub(crate) fn no_pkg<'d>(
        &self,
        exists: bool,
        known: impl IntoIterator<Item = &'d RelPath>,
    ) -> Diagnostic {
        let dir = self.dir.dotted();
        let message = match exists {
            true => format!("`{dir}` has no `{PKG_FILE}`"),
            false => format!("there is no directory `{dir}`"),
        };
        let near = nearest(self.dir.as_str(), known.into_iter().map(RelPath::as_str));
        let help = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => {
                "give the directory of a package of the workspace, relative to its root".to_owned()
            }
        };
        Diagnostic::error(Class::Resolution, message).at(Some(self.dir_at.clone())).help(help)
    }
}
