//! Writing `wake.lock`.

use wake_model::nearest::nearest;
use wake_model::{LOCK_FILE, Lock, LockedPkg, PkgName, Version};
use wake_solve::{Exact, Update};
use wake_steps::Cancel;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::event::Event;

use crate::choose::{Choice, LockChange, changes};
use crate::registries::Reach;
use crate::retrieve::{Audience, Freedom};
use crate::session::{Checkout, LockUse, Session};
use crate::snapshot::Snapshot;

/// A request to write `wake.lock`.
#[derive(Clone, Debug, Default)]
pub struct LockRequest {
    /// Packages to update to the newest versions; all if empty.
    pub update: Option<Vec<PkgName>>,
    /// The exact version for a single package.
    pub precise: Option<Version>,
    /// Whether those packages are exempt from `min-age`.
    pub now: bool,
    /// Whether to report changes without writing them.
    pub check: bool,
}

impl Session {
    /// Makes `wake.lock` satisfy the requirements of all packages of the workspace; returns the changes.
    ///
    /// The file is replaced atomically, and left alone if nothing changes.
    /// `tell` hears which retrievers are asked.
    pub fn lock(
        &self,
        request: &LockRequest,
        cancel: &Cancel,
        tell: &mut dyn FnMut(&Event),
    ) -> Result<Vec<LockChange>, Failure> {
        self.registries.count_with(cancel.meter());
        let snapshot = Snapshot::newest(&self.state_dir());
        let checkout = self.look(snapshot.as_ref());
        let update = match (&request.update, &request.precise) {
            (Some(names), None) if names.is_empty() => Update::Everything,
            (Some(names), None) => Update::Only(names.iter().cloned().collect()),
            (Some(_), Some(_)) | (None, _) => Update::Nothing,
        };
        let exact = match (&request.update, &request.precise) {
            (Some(names), Some(version)) => {
                let exact = |name: &PkgName| Exact { name: name.clone(), version: version.clone() };
                names.iter().map(exact).collect()
            }
            _ => Vec::new(),
        };
        let now = request.update.clone().filter(|_| request.now).unwrap_or_default();
        // A package that is required but too young has no line yet.
        if !request.now {
            self.check_known(&checkout, request)?;
        }
        self.check_reach_of(&checkout, request)?;
        let choice = Choice { update, exact, now, ..Choice::NECESSARY };
        let mut audience = Audience { cancel, tell };
        let changes = self.relock(&checkout, &choice, request.check, &mut audience)?;
        if request.now {
            self.check_known(&self.look(snapshot.as_ref()), request)?;
        }
        // Digests that cannot be saved are computed again next time.
        let _ = checkout.files.save(&self.files_file());
        let _ = self.store().flush_memo();
        Ok(changes)
    }

    /// Prepares the packages for a build, as far as allowed: chooses versions, asks retrievers, writes the lock.
    pub(crate) fn make_ready(
        &self,
        checkout: &Checkout,
        audience: &mut Audience<'_>,
    ) -> Result<Vec<LockChange>, Failure> {
        if self.lock_use == LockUse::MayChange && checkout.locked.is_unmet()
            || self.may_choose() && checkout.locked.leaves_a_choice()
        {
            return self.relock(checkout, &Choice::NECESSARY, false, audience);
        }
        let before =
            checkout.locked.text(&checkout.files).map_err(|error| Failure::from(*error))?;
        self.settle(checkout, before, Freedom::Keep, audience)?;
        Ok(Vec::new())
    }

    /// Chooses versions, asks retrievers, and writes the lock unless only a check was requested.
    pub(crate) fn relock(
        &self,
        checkout: &Checkout,
        choice: &Choice,
        only_look: bool,
        audience: &mut Audience<'_>,
    ) -> Result<Vec<LockChange>, Failure> {
        let before =
            checkout.locked.text(&checkout.files).map_err(|error| Failure::from(*error))?;
        let _span = self.profile().stage("choose versions");
        let after: Lock = self.settle(checkout, before, Freedom::Choose(choice), audience)?;
        let changes = changes(before, &after);
        let after = after.with_images(before.images());
        let text = after.to_string();
        if only_look || checkout.locked.is_written_as(&text) {
            return Ok(changes);
        }
        self.write_lock(&text)?;
        Ok(changes)
    }

    /// Locks the images that a build has resolved; returns the line of each new one.
    pub(crate) fn lock_images(&self, checkout: &Checkout) -> Result<Vec<String>, Failure> {
        let images = checkout.locked.new_images();
        if images.is_empty() {
            return Ok(Vec::new());
        }
        let before =
            checkout.locked.text(&checkout.files).map_err(|error| Failure::from(*error))?;
        self.write_lock(&before.clone().with_images(&images).to_string())?;
        Ok(images.iter().map(|(name, digest)| format!("image {name} {digest}")).collect())
    }

    fn write_lock(&self, text: &str) -> Result<(), Failure> {
        let place = self.workspace.dir.join(LOCK_FILE);
        let aside = self.workspace.state_dir().join("state");
        place.replace_from(&aside, &[text.as_bytes()]).map_err(|source| {
            let message = format!("cannot write `{LOCK_FILE}`: {source}");
            Diagnostic::error(Class::Environment, message).into()
        })
    }

    /// Checks that registries can be asked for an update: otherwise it would look as if there were nothing newer.
    fn check_reach_of(&self, checkout: &Checkout, request: &LockRequest) -> Result<(), Failure> {
        let Some(names) = &request.update else { return Ok(()) };
        if self.registries.reach() == Reach::Everything {
            return Ok(());
        }
        let lock = checkout.locked.text(&checkout.files).map_err(|error| Failure::from(*error))?;
        let is_meant = |pkg: &&LockedPkg| names.is_empty() || names.contains(&pkg.name);
        if !lock.iter().filter(is_meant).any(LockedPkg::is_of_registry) {
            return Ok(());
        }
        let message = "updating queries registries, but `--offline` does not allow it";
        let diagnostic = Diagnostic::error(Class::Network, message);
        Err(diagnostic
            .help("run `wake lock --offline` to check whether the locked versions suffice")
            .into())
    }

    /// Checks that the packages to update are locked.
    fn check_known(&self, checkout: &Checkout, request: &LockRequest) -> Result<(), Failure> {
        let Some(names) = &request.update else { return Ok(()) };
        let lock = checkout.locked.text(&checkout.files).map_err(|error| Failure::from(*error))?;
        for name in names {
            if !lock.iter().any(|pkg| pkg.name == *name) {
                let message = format!("`{LOCK_FILE}` has no `{name}`");
                let locked: Vec<String> = lock.iter().map(|pkg| pkg.name.to_string()).collect();
                let same = lock.iter().find(|pkg| pkg.name.name == name.name);
                let near = match same {
                    Some(pkg) => Some(pkg.name.to_string()),
                    None => nearest(&name.to_string(), locked.iter().map(String::as_str))
                        .map(str::to_owned),
                };
                let help = near.map(|near| format!("did you mean `{near}`?"));
                let diagnostic = Diagnostic::error(Class::Nothing, message);
                return Err(help.into_iter().fold(diagnostic, Diagnostic::help).into());
            }
        }
        Ok(())
    }
}
