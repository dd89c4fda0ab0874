//! The registries of a workspace: of each namespace the one that has its packages, and no other.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use wake_image::ImageMirrors;
use wake_model::{Name, PkgName};
use wake_registry::{Address, HeadDemand, HeadFault, Registry, RegistryError, Trust};
use wake_steps::clock;
use wake_steps::diagnostic::{Class, Diagnostic, Level};
use wake_steps::error::store_failure;
use wake_store::ware::{ExtractError, Meter, Route, Web};
use wake_store::{ReadArchiveError, StoreError};

use crate::gauge::FetchGauge;
use crate::settings::RegistrySettings;
use crate::workspace::WORKSPACE_FILE;

/// Whether other machines and registries may be asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// They may.
    #[default]
    Everything,
    /// Nothing may, also no directory: `--offline`.
    Nothing,
}

/// Where the files of registries lie as well, by what these are called.
pub type Mirrors = BTreeMap<Name, Vec<Address>>;

/// The registries of a workspace, each opened once.
#[derive(Debug)]
pub(crate) struct Registries {
    settings: RegistrySettings,
    /// Where the files of each lie as well.
    mirrors: Mirrors,
    reach: Reach,
    web: Web,
    opened: Mutex<HashMap<Name, Arc<Registry>>>,
    meter: OnceLock<Arc<Meter>>,
    /// What says how far fetching has come.
    gauge: Arc<FetchGauge>,
    /// A directory registry whose packages each of them has as well.
    stage: Option<PathBuf>,
    /// What was wrong with mirrors of images.
    image_mirrors: Arc<ImageMirrors>,
}

impl Registries {
    /// Those that `settings` name.
    pub(crate) fn new(
        settings: RegistrySettings,
        mirrors: Mirrors,
        reach: Reach,
        route: &Route,
        gauge: Arc<FetchGauge>,
    ) -> Registries {
        let web = Web::new(route.clone());
        let (opened, meter) = (Mutex::default(), OnceLock::new());
        let image_mirrors = Arc::default();
        let stage = None;
        Registries { settings, mirrors, reach, web, opened, meter, gauge, stage, image_mirrors }
    }

    /// The same, where each also has what lies in the directory registry `stage`: what is to be published to it.
    pub(crate) fn with_stage(self, stage: &Path) -> Registries {
        Registries { stage: Some(stage.to_owned()), ..self }
    }

    /// Other machines.
    pub(crate) fn web(&self) -> &Web {
        &self.web
    }

    /// Whether they may be asked.
    pub(crate) fn reach(&self) -> Reach {
        self.reach
    }

    /// What they are called and where they are.
    pub(crate) fn settings(&self) -> &RegistrySettings {
        &self.settings
    }

    /// Whether versions can be chosen.
    pub(crate) fn can_be_asked(&self) -> bool {
        !self.settings.is_empty() && self.reach == Reach::Everything
    }

    /// Has what is fetched be counted, and stopped, by `meter`; of several calls the first one counts.
    pub(crate) fn count_with(&self, meter: &Arc<Meter>) {
        if self.meter.set(meter.clone()).is_ok() {
            self.gauge.count_with(meter);
        }
    }

    /// What counts what is fetched.
    pub(crate) fn meter(&self) -> &Meter {
        self.meter.get_or_init(Arc::default)
    }

    /// What says how far fetching has come.
    pub(crate) fn gauge(&self) -> &FetchGauge {
        &self.gauge
    }

    /// Whether all that is counted has been stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.meter.get().is_some_and(|meter| meter.is_stopped())
    }

    /// The registry that has the packages of a namespace; none if no one is said to.
    pub(crate) fn of(&self, namespace: Option<&Name>) -> Option<Arc<Registry>> {
        let name = self.settings.of(namespace)?;
        let address = self.settings.addresses.get(name)?;
        let mut opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let made = || {
            let mirrors = self.mirrors.get(name).map_or(&[][..], Vec::as_slice);
            let registry = Registry::new(name.clone(), address.clone(), self.web.clone());
            let registry = registry.with_mirrors(mirrors);
            let registry = match self.head_demand(name) {
                Some(demand) => registry.with_head(demand),
                None => registry,
            };
            Arc::new(match &self.stage {
                Some(stage) => registry.with_stage(stage),
                None => registry,
            })
        };
        Some(opened.entry(name.clone()).or_insert_with(made).clone())
    }

    /// How many files are fetched at once at most.
    pub(crate) fn at_once(&self) -> usize {
        self.web.route().at_once()
    }

    /// Where it is noted what is wrong with mirrors of images.
    pub(crate) fn image_mirrors(&self) -> &Arc<ImageMirrors> {
        &self.image_mirrors
    }

    /// What was wrong with mirrors: something else was asked instead.
    pub(crate) fn warnings(&self) -> Vec<Diagnostic> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let mut opened: Vec<_> = opened.values().collect();
        opened.sort_by_key(|registry| registry.name());
        let told = |registry: &Registry, (mirror, problem): (String, String)| {
            let name = registry.name();
            let message = format!("the mirror `{mirror}` of registry `{name}` was passed over");
            Diagnostic { level: Level::Warning, ..Diagnostic::error(Class::Network, message) }
                .note(problem)
                .help("`[mirrors]` in your `config.toml` names it")
        };
        let passed_over = |registry: &&Arc<Registry>| {
            registry
                .passed_over()
                .into_iter()
                .map(|fault| told(registry, fault))
                .collect::<Vec<_>>()
        };
        let of_images = image_mirror_warnings(&self.image_mirrors);
        opened.iter().flat_map(passed_over).chain(of_images).collect()
    }

    /// The registry that a person calls so.
    pub(crate) fn named(&self, name: &str) -> Result<(&Name, &Address), Diagnostic> {
        let addresses = &self.settings.addresses;
        let found = addresses.iter().find(|(called, _)| called.as_str() == name);
        found.ok_or_else(|| no_registry(name, addresses.keys().map(Name::as_str)))
    }

    /// What the head of a registry has to be; none where nobody asks for one.
    pub(crate) fn head_demand(&self, name: &Name) -> Option<HeadDemand> {
        let keys = self.settings.keys.get(name)?.clone();
        Some(HeadDemand { keys, now: clock::unix_ms() / 1000 })
    }

    /// Whose signatures the packages of a namespace must have; none where nothing is demanded.
    pub(crate) fn trust(&self, namespace: Option<&Name>) -> Option<&Trust> {
        self.settings.trust.of(namespace)
    }

    /// Says that nobody is said to have packages of the namespace of `pkg`, and what to write.
    pub(crate) fn none_for(&self, pkg: &PkgName) -> Diagnostic {
        let namespace = pkg.namespace.as_ref().map_or("", Name::as_str);
        let message = match &pkg.namespace {
            Some(namespace) => format!("no registry has the packages of `{namespace}`"),
            None => format!("no registry has packages without a namespace, such as `{pkg}`"),
        };
        let diagnostic =
            Diagnostic::error(Class::Resolution, message).help(self.table_for(namespace));
        let of_one = self.settings.named().flatten().next();
        match of_one.filter(|_| pkg.namespace.is_none()) {
            Some(one) => diagnostic.help(format!(
                "or name the namespace that it is of, as in `{one}/{0}`: `wake.pkgInfo('{0}', …, '{one}')`",
                pkg.name
            )),
            None => diagnostic,
        }
    }

    /// What to write in `wake.toml` so that a namespace has a registry.
    fn table_for(&self, namespace: &str) -> String {
        let key = if namespace.is_empty() { "\"\"" } else { namespace };
        match self.settings.addresses.keys().next() {
            Some(registry) => format!(
                "say in `{WORKSPACE_FILE}` which one does: `[namespaces]` `{key} = \"{registry}\"`"
            ),
            None => format!(
                "say in `{WORKSPACE_FILE}` where {} are: `[registries]` `main = \"ADDRESS\"` and `[namespaces]` `{key} = \"main\"`",
                match namespace {
                    "" => "packages without a namespace".to_owned(),
                    namespace => format!("the packages of `{namespace}`"),
                }
            ),
        }
    }
}

/// What a person is told of what is wrong with a registry.
pub(crate) fn registry_failure(error: RegistryError) -> Diagnostic {
    if let RegistryError::Store(error) = &error {
        return store_failure(error);
    }
    let diagnostic = Diagnostic::error(class_of(&error), error.to_string());
    match error {
        RegistryError::Unavailable { .. } => {
            diagnostic.help("what is in the store is built with `--offline`")
        }
        RegistryError::WentBack { registry, .. } => diagnostic.help(format!(
            "ask who runs it; `wake registry forget {registry}` takes it as it is now"
        )),
        RegistryError::TagGone { registry, .. } => diagnostic.help(format!(
            "ask who runs it; `wake registry forget {registry}` takes it as it is now"
        )),
        RegistryError::Head { registry, fault, keys } => {
            head_failure(diagnostic, &registry, &fault, &keys)
        }
        RegistryError::Unlisted { .. } => {
            diagnostic.note("nothing of it was kept").help("ask who runs the registry")
        }
        RegistryError::Distrusted { keys, .. } => diagnostic
            .note(format!("the keys that count are {keys}"))
            .note("nothing of it was kept")
            .help("ask who publishes it; `[trust]` in `wake.toml` says whose signatures count"),
        RegistryError::NoHeadKey { keys, .. } => diagnostic
            .note(format!("it is signed by {keys}"))
            .help("whoever has that key can write there; `--key FILE` names where it is"),
        RegistryError::Logins { .. } => {
            diagnostic.help("write it anew with the tool that wrote it")
        }
        RegistryError::Altered { .. } | RegistryError::Archive { .. } => {
            diagnostic.note("nothing of it was kept").help("ask who runs the registry")
        }
        RegistryError::OtherContent { there, ours, .. } => diagnostic
            .note(format!("there it is {there}, here {ours}"))
            .help("a version is published once: give this one another number"),
        RegistryError::Resembles { other, .. } => {
            diagnostic.help(format!("call it `{other}`, or something that nobody takes for that"))
        }
        RegistryError::Denied { registry, path, .. } => {
            let diagnostic = diagnostic.help(format!("`wake login {registry}` notes a login"));
            match path.starts_with("oci://") {
                true => diagnostic.help(
                    "those of `skopeo login`, `podman login` and `docker login` are read, too",
                ),
                false => diagnostic,
            }
        }
        RegistryError::OpenLogins { path, .. } => diagnostic.help(format!(
            "`chmod 600 {}`, and new logins if others may have read them",
            path.display()
        )),
        RegistryError::ReadOnly { .. } => diagnostic.help(
            "publish to the directory that lies behind it, `file:DIR`, or to `oci://HOST/PREFIX`",
        ),
        RegistryError::NoRegistry { .. } => diagnostic
            .help("is its address right? `wake.toml` has it under `[registries]`")
            .help("`wake publish` makes one of a directory with nothing in it"),
        _ => diagnostic,
    }
}

/// Says that no registry is called so.
pub(crate) fn no_registry<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Diagnostic {
    let near = wake_model::nearest::nearest(name, names);
    let diagnostic = Diagnostic::error(Class::Usage, format!("no registry is called `{name}`"));
    match near {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("`[registries]` in `wake.toml` says which there are"),
    }
}

/// What can be done about a head that is not believed.
fn head_failure(
    diagnostic: Diagnostic,
    registry: &Name,
    fault: &HeadFault,
    keys: &str,
) -> Diagnostic {
    let diagnostic = match keys {
        "" => diagnostic,
        keys => diagnostic.note(format!("the keys that count are {keys}")),
    };
    match fault {
        HeadFault::Absent | HeadFault::Expired(_) => diagnostic
            .help(format!("whoever has the key signs it: `wake registry sign {registry}`")),
        HeadFault::Clock { .. } => diagnostic.help("set the clock of this machine"),
        HeadFault::WentBack { .. } | HeadFault::Two(_) => diagnostic.help(format!(
            "ask who runs it; `wake registry forget {registry}` takes it as it is now"
        )),
        HeadFault::Later(_) => diagnostic.help("a newer wake can read it"),
        HeadFault::Form | HeadFault::OtherKey(_) | HeadFault::Forged => diagnostic.help(
            "ask who runs it; `keys` of the registry in `wake.toml` says whose signatures count",
        ),
    }
}

fn class_of(error: &RegistryError) -> Class {
    match error {
        RegistryError::Unavailable { .. }
        | RegistryError::NoRegistry { .. }
        | RegistryError::Log { .. } => Class::Network,
        RegistryError::WentBack { .. }
        | RegistryError::TagGone { .. }
        | RegistryError::Altered { .. }
        | RegistryError::Head { .. }
        | RegistryError::Unlisted { .. }
        | RegistryError::Distrusted { .. }
        | RegistryError::OtherContent { .. } => Class::Integrity,
        RegistryError::Archive { source, .. } => match source {
            ReadArchiveError::Extract(ExtractError::Write { .. } | ExtractError::Read { .. })
            | ReadArchiveError::Store(StoreError::Io { .. } | StoreError::DiskFull { .. }) => {
                Class::Environment
            }
            _ => Class::Integrity,
        },
        RegistryError::Resembles { .. } | RegistryError::Pack(_) => Class::Evaluation,
        RegistryError::NoVersion { .. } => Class::Nothing,
        RegistryError::ReadOnly { .. } | RegistryError::NoLogin { .. } => Class::Usage,
        RegistryError::Denied { .. }
        | RegistryError::Logins { .. }
        | RegistryError::OpenLogins { .. }
        | RegistryError::NoHeadKey { .. }
        | RegistryError::Io { .. }
        | RegistryError::Store(_) => Class::Environment,
        RegistryError::Cancelled => Class::Interrupted,
    }
}

/// What a person is told of what was wrong with mirrors of images.
pub fn image_mirror_warnings(mirrors: &ImageMirrors) -> Vec<Diagnostic> {
    let told = |(mirror, problem): (String, String)| {
        let message = format!("the mirror `{mirror}` of images was passed over");
        Diagnostic { level: Level::Warning, ..Diagnostic::error(Class::Network, message) }
            .note(problem)
            .help("`[mirrors]` in your `config.toml` or in `wake.toml` names it")
    };
    mirrors.passed_over().into_iter().map(told).collect()
}
