//! Adding packages to a package file, and removing them.

mod found;
mod giver;

use wake_eval::{EditError, with_pkg, without_pkg};
use wake_model::place::PKG_FILE;
use wake_model::{Lock, LockedPkg, PkgName, RelPath, Requirement, Version};
use wake_steps::Cancel;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::event::Event;
use wake_store::ConfinedPath;

pub use self::found::{FoundNeed, Signers};
use self::giver::Giver;
use crate::choose::{Choice, LockChange, newest_usable};
use crate::load::{LoadedPkg, load};
use crate::locked::LockedPkgs;
use crate::pkg_place::PkgPlace;
use crate::retrieve::Audience;
use crate::session::{Checkout, LockUse, Session};
use crate::sources::LARGEST;

/// A package to add.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// The package.
    pub name: PkgName,
    /// The versions that match; none: those compatible with the newest version that may be chosen.
    pub requirement: Option<Requirement>,
    /// The exec that retrieves it, as written in the package file: `pkg.wheels./retrieve`. If none, the provider of the
    /// other packages of its namespace there.
    pub by: Option<String>,
}

/// A request to add packages to the package around the current directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddRequest {
    /// The packages.
    pub additions: Vec<Addition>,
    /// Whether they are exempt from `min-age`.
    pub now: bool,
}

/// The changes to a package file and the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeedsChange {
    /// The package file, relative to the root of the workspace.
    pub file: String,
    /// The packages that were added or removed, for the user: `acme/http ^1.2`.
    pub needs: Vec<String>,
    /// What was found for each package added, in order; none if nothing was locked.
    pub found: Vec<Option<FoundNeed>>,
    /// The changes to the lock.
    pub lock: Vec<LockChange>,
}

impl Session {
    /// Adds packages to the surrounding package, each under its own name as the key, and locks them.
    ///
    /// Every other byte of its file stays the same. If no versions fit together, the file is left as it was.
    /// `tell` hears which retrievers are asked.
    pub fn add(
        &self,
        request: &AddRequest,
        cancel: &Cancel,
        tell: &mut dyn FnMut(&Event),
    ) -> Result<NeedsChange, Failure> {
        self.registries.count_with(cancel.meter());
        let AddRequest { additions, now } = request;
        let names = additions.iter().filter(|_| *now).map(|addition| addition.name.clone());
        let now: Vec<PkgName> = names.collect();
        let edit = PkgFileEdit::begin(self)?;
        let mut needs = Vec::new();
        for addition in additions {
            let giver = self.giver(addition, &edit)?;
            let requirement = match (&addition.requirement, &giver) {
                (Some(requirement), _) => requirement.clone(),
                (None, Giver::Registry) => self.newest(&addition.name, &now)?,
                // The versions are known only from what it provides.
                (None, Giver::Exec(_)) => Requirement::ANY,
            };
            needs.push(Need { addition, giver, requirement });
        }
        let retrieves = needs.iter().any(|need| need.giver != Giver::Registry);
        let text = self.with_needs(&edit.before, &needs)?;
        let mut audience = Audience { cancel, tell };
        let choice = Choice { now, command: "add", ..Choice::NECESSARY };
        let (lock, locked) = self.change(&edit, &text, &choice, retrieves, &mut audience)?;
        for need in &mut needs {
            let is_open =
                need.addition.requirement.is_none() && need.requirement == Requirement::ANY;
            if let Some(pkg) = need.in_lock(&locked).filter(|_| is_open) {
                need.requirement = pkg.version.caret();
            }
        }
        edit.write(&self.with_needs(&edit.before, &needs)?)?;
        let found = needs.iter().map(|need| Some(self.found(need.in_lock(&locked)?))).collect();
        let needs = needs.iter().map(Need::to_string).collect();
        Ok(NeedsChange { file: edit.file, needs, found, lock })
    }

    /// Removes packages, by key or name, from the surrounding package, and locks what is left.
    pub fn remove(&self, names: &[String], cancel: &Cancel) -> Result<NeedsChange, Failure> {
        self.registries.count_with(cancel.meter());
        let keys = self.keys_of(names)?;
        let edit = PkgFileEdit::begin(self)?;
        let mut text = edit.before.clone();
        for key in &keys {
            text = without_pkg(&text, key).map_err(|error| self.not_edited(error, key))?;
        }
        let mut audience = Audience { cancel, tell: &mut |_| {} };
        let (lock, _) = self.change(&edit, &text, &Choice::NECESSARY, false, &mut audience)?;
        Ok(NeedsChange { file: edit.file, needs: keys, found: Vec::new(), lock })
    }

    /// Returns the text of a package file with packages added.
    fn with_needs(&self, text: &str, needs: &[Need<'_>]) -> Result<String, Failure> {
        let mut text = text.to_owned();
        for need in needs {
            let key = need.addition.name.name.as_str();
            let value = |library: &str| need.get(library);
            text = with_pkg(&text, key, value).map_err(|error| self.not_edited(error, key))?;
        }
        Ok(text)
    }

    /// Changes the package file and then the lock, both or neither. Returns the changes to the lock, and the lock.
    fn change(
        &self,
        edit: &PkgFileEdit,
        text: &str,
        choice: &Choice,
        retrieves: bool,
        audience: &mut Audience<'_>,
    ) -> Result<(Vec<LockChange>, Lock), Failure> {
        edit.write(text)?;
        let checkout = self.look(None);
        let may_retrieve = retrieves && self.lock_use == LockUse::MayChange;
        let locked = match self.may_choose() || may_retrieve || self.has_retrieved(&checkout) {
            true => self.relock(&checkout, choice, false, audience),
            false => Ok(Vec::new()),
        };
        let changes = match locked {
            Ok(changes) => changes,
            Err(failure) => {
                edit.write(&edit.before)?;
                return Err(failure);
            }
        };
        let checkout = self.look(None);
        let lock = checkout.locked.text(&checkout.files).map_err(|error| Failure::from(*error))?;
        Ok((changes, lock.clone()))
    }

    /// Returns whether the lock may change and names a retrieved package.
    fn has_retrieved(&self, checkout: &Checkout) -> bool {
        let lock = checkout.locked.text(&checkout.files);
        self.lock_use == LockUse::MayChange
            && lock.is_ok_and(|lock| lock.iter().any(|pkg| !pkg.is_of_registry()))
    }

    /// Returns a requirement for the newest version of a package and compatible ones.
    fn newest(&self, name: &PkgName, now: &[PkgName]) -> Result<Requirement, Failure> {
        if let Some(instead) = self.workspace.settings.overrides.of(name) {
            return self.version_in(&instead.dir).map(|version| version.caret());
        }
        if self.registries.of(name.namespace.as_ref()).is_none() {
            return Err(self.registries.none_for(name).into());
        }
        if !self.registries.can_be_asked() {
            let message = format!("the newest version of {name} is not known offline");
            let help = format!("give a requirement: `{name}@^1.2`");
            return Err(Diagnostic::error(Class::Network, message).help(help).into());
        }
        let wanted = (name, None);
        let newest = newest_usable(&self.workspace, &self.registries, self.store(), wanted, now)?;
        match newest {
            Some(version) => Ok(version.caret()),
            None => {
                let registry = self.registries.of(name.namespace.as_ref());
                let registry = registry.ok_or_else(|| self.registries.none_for(name))?;
                Err(self.unknown_pkg(name, registry.name()).into())
            }
        }
    }

    /// Returns the version of the package in a directory of the workspace.
    fn version_in(&self, dir: &RelPath) -> Result<Version, Failure> {
        let checkout = self.look(None);
        let pkg = self.loaded_in(&checkout, dir)?;
        Ok(pkg.decl.info.version)
    }

    /// Returns the keys of packages given by key or name.
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
                let message = format!("{label} has no package `{name}`");
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

    /// Returns the packages that the one in a directory names, by its keys for them.
    fn named_by(
        &self,
        checkout: &Checkout,
        dir: &RelPath,
    ) -> Result<Vec<(String, PkgName)>, Failure> {
        let pkg = self.loaded_in(checkout, dir)?;
        Ok(pkg.decl.pkgs.iter().map(|(key, get)| (key.clone(), get.request.pkg_name())).collect())
    }

    /// Loads the package in a directory of the workspace, leaving its requirements on registries open.
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
                diagnostic.help("run `wake update` to choose newer versions").into()
            }
            EditError::Absent => diagnostic.into(),
        }
    }
}

/// The surrounding package file, while it is changed.
struct PkgFileEdit {
    /// Its path, relative to the root of the workspace.
    file: String,
    /// The directory of the package.
    dir: RelPath,
    place: ConfinedPath,
    /// Where the new file is written first.
    aside: ConfinedPath,
    /// Its previous content.
    before: String,
}

impl PkgFileEdit {
    fn begin(session: &Session) -> Result<PkgFileEdit, Failure> {
        let dir = session.workspace.nearest_pkg(&session.workspace.here)?;
        let file = PkgPlace::Checkout(dir.clone()).file_label(PKG_FILE);
        let place = session.workspace.dir.join(&file);
        let before = place.read(LARGEST).map_err(|error| failed(&file, &error))?;
        let before = String::from_utf8(before)
            .map_err(|_| Diagnostic::error(Class::Evaluation, format!("`{file}` is not UTF-8")))?;
        let aside = session.state_dir().join("state");
        Ok(PkgFileEdit { file, dir, place, aside, before })
    }

    fn write(&self, text: &str) -> Result<(), Diagnostic> {
        let is_same = self.place.read(LARGEST).is_ok_and(|there| there == text.as_bytes());
        match is_same {
            true => Ok(()),
            false => self
                .place
                .replace_from(&self.aside, &[text.as_bytes()])
                .map_err(|error| failed(&self.file, &error)),
        }
    }
}

fn failed(file: &str, error: &std::io::Error) -> Diagnostic {
    Diagnostic::error(Class::Environment, format!("`{file}`: {error}"))
}

/// A package to add, with its provider and requirement.
struct Need<'a> {
    addition: &'a Addition,
    giver: Giver,
    requirement: Requirement,
}

impl Need<'_> {
    /// Returns the Jsonnet text that gets it.
    fn get(&self, library: &str) -> String {
        let Need { addition: Addition { name, .. }, giver, requirement } = self;
        let namespace = name.namespace.as_ref();
        let namespace = namespace.map_or_else(String::new, |name| format!(", namespace='{name}'"));
        let from = match giver {
            Giver::Registry => String::new(),
            Giver::Exec(from) => format!(", from={}", from.written(library)),
        };
        let info = format!("{library}.pkgInfo('{}', '{requirement}'{namespace})", name.name);
        format!("{library}.getPkg({info}{from})")
    }

    /// Returns the lock line that it resolves to.
    fn in_lock<'l>(&self, lock: &'l Lock) -> Option<&'l LockedPkg> {
        let Addition { name, .. } = self.addition;
        let will_do = |pkg: &&LockedPkg| {
            pkg.name == *name
                && pkg.is_of_registry() == (self.giver == Giver::Registry)
                && self.requirement.matches(&pkg.version)
        };
        lock.iter().filter(will_do).max_by_key(|pkg| &pkg.version)
    }
}

/// For users: `acme/http ^1.2`.
impl std::fmt::Display for Need<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.addition.name, self.requirement)
    }
}
