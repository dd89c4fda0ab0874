//! Having a cluster run a job.

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

/// Refuses what is said of a job that no cluster can do.
pub(in super::super) fn possible(args: &JobArgs) -> Result<(), Stop> {
    match &args.rootfs {
        None => Ok(()),
        Some(_) => {
            let message =
                "`--rootfs` does not work in a cluster, which has no directories of this machine";
            let help = "leave `--rootfs` out to run the codespec's image";
            Err(Diagnostic::error(Class::Usage, message).help(help).into())
        }
    }
}

/// How a cluster is reached that has this context, where one is said.
pub(super) fn kubectl(settings: &Settings, context: Option<String>) -> Kubectl {
    let said = &settings.kubernetes;
    Kubectl {
        program: said.kubectl.clone().unwrap_or_else(|| "kubectl".into()),
        context: context.or_else(|| said.context.clone()),
        namespace: said.namespace.clone(),
    }
}

/// Whether a job has workers.
pub(super) fn served(record: &JobRecord) -> Served {
    match record.worker {
        Some(_) => Served::ByWorkers,
        None => Served::ByNobody,
    }
}

/// Has a cluster run a job, to which a process of this machine attends from then on.
pub(in super::super) fn submit(job: &ReadyJob<'_>) -> Result<(), Stop> {
    let ReadyJob { settings, own, record, run, .. } = job;
    let kubectl = kubectl(settings, run.cluster.clone()).settled().map_err(refusal)?;
    let name = RunName::numbered(record.id, &distinct()?);
    let manifest = manifest(job, &name)?;
    let cluster = Cluster::new(kubectl, name);
    // Before anything is there, so that nothing can be there of which nobody knows.
    job.keep_sent(EngineName::Kubernetes, cluster.id().to_string(), false)?;
    let made = cluster.create(&manifest).map_err(|error| refusal(error).into());
    let made = made.and_then(|()| detached::start(own, record.id, "attend", settings));
    made.inspect_err(|_| {
        // What cannot be taken away goes by itself, a while after it has ended.
        let _ = cluster.delete(served(record));
    })
}

/// The objects of a job, all of whose buffers and images are known.
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

/// What tells the names of jobs apart whose stores know nothing of each other.
fn distinct() -> Result<String, Stop> {
    let mut bytes = [0; 8];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    match filled {
        // The kernel gives so few at once, or none.
        Ok(8) => Ok(format!("{:016x}", u64::from_le_bytes(bytes))),
        other => {
            let message = format!("cannot get random bytes from the kernel: {other:?}");
            Err(Diagnostic::error(Class::Environment, message).into())
        }
    }
}
