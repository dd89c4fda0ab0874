//! Asking retrievers for packages.

use std::collections::BTreeSet;

use wake_model::LockedPkg;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::event::{Event, Reporter};
use wake_steps::history::History;
use wake_steps::{Batch, Results, SchedulePolicy, clock};

use super::Audience;
use super::call::{Call, ReadyNeed, calls, retriever};
use super::perform::{CallSteps, OUT};
use super::protocol::PkgWanted;
use super::settling::Settling;
use super::take::take;
use crate::evaluate::Evaluator;
use crate::instance::{Instances, instantiate};
use crate::load::OpenNeed;
use crate::locked::LockedPkgs;
use crate::lower::Lowering;
use crate::pkg_place::PkgPlace;
use crate::plan::{PkgCommand, plan_of_commands};
use crate::registries::Reach;
use crate::resolve::{Outline, Resolution};
use crate::session::Session;

impl Settling<'_> {
    /// Returns those of `open` whose retrievers have all their own dependencies.
    pub(super) fn ready(&self, open: &[&OpenNeed], outline: &Outline<'_>) -> Vec<ReadyNeed> {
        let waiting: BTreeSet<&PkgPlace> = open.iter().map(|need| &need.by).collect();
        let lock = self.lock();
        let ready = |need: &&OpenNeed| {
            let get = outline.get(&need.by, &need.key)?;
            let by = retriever(need, outline)?;
            let place = outline.dep(&need.by, &by.key)?.clone();
            if !outline.reach(&place).is_disjoint(&waiting) {
                return None;
            }
            let name = get.request.pkg_name();
            let requirement = self.asked_for(&name, &get.request.version);
            let locked = lock.find_retrieved(&get.request, &by.name);
            let locked = locked.map(|pkg| (pkg.version.clone(), pkg.content));
            let wanted = PkgWanted { name, requirement, locked };
            Some(ReadyNeed { need: (*need).clone(), by, place, wanted })
        };
        open.iter().filter_map(ready).collect()
    }

    /// Asks retrievers for what is ready, and takes the results.
    pub(super) fn ask(
        &mut self,
        ready: Vec<ReadyNeed>,
        outline: &Outline<'_>,
        evaluator: &Evaluator<'_>,
        audience: &mut Audience<'_>,
    ) -> Result<Vec<LockedPkg>, Failure> {
        let Session { machine, .. } = self.session;
        let reached = ready.iter().flat_map(|need| outline.reach(&need.place)).collect();
        let Resolution { pkgs, order, .. } = outline.resolved(&reached)?;
        let instances = machine.threads().install(|| instantiate(&order, pkgs, evaluator))?;
        for ReadyNeed { need, by, place, .. } in &ready {
            self.asked.insert((need.by.clone(), by.key.clone(), place.clone()));
        }
        let calls = calls(ready, outline, &instances)?;
        for call in &calls {
            self.check_network(call, outline)?;
        }
        self.perform(&calls, &instances, outline, evaluator, audience)
    }

    /// Checks that a call has the permissions that it needs.
    fn check_network(&self, call: &Call, outline: &Outline<'_>) -> Result<(), Diagnostic> {
        if !call.uses_network() {
            return Ok(());
        }
        let label = call.label();
        if !outline.may_reach_network(&call.retriever) {
            let message = format!("{label} asks for the network without permission");
            let mut diagnostic =
                Diagnostic::error(Class::Resolution, message).at(call.written_at(outline));
            for (who, at) in outline.missing_grants(&call.retriever) {
                let at = at.map(|at| format!(" at {at}")).unwrap_or_default();
                let help = format!("grant it where {who} gets it{at}: `permissions=['network']`");
                diagnostic = diagnostic.help(help);
            }
            return Err(diagnostic);
        }
        if self.session.registries.reach() == Reach::Nothing {
            let message =
                format!("{label} asks for the network, but `--offline` does not allow it");
            let asked = call.asked.iter().map(|asked| &asked.wanted);
            let diagnostic =
                Diagnostic::error(Class::Network, message).at(call.written_at(outline));
            return Err(asked.fold(diagnostic, |all, wanted| {
                all.note(format!("the store does not have {} {}", wanted.name, wanted.requirement))
            }));
        }
        Ok(())
    }

    fn perform(
        &self,
        calls: &[Call],
        instances: &Instances,
        outline: &Outline<'_>,
        evaluator: &Evaluator<'_>,
        audience: &mut Audience<'_>,
    ) -> Result<Vec<LockedPkg>, Failure> {
        let machine = &self.session.machine;
        let _span = machine.profile().stage("retrieve packages");
        let started = clock::now();
        let command = |call: &Call| PkgCommand {
            pkg: call.key.clone(),
            label: call.label(),
            name: "retrieve",
            exec: call.with_requests(),
            outputs: serde_json::json!({
                "pkgs": { "type": "file", "path": format!("./{OUT}/"), "from": null, "dump": false },
            }),
        };
        let commands = calls.iter().map(command).collect();
        let plan = plan_of_commands(commands, instances, evaluator)
            .map_err(|error| Diagnostic::error(Class::Internal, format!("a retriever: {error}")))?;
        let places: Vec<_> = calls.iter().map(|call| call.written_at(outline)).collect();
        // An image that a retriever runs in is locked already, or given by digest.
        let locked = LockedPkgs::settling(&self.session.registries, self.lock()).unchanging();
        let lowering = Lowering::new(&plan, instances, evaluator, machine.store(), &locked);
        let steps = CallSteps::new(&lowering, calls, &places, machine.store());
        for call in calls {
            let (by, pkgs) = (call.retriever.label(), call.asked.len());
            (audience.tell)(&Event::Retrieving { by, pkgs });
        }
        let results = Results::new(calls.len());
        let work = Batch {
            steps: &steps,
            results: &results,
            sources: &self.checkout.files,
            history: &History::default(),
            rules: SchedulePolicy::default(),
            cancel: audience.cancel,
            started,
        };
        machine.perform(&work, &mut Unheard);
        let (mut taken, mut errors) = (Vec::new(), Vec::new());
        for (call, ended) in calls.iter().zip(steps.into_ended()) {
            match ended {
                Some(Ok(left)) => match take(call, &left, outline, evaluator) {
                    Ok(locked) => taken.extend(locked),
                    Err(failure) => errors.extend(failure.diagnostics),
                },
                Some(Err(error)) => errors.push(*error),
                // Another call has failed.
                None => {}
            }
        }
        if audience.cancel.is_cancelled() {
            let message = "stopped while packages were retrieved";
            return Err(Diagnostic::error(Class::Interrupted, message).into());
        }
        match errors.is_empty() {
            true => Ok(taken),
            false => Err(Failure { diagnostics: errors }),
        }
    }
}

/// Calls are not steps of a build, so their events are dropped.
struct Unheard;

impl Reporter for Unheard {
    fn event(&mut self, _event: &Event) {}
}
