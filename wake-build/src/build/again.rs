//! Building from the snapshot of an earlier build: compare, perform what a change reaches, record the differences.

use std::collections::HashSet;

use wake_exec::HostProof;
use wake_model::Digest;
use wake_store::ConfinedPath;

use wake_steps::event::{Event, Reporter};
use wake_steps::history::History;
use wake_steps::profile::SpanKind;
use wake_steps::run::announce;
use wake_steps::{Batch, BatchResult, SchedulePolicy, Steps};

use super::kept::Standing;
use super::linking::followers;
use super::{BuildReport, BuiltModule, Scene, executables};
use crate::files::Files;
use crate::session::Session;
use crate::snapshot::{
    CheckedLink, Differences, Origin, Replay, Snapshot, StepRecord, Touched, check_results, place,
    shared_name, verify, verify_touched,
};

/// What of the checkout is compared with a snapshot.
#[derive(Clone, Copy)]
pub(super) enum Look<'a> {
    Everywhere,
    /// Only these paths: nothing else was touched since the last complete comparison, and the results are unchanged.
    At(&'a Touched),
}

impl Session {
    /// Returns the snapshot of the last build of a request here, or else of another checkout of the same repository.
    pub(super) fn snapshot(&self, key: &Digest) -> Option<Snapshot> {
        let of_others = || {
            let name = shared_name(key, &self.workspace.root);
            Snapshot::open(self.store().state(&name), key)
        };
        let _span = self.profile().begin(SpanKind::Snapshot, || "load snapshot".to_owned());
        let own = || Snapshot::open(place(&self.state_dir(), key), key);
        self.machine.threads().install(|| own().or_else(of_others))
    }

    /// Returns whether this machine is the one the snapshot was taken on, if that matters.
    pub(crate) fn host_holds(&self, snapshot: &Snapshot) -> Option<()> {
        let meta = snapshot.meta()?;
        let Some(host) = &meta.host else { return Some(()) };
        match host.proof.as_ref().is_some_and(HostProof::holds) {
            true => self.machine.assume_host(host.clone()),
            // The identity read earlier may no longer hold.
            false => self.machine.known_host().is_none().then_some(())?,
        }
        self.machine.host().ok().filter(|now| *now == host.digest).map(drop)
    }

    /// Returns whether all results and their links are as a snapshot says.
    pub(super) fn results_hold(&self, snapshot: &Snapshot) -> bool {
        let checked = check_results(snapshot, &self.out_dir(), &HashSet::new());
        let is_right = |link: &CheckedLink| matches!(link, CheckedLink::Read { .. });
        checked.is_some_and(|links| links.iter().all(is_right))
    }

    /// Builds from the snapshot of the last build of the same request, if it is usable. Returns the standing of the
    /// snapshot afterwards.
    pub(super) fn build_again(
        &self,
        snapshot: &mut Snapshot,
        look: Look<'_>,
        scene: &Scene,
        reporter: &mut dyn Reporter,
        ending: &mut BatchResult,
    ) -> Option<(BuildReport, Standing)> {
        let Scene { request, cancel, .. } = *scene;
        let profile = self.profile();
        let snapshot_span = |name: &str| profile.begin(SpanKind::Snapshot, || name.to_owned());
        let meta = snapshot.meta()?;
        meta.is_of_this_boot().then_some(())?;
        self.host_holds(snapshot)?;
        let root = &self.workspace.root;
        let span = snapshot_span("verify snapshot");
        let out = self.out_dir();
        let origin = match *snapshot.place() == place(&self.state_dir(), &scene.key) {
            true => Origin::Here,
            false => Origin::Elsewhere,
        };
        let is_stopped = || self.registries.is_stopped();
        let compare = || match look {
            Look::Everywhere => {
                let verify = || verify(snapshot, origin, root, profile, &is_stopped);
                self.machine.threads().install(verify)
            }
            Look::At(touched) => verify_touched(snapshot, touched, root, profile),
        };
        let compared = match origin {
            Origin::Here => compare(),
            // All links have to be created: do the slow disk work while files are read. If no thread can be
            // started, it happens when they are created.
            Origin::Elsewhere => std::thread::scope(|scope| {
                let register = || self.store().register_root(&out.path());
                let _ = std::thread::Builder::new().spawn_scoped(scope, register);
                compare()
            }),
        };
        drop(span);
        let differences = compared?;
        let span = snapshot_span("find what changes reach");
        let spare = self.spare_dir();
        let reached = || Replay::new(snapshot, &differences, self.store(), spare);
        let replay = self.machine.threads().install(reached)?;
        drop(span);
        let span = snapshot_span("verify results");
        // A result that is rebuilt may differ from the old one.
        let made_again: HashSet<usize> =
            replay.order().iter().filter_map(|step| snapshot.result_of(step.0)).collect();
        let check = || match look {
            Look::Everywhere => check_results(snapshot, &out, &made_again),
            Look::At(_) => Some(Vec::new()),
        };
        let (mut broken, mut links) = (Vec::new(), Vec::new());
        for checked in self.machine.threads().install(check)? {
            match checked {
                CheckedLink::Broken { link, target } => broken.push((link, target)),
                CheckedLink::Read { number, proof } => {
                    links.push((u32::try_from(number).ok()?, proof));
                }
            }
        }
        drop(span);
        for warning in &meta.warnings {
            reporter.event(&Event::Diagnostic(Box::new(warning.clone())));
        }
        for (label, text) in &meta.trace {
            reporter.event(&Event::Trace { label: label.clone(), text: text.clone() });
        }
        let total = snapshot.steps();
        ending.counts.total = total;
        let looked_at = replay.steps().count();
        ending.counts.hit = total - looked_at;
        ending.saved_ms = meta.saved_ms;
        if looked_at > 0 {
            self.link_all(&out, &broken, request.link, reporter, ending);
            broken.clear();
            self.perform_again(&replay, snapshot, &differences, scene, reporter, ending);
        }
        let built =
            if request.results { again_built(self, snapshot, &replay, &out) } else { Vec::new() };
        let patched = !(differences.is_empty() && links.is_empty());
        let is_whole = ending.classes.is_empty() && !cancel.is_cancelled();
        let changes = if patched && is_whole { replay.changes(differences, links) } else { None };
        let mut standing = match (is_whole, patched) {
            (false, _) => Standing::Behind,
            (true, false) => Standing::Current,
            (true, true) => Standing::Lost,
        };
        let keep = || {
            let _span = snapshot_span("save snapshot");
            let place = place(&self.state_dir(), &scene.key);
            // Otherwise the next build checks the same files again.
            if let Some(Ok(true)) = changes.map(|changes| snapshot.keep(&place, changes)) {
                standing = Standing::Current;
            }
        };
        if broken.is_empty() {
            self.machine.threads().install(keep);
        } else {
            // The saved snapshot does not cover these links: one that cannot be created counts as broken in the next build, too.
            self.machine.threads().in_place_scope(|scope| {
                scope.spawn(|_| keep());
                self.link_all(&out, &broken, request.link, reporter, ending);
            });
        }
        Some((BuildReport { built, ..BuildReport::default() }, standing))
    }

    pub(super) fn perform_again(
        &self,
        replay: &Replay,
        snapshot: &Snapshot,
        differences: &Differences,
        scene: &Scene,
        reporter: &mut dyn Reporter,
        ending: &mut BatchResult,
    ) {
        let Scene { request, cancel, started, .. } = *scene;
        let files = Files::open(&self.workspace.root, None, None).profiled(self.profile());
        for file in &differences.changed {
            files.prime(&file.path, file.seen.clone(), file.signature, file.settled);
        }
        let mut history = History::default();
        for (_, record) in replay.steps() {
            history.note(&record.label, record.key, record.dur_ms);
        }
        announce(replay, &history, reporter);
        let results = replay.results();
        let keep_going = request.keep_going;
        let rules = SchedulePolicy { keep_going, retries: request.retries, ..Default::default() };
        let (results, sources, history_of) = (&results, &files, &history);
        let work =
            Batch { steps: replay, results, sources, history: history_of, rules, cancel, started };
        let span = self.profile().stage("run steps");
        let BatchResult { counts, classes, keys, saved_ms } = self.machine.perform(&work, reporter);
        drop(span);
        ending.counts.add(&counts);
        ending.classes.extend(classes);
        ending.saved_ms =
            ending.saved_ms.saturating_sub(replay.steps().map(|(_, r)| r.dur_ms).sum()) + saved_ms;
        let (mut noted, mut links) = (Vec::new(), Vec::new());
        for (step, key, dur_ms) in keys {
            let label = replay.label(step);
            history.note(label, key, dur_ms);
            noted.extend(history.get(label).map(|past| (label.to_owned(), *past)));
            if let (Some(link), Some(done)) = (replay.link_of(step), results.get(step)) {
                links.push((link.to_owned(), self.store().tree_place(&done.tree)));
            }
        }
        // Depfile contents; without them more steps run than necessary.
        let _ = self.store().flush_memo();
        let out = self.out_dir();
        links.extend(followers(&out, &links));
        self.link_all(&out, &links, request.link, reporter, ending);
        // Without it, only explanations and estimates are lost.
        let file = self.history_file();
        if History::append(&file, &noted).is_err() {
            let mut all = snapshot.history();
            noted.iter().for_each(|(label, past)| all.note(label, past.last, past.dur_ms));
            let _ = all.write(&file);
        }
    }
}

/// Returns the results of a build performed from a snapshot.
fn again_built(
    session: &Session,
    snapshot: &Snapshot,
    replay: &Replay,
    out: &ConfinedPath,
) -> Vec<BuiltModule> {
    let built = |record: &StepRecord<'_>| {
        Some(BuiltModule {
            label: record.label.to_owned(),
            link: Some(out.join(record.link?).path()),
            tree: session.store().tree_place(&record.result.tree),
            digest: record.result.tree,
            outputs: serde_json::from_str(record.outputs).unwrap_or_default(),
            executables: executables(&record.result.manifest),
        })
    };
    (0..snapshot.steps()).filter_map(|step| replay.record(step, built)).collect()
}
