//! Submitting a job to a remote engine that shares the store with this machine.

use std::sync::Arc;

use wake_codespec::Codespec;
use wake_codespec::run::{BufferArgument, RunCodespec, RunDocument};
use wake_image::Images;
use wake_job::image_root::pinned;
use wake_job::jobs::Jobs;
use wake_job::options::{JobOptions, Place, Streams};
use wake_job::order::{JobOrder, leave};
use wake_job::prepare::{MadeOutputs, Plan, Roots, plan};
use wake_job::record::{EngineName, JobRecord, Status};
use wake_job::remembered::is_remembered;
use wake_job::sent::fail_unwritten;
use wake_model::BufferId;
use wake_steps::Cancel;
use wake_steps::clock::unix_ms;
use wake_store::Store;
use wake_store::ware::{Route, Web};

use super::carry_out::{rootless, unprepared};
use super::ready::ReadyJob;
use super::{document, engines, failure, manifest};
use crate::args::JobArgs;
use crate::exit::Stop;
use crate::settings::Settings;

/// What a job is submitted with.
pub(super) struct Sending<'a> {
    pub(super) engine: EngineName,
    pub(super) args: &'a JobArgs,
    pub(super) store: &'a Arc<Store>,
    pub(super) settings: &'a Settings,
    pub(super) cancel: &'a Cancel,
}

impl Sending<'_> {
    /// Plans a run before submission; its buffers are all named or will be created.
    pub(super) fn planned(&self, run: &RunDocument) -> Result<Plan, Stop> {
        let options = document::options(self.args, Streams::Made, self.settings)?;
        plan(run, options, self.store, unix_ms()).map_err(unprepared)
    }

    /// Returns the run if its result is cached, so that no engine has to run it.
    pub(super) fn remembered(
        &self,
        run: &RunDocument,
        streams: Streams,
    ) -> Result<Option<Plan>, Stop> {
        let Sending { engine, args, store, settings, cancel } = self;
        let options = document::options(args, streams, settings)?;
        let options = JobOptions { place: Place::Elsewhere, ..options };
        let found = match engine {
            EngineName::Slurm => Some(self.brought(run, options.clone())?),
            EngineName::Kubernetes => self.kept(run, options.clone())?,
        };
        let Some((found, roots)) = found.filter(|_| !args.rerun) else { return Ok(None) };
        let outputs = found.no_outputs();
        // A cached result does not contain the job's id.
        let task = Arc::new(found.task(0, run, roots, outputs));
        match is_remembered(&task, store, settings.sandbox, cancel)? {
            true => Ok(Some(plan(run, options, store, unix_ms()).map_err(unprepared)?)),
            false => Ok(None),
        }
    }

    /// Plans a run, and pulls its image into the store for the node.
    fn brought(&self, run: &RunDocument, options: JobOptions) -> Result<(Plan, Roots), Stop> {
        let plan = plan(run, options, self.store, unix_ms()).map_err(unprepared)?;
        let roots = plan.roots(self.store, &self.images());
        let roots = roots.map_err(|(_, error)| rootless(error))?;
        Ok((plan, roots))
    }

    /// Plans a run if its image is in the store; otherwise nothing can be cached for it.
    fn kept(&self, run: &RunDocument, options: JobOptions) -> Result<Option<(Plan, Roots)>, Stop> {
        let Sending { store, settings, cancel, .. } = self;
        // What only a cluster can run was never run here.
        let Ok(asked) = plan(run, options.clone(), store, unix_ms()) else { return Ok(None) };
        let mut run = run.clone();
        run.job.codespec = self.pinned(asked.codespec())?;
        if asked.why_forgotten().is_some() {
            return Ok(None);
        }
        let plan = plan(&run, options, store, unix_ms()).map_err(unprepared)?;
        let route = Route { offline: true, ..settings.route.clone() };
        let images = Images::new(store, Web::new(route), cancel.meter());
        Ok(plan.roots(store, &images).ok().map(|roots| (plan, roots)))
    }

    /// Submits a job whose buffers are all named or will be created; returns its record.
    pub(super) fn send(&self, mut run: RunDocument, plan: Plan) -> Result<JobRecord, Stop> {
        let Sending { engine, args, store, settings, .. } = self;
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
            engines::submit(
                *engine,
                &ReadyJob {
                    store,
                    settings,
                    own: &own,
                    record: &record,
                    run: &run,
                    plan: &plan,
                    outputs: &written,
                },
            )
        });
        match submitted {
            Ok(()) => Ok(record),
            Err(stop) => {
                let reason = format!("could not be submitted to {engine}");
                fail_unwritten(store, &written, &reason, unix_ms());
                record.status = Status::Failed;
                record.status_reason = Some(reason);
                record.finished = Some(unix_ms());
                jobs.note(&own, &record).map_err(failure)?;
                Err(stop)
            }
        }
    }

    /// Resolves everything in the run that its executor needs, including the image.
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

    /// Pins the image of a codespec by digest.
    fn pinned(&self, codespec: &Codespec) -> Result<RunCodespec, Stop> {
        let Sending { engine, args, settings, .. } = self;
        let mut codespec = codespec.clone();
        let image = || pinned(&codespec.image, &settings.cwd, &self.images());
        codespec.image = match (engine, &args.rootfs) {
            (EngineName::Slurm, Some(_)) => codespec.image,
            (EngineName::Slurm, None) => image().map_err(rootless)?,
            (EngineName::Kubernetes, _) => {
                manifest::remote(&codespec, settings)?;
                image().map_err(manifest::imageless)?
            }
        };
        Ok(RunCodespec::Inline(Box::new(codespec)))
    }

    fn images(&self) -> Images<'_> {
        Images::new(self.store, Web::new(self.settings.route.clone()), self.cancel.meter())
    }
}
