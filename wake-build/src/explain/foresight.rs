//! Forecasts derived from earlier ones, in a checkout where only the content of files has changed.

use std::collections::HashMap;

use wake_model::{Digest, RelPath};
use wake_steps::profile::SpanKind;
use wake_steps::wares::Wares;
use wake_steps::{Cancel, Results, StepContext, StepId};
use wake_store::ConfinedPath;

use super::forecast::{Forecast, Forecasts, Naming};
use super::{Explained, warnings};
use crate::files::FileState;
use crate::plan::PlannedBuild;
use crate::session::{Checkout, Session};
use crate::snapshot::{
    Capture, Changes, Differences, Foreseen, Meta, Origin, Patch, Records, SharedFiles, Snapshot,
    capture, foresight_place, verify,
};

impl Session {
    /// Returns the forecasts stored under `key`, with those that changed files reach computed anew; none if planning could
    /// give a different result.
    ///
    /// More may be known of a command's reads than before, so each command with a depfile is examined again.
    pub(super) fn forecasts_by_foresight(&self, key: &Digest) -> Option<Explained<Forecasts>> {
        let place = foresight_place(&self.state_dir());
        let mut snapshot = Snapshot::open(place.clone(), key)?;
        let meta = snapshot.meta()?;
        meta.is_of_this_boot().then_some(())?;
        self.host_holds(&snapshot)?;
        let compare = || {
            let _span = self.profile().begin(SpanKind::Snapshot, || "verify snapshot".to_owned());
            let is_stopped = || self.registries.is_stopped();
            verify(&snapshot, Origin::Here, &self.workspace.root, self.profile(), &is_stopped)
        };
        let differences = self.machine.threads().install(compare)?;
        let _span = self.profile().begin(SpanKind::Snapshot, || "forecast anew".to_owned());
        let foreseen = self.machine.threads().install(|| snapshot.foreseen())?;
        let answer = self.renewed(&snapshot, foreseen, &differences)?;
        self.keep_proofs(&mut snapshot, &place, differences);
        Some(Explained { answer, warnings: meta.warnings })
    }

    fn renewed(
        &self,
        snapshot: &Snapshot,
        foreseen: Vec<Foreseen>,
        differences: &Differences,
    ) -> Option<Forecasts> {
        let changed: HashMap<RelPath, FileState> =
            differences.changed.iter().map(|file| (file.path.clone(), file.seen.clone())).collect();
        let says = foreseen.iter().enumerate().filter(|(_, step)| step.says);
        let says = says.map(|(number, _)| number).collect();
        let reached = snapshot.reached(&differences.changed, says)?;
        let mut is_reached = vec![false; foreseen.len()];
        for &step in &reached {
            *is_reached.get_mut(step)? = true;
        }
        let results = Results::new(foreseen.len());
        let cancel = Cancel::new().ok()?;
        let wares = Wares::new(self.store(), cancel.meter());
        let ground = StepContext { results: &results, wares: &wares, tell: &|_| {} };
        let mut naming = Naming::new(self, &ground);
        for (number, step) in foreseen.iter().enumerate().filter(|(number, _)| !is_reached[*number])
        {
            naming.seen.insert(StepId(number), step.seen);
            naming.read.extend(step.read.map(|read| (StepId(number), read)));
        }
        let shared = SharedFiles::default();
        for step in reached {
            let now = snapshot.step_now(step, &changed, self.store(), &shared)?;
            naming.name(StepId(step), &foreseen[step].label, &now).ok()?;
        }
        let names = |number: usize| {
            let id = StepId(number);
            Some(Forecast::new(naming.seen.get(&id)?, naming.read.get(&id)))
        };
        let requested = foreseen.into_iter().enumerate().filter(|(_, step)| step.is_requested);
        let forecasts: Option<Vec<(String, Forecast)>> =
            requested.map(|(number, step)| Some((step.label, names(number)?))).collect();
        Some(Forecasts::of(forecasts?.into_iter()))
    }

    /// Records that files and directories are unchanged, so that they are not read again next time.
    fn keep_proofs(&self, snapshot: &mut Snapshot, place: &ConfinedPath, differences: Differences) {
        let Differences { changed: _, files: file_proofs, dirs: dir_proofs } = differences;
        if file_proofs.is_empty() && dir_proofs.is_empty() {
            return;
        }
        let patch = Patch { file_proofs, dir_proofs, ..Patch::default() };
        let changes = Changes { patch, steps: Vec::new() };
        // On failure they are read again.
        let _ = self.machine.threads().install(|| snapshot.keep(place, changes));
    }

    /// Stores a forecast, so that the next one does not have to plan.
    pub(super) fn keep_foresight(
        &self,
        key: &Digest,
        checkout: &Checkout<'_>,
        planned: &PlannedBuild,
        steps: Records,
        has_host_packages: bool,
        began: i128,
    ) -> Option<()> {
        // Otherwise it would start from a lock that is about to change.
        checkout.locked.new_images().is_empty().then_some(())?;
        if has_host_packages {
            self.machine.host().ok()?;
        }
        let meta = Meta {
            pkgs: planned.instances.len(),
            trace: Vec::new(),
            warnings: warnings(planned),
            host: self.machine.known_host().cloned(),
            boot: wake_store::current_boot(),
            saved_ms: 0,
        };
        let (files, lock, trees) = (&checkout.files, checkout.locked.digest(), HashMap::new());
        let out = self.out_dir();
        let taken = Capture { files, planned, lock, steps, trees, out, meta, began };
        let place = foresight_place(&self.state_dir());
        self.machine.threads().install(|| capture(&taken, &place, key))
    }
}
