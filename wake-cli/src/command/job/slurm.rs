//! Jobs that run on a node of Slurm: there this program performs them, with the store that it has in common with this machine.

use std::sync::Arc;

use wake_codespec::Codespec;
use wake_codespec::codespec::Resources;
use wake_codespec::quantity::Quantity;
use wake_codespec::run::{BufferArgument, RunCodespec, RunDocument};
use wake_image::Images;
use wake_job::image_root::pinned;
use wake_job::options::{JobOptions, Place, Streams};
use wake_job::order::{JobOrder, leave};
use wake_job::perform::is_remembered;
use wake_job::prepare::{MadeOutputs, Plan, plan};
use wake_job::record::{EngineName, JobRecord, Jobs, OwnJob, SentJob, Status};
use wake_job::sent::{fail_unwritten, send};
use wake_model::{BufferId, SandboxLevel};
use wake_slurm::{Needs, Site, SlurmError, SlurmId, Submission, ask};
use wake_steps::Cancel;
use wake_steps::clock::unix_ms;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_store::Store;
use wake_store::ware::Web;

use super::carry_out::{rootless, unprepared};
use super::{document, failure};
use crate::args::JobArgs;
use crate::environment;
use crate::exit::Stop;
use crate::session;
use crate::settings::Settings;

/// Memory that the program itself takes beside the command.
const OWN_MEMORY: u64 = 128 << 20;
/// Seconds that the program has to say how the command ended, after the time of that is over.
const OWN_SECONDS: u64 = 60;

/// What a job is sent with.
pub(super) struct Sending<'a> {
    pub(super) args: &'a JobArgs,
    pub(super) store: &'a Arc<Store>,
    pub(super) settings: &'a Settings,
    pub(super) cancel: &'a Cancel,
}

impl Sending<'_> {
    /// What of a run is known before it is sent, all of whose buffers are named or to be made.
    pub(super) fn planned(&self, run: &RunDocument) -> Result<Plan, Stop> {
        let options = document::options(self.args, Streams::Made, self.settings)?;
        plan(run, options, self.store, unix_ms()).map_err(unprepared)
    }

    /// Whether there is nothing to run: then no node is needed. Brings the image, which the node finds in the store.
    pub(super) fn is_remembered(&self, run: &RunDocument, streams: Streams) -> Result<bool, Stop> {
        let Sending { args, store, settings, cancel } = self;
        let options = document::options(args, streams, settings)?;
        let plan = plan(run, options, store, unix_ms()).map_err(unprepared)?;
        let roots = plan.roots(store, &self.images()).map_err(|(_, error)| rootless(error))?;
        if args.rerun {
            return Ok(false);
        }
        let outputs = plan.no_outputs();
        // What is remembered does not know its number.
        let task = Arc::new(plan.task(0, run, roots, outputs));
        Ok(is_remembered(&task, store, settings.sandbox, cancel)?)
    }

    /// Has Slurm run a job, all of whose buffers are named or to be made; what is known of it.
    pub(super) fn send(&self, mut run: RunDocument, plan: Plan) -> Result<JobRecord, Stop> {
        let Sending { args, store, settings, .. } = self;
        let outputs = plan.make_outputs(&run, store, unix_ms()).map_err(unprepared)?;
        let jobs = Jobs::new(store);
        let begun = jobs.begin(|id| plan.record(id, &run, &outputs, unix_ms())).map_err(failure)?;
        let (own, mut record) = begun;
        let ends = outputs.ends.iter();
        let written: Vec<BufferId> = ends.filter_map(|(_, end)| end.buffer.clone()).collect();
        let passing = outputs.passing.clone();
        let submitted = self.settled(&mut run, &plan, outputs).and_then(|()| {
            let options = document::options(args, Streams::Made, settings)?;
            let options = JobOptions { place: Place::Here, ..options };
            let order = JobOrder { options, rerun: args.rerun, passing };
            leave(store, &own, &run, &order).map_err(failure)?;
            self.submit(&own, &record, &run, &plan)
        });
        match submitted {
            Ok(id) => {
                let sent =
                    SentJob { engine: EngineName::Slurm, id: id.to_string(), outputs: written };
                if let Err(error) = send(store, own, &sent) {
                    // Nobody would know of it.
                    let _ = ask::cancel(&id);
                    return Err(failure(error).into());
                }
                Ok(record)
            }
            Err(stop) => {
                let reason = "it could not be submitted to Slurm";
                fail_unwritten(store, &written, reason, unix_ms());
                record.status = Status::Failed;
                record.status_reason = Some(reason.to_owned());
                record.finished = Some(unix_ms());
                jobs.note(&own, &record).map_err(failure)?;
                Err(stop)
            }
        }
    }

    /// Has the run name what the node is to find, image included.
    fn settled(
        &self,
        run: &mut RunDocument,
        plan: &Plan,
        outputs: MadeOutputs,
    ) -> Result<(), Stop> {
        run.job.codespec = self.pinned(plan.codespec())?;
        if let (Some(worker), Some((codespec, _))) = (&mut run.worker, plan.worker()) {
            worker.codespec = self.pinned(codespec)?;
        }
        for (name, end) in outputs.ends {
            if let Some(id) = end.buffer {
                run.set_argument(name.as_str(), BufferArgument::Buffer(id));
            }
        }
        Ok(())
    }

    /// A codespec whose image is the same one everywhere and always.
    fn pinned(&self, codespec: &Codespec) -> Result<RunCodespec, Stop> {
        let mut codespec = codespec.clone();
        if self.args.rootfs.is_none() {
            let image = pinned(&codespec.image, &self.settings.cwd, &self.images());
            codespec.image = image.map_err(rootless)?;
        }
        Ok(RunCodespec::Inline(Box::new(codespec)))
    }

    fn submit(
        &self,
        own: &OwnJob,
        record: &JobRecord,
        run: &RunDocument,
        plan: &Plan,
    ) -> Result<SlurmId, Stop> {
        let Sending { settings, .. } = self;
        let slurm = &settings.slurm;
        let program = slurm.wake.clone().map_or_else(environment::program, Ok)?;
        let mut words = vec![program.into(), "--store".into()];
        words.push(session::store_dir(settings)?.into());
        if settings.route.offline {
            words.push("--offline".into());
        }
        if settings.sandbox == SandboxLevel::Weak {
            words.extend(["--sandbox".into(), "weak".into()]);
        }
        words.extend(["job".into(), "perform".into(), record.id.to_string().into()]);
        let submission = Submission {
            name: format!("wake-{}", record.id),
            words,
            dir: own.dir().to_owned(),
            output: own.engine_log(),
            needs: needs(run, plan),
        };
        let site = Site {
            cluster: run.cluster.clone(),
            partition: run.job.node_pool.clone().or_else(|| slurm.partition.clone()),
            account: slurm.account.clone(),
            arguments: slurm.arguments.clone(),
        };
        ask::submit(&submission, &site).map_err(|error| refusal(error).into())
    }

    fn images(&self) -> Images<'_> {
        Images::new(self.store, Web::new(self.settings.route.clone()), self.cancel.meter())
    }
}

/// Asks for the end of a job that was sent: its process is told, or where there is none, Slurm.
pub(super) fn cancel(store: &Store, id: u64) -> Result<(), Stop> {
    let jobs = Jobs::new(store);
    if jobs.is_held(id) {
        return Ok(());
    }
    let Some(sent) = jobs.sent(id).map_err(failure)? else { return Ok(()) };
    let Ok(id) = sent.id.parse::<SlurmId>() else { return Ok(()) };
    ask::cancel(&id).map_err(|error| {
        let help = "where it begins nevertheless it is ended at once";
        refusal(error).help(help).into()
    })
}

/// What a person is told where Slurm does not do what it was asked for.
fn refusal(error: SlurmError) -> Diagnostic {
    let diagnostic = Diagnostic::error(Class::Environment, error.to_string());
    match error {
        SlurmError::NoProgram(_) => diagnostic.help("this machine is none from which jobs are submitted to Slurm; `--engine here` runs it on this one"),
        SlurmError::Refused { said } if said.contains("nvalid partition") => {
            diagnostic.help("`sinfo` has the partitions; `nodePool` of the run names one, else `partition` below `[slurm]` in `config.toml`")
        }
        SlurmError::Refused { said } if said.contains("nvalid account") => {
            diagnostic.help("`account` below `[slurm]` in `config.toml` names one")
        }
        _ => diagnostic,
    }
}

/// What a run needs of the node that has all of its replicas and workers, with what this program takes itself.
fn needs(run: &RunDocument, plan: &Plan) -> Needs {
    let job = Some((plan.codespec(), run.job.replicas));
    let all = job.into_iter().chain(plan.worker());
    let all = all.map(|(codespec, count)| (&codespec.resources, count));
    let all = all.fold(Needs::default(), |all, (resources, count)| added(all, resources, count));
    Needs {
        memory: all.memory.map(|memory| memory.saturating_add(OWN_MEMORY)),
        seconds: Some(run.timeout.saturating_add(OWN_SECONDS)),
        ..all
    }
}

/// The same with so many that need this.
fn added(all: Needs, resources: &Resources, count: u32) -> Needs {
    let Resources { requests, limits, gpu, shm: _ } = resources;
    let whole = |amount: Option<Quantity>| {
        let amount = amount.map(|amount| amount.rounded_up()).filter(|&amount| amount > 0);
        let amount = amount.map(|amount| u64::try_from(amount).unwrap_or(u64::MAX));
        amount.map(|amount| amount.saturating_mul(count.into()))
    };
    let small = |amount: u64| u32::try_from(amount).unwrap_or(u32::MAX);
    let sum = |one: Option<u64>, other: Option<u64>| match (one, other) {
        (Some(one), Some(other)) => Some(one.saturating_add(other)),
        (one, other) => one.or(other),
    };
    let processors = sum(all.processors.map(u64::from), whole(requests.cpu.or(limits.cpu)));
    let graphics = sum(Some(all.graphics.into()), whole(*gpu));
    Needs {
        processors: processors.map(small),
        memory: sum(all.memory, whole(limits.memory.or(requests.memory))),
        graphics: graphics.map_or(0, small),
        seconds: all.seconds,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use wake_codespec::codespec::Amounts;

    #[test]
    fn a_node_has_what_all_that_run_there_take() {
        let amount = |text: &str| Some(text.parse::<Quantity>().unwrap());
        let requests = Amounts { cpu: amount("1500m"), memory: amount("1Gi") };
        let limits = Amounts { cpu: amount("4"), memory: amount("2Gi") };
        let resources = Resources { requests, limits, gpu: amount("2"), shm: None };
        let one = added(Needs::default(), &resources, 1);
        let memory = Some(2 << 30);
        let expected = Needs { processors: Some(2), memory, graphics: 2, seconds: None };
        assert_eq!(one, expected);
        let worker = Resources { limits, ..Resources::default() };
        let memory = Some(8 << 30);
        let expected = Needs { processors: Some(14), memory, graphics: 2, seconds: None };
        assert_eq!(added(one, &worker, 3), expected);
        assert_eq!(added(Needs::default(), &Resources::default(), 9), Needs::default());
    }
}
