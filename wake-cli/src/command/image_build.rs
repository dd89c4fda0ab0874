//! `wake image build` and `wake image lock`: images of Velocity's specifications, built in steps.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use wake_image::{ImageReference, Images as StoredImages};
use wake_image_build::{BuiltImage, Engine, Grants, ImageBuilds, LAYOUT, Product, Roots, Site};
use wake_model::SandboxLevel;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::image_failure::image_failure;
use wake_steps::profile::Profile;
use wake_steps::{Cancel, Machine, Results, SchedulePolicy, Steps as _};
use wake_store::ware::Web;
use wake_velocity::plan::Plan;
use wake_velocity::script::Backend;

use crate::args::{BuildImageArgs, MessageFormat, ReachArgs};
use crate::command::attached_image::own_sbom;
use crate::command::image_engine::{clear, engine};
use crate::environment::Environment;
use crate::exit::{Exit, Outcome, Stop};
use crate::images::{Images, Resolve, Resolved};
use crate::manner::Verbosity;
use crate::outside::Outside;
use crate::report::{self, diagnostic::tell, witness::Witness};
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;
use crate::{print, session, signals};

/// Builds the images of targets, and prints the names of those requested.
pub(crate) fn build(
    args: &BuildImageArgs,
    images: &Images<'_>,
    settings: &Settings,
    environment: &Environment,
    out: &mut impl Write,
) -> Outcome {
    let name = args.name.as_deref();
    let target = args.output.as_deref().map(|output| parse(output, settings)).transpose()?;
    let backend = backend(args)?;
    // This check comes before anything is fetched or run.
    let engine = engine(backend, &args.engine_flag, environment)?;
    if let (Some(engine), Some(target)) = (&engine, &target)
        && !is_image(engine.product())
    {
        let message = format!(
            "cannot export to `{target}`: {backend} does not produce an image that wake can read"
        );
        let error = Diagnostic::error(Class::Usage, message);
        return Err(error.help("name the image with `-n NAME`").into());
    }
    let machine = match &engine {
        None => session::machine(settings, Profile::default())?,
        // Another tool has its own sandbox and cannot work inside wake's.
        Some(_) => {
            let mut settings = settings.clone();
            settings.sandbox = SandboxLevel::Weak;
            session::machine(&settings, Profile::default())?
        }
    };
    let cancel = session::cancel()?;
    let kept = stored(&machine, &cancel);
    let resolve = images.resolve(&kept);
    let resolved = images.resolved(&args.targets, name, backend, resolve)?;
    let site = site(&resolved, args.reach, images, &machine, settings);
    let builds = ImageBuilds::new(&site, engine.as_ref()).map_err(|error| *error)?;
    builds.warnings.iter().for_each(|warning| tell(warning, settings.manner));
    let rules = SchedulePolicy {
        keep_going: args.keep_going,
        rebuild: args.rebuild,
        ..SchedulePolicy::default()
    };
    let mut witness = Witness::new(report::reporter(settings));
    let results = Results::new(builds.order().len());
    let outside =
        Outside { machine: &machine, settings, rules, tells_host: false, cancel: &cancel };
    let end = outside.perform(&builds, &results, &mut witness);
    if let Some(engine) = engine.as_ref().filter(|_| cancel.is_cancelled()) {
        clear(engine);
    }
    let exit = witness.exit_code(signals::exit_code(end.exit));
    let (built, failed) = builds.into_results();
    failed.iter().for_each(|failed| tell(&failed.diagnostic, settings.manner));
    let product = engine.as_ref().map_or(Product::Layout, Engine::product);
    let kept = keep(&built, product, &resolved.plan, &machine, &cancel);
    // Only fetched files are lost if this fails; they are fetched again.
    let _ = machine.store().flush_memo();
    let names = kept?;
    if exit == 0
        && let (Some(target), Some(last)) = (target, built.last())
    {
        send(last, &target, args.no_sbom, &machine, &cancel, settings)?;
    }
    // The events contain everything, and nothing else may appear between them.
    if settings.format != MessageFormat::Json {
        print::lines(names.iter().map(|name| escape::line(name)), out)?;
    }
    Ok(Exit(exit))
}

/// Returns the backend to build the images with.
pub(super) fn backend(args: &BuildImageArgs) -> Result<Backend, Diagnostic> {
    let Some(engine) = &args.engine else { return Ok(Backend::Wake) };
    engine.parse().map_err(|_| {
        let message = format!("`{engine}` is not an image engine");
        Diagnostic::error(Class::Usage, message)
            .help("omit `--engine` to build the images with wake")
    })
}

/// Collects what steps are made with.
pub(super) fn site<'s>(
    resolved: &'s Resolved,
    reach: ReachArgs,
    images: &Images<'_>,
    machine: &'s Machine,
    settings: &Settings,
) -> Site<'s> {
    Site {
        plan: &resolved.plan,
        store: machine.store(),
        bases: resolved.bases.clone(),
        dir: images.dir(),
        cwd: settings.cwd.clone(),
        grants: Grants { network: reach.allow_network },
        limits: images.limits(),
        roots: Roots::default(),
    }
}

fn parse(output: &str, settings: &Settings) -> Result<ImageReference, Diagnostic> {
    ImageReference::parse(output, &settings.cwd)
        .map_err(|error| Diagnostic::error(Class::Usage, error.to_string()))
}

/// Stores the built images under their names; returns the names with digests.
fn keep(
    built: &[BuiltImage],
    product: Product,
    plan: &Plan,
    machine: &Machine,
    cancel: &Cancel,
) -> Result<Vec<String>, Stop> {
    let images = stored(machine, cancel);
    let mut names = Vec::new();
    for image in built {
        let build = &plan.builds[image.number];
        let is_last = image.number + 1 == plan.builds.len();
        let name = match is_last {
            true => plan.name.clone(),
            false => format!("localhost/{}:{}", build.image.name, build.image.version),
        };
        match product {
            Product::Layout | Product::Archive => {
                images
                    .keep_as(&name, &image.tree, LAYOUT)
                    .map_err(|error| image_failure(&error))?;
            }
            // Put the file where the tool would have put it.
            Product::File if is_last => copied(&image.layout, &name)?,
            Product::File | Product::Reference => {}
        }
        names.push(format!("{name}@{}", image.digest));
    }
    Ok(names)
}

/// Whether wake can read a tool's product as an image.
fn is_image(product: Product) -> bool {
    matches!(product, Product::Layout | Product::Archive)
}

fn copied(file: &Path, name: &str) -> Result<(), Diagnostic> {
    let new = format!("{name}.new");
    let done = fs::copy(file, &new).and_then(|_| {
        // The store's copy is not writable.
        fs::set_permissions(&new, PermissionsExt::from_mode(0o755))?;
        fs::rename(&new, name)
    });
    done.map_err(|error| Diagnostic::error(Class::Environment, format!("`{name}`: {error}")))
}

/// Pushes an image to a registry with its SBOM, like `push`, or writes it without one.
fn send(
    image: &BuiltImage,
    target: &ImageReference,
    no_sbom: bool,
    machine: &Machine,
    cancel: &Cancel,
    settings: &Settings,
) -> Result<(), Stop> {
    let images = stored(machine, cancel);
    let place = image.layout.display().to_string();
    let reference = ImageReference::of_file(&image.layout, &place);
    let image = images.get(&reference, &image.digest, &wake_image::Platform::here());
    let image = image.map_err(|error| image_failure(&error))?;
    let sbom = match target.is_remote() && !no_sbom {
        true => Some(own_sbom(&images, &image, settings)?),
        false => None,
    };
    let sbom: Vec<_> = sbom.into_iter().collect();
    images.send(&image, &sbom, target).map_err(|error| image_failure(&error).into())
}

pub(super) fn stored<'s>(machine: &'s Machine, cancel: &'s Cancel) -> StoredImages<'s> {
    let store = machine.store();
    StoredImages::new(store, Web::new(store.route().clone()), cancel.meter())
}

/// Resolves and locks the external base images of targets, or of all images if no targets are named.
pub(crate) fn lock(
    targets: &[String],
    update: bool,
    images: &Images<'_>,
    settings: &Settings,
    say: &mut impl Write,
) -> Outcome {
    let machine = session::machine(settings, Profile::default())?;
    let cancel = session::cancel()?;
    let kept = stored(&machine, &cancel);
    let resolve = match (images.resolve(&kept), update) {
        (Resolve::Now(images), true) => Resolve::Anew(images),
        (other, _) => other,
    };
    let locked = images.lock(targets, resolve)?;
    let _ = machine.store().flush_memo();
    if settings.manner.verbosity > Verbosity::Quiet {
        let style = settings.manner.style;
        for (name, digest) in locked {
            let line = format!("{name} {digest}");
            writeln!(say, "{}", style.verb(Role::Good, "Locked", escape::line(&line)))
                .map_err(|error: io::Error| Stop::from(error))?;
        }
    }
    Ok(Exit::SUCCESS)
}
