//! Publishing packages of the workspace: exactly what dependents get is built and checked first.

mod secret;
mod verification;
mod signing;

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;
use wake_eval::API_VERSION;
use wake_model::release::check_publishable;
use wake_model::{Manifest, Name, Node, PkgName, PkgSource, RelPath, Release, Requirement};
use wake_registry::{
    Address, Deed, Directory, NamedKey, PackedPkg, Publisher, Registry, Source, Standing, Upload,
    Yank, pack,
};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::error::store_failure;
use wake_steps::event::Event;
use wake_steps::{Cancel, clock};
use wake_store::{Lookup, Scratch, Store, StoredTree};

use self::secret::check_secrets;
pub use self::signing::{Signing, key_failure};
use self::verification::{Verified, verify};
use crate::evaluate::Evaluator;
use crate::file_set::{NamedFiles, bring_together, file_set};
use crate::instance::PkgInstance;
use crate::load::{Loaded, LoadedPkg};
use crate::order::{graph_of, sort};
use crate::pkg_place::PkgPlace;
use crate::published::{file_sum, release};
use crate::registries::{Reach, registry_failure};
use crate::retrieve::Audience;
use crate::session::{Checkout, Session};
use crate::snapshot::Snapshot;
use crate::source_text::find_literal;
use crate::target::TargetPattern;

/// A request to publish.
#[derive(Clone, Debug, Default)]
pub struct PublishRequest {
    /// The packages; none: the one around the current directory.
    pub targets: Vec<TargetPattern>,
    /// The registry, if not the one of their namespace.
    pub registry: Option<String>,
    /// How far to go.
    pub extent: Extent,
    /// Whether to build every module from what dependents get.
    pub verify: bool,
    /// Files that look as if they contain a secret but do not.
    pub allowed: Vec<String>,
    /// Who signs them.
    pub signing: Signing,
    /// The revision of their sources, if known.
    pub source: Option<Source>,
}

/// How far publishing goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Extent {
    /// Only list the files that dependents get.
    List,
    /// Everything except writing.
    Trial,
    /// Everything.
    #[default]
    Whole,
}

/// Progress of publishing, in this order for each package.
#[derive(Clone, Debug, PartialEq)]
pub enum PublishStep {
    /// A package is being checked.
    Checking {
        /// The package, its version and its place.
        pkg: String,
    },
    /// A package's exec is asked to retrieve packages.
    Retrieving {
        /// The label of that package.
        by: String,
        /// How many packages it is asked for.
        pkgs: usize,
    },
    /// What dependents get.
    Files {
        /// Each file and link: links with their targets, programs with a `*`.
        files: Vec<String>,
        /// The total size of the files in bytes.
        size: u64,
    },
    /// One of several packages is being built as dependents get it.
    Trying {
        /// The package and its version.
        pkg: String,
    },
    /// One of its dependencies.
    Needs {
        /// The requirement, and the version found for it.
        need: String,
    },
    /// Its modules were built from what dependents get.
    Verified {
        /// How many.
        modules: usize,
        /// The sandbox level.
        sandbox: String,
        /// How long that took, in milliseconds.
        ms: u64,
    },
    /// The package's digests.
    Content {
        /// The digest of its files.
        content: String,
        /// The size of the archive in bytes.
        archive: u64,
        /// The archive's SHA-256.
        sha256: String,
        /// The key that signs it: its name and id.
        key: Option<String>,
    },
    /// A warning.
    Warning(Box<Diagnostic>),
    /// It has been published, or would be.
    Done {
        /// The package and its version.
        pkg: String,
        /// The registry.
        registry: String,
        /// What happened to it.
        outcome: Published,
    },
}

/// What happened to a package.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Published {
    /// It was published.
    Now,
    /// It had been published before.
    Before,
    /// It had been published before, and got another signature.
    Signed,
    /// It would be published.
    Trial,
}

/// A larger file is probably not meant for dependents, in bytes.
const LARGE: u64 = 1 << 20;

/// A package to publish.
struct Candidate {
    label: String,
    tree: StoredTree,
    release: Release,
    registry: Name,
    address: Address,
}

/// A packed package.
struct Packed {
    candidate: Candidate,
    packed: PackedPkg,
    archive: PathBuf,
    standing: Standing,
    /// Whether it has to be signed.
    is_to_be_signed: bool,
    /// The attestation: a line.
    attestation: Option<String>,
}

impl Session {
    /// Publishes packages, dependencies first. Packages already there with the same content are skipped, so that
    /// a call that was interrupted can be repeated.
    pub fn publish(
        &self,
        request: &PublishRequest,
        cancel: &Cancel,
        say: &mut dyn FnMut(PublishStep),
    ) -> Result<(), Failure> {
        self.registries.count_with(cancel.meter());
        if self.registries.reach() == Reach::Nothing && request.extent == Extent::Whole {
            let message = "publishing queries registries, but `--offline` does not allow it";
            return Err(Diagnostic::error(Class::Usage, message).into());
        }
        let snapshot = Snapshot::newest(&self.state_dir());
        let mut checkout = self.look(snapshot.as_ref());
        let mut candidates = self.candidates(&checkout, request, say);
        if candidates.is_err() && checkout.is_to_be_made_ready() {
            let mut tell = |event: &Event| {
                if let Event::Retrieving { by, pkgs } = event {
                    say(PublishStep::Retrieving { by: by.clone(), pkgs: *pkgs });
                }
            };
            self.make_ready(&checkout, &mut Audience { cancel, tell: &mut tell })?;
            checkout = self.look(snapshot.as_ref());
            candidates = self.candidates(&checkout, request, say);
        }
        let candidates = candidates?;
        if request.extent == Extent::List {
            return Ok(());
        }
        let key = self.signing_key(request, &candidates, say)?;
        let scratch = self.store().scratch().map_err(store_failure)?;
        let mut all = Vec::new();
        for (number, candidate) in candidates.into_iter().enumerate() {
            let archive = scratch.path().join(format!("{number}.tar.zst"));
            let packed = pack(&candidate.tree, &archive).map_err(registry_failure)?;
            let standing = self.standing(&candidate).map_err(registry_failure)?;
            let is_to_be_signed = match (&key, standing) {
                (None, _) => false,
                (Some(_), Standing::New) => true,
                (Some(key), Standing::Published) => !self.has_signed(key, &candidate)?,
            };
            let attestation = None;
            all.push(Packed { candidate, packed, archive, standing, is_to_be_signed, attestation });
        }
        self.try_out(&mut all, request, key.as_ref(), cancel, say)?;
        self.carry_out(&all, request, key.as_ref(), &scratch, say)
    }

    /// Yanks a version, or undoes that.
    pub fn yank(
        &self,
        pkg: &PkgName,
        version: &wake_model::Version,
        yank: Option<Yank>,
    ) -> Result<bool, Failure> {
        let (name, address) = self.registry_of(pkg, None)?;
        let (web, meter) = (self.registries.web(), self.registries.meter());
        let keys = self.head_keys(&name, &address, None)?;
        let publisher =
            Publisher::existing(&address, &name, web, &keys).map_err(registry_failure)?;
        let done = publisher.yank(pkg, version, yank, clock::unix_ms() / 1000, meter);
        Ok(done.map_err(registry_failure)?)
    }

    /// Removes what was recorded about a registry; returns whether there was anything.
    pub fn forget_registry(&self, name: &str) -> Result<bool, Failure> {
        let (_, address) = self.registries.named(name)?;
        Ok(self.store().forget_seen(&address.to_string()).map_err(store_failure)?)
    }

    /// Returns each package with its files and their digest, dependencies first.
    fn candidates(
        &self,
        checkout: &Checkout,
        request: &PublishRequest,
        say: &mut dyn FnMut(PublishStep),
    ) -> Result<Vec<Candidate>, Failure> {
        let evaluator = checkout.evaluator();
        let (dirs, loaded) = checkout.load_named(&evaluator, &request.targets)?;
        let (declared, by_place, instances) = self.machine.threads().install(|| {
            let graph = graph_of(loaded.iter().map(|(place, pkg)| (place, pkg.found.values())));
            let order = sort(&graph).0.into_iter().map(|node| graph[node].clone());
            let is_meant = |place: &PkgPlace| place.dir().is_some_and(|dir| dirs.contains(dir));
            let order: Vec<PkgPlace> = order.filter(is_meant).collect();
            let declared: Vec<Declared> = order
                .iter()
                .filter_map(|place| Some(Declared::of(loaded.get(place)?, &loaded)))
                .collect();
            let places: Vec<PkgPlace> = dirs.iter().cloned().map(PkgPlace::Checkout).collect();
            let (by_place, instances) = checkout.instantiate(&evaluator, loaded, &places)?;
            Ok::<_, Failure>((declared, by_place, instances))
        })?;
        let mut candidates = Vec::new();
        for declared in declared {
            let key = by_place.get(&declared.place);
            let Some(instance) = key.and_then(|key| instances.get(key)) else { continue };
            candidates.push(self.candidate(declared, instance, &evaluator, request, say)?);
        }
        // Digests that cannot be saved are computed again next time.
        let _ = checkout.files.save(&self.files_file());
        let _ = self.store().flush_memo();
        Ok(candidates)
    }

    fn candidate(
        &self,
        declared: Declared,
        instance: &PkgInstance,
        evaluator: &Evaluator,
        request: &PublishRequest,
        say: &mut dyn FnMut(PublishStep),
    ) -> Result<Candidate, Failure> {
        let Declared { place, decl, .. } = &declared;
        let pkg = decl.info.pkg_name();
        let label = format!("{pkg} {}", decl.info.version);
        say(PublishStep::Checking { pkg: format!("{label} ({})", place.label()) });
        let named = NamedFiles {
            place: &instance.place,
            files: &instance.files,
            import_dirs: instance.import_dirs(),
            sources: instance.modules.values().filter_map(|at| at.file().cloned()).collect(),
        };
        let set = file_set(&named, evaluator)?;
        if request.extent != Extent::List {
            declared.check(evaluator)?;
            self.check_needs(&declared, evaluator)?;
        }
        check_secrets(&set, place, evaluator, &request.allowed)?;
        let content = bring_together(self.store(), &set, place, evaluator)?;
        let tree = match self.store().tree(&content).map_err(store_failure)? {
            Lookup::Hit(tree) => tree,
            Lookup::Miss | Lookup::Corrupt(_) => {
                let message = format!("{label}: its files changed while they were read");
                return Err(Diagnostic::error(Class::Environment, message).into());
            }
        };
        let sum = file_sum(content, &tree.manifest);
        say(PublishStep::Files { files: shown(&tree.manifest), size: sum.size });
        for (path, size) in large(&tree.manifest) {
            let message = format!("{label}: `{path}` is {} MiB large", size >> 20);
            let mut warning = Diagnostic::error(Class::Evaluation, message)
                .help("remove it from `files` of the package if dependents do not need it");
            warning.level = wake_steps::diagnostic::Level::Warning;
            say(PublishStep::Warning(Box::new(warning)));
        }
        let metadata = instance.metadata.as_ref().unwrap_or(&decl.metadata);
        let modules = instance.modules.keys().cloned().collect();
        let release = release(decl, modules, metadata, sum, API_VERSION).map_err(|error| {
            let message = format!("`metadata` of {}: {error}", place.label());
            Diagnostic::error(Class::Evaluation, message).help(
                "`description`, `license`, `repository`, `homepage` and `use` are strings, `keywords` is a list of them",
            )
        })?;
        if release.license.is_none() && request.extent != Extent::List {
            let mut warning =
                Diagnostic::error(Class::Evaluation, format!("{label}: no `license` is given"))
                    .help("`metadata={ license: 'MIT' }`");
            warning.level = wake_steps::diagnostic::Level::Warning;
            say(PublishStep::Warning(Box::new(warning)));
        }
        let (registry, address) = match request.extent {
            Extent::List => ("none".parse().map_err(|_| internal())?, Address::Dir(PathBuf::new())),
            Extent::Trial | Extent::Whole => {
                let (registry, address) = self.registry_of(&pkg, request.registry.as_deref())?;
                Publisher::check(&address).map_err(registry_failure)?;
                (registry, address)
            }
        };
        Ok(Candidate { label, tree, release, registry, address })
    }

    /// Returns the standing of a package in its registry, which may not exist yet.
    fn standing(&self, candidate: &Candidate) -> Result<Standing, wake_registry::RegistryError> {
        let Candidate { address, registry, release, .. } = candidate;
        let (web, meter) = (self.registries.web(), self.registries.meter());
        Publisher::standing(address, registry, web, release, meter)
    }

    /// Returns the registry that a package goes to.
    fn registry_of(
        &self,
        pkg: &PkgName,
        named: Option<&str>,
    ) -> Result<(Name, Address), Diagnostic> {
        let settings = self.registries.settings();
        let name = match named {
            Some(named) => self.registries.named(named)?.0,
            None => {
                settings.of(pkg.namespace.as_ref()).ok_or_else(|| self.registries.none_for(pkg))?
            }
        };
        let address = settings.addresses.get(name).ok_or_else(internal)?;
        Ok((name.clone(), address.clone()))
    }

    /// Checks that dependents can get all its dependencies.
    fn check_needs(&self, declared: &Declared, evaluator: &Evaluator) -> Result<(), Diagnostic> {
        for (key, get) in declared.decl.pkgs.iter() {
            let at = || declared.written_at(key, evaluator);
            let request = &get.request;
            match &get.from {
                PkgSource::Global => continue,
                PkgSource::Local(_) | PkgSource::Registry | PkgSource::Retriever(_) => {}
            }
            if request.version == Requirement::ANY {
                let message = format!("package `{key}` is required without a version");
                let help = match declared.versions.get(key) {
                    Some(version) => format!("require the current version:  `'^{version}'`"),
                    None => "give a version requirement, such as `^1.2`".to_owned(),
                };
                return Err(Diagnostic::error(Class::Resolution, message).at(at()).help(help));
            }
            let is_retrieved = matches!(get.from, PkgSource::Retriever(_));
            if !is_retrieved && self.registries.of(request.namespace.as_ref()).is_none() {
                let none = self.registries.none_for(&request.pkg_name());
                return Err(none.at(at()));
            }
        }
        Ok(())
    }

    /// Checks that dependents can build the packages; returns the packed packages.
    fn try_out(
        &self,
        all: &mut [Packed],
        request: &PublishRequest,
        key: Option<&NamedKey>,
        cancel: &Cancel,
        say: &mut dyn FnMut(PublishStep),
    ) -> Result<(), Failure> {
        let is_meant = |packed: &Packed| packed.standing == Standing::New || packed.is_to_be_signed;
        let stage = self.store().scratch().map_err(store_failure)?;
        let uploads: Vec<Upload<'_>> =
            all.iter().filter(|packed| is_meant(packed)).map(Packed::upload).collect();
        if !uploads.is_empty() {
            let name = "stage".parse().map_err(|_| internal())?;
            let directory = Directory::open(stage.path(), &name).map_err(registry_failure)?;
            directory.publish(&uploads, 0).map_err(registry_failure)?;
        }
        let are_several = all.iter().filter(|packed| is_meant(packed)).count() > 1;
        for packed in all.iter_mut().filter(|packed| is_meant(packed)) {
            let Candidate { label, release, .. } = &packed.candidate;
            if are_several {
                say(PublishStep::Trying { pkg: label.clone() });
            }
            let verified = verify(self, release, stage.path(), request.verify, cancel)?;
            let key = key.filter(|_| packed.is_to_be_signed);
            packed.attestation = key.map(|key| self.attest(release, &verified, request, key));
            let Verified { needs, modules, ms, .. } = verified;
            for need in needs {
                say(PublishStep::Needs { need });
            }
            if request.verify {
                let sandbox = self.machine.sandbox().as_ref().to_owned();
                say(PublishStep::Verified { modules, sandbox, ms });
            }
            say(PublishStep::Content {
                content: release.content.to_string(),
                archive: packed.packed.archive.size,
                sha256: packed.packed.archive.sha256.clone(),
                key: key.map(|NamedKey { name, key }| format!("{name} ({})", key.public().id())),
            });
        }
        Ok(())
    }

    /// Writes the packages, and reads them back like any user.
    fn carry_out(
        &self,
        all: &[Packed],
        request: &PublishRequest,
        key: Option<&NamedKey>,
        scratch: &Scratch,
        say: &mut dyn FnMut(PublishStep),
    ) -> Result<(), Failure> {
        let mut by_registry: BTreeMap<&Name, Vec<&Packed>> = BTreeMap::new();
        for packed in all {
            by_registry.entry(&packed.candidate.registry).or_default().push(packed);
        }
        let mut outcomes: BTreeMap<&str, Published> = BTreeMap::new();
        for (name, packed) in &by_registry {
            let [first, ..] = packed.as_slice() else { continue };
            let labels = packed.iter().map(|packed| &*packed.candidate.label);
            if request.extent == Extent::Trial {
                let outcome = |packed: &&&Packed| match packed.standing {
                    Standing::New => Published::Trial,
                    Standing::Published => Published::Before,
                };
                outcomes.extend(labels.zip(packed.iter().map(|packed| outcome(&packed))));
                continue;
            }
            let uploads: Vec<Upload<'_>> = packed.iter().map(|packed| packed.upload()).collect();
            let (web, meter) = (self.registries.web(), self.registries.meter());
            let address = &first.candidate.address;
            let keys = self.head_keys(name, address, key)?;
            let publisher = Publisher::open(address, name, web, &keys).map_err(registry_failure)?;
            let now = clock::unix_ms() / 1000;
            let deeds = publisher.publish(&uploads, now, meter).map_err(registry_failure)?;
            drop(publisher);
            self.read_back(packed, scratch)?;
            let outcome = |deed| match deed {
                Deed::Published => Published::Now,
                Deed::Attested => Published::Signed,
                Deed::Nothing => Published::Before,
            };
            outcomes.extend(labels.zip(deeds.into_iter().map(outcome)));
        }
        for packed in all {
            let pkg = packed.candidate.label.clone();
            let registry = packed.candidate.address.to_string();
            let Some(outcome) = outcomes.get(&*pkg).copied() else { continue };
            say(PublishStep::Done { pkg, registry, outcome });
        }
        Ok(())
    }

    /// Reads what was published, with an empty store.
    fn read_back(&self, all: &[&Packed], scratch: &Scratch) -> Result<(), Failure> {
        let empty = scratch.path().join("read-back");
        let store = Store::open(&empty)
            .map_err(|error| Diagnostic::error(Class::Environment, error.to_string()))?;
        for packed in all {
            let Candidate { release, registry, address, label, .. } = &packed.candidate;
            let (pkg, meter) = (release.pkg_name(), self.registries.meter());
            let web = self.registries.web().clone();
            let reader = Registry::new(registry.clone(), address.clone(), web);
            let reader = match self.registries.head_demand(registry) {
                Some(demand) => reader.with_head(demand),
                None => reader,
            };
            let log = reader.log(&pkg, &store, meter).map_err(registry_failure)?;
            let attestations = reader.attestations(&pkg, &release.version, meter);
            let attestations = attestations.map_err(registry_failure)?;
            let is_signed = packed.attestation.as_ref().is_none_or(|line| {
                String::from_utf8_lossy(&attestations).contains(line.trim_end())
            });
            if log.content(&release.version) != Some(release.content) || !is_signed {
                let message = format!("{label} was written but cannot be found");
                let diagnostic = Diagnostic::error(Class::Network, message);
                return Err(diagnostic.help("run the command again; that is safe").into());
            }
            let ours = |_: &Release| Ok(release.clone());
            reader.compare(&pkg, &release.version, ours, meter).map_err(registry_failure)?;
            let fetched = reader.fetch(&pkg, &release.version, &release.content, &store, meter);
            fetched.map_err(registry_failure)?;
        }
        Ok(())
    }
}

impl Packed {
    fn upload(&self) -> Upload<'_> {
        let Packed { candidate, packed, archive, attestation, .. } = self;
        let attestations = attestation.as_deref().unwrap_or_default();
        Upload { release: &candidate.release, archive, sum: &packed.archive, attestations }
    }
}

/// The declaration of a package, for finding places in its source.
struct Declared {
    place: PkgPlace,
    decl: wake_model::declared::PackageDecl,
    raw_pkgs: BTreeMap<String, Value>,
    reads: Vec<wake_eval::Read>,
    /// The versions of its dependencies in the checkout, by its keys for them.
    versions: BTreeMap<String, String>,
}

impl Declared {
    fn of(pkg: &LoadedPkg, loaded: &Loaded) -> Declared {
        let version = |(key, place): (&String, &PkgPlace)| {
            Some((key.clone(), loaded.get(place)?.decl.info.version.to_string()))
        };
        let raw = |(key, _): (&String, _)| (key.clone(), pkg.declared_pkg(key));
        Declared {
            place: pkg.place.clone(),
            decl: pkg.decl.clone(),
            raw_pkgs: pkg.decl.pkgs.iter().map(raw).collect(),
            reads: pkg.reads.clone(),
            versions: pkg.found.iter().filter_map(version).collect(),
        }
    }

    fn written_at(
        &self,
        key: &str,
        evaluator: &Evaluator,
    ) -> Option<wake_steps::diagnostic::Place> {
        let raw = self.raw_pkgs.get(key)?;
        evaluator.locate(&self.place, &wake_eval::Op::Pkg, raw, &wake_eval::NoAnswers)
    }

    /// Checks that registries accept a package with this name and version.
    fn check(&self, evaluator: &Evaluator) -> Result<(), Diagnostic> {
        check_publishable(&self.decl.info).map_err(|error| {
            let name = self.decl.info.name.as_str();
            let at = find_literal(evaluator.files, &self.place, &self.reads, name);
            Diagnostic::error(Class::Evaluation, error.to_string()).at(at)
        })
    }
}

fn internal() -> Diagnostic {
    Diagnostic::error(Class::Internal, "a valid name was rejected")
}

fn shown(manifest: &Manifest) -> Vec<String> {
    let shown = |(path, node): (&RelPath, &Node)| match node {
        Node::Link { target } => format!("{path} -> {target}"),
        Node::File { executable: true, .. } => format!("{path}*"),
        Node::File { .. } | Node::Dir => path.to_string(),
    };
    manifest.iter().map(shown).collect()
}

fn large(manifest: &Manifest) -> impl Iterator<Item = (&RelPath, u64)> {
    manifest.iter().filter_map(|(path, node)| match node {
        Node::File { size, .. } if *size > LARGE => Some((path, *size)),
        _ => None,
    })
}
