//! Writes a job of the sandbox as a formula, with its inputs packed into a warehouse.
//!
//! The formula requests the environment that the job has: the same working directory, user, host name, variables and home
//! directory, and no cradle that would add to them. `spec/formulas.md`, "Modules as formulas", lists the differences.

mod error;
mod host;
mod packing;
mod staging;
mod made;

pub use error::FromJobError;
pub use made::{OutputWares, made};

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use wake_exec::{Fidelity, Job, JobRoot, Network, Source};
use wake_model::RelPath;
use wake_model::place::WAKE_DIR;
use wake_store::ware::{AbsPath, PackFilters, PackType};

use crate::WrittenPath;
use crate::assembly::{Assembly, Part, Standing};
use crate::repeatr::{Action, Context, Cradle, Document, Formula, Input, Output, UserInfo};
use host::Piece;
use packing::{Packing, WareOwner};
use staging::{Directories, Staging};

/// The directory of a command's standard input, which a formula cannot provide directly.
const STDIN_DIR: &str = "/.wake";

/// Variables that shells set for the programs they run.
const SET_BY_SHELLS: [&str; 3] = ["PWD", "OLDPWD", "SHLVL"];

/// Where the packed inputs of a formula go.
#[derive(Clone, Copy, Debug)]
pub struct Writing<'a> {
    /// A directory, created if necessary; none: ids are computed but nothing is kept.
    pub warehouse: Option<&'a Path>,
    /// An empty directory for temporary files.
    pub scratch: &'a Path,
}

impl Writing<'_> {
    /// Returns the formula that does what `job` does.
    pub fn document(&self, job: &Job) -> Result<Document, FromJobError> {
        if job.network == Network::Host {
            return Err(FromJobError::Network);
        }
        if job.outputs.fidelity == Fidelity::Changes {
            return Err(FromJobError::Layer);
        }
        let packing = Packing::open(self.warehouse)?;
        let mut draft = Draft { job, packing, scratch: self.scratch, inputs: BTreeMap::new() };
        draft.own_files()?;
        draft.root()?;
        let home = draft.staging("home")?.finish(Directories::Closed)?;
        draft.ware(absolute(wake_exec::HOME)?, &home, WareOwner::ByCommand)?;
        let exec = draft.command()?;
        let Draft { packing, inputs, .. } = draft;
        let urls = packing.urls();
        let wares = inputs.iter().filter(|(_, input)| matches!(input, Input::Ware(_)));
        let fetch_urls = wares.map(|(path, _)| (path.clone(), urls.clone())).collect();
        let formula = Formula {
            inputs: Some(inputs),
            action: action(job, exec)?,
            outputs: Some(outputs(job)?),
        };
        Ok(Document { formula, context: Context { fetch_urls, save_urls: BTreeMap::new() } })
    }
}

/// A formula under construction.
struct Draft<'a> {
    job: &'a Job,
    packing: Packing,
    scratch: &'a Path,
    inputs: BTreeMap<WrittenPath, Input>,
}

impl Draft<'_> {
    fn staging(&self, name: &str) -> Result<Staging, FromJobError> {
        Staging::new(self.scratch.join(name))
    }

    /// Packs the tree at `host` as the input at `path`.
    fn ware(&mut self, path: AbsPath, host: &Path, owned: WareOwner) -> Result<(), FromJobError> {
        self.inputs.insert(path.into(), self.packing.ware(host, owned)?);
        Ok(())
    }

    /// Collects the command's own files, and packs each directory that is mounted.
    fn own_files(&mut self) -> Result<(), FromJobError> {
        let work = self.job.work.clone().unwrap_or_default();
        let mut staging = self.staging("work")?;
        for input in &self.job.inputs {
            let Some(below) = input.path.strip(&work) else {
                return Err(FromJobError::Outside(input.path.dotted()));
            };
            match &input.source {
                Source::File { host, blob, executable, .. } => {
                    staging.copy(&below, host, blob, *executable)?;
                }
                Source::Bytes { bytes, executable } => staging.file(&below, bytes, *executable)?,
                Source::Link { target } => staging.link(&below, target)?,
                Source::Dir => staging.dir(&below)?,
                Source::Mount { host, .. } => {
                    self.ware(rooted(&input.path)?, host, WareOwner::ByRoot)?;
                }
            }
        }
        let tree = staging.finish(Directories::OpenBut(WAKE_DIR))?;
        self.ware(rooted(&work)?, &tree, WareOwner::ByCommand)
    }

    fn root(&mut self) -> Result<(), FromJobError> {
        match &self.job.root {
            JobRoot::Empty => Ok(()),
            JobRoot::Dir { host, .. } => self.ware(AbsPath::root(), host, WareOwner::ByRoot),
            JobRoot::Host => {
                let mut staging = self.staging("root")?;
                for (path, piece) in host::pieces(&self.job.identity)? {
                    match piece {
                        Piece::Link(target) => staging.link(&path, &target)?,
                        Piece::File(bytes) => staging.file(&path, &bytes, false)?,
                        Piece::Dir => staging.dir(&path)?,
                        Piece::Mount(mount) => {
                            self.inputs.insert(rooted(&path)?.into(), mount);
                        }
                    }
                }
                // Visible but empty, as for a module.
                staging.dir(&relative("usr/local")?)?;
                // If mounts need a directory that does not exist, it belongs to the command.
                staging.dir(&relative("etc")?)?;
                let tree = staging.finish(Directories::Closed)?;
                self.ware(AbsPath::root(), &tree, WareOwner::ByRoot)
            }
        }
    }

    /// Returns the program with its arguments, run by a shell if there is standard input.
    fn command(&mut self) -> Result<Vec<String>, FromJobError> {
        let command = &self.job.command;
        if command.stdin.is_empty() {
            let program = command.program.trim_start_matches("./");
            let program = match program.starts_with('/') {
                true => program.to_owned(),
                false => format!("{}/{program}", command.cwd.trim_end_matches('/')),
            };
            return Ok(std::iter::once(program).chain(command.args.iter().cloned()).collect());
        }
        if !has_shell(&self.job.root) {
            return Err(FromJobError::NoShell);
        }
        let mut staging = self.staging("stdin")?;
        staging.file(&relative("stdin")?, &command.stdin, false)?;
        let tree = staging.finish(Directories::Closed)?;
        self.ware(absolute(STDIN_DIR)?, &tree, WareOwner::ByRoot)?;
        let script = stdin_script(&command.env);
        let shell = ["/bin/sh", "-c", &script, "sh", &command.program];
        Ok(shell.map(str::to_owned).into_iter().chain(command.args.iter().cloned()).collect())
    }
}

/// Returns a script that runs its arguments with standard input from [`STDIN_DIR`], in the environment that it was given.
fn stdin_script(env: &[(String, String)]) -> String {
    let given = |name: &str| env.iter().any(|(given, _)| given == name);
    let unset: Vec<&str> = SET_BY_SHELLS.into_iter().filter(|name| !given(name)).collect();
    let unset =
        if unset.is_empty() { String::new() } else { format!("unset {}; ", unset.join(" ")) };
    format!("{unset}exec \"$@\" < {STDIN_DIR}/stdin")
}

fn action(job: &Job, exec: Vec<String>) -> Result<Action, FromJobError> {
    let userinfo = UserInfo {
        uid: Some(job.identity.uid),
        gid: Some(job.identity.gid),
        username: None,
        homedir: None,
    };
    Ok(Action {
        exec,
        noop: false,
        policy: None,
        cwd: Some(absolute(&job.command.cwd)?.into()),
        env: job.command.env.iter().cloned().collect(),
        userinfo: Some(userinfo),
        cradle: Cradle::Disable,
        hostname: Some(job.identity.hostname.clone()),
    })
}

fn outputs(job: &Job) -> Result<BTreeMap<WrittenPath, Output>, FromJobError> {
    let output = || Output { packtype: PackType::Tar, filters: PackFilters::UNSET };
    let paths: BTreeSet<RelPath> =
        job.outputs.declared.iter().map(|decl| job.outputs.base.join(&decl.path)).collect();
    paths.iter().map(|path| Ok((rooted(path)?.into(), output()))).collect()
}

/// Returns whether there is a `/bin/sh`, following links inside the root.
fn has_shell(root: &JobRoot) -> bool {
    let mut assembly = Assembly::default();
    match root {
        JobRoot::Host => return Path::new("/bin/sh").is_file(),
        JobRoot::Empty => return false,
        JobRoot::Dir { host, .. } => assembly.add(AbsPath::root(), Part::Host(host.clone())),
    }
    matches!(assembly.find("/bin/sh"), Standing::File)
}

fn rooted(path: &RelPath) -> Result<AbsPath, FromJobError> {
    absolute(&format!("/{}", path.as_str()))
}

fn absolute(path: &str) -> Result<AbsPath, FromJobError> {
    path.parse().map_err(|_| FromJobError::Path(path.to_owned()))
}

fn relative(path: &str) -> Result<RelPath, FromJobError> {
    path.parse().map_err(|_| FromJobError::Path(path.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_leaves_the_environment_as_it_was_given() {
        let env = |names: &[&str]| -> Vec<(String, String)> {
            names.iter().map(|name| ((*name).to_owned(), "x".to_owned())).collect()
        };
        let all = "unset PWD OLDPWD SHLVL; exec \"$@\" < /.wake/stdin";
        assert_eq!(stdin_script(&env(&["HOME"])), all);
        let some = "unset OLDPWD; exec \"$@\" < /.wake/stdin";
        assert_eq!(stdin_script(&env(&["SHLVL", "PWD"])), some);
        let none = "exec \"$@\" < /.wake/stdin";
        assert_eq!(stdin_script(&env(&["PWD", "OLDPWD", "SHLVL"])), none);
    }
}
