//! The packages that a package file names, added and taken out.

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

/// A package that is to be added.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addition {
    /// The package.
    pub name: PkgName,
    /// The versions that will do; none: those that can stand in for the newest one that may be chosen.
    pub requirement: Option<Requirement>,
    /// The exec that retrieves it, as it is written in the package file: `pkg.wheels./retrieve`. Without one, whoever gives the
    /// other packages of its namespace there.
    pub by: Option<String>,
}

/// What is to be added to the package around a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddRequest {
    /// The packages.
    pub additions: Vec<Addition>,
    /// Whether versions of them may be as young as they are, whatever `min-age` says.
    pub now: bool,
}

/// What became of a package file and of the lock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NeedsChange {
    /// The package file, from the root of the workspace.
    pub file: String,
    /// What it names now, or no more, as a person reads it: `acme/http ^1.2`.
    pub needs: Vec<String>,
    /// What was found for each that it names now, in their order; none where nothing was locked.
    pub found: Vec<Option<FoundNeed>>,
    /// What became of the lock.
    pub lock: Vec<LockChange>,
}

impl Session {
    /// Has the package around the person name more packages, each under its own name as the key, and locks them.
    ///
    /// Every other byte of its file stays. If no versions fit together, the file is left as it was.
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
                // Only what it gives says which versions there are.
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

    /// Has the package around the person name packages no more, by their keys or names, and locks what is left.
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

    /// The text of a package file with some packages more.
    fn with_needs(&self, text: &str, needs: &[Need<'_>]) -> Result<String, Failure> {
        let mut text = text.to_owned();
        for need in needs {
            let key = need.addition.name.name.as_str();
            let value = |library: &str| need.get(library);
            text = with_pkg(&text, key, value).map_err(|error| self.not_edited(error, key))?;
        }
        Ok(text)
    }

    /// Has the package file say something else, and then the lock; both or neither. Gives what became of the lock, and what it is.
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

    /// Whether the lock may change, and names something that was retrieved.
    fn has_retrieved(&self, checkout: &Checkout) -> bool {
        let lock = checkout.locked.text(&checkout.files);
        self.lock_use == LockUse::MayChange
            && lock.is_ok_and(|lock| lock.iter().any(|pkg| !pkg.is_of_registry()))
    }

    /// What means the newest version of a package and what can stand in for it.
    fn newest(&self, name: &PkgName, now: &[PkgName]) -> Result<Requirement, Failure> {
        if let Some(instead) = self.workspace.settings.overrides.of(name) {
            return self.version_in(&instead.dir).map(|version| version.caret());
        }
        if self.registries.of(name.namespace.as_ref()).is_none() {
            return Err(self.registries.none_for(name).into());
        }
        if !self.registries.can_be_asked() {
            let message = format!("the newest version of {name} is not known offline");
            let help = format!("say which will do: `{name}@^1.2`");
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

/// The package file around a person, while it is changed.
struct PkgFileEdit {
    /// Where it is, from the root of the workspace.
    file: String,
    /// The directory of the package.
    dir: RelPath,
    place: ConfinedPath,
    /// Where it is made anew.
    aside: ConfinedPath,
    /// What it said.
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

/// A package that is being added, with who gives it and which versions will do.
struct Need<'a> {
    addition: &'a Addition,
    giver: Giver,
    requirement: Requirement,
}

impl Need<'_> {
    /// How it is got in a package file.
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

    /// What it means there.
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

/// As a person reads it: `acme/http ^1.2`.
impl std::fmt::Display for Need<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.addition.name, self.requirement)
    }
}
