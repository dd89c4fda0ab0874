//! `wake image pull`, `inspect`, `save` and `push`: container images, without a container engine.

use std::io::Write;

use serde_json::json;
use wake_build::{Signing, image_mirror_warnings};
use wake_image::{Image, ImageReference, Images, Platform};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_store::Store;
use wake_store::ware::Web;

use super::attached_image::{Saying, failure, going_along, sbom_text, statements};
use crate::args::{PlatformArgs, StoredImageCommand};
use crate::exit::{Outcome, Stop};
use crate::manner::Verbosity;
use crate::print;
use crate::report;
use crate::report::transfer::Transfer;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;
use crate::terminal::words;

/// Pulls, inspects, saves or pushes an image; only its name with the digest goes to standard output.
pub(crate) fn run(
    command: &StoredImageCommand,
    settings: &Settings,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    let store = session::store(settings)?;
    let cancel = session::cancel()?;
    let meter = cancel.meter();
    let images = Images::new(&store, Web::new(settings.route.clone()), meter);
    let transfer = |verb| Transfer::show(settings, verb, meter);
    let done = carry_out(command, settings, &images, &transfer, out, say);
    for warning in image_mirror_warnings(images.mirrors()) {
        report::diagnostic::tell(&warning, settings.manner);
    }
    keep(&store);
    done
}

fn carry_out(
    command: &StoredImageCommand,
    settings: &Settings,
    images: &Images<'_>,
    transfer: &dyn Fn(&'static str) -> Transfer,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    let line = match command {
        StoredImageCommand::Pull { image, platform } => {
            let image = named(images, image, platform, settings)?;
            tell(settings, say, "Pulling", &image.name)?;
            let _transfer = transfer("Pulling");
            images.bring(&image).map_err(failure)?;
            with_digest(&image)
        }
        StoredImageCommand::Inspect { image: written, platform, json, sbom, provenance } => {
            let image = named(images, written, platform, settings)?;
            if *sbom {
                sbom_text(images, &image, written, settings)?
            } else if *provenance {
                return print::lines(statements(images, &image, *json)?, out);
            } else if !json {
                return print::lines(described(&image), out);
            } else {
                as_json(&image)
            }
        }
        StoredImageCommand::Save { image, target, platform } => {
            let image = named(images, image, platform, settings)?;
            let target = parse(target, settings)?;
            if target.is_remote() {
                let wants = "`oci:DIR`, `oci-archive:FILE` or `docker-archive:FILE`";
                return Err(other_target(&target, "push", wants));
            }
            tell(settings, say, "Saving", &target.to_string())?;
            let _transfer = transfer("Saving");
            let attached = images.attached(&image).map_err(failure)?;
            images.send(&image, &attached, &target).map_err(failure)?;
            target.to_string()
        }
        StoredImageCommand::Push { image: written, target, platform, key, no_sign, no_sbom } => {
            let image = named(images, written, platform, settings)?;
            let target = parse(target, settings)?;
            if !target.is_remote() {
                return Err(other_target(&target, "save", "`HOST/REPOSITORY:TAG`"));
            }
            let signing = match (key, no_sign) {
                (Some(key), _) => Signing::By(key.clone()),
                (None, true) => Signing::Nobody,
                (None, false) => Signing::IfPossible,
            };
            let saying = Saying { signing, sbom: !no_sbom, target: &target };
            let attached = going_along(images, &image, written, &saying, settings, say)?;
            tell(settings, say, "Pushing", &target.to_string())?;
            let _transfer = transfer("Pushing");
            images.send(&image, &attached, &target).map_err(failure)?;
            target.pinned(image.digest).to_string()
        }
    };
    print::line(line, out)
}

fn other_target(target: &ImageReference, other: &str, wants: &str) -> Stop {
    let error =
        Diagnostic::error(Class::Usage, format!("invalid target `{target}`: expected {wants}"));
    error.help(format!("use `wake image {other}` for this target")).into()
}

/// Records what was fetched. If this fails, it is fetched again.
fn keep(store: &Store) {
    let _ = store.flush_memo();
}

fn named(
    images: &Images<'_>,
    image: &str,
    platform: &PlatformArgs,
    settings: &Settings,
) -> Result<Image, Stop> {
    let platform = match &platform.platform {
        None => Platform::here(),
        Some(text) => text.parse().map_err(|error: wake_image::ParsePlatformError| {
            Diagnostic::error(Class::Usage, error.to_string())
        })?,
    };
    let reference = reference(images, image, settings)?;
    let digest = images.resolve(&reference).map_err(failure)?;
    images.get(&reference, &digest, &platform).map_err(failure)
}

/// Parses an image argument: a path, with or without its printed digest, a built image, or any other image.
fn reference(
    images: &Images<'_>,
    image: &str,
    settings: &Settings,
) -> Result<ImageReference, Stop> {
    let here = |called: &str| -> Result<Option<ImageReference>, Stop> {
        let path = settings.cwd.join(called);
        let path = match path.exists() {
            true => Some(path),
            false => images.kept_as(called).map_err(failure)?,
        };
        Ok(path.map(|path| ImageReference::of_file(&path, called)))
    };
    if let Some(found) = here(image)? {
        return Ok(found);
    }
    if let Some((called, digest)) = image.rsplit_once('@')
        && let Ok(digest) = digest.parse()
        && let Some(found) = here(called)?
    {
        return Ok(found.pinned(digest));
    }
    // No image name begins like this.
    if image.starts_with(['.', '/']) {
        let message = format!("no image layout or archive at `{image}`");
        return Err(Diagnostic::error(Class::Nothing, message).into());
    }
    parse(image, settings)
}

fn parse(image: &str, settings: &Settings) -> Result<ImageReference, Stop> {
    ImageReference::parse(image, &settings.cwd)
        .map_err(|error| Diagnostic::error(Class::Usage, error.to_string()).into())
}

fn with_digest(image: &Image) -> String {
    let name = image.name.split('@').next().unwrap_or(&image.name);
    format!("{name}@{}", image.digest)
}

fn tell(settings: &Settings, say: &mut impl Write, verb: &str, what: &str) -> Result<(), Stop> {
    if settings.manner.verbosity == Verbosity::Quiet {
        return Ok(());
    }
    Ok(writeln!(say, "{}", settings.manner.style.verb(Role::Guide, verb, escape::line(what)))?)
}

fn described(image: &Image) -> Vec<String> {
    let runtime = &image.config.config;
    let mut lines = vec![
        format!("digest      {}", image.digest),
        format!("platform    {}", image.config.platform),
    ];
    let mut add = |name: &str, text: String| {
        if !text.is_empty() {
            lines.push(format!("{name:<12}{}", escape::line(&text)));
        }
    };
    add("user", runtime.user.clone());
    add("workdir", runtime.working_dir.clone());
    add("entrypoint", runtime.entrypoint.join(" "));
    add("cmd", runtime.cmd.join(" "));
    for line in &runtime.env {
        add("env", line.clone());
    }
    for (name, value) in &runtime.labels {
        add("label", format!("{name}={value}"));
    }
    for layer in &image.manifest.layers {
        add("layer", format!("{} {}", layer.digest, words::bytes(layer.size)));
    }
    lines
}

fn as_json(image: &Image) -> String {
    let layers: Vec<_> = image
        .manifest
        .layers
        .iter()
        .map(|layer| json!({"digest": layer.digest, "mediaType": layer.media_type, "size": layer.size}))
        .collect();
    json!({
        "config": image.config.config,
        "digest": image.digest,
        "layers": layers,
        "name": image.name,
        "platform": image.config.platform.to_string(),
    })
    .to_string()
}
