//! The packages that a package file names, added and taken out.

use wake_eval::{EditError, with_pkg, without_pkg};
use wake_model::place::PKG_FILE;
use wake_model::{PkgName, RelPath, Requirement, Version};
use wake_steps::Cancel;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};

use crate::choose::{Choice, LockChange};
use crate::load::{LoadedPkg, load};
use crate::locked::LockedPkgs;
use crate::pkg_place::PkgPlace;
use crate::registries::registry_failure;
use crate::retrieve::Audience;
use crate::session::{Checkout, LockUse, Session};
use crate::sources::LARGEST;

/// A package that is to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// The package.
    pub name: PkgName,
    /// The versions that will do; none: those that can stand in for the newest one.
    pub requirement: Option<Requirement>,
}

/// What became of a package file and of the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeedsChange {
    /// The package file, from the root of the workspace.
    pub file: String,
    /// What it names now, or no more, as a person reads it: `acme/http ^1.2`.
    pub needs: Vec<String>,
    /// What became of the lock.
    pub lock: Vec<LockChange>,
}

impl Session {
    /// Has the package around the person name more packages, each under its own name as the key, and locks them.
    ///
    /// Every other byte of its file stays. If no versions fit together, the file is left as it was.
    pub fn add(&self, additions: &[Addition], cancel: &Cancel) -> Result<NeedsChange, Failure> {
        self.registries.count_with(cancel.meter());
        let mut needs = Vec::new();
        self.change(cancel, |text| {
            let mut text = text.to_owned();
            for Addition { name, requirement } in additions {
                let requirement = match requirement {
                    Some(requirement) => requirement.clone(),
                    None => self.newest(name)?,
                };
                let key = name.name.as_str();
                let value = |library: &str| get(library, name, &requirement);
                text = with_pkg(&text, key, value).map_err(|error| self.not_edited(error, key))?;
                needs.push(format!("{name} {requirement}"));
            }
            Ok(text)
        })
        .map(|(file, lock)| NeedsChange { file, needs, lock })
    }

    /// Has the package around the person name packages no more, by their keys or names, and locks what is left.
    pub fn remove(&self, names: &[String], cancel: &Cancel) -> Result<NeedsChange, Failure> {
        self.registries.count_with(cancel.meter());
        let keys = self.keys_of(names)?;
        self.change(cancel, |text| {
            let mut text = text.to_owned();
            for key in &keys {
                text = without_pkg(&text, key).map_err(|error| self.not_edited(error, key))?;
            }
            Ok(text)
        })
        .map(|(file, lock)| NeedsChange { file, needs: keys.clone(), lock })
    }

    /// Changes the package file around the person, and then the lock; both or neither.
    fn change(
        &self,
        cancel: &Cancel,
        edit: impl FnOnce(&str) -> Result<String, Failure>,
    ) -> Result<(String, Vec<LockChange>), Failure> {
        let dir = self.workspace.nearest_pkg(&self.workspace.here)?;
        let file = PkgPlace::Checkout(dir).file_label(PKG_FILE);
        let place = self.workspace.dir.join(&file);
        let failed = |error: std::io::Error| {
            Diagnostic::error(Class::Environment, format!("`{file}`: {error}"))
        };
        let before = place.read(LARGEST).map_err(failed)?;
        let text = String::from_utf8(before.clone())
            .map_err(|_| Diagnostic::error(Class::Evaluation, format!("`{file}` is not UTF-8")))?;
        let after = edit(&text)?;
        place.replace_by(&[after.as_bytes()]).map_err(failed)?;
        let checkout = self.look(None);
        let mut audience = Audience { cancel, tell: &mut |_| {} };
        let locked = match self.may_choose() || self.has_retrieved(&checkout) {
            true => self.relock(&checkout, &Choice::NECESSARY, false, &mut audience),
            false => Ok(Vec::new()),
        };
        match locked {
            Ok(changes) => Ok((file, changes)),
            Err(failure) => {
                place.replace_by(&[&before]).map_err(failed)?;
                Err(failure)
            }
        }
    }

    /// Whether the lock may change, and names something that was retrieved.
    fn has_retrieved(&self, checkout: &Checkout) -> bool {
        let lock = checkout.locked.text(&checkout.files);
        self.lock_use == LockUse::MayChange
            && lock.is_ok_and(|lock| lock.iter().any(|pkg| !pkg.is_of_registry()))
    }

    /// What means the newest version of a package and what can stand in for it.
    fn newest(&self, name: &PkgName) -> Result<Requirement, Failure> {
        if let Some(instead) = self.workspace.settings.overrides.of(name) {
            return self.version_in(&instead.dir).map(|version| version.caret());
        }
        let registry = self.registries.of(name.namespace.as_ref());
        let registry = registry.ok_or_else(|| self.registries.none_for(name))?;
        if !self.registries.can_be_asked() {
            let message = format!("the newest version of {name} is not known offline");
            let help = format!("say which will do: `{name}@^1.2`");
            return Err(Diagnostic::error(Class::Network, message).help(help).into());
        }
        let meter = self.registries.meter();
        let log = registry.log(name, self.store(), meter).map_err(registry_failure)?;
        if let Some(newest) = log.newest() {
            return Ok(newest.release.version.caret());
        }
        Err(self.unknown_pkg(name, registry.name()).into())
    }

    /// The version of the package in a directory of the workspace.
    fn version_in(&self, dir: &RelPath) -> Result<Version, Failure> {
        let checkout = self.look(None);
        let pkg = self.loaded_in(&checkout, dir)?;
        Ok(pkg.decl.info.version)
    }

    /// The keys of the packages that are meant by their keys or names.
    fn keys_of(&self, names: &[String]) -> Result<Vec<String>, Failure> {
        let dir = self.workspace.nearest_pkg(&self.workspace.here)?;
        let checkout = self.look(None);
        let pkgs = self.named_by(&checkout, &dir)?;
        let mut keys = Vec::new();
        for name in names {
            let is_meant =
                |(key, pkg): &&(String, PkgName)| key == name || pkg.to_string() == *name;
            let Some((key, _)) = pkgs.iter().find(is_meant) else {
                let label = PkgPlace::Checkout(dir.clone()).label();
                let message = format!("{label} names no package `{name}`");
                let known = pkgs.iter().map(|(key, _)| key.as_str());
                let help = wake_model::nearest::nearest(name, known)
                    .map(|near| format!("did you mean `{near}`?"));
                let diagnostic = Diagnostic::error(Class::Nothing, message);
                return Err(help.into_iter().fold(diagnostic, Diagnostic::help).into());
            };
            keys.push(key.clone());
        }
        keys.sort();
        keys.dedup();
        Ok(keys)
    }

    /// The packages that the one in a directory names, by its keys for them.
    fn named_by(
        &self,
        checkout: &Checkout,
        dir: &RelPath,
    ) -> Result<Vec<(String, PkgName)>, Failure> {
        let pkg = self.loaded_in(checkout, dir)?;
        Ok(pkg.decl.pkgs.iter().map(|(key, get)| (key.clone(), get.request.pkg_name())).collect())
    }

    /// The package in a directory of the workspace, with what it requires of registries left open.
    fn loaded_in(&self, checkout: &Checkout, dir: &RelPath) -> Result<LoadedPkg, Failure> {
        let evaluator = checkout.evaluator();
        let open = LockedPkgs::left_open(&self.registries);
        let mut result = self
            .machine
            .threads()
            .install(|| load(&self.workspace, &evaluator, &open, std::slice::from_ref(dir)));
        match result.loaded.remove(&PkgPlace::Checkout(dir.clone())) {
            Some(pkg) => Ok(pkg),
            None => Err(Failure { diagnostics: result.errors() }),
        }
    }

    fn not_edited(&self, error: EditError, key: &str) -> Failure {
        let message = format!("package `{key}`: {error}");
        let diagnostic = Diagnostic::error(Class::Evaluation, message);
        match error {
            EditError::NoCall | EditError::Computed => {
                diagnostic.help(format!("change `pkgs` in `{PKG_FILE}` yourself")).into()
            }
            EditError::Taken => {
                diagnostic.help("`wake update` chooses newer versions of what is named").into()
            }
            EditError::Absent => diagnostic.into(),
        }
    }
}

/// How a package is got in a package file.
fn get(library: &str, name: &PkgName, requirement: &Requirement) -> String {
    let namespace = name.namespace.as_ref();
    let namespace = namespace.map_or_else(String::new, |name| format!(", namespace='{name}'"));
    format!("{library}.getPkg({library}.pkgInfo('{}', '{requirement}'{namespace}))", name.name)
}
