//! `wake job manifest`: the Kubernetes objects of a run.

use std::collections::BTreeMap;
use std::io::Write;

use wake_codespec::Kind;
use wake_codespec::codespec::Codespec;
use wake_codespec::name::BufferName;
use wake_codespec::run::{BufferArgument, RunCodespec, RunDocument};
use wake_image::{ImageReference, Images};
use wake_job::image_root::{RootError, pinned};
use wake_job::resolve::{PrepareError, codespec};
use wake_kubernetes::{KubernetesRun, KubernetesSite, Manifest, ManifestError, Part, RunName};
use wake_model::BufferId;
use wake_steps::Cancel;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::image_failure::image_failure;
use wake_store::Store;
use wake_store::ware::Web;

use super::carry_out::{rootless, unprepared};
use super::document;
use crate::args::JobArgs;
use crate::exit::{Exit, Outcome, Stop};
use crate::session;
use crate::settings::Settings;

/// Prints the objects of a run, with its images resolved to digests.
pub(super) fn print(
    args: &JobArgs,
    name: Option<&RunName>,
    store: &Store,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    let run = document::document(args, settings)?;
    let cancel = session::cancel()?;
    let finding = Finding { run: &run, store, settings, cancel: &cancel };
    let job = finding.part(&run.job.codespec, Kind::Job)?;
    let worker = run.worker.as_ref().map(|worker| finding.part(&worker.codespec, Kind::Worker));
    let worker = worker.transpose()?;
    let buffers = buffers(&run, &job.codespec)?;
    let made = || RunName::of(&job.label, &job.codespec.id().to_string());
    let name = name.cloned().unwrap_or_else(made);
    let worker = worker.as_ref().zip(run.worker.as_ref());
    let said = KubernetesRun {
        name: &name,
        number: None,
        job: part_of(&job, run.job.replicas, run.job.node_pool.as_deref()),
        buffers: &buffers,
        worker: worker
            .map(|(found, said)| part_of(found, said.replicas, said.node_pool.as_deref())),
        timeout: run.timeout,
        tags: &run.tags,
    };
    let manifest = Manifest::new(&said, &site(settings)).map_err(refusal)?;
    write!(out, "{manifest}")?;
    Ok(Exit::SUCCESS)
}

/// A codespec with its image's digest.
struct FoundPart {
    codespec: Codespec,
    label: String,
    image: String,
}

fn part_of<'a>(found: &'a FoundPart, replicas: u32, node_pool: Option<&'a str>) -> Part<'a> {
    let FoundPart { codespec, label, image } = found;
    Part { label, codespec, image, replicas, node_pool }
}

struct Finding<'a> {
    run: &'a RunDocument,
    store: &'a Store,
    settings: &'a Settings,
    cancel: &'a Cancel,
}

impl Finding<'_> {
    fn part(&self, wanted: &RunCodespec, kind: Kind) -> Result<FoundPart, Stop> {
        let found = codespec(self.run, wanted, kind, self.store);
        let (codespec, reference) = found.map_err(unprepared)?;
        remote(&codespec, self.settings)?;
        let web = Web::new(self.settings.route.clone());
        let images = Images::new(self.store, web, self.cancel.meter());
        let image = pinned(&codespec.image, &self.settings.cwd, &images).map_err(imageless)?;
        let label = reference.map_or_else(|| codespec.image.clone(), |name| name.to_string());
        Ok(FoundPart { codespec, label, image })
    }
}

/// Turns an image error into the end of a command. A local directory cannot replace the image in a cluster.
pub(super) fn imageless(error: RootError) -> Stop {
    match error {
        RootError::Image(error) => image_failure(&error).into(),
        refused => rootless(refused),
    }
}

/// Refuses an image that is local to this machine.
pub(super) fn remote(codespec: &Codespec, settings: &Settings) -> Result<(), Stop> {
    let image = &codespec.image;
    let named = ImageReference::parse(image, &settings.cwd);
    let named = named.map_err(|error| Diagnostic::error(Class::Usage, error.to_string()))?;
    if named.is_remote() {
        return Ok(());
    }
    let message = format!("image `{image}` is local to this machine, so a cluster cannot pull it");
    let help = format!("push it with `wake image push {image} HOST/REPOSITORY:TAG`");
    Err(Diagnostic::error(Class::Usage, message).help(help).into())
}

/// Returns the buffers of a run, all of which must be named.
pub(super) fn buffers(
    run: &RunDocument,
    codespec: &Codespec,
) -> Result<BTreeMap<BufferName, BufferId>, Stop> {
    let arguments = run.arguments(codespec);
    let arguments = arguments.map_err(|error| unprepared(PrepareError::Document(error)))?;
    let named = arguments.into_iter().filter_map(|(name, argument)| match argument {
        BufferArgument::Buffer(id) => Some((name, id)),
        BufferArgument::Ephemeral => None,
    });
    Ok(named.collect())
}

/// Returns the user's settings for a cluster.
pub(super) fn site(settings: &Settings) -> KubernetesSite {
    let said = &settings.kubernetes;
    KubernetesSite {
        namespace: said.namespace.clone(),
        image: said.image.clone(),
        claim: said.claim.clone(),
        store: said.store.clone(),
        pool_label: said.pool_label.clone(),
    }
}

/// Turns a manifest error into a diagnostic with help.
pub(super) fn refusal(error: ManifestError) -> Diagnostic {
    let diagnostic = Diagnostic::error(Class::Usage, error.to_string());
    match error {
        ManifestError::NoImage => diagnostic.help("set `image` in `[kubernetes]` of `config.toml`"),
        ManifestError::NoClaim => diagnostic.help("set `claim` in `[kubernetes]` of `config.toml`"),
        ManifestError::NoBuffer(name) => diagnostic.help(format!(
            "create one with `wake buffer create`, and pass it with `--buffer {name}=ID`"
        )),
        ManifestError::WrittenTwice(..) => diagnostic.help("set `replicas: 1`"),
        ManifestError::Sockets => diagnostic.help("use the pipes of buffers instead"),
    }
}
