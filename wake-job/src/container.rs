//! A codespec on its root: the command, its user, its limits.

use std::path::PathBuf;

use wake_codespec::Codespec;
use wake_codespec::expand::{environment, expand, find};
use wake_codespec::quantity::Quantity;
use wake_image::Runtime;
use wake_model::action::{Invocation, User};
use wake_model::{MountAccess, RelPath, Rights, TreeDigest};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::step::{Root, Terms, TreeOrigin};

/// The root of a job or a worker.
#[derive(Debug)]
pub enum TaskRoot {
    /// This machine's system directories.
    Host,
    /// A directory of this machine.
    Dir(PathBuf),
    /// An image.
    Image {
        /// Its files.
        tree: TreeDigest,
        /// Its runtime configuration.
        runtime: Box<Runtime>,
        /// The user and group that it runs as.
        user: (u32, u32),
    },
}

impl TaskRoot {
    /// The work directory of the step, relative to the root.
    pub(crate) fn work(&self) -> RelPath {
        match self {
            TaskRoot::Host => RelPath::parse(wake_exec::WORK_DIR.trim_start_matches('/')),
            TaskRoot::Dir(_) | TaskRoot::Image { .. } => Ok(RelPath::root()),
        }
        .unwrap_or_default()
    }

    /// Returns it as the root of a step.
    pub(crate) fn of_step(&self) -> Root {
        match self {
            TaskRoot::Host => Root::Host,
            TaskRoot::Dir(host) => Root::Mount { host: host.clone(), access: MountAccess::Layered },
            TaskRoot::Image { tree, .. } => Root::Tree { tree: *tree, origin: TreeOrigin::Named },
        }
    }

    fn ids(&self) -> (u32, u32) {
        match self {
            TaskRoot::Image { user, .. } => *user,
            TaskRoot::Host => (wake_exec::BUILDER_UID, wake_exec::BUILDER_GID),
            TaskRoot::Dir(_) => (0, 0),
        }
    }
}

/// A codespec on its root.
#[derive(Clone, Copy)]
pub(crate) struct Container<'a> {
    pub(crate) codespec: &'a Codespec,
    pub(crate) root: &'a TaskRoot,
}

impl Container<'_> {
    /// The user that it runs as, with this host name.
    pub(crate) fn user(&self, hostname: &str) -> User {
        let (uid, gid) = self.root.ids();
        User { uid, gid, hostname: hostname.to_owned(), rights: Rights::Ordinary }
    }

    /// The working directory of the command.
    pub(crate) fn working_dir(&self) -> Result<String, Diagnostic> {
        let usual = match self.root {
            TaskRoot::Host => wake_exec::WORK_DIR,
            TaskRoot::Image { runtime, .. } => runtime.workdir(),
            TaskRoot::Dir(_) => "/",
        };
        let dir = self.codespec.working_dir.as_deref().unwrap_or(usual);
        match dir.starts_with('/') {
            true => Ok(dir.to_owned()),
            false => Err(Diagnostic::error(
                Class::Evaluation,
                format!("the working directory `{dir}` is not an absolute path"),
            )),
        }
    }

    /// The directories, relative to the work directory, that it owns because it starts in them.
    pub(crate) fn own_dirs(&self) -> Result<Vec<RelPath>, Diagnostic> {
        let dir = self.working_dir()?;
        let dir = RelPath::parse(dir.trim_start_matches('/')).ok();
        let dir = dir.and_then(|dir| dir.strip(&self.root.work())).filter(|dir| !dir.is_root());
        Ok(dir.into_iter().collect())
    }

    /// Returns the command, with these variables preceding the codespec's.
    pub(crate) fn invocation(&self, given: &[(String, String)]) -> Result<Invocation, Diagnostic> {
        let declared =
            self.codespec.env.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let declared = environment(given, declared);
        let words = |words: &[String]| -> Vec<String> {
            words.iter().map(|word| expand(word, |name| find(&declared, name))).collect()
        };
        let (command, args) = (words(&self.codespec.command), words(&self.codespec.args));
        let (all, whose) = match (command.is_empty(), self.root) {
            (false, _) => ([command, args].concat(), ""),
            (true, TaskRoot::Image { runtime, .. }) => (runtime.command(&args), "the image"),
            // Arguments alone need the entry point of an image.
            (true, TaskRoot::Host) => (Vec::new(), "`--rootfs host`"),
            (true, TaskRoot::Dir(_)) => (Vec::new(), "a directory as root"),
        };
        let mut all = all.into_iter();
        let Some(program) = all.next() else {
            let message = format!(
                "there is nothing to run: the codespec has no `command`, and {whose} has no entry point"
            );
            return Err(Diagnostic::error(Class::Evaluation, message)
                .help("add `command: [PROGRAM]` to the codespec"));
        };
        let mut env = match self.root {
            TaskRoot::Image { runtime, .. } => runtime.variables(),
            TaskRoot::Host | TaskRoot::Dir(_) => Runtime::default().variables(),
        };
        for (name, value) in wake_exec::DEFAULT_ENV {
            env.entry((*name).to_owned()).or_insert_with(|| (*value).to_owned());
        }
        env.extend(declared);
        let cwd = self.working_dir()?;
        Ok(Invocation { program, args: all.collect(), env, stdin: String::new(), cwd })
    }

    /// The number of GPUs that it requests.
    pub(crate) fn graphics(&self) -> usize {
        let wanted = self.codespec.resources.gpu.map_or(0, |gpu| gpu.rounded_up());
        usize::try_from(wanted).unwrap_or(usize::MAX)
    }

    /// Its limits; 0 counts as unset.
    pub(crate) fn limits(&self) -> Terms {
        let resources = &self.codespec.resources;
        let whole = |amount: Quantity| u64::try_from(amount.rounded_up()).ok();
        let some = |amount: &u64| *amount > 0;
        let thousandths = |amount: Quantity| u64::try_from(amount.milli()).ok();
        let cpus = resources.requests.cpu.or(resources.limits.cpu).and_then(whole);
        Terms {
            cpus: cpus.and_then(|cpus| u32::try_from(cpus).ok()).filter(|&cpus| cpus > 0),
            memory: resources.limits.memory.and_then(whole),
            processors: resources.limits.cpu.and_then(thousandths).filter(some),
            shared_memory: resources.shm.and_then(whole).filter(some),
            live: true,
            ..Terms::default()
        }
    }
}
