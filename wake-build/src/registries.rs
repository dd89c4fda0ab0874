//! The registries of a workspace: exactly one for each namespace.

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

/// Whether other machines and registries may be used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reach {
    /// They may.
    #[default]
    Everything,
    /// Nothing may, not even a directory: `--offline`.
    Nothing,
}

/// Mirrors of registries, by registry name.
pub type Mirrors = BTreeMap<Name, Vec<Address>>;

/// The registries of a workspace, each opened once.
#[derive(Debug)]
pub(crate) struct Registries {
    settings: RegistrySettings,
    /// The mirrors of each.
    mirrors: Mirrors,
    reach: Reach,
    web: Web,
    opened: Mutex<HashMap<Name, Arc<Registry>>>,
    meter: OnceLock<Arc<Meter>>,
    /// Reports the progress of fetching.
    gauge: Arc<FetchGauge>,
    /// A directory registry whose packages all of them offer as well.
    stage: Option<PathBuf>,
    /// Collects faults of image mirrors.
    image_mirrors: Arc<ImageMirrors>,
}

impl Registries {
    /// Creates the registries that `settings` name.
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

    /// Adds the packages in the directory registry `stage` to each: those that are about to be published.
    pub(crate) fn with_stage(self, stage: &Path) -> Registries {
        Registries { stage: Some(stage.to_owned()), ..self }
    }

    /// Access to other machines.
    pub(crate) fn web(&self) -> &Web {
        &self.web
    }

    /// Whether they may be used.
    pub(crate) fn reach(&self) -> Reach {
        self.reach
    }

    /// Their names and addresses.
    pub(crate) fn settings(&self) -> &RegistrySettings {
        &self.settings
    }

    /// Returns whether versions can be chosen.
    pub(crate) fn can_be_asked(&self) -> bool {
        !self.settings.is_empty() && self.reach == Reach::Everything
    }

    /// Counts fetches with `meter`, which can also stop them; the first call wins.
    pub(crate) fn count_with(&self, meter: &Arc<Meter>) {
        if self.meter.set(meter.clone()).is_ok() {
            self.gauge.count_with(meter);
        }
    }

    /// The meter that counts fetches.
    pub(crate) fn meter(&self) -> &Meter {
        self.meter.get_or_init(Arc::default)
    }

    /// Reports the progress of fetching.
    pub(crate) fn gauge(&self) -> &FetchGauge {
        &self.gauge
    }

    /// Returns whether fetching has been stopped.
    pub(crate) fn is_stopped(&self) -> bool {
        self.meter.get().is_some_and(|meter| meter.is_stopped())
    }

    /// Returns the registry for a namespace; none if none is configured.
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

    /// Returns how many files are fetched at once at most.
    pub(crate) fn at_once(&self) -> usize {
        self.web.route().at_once()
    }

    /// Collects faults of image mirrors.
    pub(crate) fn image_mirrors(&self) -> &Arc<ImageMirrors> {
        &self.image_mirrors
    }

    /// Returns warnings about faulty mirrors, which were skipped.
    pub(crate) fn warnings(&self) -> Vec<Diagnostic> {
        let opened = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let mut opened: Vec<_> = opened.values().collect();
        opened.sort_by_key(|registry| registry.name());
        let told = |registry: &Registry, (mirror, problem): (String, String)| {
            let name = registry.name();
            let message = format!("mirror `{mirror}` of registry `{name}` was skipped");
            Diagnostic { level: Level::Warning, ..Diagnostic::error(Class::Network, message) }
                .note(problem)
                .help("correct it in `[mirrors]` of your `config.toml`")
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

    /// Returns the registry with this name.
    pub(crate) fn named(&self, name: &str) -> Result<(&Name, &Address), Diagnostic> {
        let addresses = &self.settings.addresses;
        let found = addresses.iter().find(|(called, _)| called.as_str() == name);
        found.ok_or_else(|| no_registry(name, addresses.keys().map(Name::as_str)))
    }

    /// Returns the requirements on the head of a registry; none if no signed head is required.
    pub(crate) fn head_demand(&self, name: &Name) -> Option<HeadDemand> {
        let keys = self.settings.keys.get(name)?.clone();
        Some(HeadDemand { keys, now: clock::unix_ms() / 1000 })
    }

    /// Returns whose signatures the packages of a namespace must have; none if none are required.
    pub(crate) fn trust(&self, namespace: Option<&Name>) -> Option<&Trust> {
        self.settings.trust.of(namespace)
    }

    /// Returns the error that the namespace of `pkg` has no registry, with a remedy.
    pub(crate) fn none_for(&self, pkg: &PkgName) -> Diagnostic {
        let namespace = pkg.namespace.as_ref().map_or("", Name::as_str);
        let message = match &pkg.namespace {
            Some(namespace) => format!("no registry is configured for namespace `{namespace}`"),
            None => format!(
                "no registry is configured for packages without a namespace, such as `{pkg}`"
            ),
        };
        let diagnostic =
            Diagnostic::error(Class::Resolution, message).help(self.table_for(namespace));
        let of_one = self.settings.named().flatten().next();
        match of_one.filter(|_| pkg.namespace.is_none()) {
            Some(one) => diagnostic.help(format!(
                "or give its namespace, as in `{one}/{0}`: `wake.pkgInfo('{0}', …, '{one}')`",
                pkg.name
            )),
            None => diagnostic,
        }
    }

    /// Returns what to write in `wake.toml` so that a namespace has a registry.
    fn table_for(&self, namespace: &str) -> String {
        let key = if namespace.is_empty() { "\"\"" } else { namespace };
        match self.settings.addresses.keys().next() {
            Some(registry) => {
                format!("add one to `{WORKSPACE_FILE}`: `[namespaces]` `{key} = \"{registry}\"`")
            }
            None => format!(
                "configure its registry in `{WORKSPACE_FILE}`: `[registries]` `main = \"ADDRESS\"` and `[namespaces]` `{key} = \"main\"`"
            ),
        }
    }
}

/// Returns the diagnostic for a failure of a registry.
pub(crate) fn registry_failure(error: RegistryError) -> Diagnostic {
    if let RegistryError::Store(error) = &error {
        return store_failure(error);
    }
    let diagnostic = Diagnostic::error(class_of(&error), error.to_string());
    match error {
        RegistryError::Unavailable { .. } => {
            diagnostic.help("use `--offline` to build with what is in the store")
        }
        RegistryError::WentBack { registry, .. } => diagnostic.help(format!(
            "ask the registry's operator; run `wake registry forget {registry}` to accept its current state"
        )),
        RegistryError::TagGone { registry, .. } => diagnostic.help(format!(
            "ask the registry's operator; run `wake registry forget {registry}` to accept its current state"
        )),
        RegistryError::Head { registry, fault, keys } => {
            head_failure(diagnostic, &registry, &fault, &keys)
        }
        RegistryError::Unlisted { .. } => {
            diagnostic.note("nothing was stored").help("ask the registry's operator")
        }
        RegistryError::Distrusted { keys, .. } => diagnostic
            .note(format!("trusted keys: {keys}"))
            .note("nothing was stored")
            .help("ask the package's publisher, or change the trusted keys: `[trust]` in `wake.toml`"),
        RegistryError::NoHeadKey { keys, .. } => {
            diagnostic.note(format!("it is signed by {keys}")).help("use that key: `--key FILE`")
        }
        RegistryError::Logins { .. } => {
            diagnostic.help("recreate the file with the tool that wrote it")
        }
        RegistryError::Altered { .. } | RegistryError::Archive { .. } => {
            diagnostic.note("nothing was stored").help("ask the registry's operator")
        }
        RegistryError::OtherContent { there, ours, .. } => diagnostic
            .note(format!("its content is {there} in the registry and {ours} here"))
            .help("give this version another number: a version can be published only once"),
        RegistryError::Resembles { other, .. } => diagnostic
            .help(format!("call it `{other}`, or choose a name that cannot be mistaken for that")),
        RegistryError::Denied { registry, path, .. } => {
            let diagnostic =
                diagnostic.help(format!("run `wake login {registry}` to store a login"));
            match path.starts_with("oci://") {
                true => diagnostic.help(
                    "or log in with `skopeo login`, `podman login` or `docker login`; wake reads their logins",
                ),
                false => diagnostic,
            }
        }
        RegistryError::OpenLogins { path, .. } => diagnostic.help(format!(
            "run `chmod 600 {}`, and change the passwords if others may have read them",
            path.display()
        )),
        RegistryError::ReadOnly { .. } => diagnostic
            .help("publish to the directory behind it, `file:DIR`, or to `oci://HOST/PREFIX`"),
        RegistryError::NoRegistry { .. } => diagnostic
            .help("check its address in `[registries]` of `wake.toml`")
            .help("run `wake publish` to create one in an empty directory"),
        _ => diagnostic,
    }
}

/// Returns the error that no registry has this name.
pub(crate) fn no_registry<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Diagnostic {
    let near = wake_model::nearest::nearest(name, names);
    let diagnostic = Diagnostic::error(Class::Usage, format!("there is no registry `{name}`"));
    match near {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.help("registries are listed in `[registries]` of `wake.toml`"),
    }
}

/// Adds remedies for a head that is not trusted.
fn head_failure(
    diagnostic: Diagnostic,
    registry: &Name,
    fault: &HeadFault,
    keys: &str,
) -> Diagnostic {
    let diagnostic = match keys {
        "" => diagnostic,
        keys => diagnostic.note(format!("trusted keys: {keys}")),
    };
    match fault {
        HeadFault::Absent | HeadFault::Expired(_) => diagnostic
            .help(format!("have a holder of the key sign it: `wake registry sign {registry}`")),
        HeadFault::Clock { .. } => diagnostic.help("set the clock of this machine"),
        HeadFault::WentBack { .. } | HeadFault::Two(_) => diagnostic.help(format!(
            "ask the registry's operator; run `wake registry forget {registry}` to accept its current state"
        )),
        HeadFault::Later(_) => diagnostic.help("use a newer wake"),
        HeadFault::Form | HeadFault::OtherKey(_) | HeadFault::Forged => diagnostic.help(
            "ask the registry's operator, or change the trusted keys: `keys` of the registry in `wake.toml`",
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

/// Returns warnings about faulty mirrors of images.
pub fn image_mirror_warnings(mirrors: &ImageMirrors) -> Vec<Diagnostic> {
    let told = |(mirror, problem): (String, String)| {
        let message = format!("image mirror `{mirror}` was skipped");
        Diagnostic { level: Level::Warning, ..Diagnostic::error(Class::Network, message) }
            .note(problem)
            .help("correct it in `[mirrors]` of your `config.toml` or of `wake.toml`")
    };
    mirrors.passed_over().into_iter().map(told).collect()
}
