//! Jobs on Slurm nodes, where this program runs them, with a store shared with this machine.

use std::collections::BTreeMap;

use wake_codespec::codespec::Resources;
use wake_codespec::quantity::Quantity;
use wake_codespec::run::RunDocument;
use wake_job::prepare::Plan;
use wake_job::record::{EngineName, Status};
use wake_model::SandboxLevel;
use wake_slurm::{
    Needs, Site, SlurmEnd, SlurmError, SlurmId, SlurmJob, SlurmState, Submission, Word, ask,
};
use wake_steps::diagnostic::{Class, Diagnostic};

use super::ready::ReadyJob;
use super::said::Said;
use crate::environment;
use crate::exit::Stop;
use crate::session;

/// Memory for the program itself, besides the command's.
const OWN_MEMORY: u64 = 128 << 20;
/// Seconds for the program to record how the command ended, after the command's time limit.
const OWN_SECONDS: u64 = 60;

/// Submits a job to Slurm.
pub(super) fn submit(job: &ReadyJob<'_>) -> Result<(), Stop> {
    let id = submitted(job)?;
    job.keep_sent(EngineName::Slurm, id.to_string(), runs_apart(job)).inspect_err(|_| {
        // Otherwise the job would be unknown to wake.
        let _ = ask::cancel(&id);
    })
}

/// Whether replicas run separately. With workers they cannot: workers are reachable only on the same machine.
fn runs_apart(job: &ReadyJob<'_>) -> bool {
    job.run.job.replicas > 1 && job.plan.worker().is_none()
}

fn submitted(job: &ReadyJob<'_>) -> Result<SlurmId, Stop> {
    let ReadyJob { settings, own, record, run, plan, .. } = job;
    let slurm = &settings.slurm;
    let program = slurm.wake.clone().map_or_else(environment::program, Ok)?;
    let mut words: Vec<Word> = vec![program.into(), "--store".into()];
    words.push(session::store_dir(settings)?.into());
    if settings.route.offline {
        words.push("--offline".into());
    }
    if settings.sandbox == SandboxLevel::Weak {
        words.extend(["--sandbox".into(), "weak".into()]);
    }
    words.extend(["job".into(), "perform".into(), record.id.to_string().into()]);
    words.push(Word::Graphics("--graphics="));
    if runs_apart(job) {
        words.extend(["--replica".into(), Word::Task, "--node".into(), Word::Node]);
    }
    let submission = Submission {
        name: format!("wake-{}", record.id),
        words,
        tasks: runs_apart(job).then_some(run.job.replicas),
        dir: own.dir().to_owned(),
        output: own.engine_log(),
        needs: needs(run, plan, if runs_apart(job) { 1 } else { run.job.replicas }),
    };
    let site = Site {
        cluster: run.cluster.clone(),
        partition: run.job.node_pool.clone().or_else(|| slurm.partition.clone()),
        account: slurm.account.clone(),
        arguments: slurm.arguments.clone(),
    };
    ask::submit(&submission, &site).map_err(|error| refusal(error).into())
}

/// Queries Slurm about a job; `log` returns what wake printed there before it could record anything.
pub(super) fn look(id: &str, log: impl Fn() -> String) -> Said {
    let answer = match id.parse::<SlurmId>() {
        Ok(id) => ask::look(&id),
        Err(_) => Err(SlurmError::Unknown(id.to_owned())),
    };
    match answer {
        Ok(job) => said(&job, log),
        Err(SlurmError::Unknown(_)) => forgotten(),
        Err(error @ SlurmError::Away { .. }) => Said::Silent(error.to_string()),
        Err(error) => Said::Goes(Some(error.to_string())),
    }
}

fn forgotten() -> Said {
    let reason = "Slurm no longer has a record of the job, and its outcome was not recorded";
    Said::Ended(Status::Failed, reason.to_owned())
}

/// Queries Slurm about the separate replicas of a job; `log` returns what wake printed there before it could record anything.
pub(super) fn look_at_replicas(
    id: &str,
    wanted: &[(u32, Status)],
    log: impl Fn(u32) -> String,
) -> BTreeMap<u32, Said> {
    let answer = match id.parse::<SlurmId>() {
        Ok(id) => ask::look_at_tasks(&id),
        Err(_) => Err(SlurmError::Unknown(id.to_owned())),
    };
    let said = |number: u32, status: Status| match &answer {
        Ok(tasks) => match (tasks.get(&number), status) {
            (Some(task), _) => said(task, || log(number)),
            // Slurm keeps no record of pending tasks that were cancelled.
            (None, Status::Pending) => {
                let reason = "removed from the Slurm queue before it started";
                Said::Ended(Status::Canceled, reason.to_owned())
            }
            (None, _) => forgotten(),
        },
        Err(SlurmError::Unknown(_)) => forgotten(),
        Err(error @ SlurmError::Away { .. }) => Said::Silent(error.to_string()),
        Err(error) => Said::Goes(Some(error.to_string())),
    };
    wanted.iter().map(|&(number, status)| (number, said(number, status))).collect()
}

/// Cancels the pending replicas in Slurm.
pub(super) fn let_go(id: &str) -> Result<(), Stop> {
    let Ok(id) = id.parse::<SlurmId>() else { return Ok(()) };
    ask::cancel_waiting(&id).map_err(|error| {
        let help = "if Slurm starts them anyway, wake ends them at once";
        refusal(error).help(help).into()
    })
}

/// Cancels a job in Slurm.
pub(super) fn cancel(id: &str) -> Result<(), Stop> {
    let Ok(id) = id.parse::<SlurmId>() else { return Ok(()) };
    ask::cancel(&id).map_err(|error| {
        let help = "if Slurm starts it anyway, wake ends it at once";
        refusal(error).help(help).into()
    })
}

fn said(job: &SlurmJob, log: impl Fn() -> String) -> Said {
    let SlurmJob { state, node } = job;
    match state {
        SlurmState::Waiting { reason } => {
            let reason = reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
            Said::Goes(Some(format!("waiting in the Slurm queue{reason}")))
        }
        SlurmState::Running => Said::Goes(None),
        SlurmState::Ended(end) => {
            let status = match end.was_cancelled() {
                true => Status::Canceled,
                false => Status::Failed,
            };
            Said::Ended(status, how_it_ended(end, node.as_deref(), &log()))
        }
    }
}

/// Returns how a job ended whose process did not report it.
fn how_it_ended(end: &SlurmEnd, node: Option<&str>, log: &str) -> String {
    let on = node.map_or_else(String::new, |node| format!(" on {node}"));
    if end.had_no_output_file() || end.had_no_directory() {
        let node = node.unwrap_or("the node");
        return format!(
            "{node} cannot access the store: it must be on a file system shared with the nodes"
        );
    }
    // Only wake's early output is available.
    let last = log.lines().rev().map(str::trim).find(|line| line.starts_with("error: "));
    match last {
        Some(last) if end.code != 0 => {
            format!("wake could not run the job{on}: {}", &last["error: ".len()..])
        }
        _ => format!("ended by Slurm{on}: {end}"),
    }
}

/// Turns a Slurm error into a diagnostic with help.
fn refusal(error: SlurmError) -> Diagnostic {
    let diagnostic = Diagnostic::error(Class::Environment, error.to_string());
    match error {
        SlurmError::NoProgram(_) => diagnostic.help("this machine cannot submit jobs to Slurm; use `--engine here` to run the job locally"),
        SlurmError::Refused { said } if said.contains("nvalid partition") => {
            diagnostic.help("run `sinfo` to list the partitions; set `nodePool` of the run, or `partition` in `[slurm]` of `config.toml`")
        }
        SlurmError::Refused { said } if said.contains("nvalid account") => {
            diagnostic.help("set `account` in `[slurm]` of `config.toml`")
        }
        SlurmError::Refused { said } if said.contains("nvalid job array specification") => {
            diagnostic.help("run fewer replicas: each is a task of a job array, and the site limits arrays by `MaxArraySize`")
        }
        _ => diagnostic,
    }
}

/// Returns the resources for that many replicas and all workers on a node, including those of this program.
fn needs(run: &RunDocument, plan: &Plan, replicas: u32) -> Needs {
    let job = Some((plan.codespec(), replicas));
    let all = job.into_iter().chain(plan.worker());
    let all = all.map(|(codespec, count)| (&codespec.resources, count));
    let all = all.fold(Needs::default(), |all, (resources, count)| added(all, resources, count));
    Needs {
        memory: all.memory.map(|memory| memory.saturating_add(OWN_MEMORY)),
        seconds: Some(run.timeout.saturating_add(OWN_SECONDS)),
        ..all
    }
}

/// Adds the resources of `count` more.
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
    fn resources_of_all_processes_on_a_node_are_added() {
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

    fn end(word: &str, code: u8, signal: u8) -> SlurmEnd {
        SlurmEnd { word: word.to_owned(), reason: None, code, signal }
    }

    #[test]
    fn an_end_without_a_result_is_described_from_slurm() {
        let told = |end, log: &str| how_it_ended(&end, Some("n1"), log);
        assert_eq!(told(end("NODE_FAIL", 0, 0), ""), "ended by Slurm on n1: NODE_FAIL");
        assert_eq!(told(end("FAILED", 0, 9), ""), "ended by Slurm on n1: FAILED (signal 9)");
        let nowhere =
            "n1 cannot access the store: it must be on a file system shared with the nodes";
        assert_eq!(told(end("FAILED", 0, 53), ""), nowhere);
        let log = "error: the job `7` was not found\n  help: x\n";
        assert_eq!(
            told(end("FAILED", 4, 0), log),
            "wake could not run the job on n1: the job `7` was not found"
        );
    }
}
