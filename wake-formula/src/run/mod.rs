//! Carrying out a formula: inputs from warehouses, one command in the sandbox, outputs packed.

pub(crate) mod assembly;
mod error;
mod memory;
mod said;
mod task;

pub use error::RunError;
pub use said::Said;

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use rayon::prelude::*;
use wake_exec::{
    Access, CancelToken, Executor, Fidelity, Finished, Identity, Input, Job, Logs, Network, Root,
    Source, TakeOutputs,
};
use wake_model::{OutputDecl, OutputKind, RelPath, SandboxLevel};
use wake_store::Store;
use wake_store::ware::{
    AbsPath, Cached, Meter, Owner, PackError, PackFilters, Policy, Unpack, UnpackFilters,
    WareCache, WareId, Warehouse, pack,
};

use crate::{Dialect, Document, RunRecord};
use assembly::{Assembly, Found, Part};
use task::{Supply, Task, Wanted};

/// Who hears what happens; asked from several threads.
type Tell<'a> = dyn Fn(Said<'_>) + Sync + 'a;

/// What formulas are carried out with.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// Where unpacked wares and records are kept.
    pub store: &'a Store,
    /// Where commands run.
    pub executor: &'a Executor,
    /// The directory that relative addresses and mounts start at.
    pub base: &'a Path,
    /// Whether formulas that ask for the network get it.
    pub network: bool,
    /// Whether a formula runs although it is remembered.
    pub again: bool,
    /// Fires when everything is to stop.
    pub cancel: &'a CancelToken,
    /// Counts what is read of inputs.
    pub meter: &'a Meter,
}

/// A formula that was carried out, now or before.
#[derive(Clone, Debug)]
pub struct Ran {
    /// What came of it, with wake's own remarks.
    pub record: RunRecord,
    /// The spelling of the formula, in which the record is to be printed.
    pub dialect: Dialect,
    /// Whether it was remembered; then it did not run and wrote nothing.
    pub remembered: bool,
}

impl Run<'_> {
    /// Carries out `document`, unless it succeeded before.
    ///
    /// A command that fails gives a record as well; it is not remembered, and neither is one that saw something of the
    /// host. `tell` hears what is being done, and what the command writes, as it is written.
    pub fn run(&self, document: &Document, tell: &Tell<'_>) -> Result<Ran, RunError> {
        let task = Task::of(document, self.base)?;
        if task.network && !self.network {
            return Err(RunError::Network);
        }
        check_places(&task)?;
        let targets = self.targets(&task)?;
        if let Some(policy) = task.policy {
            tell(Said::GrantsNothing(policy));
        }
        if !self.again
            && task.is_hermetic()
            && let Some(record) = self.recall(&task, &targets)
        {
            return Ok(Ran { record, dialect: task.dialect, remembered: true });
        }
        // What nobody could keep is not worth making.
        for (wanted, target) in task.outputs.values().zip(&targets) {
            target.as_ref().map_or(Ok(()), Warehouse::check_writable).map_err(|source| {
                RunError::Output { path: wanted.path.to_string(), source: source.into() }
            })?;
        }
        let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        let mut record = RunRecord::start(&task.id, i64::try_from(time).unwrap_or(i64::MAX));
        let placed = self.supplies(&task, tell)?;
        let scratch = self.store.scratch()?;
        let job = job(&task, &placed, scratch.path())?;
        tell(Said::Running(&task.exec));
        let mut wrote = |stream, bytes: &[u8]| tell(Said::Wrote(stream, bytes));
        let finished = self.executor.run_telling(&job, self.cancel, &mut wrote)?;
        record.exit_code = finished.outcome.exit_code();
        let kept = match &finished.outputs {
            Ok(_) => results(&task, &job.outputs.into, &targets),
            Err(faults) => {
                let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
                Err(RunError::Left { message: lines.join("\n") })
            }
        };
        let fault = kept.map(|results| record.results = results).err();
        if let Some(fault) = &fault {
            record.metadata.insert(memory::FAULTS.to_owned(), fault.to_string());
        }
        let (stdout, stderr) = (finished.stdout.to_bytes(), finished.stderr.to_bytes());
        self.keep(&task, &mut record, &finished, [&stdout, &stderr])?;
        fault.map_or(Ok(Ran { record, dialect: task.dialect, remembered: false }), Err)
    }

    /// The warehouse of each output that is to be saved, in the outputs' order.
    fn targets(&self, task: &Task) -> Result<Vec<Option<Warehouse>>, RunError> {
        let target = |wanted: &Wanted| {
            let parse = |url: &String| {
                Warehouse::parse(url, wanted.packtype, self.base)
                    .map_err(|source| RunError::Address { path: wanted.path.to_string(), source })
            };
            wanted.save.as_ref().map(parse).transpose()
        };
        task.outputs.values().map(target).collect()
    }

    /// Where each input lies on this machine, wares unpacked in parallel.
    fn supplies<'t>(
        &self,
        task: &'t Task,
        tell: &Tell<'_>,
    ) -> Result<Vec<(&'t AbsPath, Placed)>, RunError> {
        let inputs: Vec<(&AbsPath, &Supply)> = task.inputs.iter().collect();
        inputs
            .par_iter()
            .map(|(path, supply)| Ok((*path, self.place(path, supply, tell)?)))
            .collect()
    }

    fn place(&self, path: &AbsPath, supply: &Supply, tell: &Tell<'_>) -> Result<Placed, RunError> {
        match supply {
            Supply::Text(text) => Ok(Placed::Text(text.clone())),
            Supply::Mount(host, access) => match fs::canonicalize(host) {
                Ok(host) => Ok(Placed::Host(host, *access)),
                Err(error) => Err(RunError::assembly(format!(
                    "input `{path}` is a mount of `{}`, which cannot be used: {error}",
                    host.display()
                ))),
            },
            Supply::Ware(ware, urls) => self.unpacked(path, ware, urls, tell),
        }
    }

    fn unpacked(
        &self,
        path: &AbsPath,
        ware: &WareId,
        urls: &[String],
        tell: &Tell<'_>,
    ) -> Result<Placed, RunError> {
        let parse = |url: &String| {
            Warehouse::parse(url, ware.packtype(), self.base)
                .map_err(|source| RunError::Address { path: path.to_string(), source })
        };
        let sources = urls.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        let cache = WareCache::new(&self.store.ware_cache_dir());
        match cache.state(ware) {
            Cached::Untouched => return Ok(Placed::Host(cache.place(ware), Access::Layered)),
            Cached::Altered => tell(Said::Altered(ware)),
            Cached::Absent => {}
        }
        tell(Said::Unpacking(ware));
        let unpack = Unpack {
            ware,
            sources: &sources,
            filters: UnpackFilters::LOSSLESS,
            cache: Some(&cache),
            policy: Policy::WARE,
        };
        let unpacked = unpack
            .into_cache_metered(self.meter)
            .map_err(|source| RunError::Input { path: path.to_string(), source })?;
        Ok(Placed::Host(unpacked.path, Access::Layered))
    }
}

/// An input as it lies on this machine.
enum Placed {
    Host(PathBuf, Access),
    Text(String),
}

/// Directories that the sandbox makes itself, and in which nothing else can stand.
fn is_system(path: &AbsPath) -> bool {
    path.components().next().is_some_and(|top| ["dev", "proc"].contains(&top))
}

/// Inputs and directories where the sandbox has something of its own, and outputs at whose place it does not look.
fn check_places(task: &Task) -> Result<(), RunError> {
    if let Some(path) = task.inputs.keys().find(|path| is_system(path)) {
        return Err(RunError::assembly(format!(
            "input `{path}` cannot stand there: `/dev` and `/proc` are the sandbox's own"
        )));
    }
    let mounts = task.inputs.iter().filter(|(_, supply)| supply.is_host());
    for (mount, _) in mounts {
        let below = |path: &&AbsPath| *path != mount && path.starts_with(mount);
        if let Some(path) = task.inputs.keys().find(below) {
            return Err(RunError::assembly(format!(
                "input `{path}` lies below `{mount}`, which is mounted from the host"
            )));
        }
    }
    if let Some(path) = task.prepared.iter().find(|path| is_system(path)) {
        return Err(RunError::job(format!(
            "`{path}` cannot be made: `/dev` and `/proc` are the sandbox's own"
        )));
    }
    for Wanted { path, .. } in task.outputs.values() {
        if path.as_str() == "/" || is_system(path) {
            return Err(RunError::job(format!(
                "output `{path}` cannot be kept: name a directory that the command makes"
            )));
        }
    }
    Ok(())
}

/// The job for the sandbox, checked against what the inputs hold.
fn job(task: &Task, placed: &[(&AbsPath, Placed)], scratch: &Path) -> Result<Job, RunError> {
    let mut job = Job::module(command(task)?, scratch.join("out"));
    job.root = root(placed, &scratch.join("root"))?;
    job.work = None;
    let mut assembly = Assembly::default();
    for (path, place) in placed {
        check_way(path, &assembly).map_err(RunError::assembly)?;
        let (part, source) = part(place)?;
        assembly.add((*path).clone(), part);
        if let (Some(source), false) = (source, path.as_str() == "/") {
            job.inputs.push(Input { path: relative(path)?, source });
        }
    }
    for path in own_directories(task, placed) {
        check_way(&path, &assembly).map_err(RunError::job)?;
        match assembly.find(path.as_str()) {
            Found::Dir => {}
            Found::Nothing => assembly.add(path.clone(), Part::Dir),
            Found::File | Found::Other => {
                let message = format!("`{path}` is to be a directory, and is none in the inputs");
                return Err(RunError::job(message));
            }
        }
        job.inputs.push(Input { path: relative(&path)?, source: Source::Dir });
    }
    check_command(task, &assembly)?;
    check_owners(task, &assembly)?;
    job.identity = task.identity.clone();
    job.network = if task.network { Network::Host } else { Network::None };
    job.level = SandboxLevel::Strict;
    job.logs = Logs::AtOnce;
    job.outputs.base = RelPath::root();
    job.outputs.take = TakeOutputs::Always;
    job.outputs.fidelity = Fidelity::Attributes;
    for wanted in task.outputs.values() {
        let decl = OutputDecl { path: relative(&wanted.path)?, kind: OutputKind::Any };
        job.outputs.declared.push(decl);
    }
    Ok(job)
}

/// Whether everything above `path` is a directory or can become one; else what is wrong.
fn check_way(path: &AbsPath, assembly: &Assembly) -> Result<(), String> {
    let above = std::iter::successors(path.parent(), AbsPath::parent);
    let blocked =
        |above: &AbsPath| matches!(assembly.find(above.as_str()), Found::File | Found::Other);
    match above.into_iter().find(blocked) {
        Some(above) => Err(format!("`{path}` lies below `{above}`, which is no directory")),
        None => Ok(()),
    }
}

fn command(task: &Task) -> Result<wake_exec::Command, RunError> {
    let (program, args) =
        task.exec.split_first().ok_or_else(|| RunError::job("`exec` names no program"))?;
    if !program.starts_with('/') {
        return Err(RunError::job(format!(
            "`{program}` is no absolute path: a formula's program is not searched for in `PATH`"
        )));
    }
    Ok(wake_exec::Command {
        program: program.clone(),
        args: args.to_vec(),
        env: task.env.iter().map(|(name, value)| (name.clone(), value.clone())).collect(),
        stdin: Vec::new(),
        cwd: task.cwd.to_string(),
    })
}

/// The root directory: what stands at `/`, else an empty directory.
fn root(placed: &[(&AbsPath, Placed)], empty: &Path) -> Result<Root, RunError> {
    match placed.iter().find(|(path, _)| path.as_str() == "/") {
        Some((_, Placed::Host(host, access))) if host.is_dir() => {
            Ok(Root::Dir { host: host.clone(), access: *access })
        }
        Some(_) => Err(RunError::assembly("input `/` is no directory")),
        None => {
            fs::create_dir(empty).map_err(|source| RunError::Output {
                path: "/".to_owned(),
                source: PackError::Read { path: empty.to_owned(), source },
            })?;
            Ok(Root::Dir { host: empty.to_owned(), access: Access::Layered })
        }
    }
}

/// How an input looks before and in the sandbox.
fn part(placed: &Placed) -> Result<(Part, Option<Source>), RunError> {
    Ok(match placed {
        Placed::Text(text) => {
            let source = Source::Bytes { bytes: text.clone().into_bytes(), executable: false };
            (Part::File, Some(source))
        }
        Placed::Host(host, access) => {
            // A single file has no directory in which a layer could stand.
            let access = match access {
                Access::Layered if !host.is_dir() => Access::ReadOnly,
                access => *access,
            };
            (Part::Host(host.clone()), Some(Source::Mount { host: host.clone(), access }))
        }
    })
}

/// The directories that the command is given: those of the cradle, and the top of each ware whose owner it is.
fn own_directories(task: &Task, placed: &[(&AbsPath, Placed)]) -> Vec<AbsPath> {
    let owned = placed.iter().filter_map(|(path, placed)| match placed {
        Placed::Host(host, Access::Layered) => {
            let metadata = fs::symlink_metadata(host).ok()?;
            let its = metadata.is_dir() && metadata.uid() == task.identity.uid;
            its.then(|| (*path).clone())
        }
        _ => None,
    });
    let layered = |path: &AbsPath| {
        let part = placed.iter().rev().find(|(at, _)| path.starts_with(at));
        part.is_none_or(|(_, placed)| matches!(placed, Placed::Host(_, Access::Layered)))
    };
    let prepared = task.prepared.iter().filter(|path| layered(path)).cloned();
    let mut own: Vec<AbsPath> = owned.chain(prepared).collect();
    own.sort();
    own.dedup();
    own
}

fn check_command(task: &Task, assembly: &Assembly) -> Result<(), RunError> {
    if !matches!(assembly.find(task.cwd.as_str()), Found::Dir) {
        return Err(RunError::job(format!("cwd `{}` is no directory in the inputs", task.cwd)));
    }
    let program = task.exec.first().map_or("", String::as_str);
    match assembly.find(program) {
        Found::File => Ok(()),
        Found::Nothing => Err(RunError::job(format!("`{program}` does not exist in the inputs"))),
        Found::Dir | Found::Other => {
            Err(RunError::job(format!("`{program}` is no regular file in the inputs")))
        }
    }
}

/// Outputs that are to keep owners: what the command makes is its own, but who of several owners a part of an input had
/// is not known everywhere.
fn check_owners(task: &Task, assembly: &Assembly) -> Result<(), RunError> {
    let keeps =
        |wanted: &&Wanted| [wanted.filters.uid, wanted.filters.gid].contains(&Some(Owner::Pass));
    match task.outputs.values().filter(keeps).find(|wanted| assembly.brings(&wanted.path)) {
        Some(Wanted { path, .. }) => Err(RunError::job(format!(
            "output `{path}` is to keep its owners, and an input brings some of it: give numbers for `uid` and `gid`"
        ))),
        None => Ok(()),
    }
}

/// The filters of an output, owners that are to be kept as numbers: everything there was made by the command.
fn owned(wanted: &Wanted, command: &Identity) -> PackFilters {
    let number = |owner, own| match owner {
        Some(Owner::Pass) => Some(Owner::Id(own)),
        other => other,
    };
    let PackFilters { uid, gid, .. } = wanted.filters;
    PackFilters { uid: number(uid, command.uid), gid: number(gid, command.gid), ..wanted.filters }
}

/// Packs what was taken; a path that does not exist gives the id of nothing.
fn results(
    task: &Task,
    taken: &Path,
    targets: &[Option<Warehouse>],
) -> Result<std::collections::BTreeMap<String, WareId>, RunError> {
    let outputs: Vec<_> = task.outputs.iter().zip(targets).collect();
    outputs
        .par_iter()
        .map(|((name, wanted), target)| {
            let path = wanted.path.below(taken);
            let filters = owned(wanted, &task.identity);
            let ware = pack(&path, wanted.packtype, filters, target.as_ref())
                .map_err(|source| RunError::Output { path: wanted.path.to_string(), source })?;
            Ok(((*name).clone(), ware))
        })
        .collect()
}

fn relative(path: &AbsPath) -> Result<RelPath, RunError> {
    let text = path.as_str().trim_start_matches('/');
    if text.is_empty() {
        return Ok(RelPath::root());
    }
    text.parse().map_err(|error| RunError::assembly(format!("`{path}`: {error}")))
}

/// The remarks that wake adds to a record.
fn remarks(record: &mut RunRecord, task: &Task, finished: &Finished, logs: [&[u8]; 2]) {
    let usage = &finished.usage;
    let digest = |bytes: &[u8]| wake_model::BlobDigest::of(bytes).to_string();
    let hermetic = if task.is_hermetic() && !task.network { "yes" } else { "no" };
    let remarks = [
        ("wake.wall_us", usage.wall_us.to_string()),
        ("wake.user_us", usage.user_us.to_string()),
        ("wake.sys_us", usage.sys_us.to_string()),
        ("wake.peak_bytes", usage.peak_bytes.to_string()),
        ("wake.sandbox", SandboxLevel::Strict.as_str().to_owned()),
        ("wake.hermetic", hermetic.to_owned()),
        ("wake.stdout", digest(logs[0])),
        ("wake.stderr", digest(logs[1])),
    ];
    record.metadata.extend(remarks.map(|(key, value)| (key.to_owned(), value)));
}
