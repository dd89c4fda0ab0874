//! Whether this machine can perform a run, judging by its documents.

use std::collections::BTreeMap;

use wake_codespec::Codespec;
use wake_codespec::codespec::Role;
use wake_codespec::name::CodespecReference;
use wake_codespec::run::RunDocument;
use wake_steps::diagnostic::{Class, Diagnostic};

use crate::options::{JobOptions, Place, RootChoice};

/// Why a run cannot be performed here.
pub(crate) type Refusal = Box<Diagnostic>;

/// The worker that will serve a job.
#[derive(Debug)]
pub(crate) struct PlannedWorker {
    pub(crate) codespec: Codespec,
    /// The reference of a named codespec, with its version.
    pub(crate) reference: Option<CodespecReference>,
    pub(crate) replicas: u32,
}

pub(crate) fn refused(class: Class, message: impl Into<String>, help: &str) -> Refusal {
    Box::new(Diagnostic::error(class, message).help(help))
}

/// The bounds that a machine sets.
pub(crate) struct Bounds {
    /// The number of replicas of the job that it is to run.
    pub(crate) replicas: u32,
    /// The number of its GPUs, if that is known.
    pub(crate) graphics: Option<usize>,
}

/// Refuses a run that a machine cannot perform; returns warnings about what it ignores.
pub(crate) fn possible(
    run: &RunDocument,
    job: &Codespec,
    worker: Option<&PlannedWorker>,
    (place, bounds): (Place, &Bounds),
) -> Result<Vec<String>, Refusal> {
    let parts = [("job", job, run.job.replicas, bounds.replicas)];
    let workers =
        worker.map(|worker| ("worker", &worker.codespec, worker.replicas, worker.replicas));
    let (mut wanted, mut replicas) = (0_i128, 0_u64);
    for (part, codespec, count, here) in parts.into_iter().chain(workers) {
        if let Some(identity) = &codespec.identity
            && place != Place::Cluster
        {
            let message = format!("identity `{identity}` is not supported");
            return Err(refused(Class::Environment, message, "remove `identity`"));
        }
        if let Some(most) = codespec.max_replicas.filter(|&most| count > most) {
            let message = format!(
                "`{part}.replicas` is {count}, but `maxReplicas` of its codespec is {most}"
            );
            return Err(refused(Class::Usage, message, "lower `replicas` or raise `maxReplicas`"));
        }
        if let Some(gpu) = codespec.resources.gpu {
            if gpu.milli() % 1000 != 0 {
                let message = format!("`resources.gpu` is {gpu}: expected a whole number");
                return Err(refused(
                    Class::Usage,
                    message,
                    "request whole GPUs: a GPU is not shared",
                ));
            }
            wanted += gpu.rounded_up() * i128::from(here);
        }
        replicas += u64::from(here);
    }
    if replicas > MOST_REPLICAS && place != Place::Cluster {
        let message = format!(
            "{replicas} replicas cannot run at once: one machine runs at most {MOST_REPLICAS}"
        );
        return Err(refused(Class::Environment, message, "lower `replicas`"));
    }
    // Another machine checks its own GPUs, and supports what is ignored here.
    let Some(graphics) = bounds.graphics else { return Ok(Vec::new()) };
    if wanted > graphics as i128 {
        let requested = match wanted {
            1 => "1 GPU is requested".to_owned(),
            wanted => format!("{wanted} GPUs are requested"),
        };
        let message = match graphics {
            0 => format!("{requested}, but this machine has none"),
            some => format!("{requested}, but this machine has {some}"),
        };
        let help = "remove `resources.gpu`, or run the job on a machine with enough GPUs";
        return Err(refused(Class::Environment, message, help));
    }
    let mut warnings = Vec::new();
    let worker_pool = run.worker.as_ref().and_then(|worker| worker.node_pool.as_ref());
    for (name, said) in [
        ("cluster", run.cluster.as_ref()),
        ("job.nodePool", run.job.node_pool.as_ref()),
        ("worker.nodePool", worker_pool),
    ] {
        if said.is_some() {
            warnings.push(format!("`{name}` is ignored: the job runs on this machine"));
        }
    }
    Ok(warnings)
}

/// Refuses what the weak sandbox does not support, which only has this machine; returns warnings about what it ignores.
pub(crate) fn in_weak_sandbox(
    options: &JobOptions,
    codespecs: [Option<&Codespec>; 2],
) -> Result<Vec<String>, Refusal> {
    if !matches!(options.root, Some(RootChoice::Host)) {
        let message = "in the weak sandbox a job can only run on this machine's root file system";
        let help = "use `--rootfs host`, or omit `--sandbox weak`";
        return Err(refused(Class::Usage, message, help));
    }
    let has_shm = |codespec: &Codespec| codespec.resources.shm.is_some_and(|shm| shm.milli() > 0);
    let is_passed_over = codespecs.into_iter().flatten().any(has_shm);
    let message = "`resources.shm` is ignored: in the weak sandbox `/dev/shm` is this machine's";
    Ok(is_passed_over.then(|| message.to_owned()).into_iter().collect())
}

/// The maximum number of replicas, of job and worker together, on one machine.
const MOST_REPLICAS: u64 = 250;

/// Refuses processes that share one network and would listen on the same port.
pub(crate) fn ports_differ(
    job: &Codespec,
    replicas: u32,
    worker: Option<&PlannedWorker>,
) -> Result<(), Refusal> {
    let mut ports = BTreeMap::new();
    let sockets = job.sockets().iter().map(|socket| (socket.port, replicas));
    let endpoints = worker.into_iter().flat_map(|worker| match &worker.codespec.role {
        Role::Worker { endpoints } => {
            endpoints.values().map(|port| (*port, worker.replicas)).collect()
        }
        Role::Job { .. } => Vec::new(),
    });
    for (port, count) in sockets.chain(endpoints) {
        *ports.entry(port).or_insert(0_u64) += u64::from(count);
    }
    match ports.into_iter().find(|(_, count)| *count > 1) {
        None => Ok(()),
        Some((port, count)) => {
            let message = format!(
                "{count} processes would listen on port {port} of the machine's network, which they share"
            );
            Err(refused(Class::Usage, message, "omit `--allow-network` and `--sandbox weak`"))
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use wake_codespec::named::Source;
    use wake_codespec::run::RunCodespec;

    #[test]
    fn a_machine_needs_gpus_for_its_own_replicas_only() {
        let text = "job: {codespec: {image: i, command: [a], resources: {gpu: 2}}, replicas: 3}\n";
        let source = Source::Written { file: "run.yml", bytes: text.as_bytes() };
        let run = RunDocument::read(source).unwrap();
        let RunCodespec::Inline(codespec) = &run.job.codespec else { panic!("a name") };
        let is_possible = |replicas: u32, graphics: Option<usize>| {
            let bounds = Bounds { replicas, graphics };
            possible(&run, codespec, None, (Place::Here, &bounds)).is_ok()
        };
        assert!(is_possible(1, Some(2)) && is_possible(3, Some(6)) && is_possible(3, None));
        assert!(!is_possible(1, Some(1)) && !is_possible(3, Some(5)));
    }
}
