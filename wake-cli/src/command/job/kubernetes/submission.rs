//! Submitting a job to a cluster.

use wake_codespec::codespec::Codespec;
use wake_codespec::run::RunCodespec;
use wake_job::record::{EngineName, JobRecord};
use wake_kubernetes::{Cluster, Kubectl, KubernetesRun, Manifest, Part, RunName, Served};
use wake_steps::diagnostic::{Class, Diagnostic};

use super::super::ready::ReadyJob;
use super::super::{detached, manifest};
use super::refusal::refusal;
use crate::args::JobArgs;
use crate::exit::Stop;
use crate::settings::Settings;

/// Refuses flags that no cluster supports.
pub(in super::super) fn possible(args: &JobArgs) -> Result<(), Stop> {
    match &args.rootfs {
        None => Ok(()),
        Some(_) => {
            let message =
                "`--rootfs` does not work in a cluster, which has no directories of this machine";
            let help = "omit `--rootfs` to run the codespec's image";
            Err(Diagnostic::error(Class::Usage, message).help(help).into())
        }
    }
}

/// Returns the `kubectl` for a context, or for the default one.
pub(super) fn kubectl(settings: &Settings, context: Option<String>) -> Kubectl {
    let said = &settings.kubernetes;
    Kubectl {
        program: said.kubectl.clone().unwrap_or_else(|| "kubectl".into()),
        context: context.or_else(|| said.context.clone()),
        namespace: said.namespace.clone(),
    }
}

/// Returns whether a job has workers.
pub(super) fn served(record: &JobRecord) -> Served {
    match record.worker {
        Some(_) => Served::ByWorkers,
        None => Served::ByNobody,
    }
}

/// Submits a job to a cluster, and starts a local process that attends to it.
pub(in super::super) fn submit(job: &ReadyJob<'_>) -> Result<(), Stop> {
    let ReadyJob { settings, own, record, run, .. } = job;
    let kubectl = kubectl(settings, run.cluster.clone()).settled().map_err(refusal)?;
    let name = RunName::numbered(record.id, &distinct()?);
    let manifest = manifest(job, &name)?;
    let cluster = Cluster::new(kubectl, name);
    // Recorded before the objects are created, so that no unknown objects can exist.
    job.keep_sent(EngineName::Kubernetes, cluster.id().to_string(), false)?;
    let made = cluster.create(&manifest).map_err(|error| refusal(error).into());
    let made = made.and_then(|()| detached::start(own, record.id, "attend", settings));
    made.inspect_err(|_| {
        // Objects that cannot be deleted are removed by the cluster some time after the job ends.
        let _ = cluster.delete(served(record));
    })
}

/// Makes the objects of a job whose buffers and images are all known.
fn manifest(job: &ReadyJob<'_>, name: &RunName) -> Result<Manifest, Stop> {
    let ReadyJob { settings, record, run, plan, .. } = job;
    let buffers = manifest::buffers(run, plan.codespec())?;
    let image = |codespec: &Codespec, settled: &RunCodespec| -> Result<String, Stop> {
        manifest::remote(codespec, settings)?;
        match settled {
            RunCodespec::Inline(settled) => Ok(settled.image.clone()),
            RunCodespec::Named(_) => Ok(codespec.image.clone()),
        }
    };
    let job_image = image(plan.codespec(), &run.job.codespec)?;
    let worker = match (plan.worker(), &run.worker, &record.worker) {
        (Some((codespec, replicas)), Some(said), Some(record)) => {
            let image = image(codespec, &said.codespec)?;
            Some((codespec, replicas, said.node_pool.as_deref(), record.codespec.as_str(), image))
        }
        _ => None,
    };
    let said = KubernetesRun {
        name,
        number: Some(record.id),
        job: Part {
            label: &record.codespec,
            codespec: plan.codespec(),
            image: &job_image,
            replicas: record.replicas,
            node_pool: run.job.node_pool.as_deref(),
        },
        buffers: &buffers,
        worker: worker.as_ref().map(|(codespec, replicas, node_pool, label, image)| Part {
            label,
            codespec,
            image,
            replicas: *replicas,
            node_pool: *node_pool,
        }),
        timeout: run.timeout,
        tags: &run.tags,
    };
    let made = Manifest::new(&said, &manifest::site(settings));
    made.map_err(|error| manifest::refusal(error).into())
}

/// Returns a random suffix that distinguishes job names from different stores.
fn distinct() -> Result<String, Stop> {
    let mut bytes = [0; 8];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    match filled {
        // The kernel returns so few bytes at once, or none.
        Ok(8) => Ok(format!("{:016x}", u64::from_le_bytes(bytes))),
        other => {
            let message = format!("cannot get random bytes from the kernel: {other:?}");
            Err(Diagnostic::error(Class::Environment, message).into())
        }
    }
}
