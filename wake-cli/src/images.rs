//! Velocity's image specifications on this machine, with the settings of one call.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use wake_build::LockUse;
use wake_image::Images as StoredImages;
use wake_image_build::{Bases, Unlocked};
use wake_steps::diagnostic::{Class, Diagnostic, Level};
use wake_velocity::catalog::Catalog;
use wake_velocity::config::{Added, Config, added};
use wake_velocity::files::{Entry, Files, Kind};
use wake_velocity::plan::{Plan, Surroundings};
use wake_velocity::script::{Backend, Limits};
use wake_velocity::solve::{Solution, SolveError, solve};
use wake_velocity::spec::Setting;

use crate::args::{AddedArgs, ImageArgs};
use crate::clock;
use crate::documents::wrong;
use crate::environment::Environment;
use crate::exit::Stop;
use crate::report::diagnostic::tell;
use crate::settings::Settings;

/// The disk, relative to the current directory.
struct Disk<'a> {
    cwd: &'a Path,
}

impl Files for Disk<'_> {
    fn list(&self, dir: &str) -> io::Result<Option<Vec<Entry>>> {
        let entries = match fs::read_dir(self.cwd.join(dir)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(None),
            entries => entries?,
        };
        let mut listed = Vec::new();
        for entry in entries {
            let entry = entry?;
            let name = entry.file_name().into_string().map_err(|name| {
                let message = format!("the file name `{}` is not UTF-8", name.display());
                io::Error::new(io::ErrorKind::InvalidData, message)
            })?;
            // Links are followed, as when the directory is copied.
            let kind = match fs::metadata(entry.path()) {
                Ok(meta) if meta.is_dir() => Kind::Directory,
                Ok(meta) if meta.is_file() => Kind::File { executable: is_executable(&meta) },
                _ => Kind::Other,
            };
            listed.push(Entry { name, kind });
        }
        listed.sort();
        Ok(Some(listed))
    }

    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        let path = self.cwd.join(path);
        match fs::metadata(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => return Ok(None),
            // Reading a pipe might never end.
            Ok(meta) if !meta.is_file() => return Err(io::Error::other("not a regular file")),
            meta => meta?,
        };
        fs::read(path).map(Some)
    }
}

fn is_executable(meta: &fs::Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt;
    meta.permissions().mode() & 0o100 != 0
}

/// What to build, and from which external base images.
pub(crate) struct Resolved {
    pub(crate) solution: Solution,
    pub(crate) plan: Plan,
    /// Digests, by image name.
    pub(crate) bases: BTreeMap<String, String>,
}

/// How to resolve external base images.
#[derive(Clone, Copy)]
pub(crate) enum Resolve<'i> {
    /// Unlocked images stay unresolved.
    Known,
    /// Unlocked images are an error.
    Locked,
    /// Unlocked images are looked up.
    Now(&'i StoredImages<'i>),
    /// All images are looked up, even locked ones.
    Anew(&'i StoredImages<'i>),
}

impl<'i> Resolve<'i> {
    fn asked(self) -> Unlocked {
        match self {
            Resolve::Known => Unlocked::Unknown,
            Resolve::Locked => Unlocked::Refused,
            Resolve::Now(_) => Unlocked::LookedUp,
            Resolve::Anew(_) => Unlocked::AllLookedUp,
        }
    }

    fn images(self) -> Option<&'i StoredImages<'i>> {
        match self {
            Resolve::Known | Resolve::Locked => None,
            Resolve::Now(images) | Resolve::Anew(images) => Some(images),
        }
    }
}

/// The images of one call.
pub(crate) struct Images<'a> {
    pub(crate) catalog: Catalog,
    /// The directories they were read from.
    pub(crate) roots: Vec<String>,
    config: Config,
    settings: &'a Settings,
    environment: &'a Environment,
}

/// Reads the images selected by a call, and prints warnings about likely mistakes.
pub(crate) fn read<'a>(
    args: &ImageArgs,
    added: Option<&AddedArgs>,
    settings: &'a Settings,
    environment: &'a Environment,
) -> Result<Images<'a>, Stop> {
    let velocity = &environment.velocity;
    let mut config = config(environment)?;
    let roots = roots(args, &config, environment)?;
    let choose = |typed: &Option<String>, set: &Option<String>, said: &Option<String>| {
        typed.clone().or_else(|| set.clone()).or_else(|| said.clone())
    };
    let setting = Setting {
        system: choose(&args.system, &velocity.system, &config.system)
            .unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
        backend: choose(&args.backend, &velocity.backend, &config.backend)
            .unwrap_or_else(|| "apptainer".to_owned()),
        distro: choose(&args.distro, &velocity.distro, &config.distro)
            .unwrap_or_else(|| "ubuntu".to_owned()),
    };
    let disk = Disk { cwd: &settings.cwd };
    let mut catalog =
        Catalog::read(&disk, &roots, &setting).map_err(|error| wrong(error, Level::Error))?;
    for (when, addition) in config.additions.drain(..) {
        catalog.configure(when, addition);
    }
    if let Some(added) = added {
        add(&mut catalog, added)?;
    }
    let warnings = config.warnings.drain(..).chain(catalog.warnings.drain(..));
    warnings.for_each(|warning| tell(&wrong(warning, Level::Warning), settings.manner));
    Ok(Images { catalog, roots, config, settings, environment })
}

/// Returns the user's configuration, if there is one.
fn config(environment: &Environment) -> Result<Config, Diagnostic> {
    let Some(dir) = &environment.velocity.config_dir else { return Ok(Config::default()) };
    let file = dir.join("config.yaml");
    match fs::read(&file) {
        Ok(bytes) => Config::parse(&file.display().to_string(), &bytes)
            .map_err(|error| wrong(error, Level::Error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Config::default()),
        Err(error) => {
            let message = format!("cannot read `{}`: {error}", file.display());
            Err(Diagnostic::error(Class::Environment, message))
        }
    }
}

fn roots(
    args: &ImageArgs,
    config: &Config,
    environment: &Environment,
) -> Result<Vec<String>, Diagnostic> {
    let text = |path: &PathBuf| path.display().to_string();
    if !args.images.is_empty() {
        return Ok(args.images.iter().map(text).collect());
    }
    let said = environment.velocity.image_path.as_ref().or(config.image_path.as_ref());
    if let Some(path) = said {
        return Ok(path.split(':').filter(|dir| !dir.is_empty()).map(str::to_owned).collect());
    }
    match &environment.velocity.config_dir {
        Some(dir) => Ok(vec![text(&dir.join("images"))]),
        None => Err(Diagnostic::error(Class::Usage, "no image directory given")
            .help("use `--images DIR` or set VELOCITY_IMAGE_PATH")),
    }
}

fn add(catalog: &mut Catalog, args: &AddedArgs) -> Result<(), Diagnostic> {
    let kinds = [
        (Added::Argument, &args.arguments, "--argument", "value: TEXT; when: CONDITION"),
        (Added::Variable, &args.variables, "--variable", "name: NAME; value: TEXT"),
    ];
    for (kind, written, flag, form) in kinds {
        for written in written {
            let (when, addition) = added(kind, written).map_err(|wrong| {
                Diagnostic::error(Class::Usage, format!("`{flag} '{written}'`: {wrong}"))
                    .help(format!("write `{flag} '{form}'`"))
            })?;
            catalog.add(when, addition);
        }
    }
    Ok(())
}

impl Images<'_> {
    /// Resolves what to build for targets.
    pub(crate) fn solve(&self, targets: &[String]) -> Result<Solution, Diagnostic> {
        solve(&self.catalog, targets).map_err(unsolved)
    }

    /// Plans how to build it, as far as known locally, and prints warnings about likely mistakes in templates.
    pub(crate) fn plan(
        &self,
        targets: &[String],
        name: Option<&str>,
    ) -> Result<(Solution, Plan), Diagnostic> {
        let resolved = self.resolved(targets, name, self.backend()?, Resolve::Known)?;
        Ok((resolved.solution, resolved.plan))
    }

    /// Returns the selected backend.
    pub(crate) fn backend(&self) -> Result<Backend, Diagnostic> {
        let named = &self.catalog.setting.backend;
        named.parse().map_err(|_| {
            Diagnostic::error(Class::Usage, format!("`{named}` is not an image backend"))
                .help("use apptainer, singularity, docker, podman, buildah or openshift")
        })
    }

    /// Plans how to build it, with the digests of the external base images.
    pub(crate) fn resolved(
        &self,
        targets: &[String],
        name: Option<&str>,
        backend: Backend,
        resolve: Resolve<'_>,
    ) -> Result<Resolved, Diagnostic> {
        let solution = self.solve(targets)?;
        let bases = Bases::read(&self.dir(), resolve.asked())?;
        let plan = self.plan_of(&solution, name, backend, &bases, resolve)?;
        let warnings = plan.warnings.iter().cloned();
        warnings.for_each(|warning| tell(&wrong(warning, Level::Warning), self.settings.manner));
        Ok(Resolved { solution, plan, bases: bases.finish()? })
    }

    /// Resolves the external base images of targets, or of all images, and writes them to the lock.
    pub(crate) fn lock(
        &self,
        targets: &[String],
        resolve: Resolve<'_>,
    ) -> Result<BTreeMap<String, String>, Diagnostic> {
        let bases = Bases::read(&self.dir(), resolve.asked())?;
        let plan = |targets: &[String]| {
            let solution = solve(&self.catalog, targets);
            solution.map(|solution| self.plan_of(&solution, None, Backend::Wake, &bases, resolve))
        };
        if !targets.is_empty() {
            plan(targets).map_err(unsolved)??;
            return bases.finish();
        }
        for image in &self.catalog.images {
            // An image that cannot be built needs no base.
            match plan(&[image.label(self.catalog.generation)]) {
                Ok(planned) => drop(planned?),
                Err(SolveError::Conflict(_)) => {}
                Err(error) => return Err(unsolved(error)),
            }
        }
        bases.finish()
    }

    fn plan_of(
        &self,
        solution: &Solution,
        name: Option<&str>,
        backend: Backend,
        bases: &Bases,
        resolve: Resolve<'_>,
    ) -> Result<Plan, Diagnostic> {
        let velocity = &self.environment.velocity;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let surroundings = Surroundings {
            build_dir: velocity
                .build_dir
                .clone()
                .or_else(|| self.config.build_dir.clone())
                .unwrap_or_else(|| self.default_build_dir()),
            working_dir: self.settings.cwd.display().to_string(),
            name: name.map(str::to_owned),
            threads: (processors * 3 / 4).clamp(1, 16),
            arch: std::env::consts::ARCH.to_owned(),
            timestamp: seconds(),
            limits: self.limits(),
            digest: &|name| bases.digest(name, resolve.images()),
        };
        let disk = Disk { cwd: &self.settings.cwd };
        Plan::new(&self.catalog, &disk, solution, backend, &surroundings)
            .map_err(|error| wrong(error, Level::Error))
    }

    /// Returns the resource limits of cluster builds.
    pub(crate) fn limits(&self) -> Limits {
        let (velocity, else_) = (&self.environment.velocity, Limits::default());
        let limit = |set: &Option<String>, said: &Option<String>, else_: String| {
            set.clone().or_else(|| said.clone()).unwrap_or(else_)
        };
        Limits {
            cpu: limit(&velocity.cpu_limit, &self.config.cpu_limit, else_.cpu),
            memory: limit(&velocity.memory_limit, &self.config.memory_limit, else_.memory),
        }
    }

    /// Returns the image directory that holds the lock and that relative paths are resolved against.
    pub(crate) fn dir(&self) -> PathBuf {
        self.settings.cwd.join(self.roots.first().map_or("", String::as_str))
    }

    /// Returns how to resolve external base images, by the settings.
    pub(crate) fn resolve<'i>(&self, images: &'i StoredImages<'i>) -> Resolve<'i> {
        match self.settings.lock_use {
            LockUse::MayChange => Resolve::Now(images),
            LockUse::AsItIs => Resolve::Locked,
        }
    }

    fn default_build_dir(&self) -> String {
        let temporary = self.environment.temporary.clone().unwrap_or_else(|| "/tmp".into());
        temporary.join("velocity").display().to_string()
    }
}

/// Returns the seconds since 1970, for templates that contain the time.
fn seconds() -> String {
    clock::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().to_string()
}

pub(crate) fn unsolved(error: SolveError) -> Diagnostic {
    let class = match &error {
        SolveError::Document(_) => Class::Evaluation,
        SolveError::NoTarget | SolveError::Malformed { .. } => Class::Usage,
        SolveError::NoImage { .. } | SolveError::NoVersion { .. } => Class::Nothing,
        SolveError::Conflict(_) | SolveError::GivenUp { .. } => Class::Resolution,
    };
    let help = error.help();
    match error {
        SolveError::Document(error) => wrong(error, Level::Error),
        error => {
            let mut diagnostic = Diagnostic::error(class, error.to_string());
            diagnostic.help.extend(help);
            diagnostic
        }
    }
}
