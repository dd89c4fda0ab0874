//! Documents attached to a container image: its SBOM and signed provenance.

use std::io::Write;

use wake_build::{MadeImage, Session, Signing};
use wake_image::{Attachment, Image, ImageError, ImageReference, Images, Sbom};
use wake_steps::diagnostic::{Class, Diagnostic, Level};
use wake_steps::image_failure::image_failure;

use crate::exit::Stop;
use crate::manner::Verbosity;
use crate::report::diagnostic::tell;
use crate::session;
use crate::settings::Settings;
use crate::source_state::source;
use crate::terminal::escape;
use crate::terminal::style::Role;

/// What to attach to an image that is pushed.
pub(super) struct Saying<'a> {
    pub(super) signing: Signing,
    pub(super) sbom: bool,
    /// The destination.
    pub(super) target: &'a ImageReference,
}

/// Collects the documents to push with an image: those attached at its source, and those made here.
pub(super) fn going_along(
    images: &Images<'_>,
    image: &Image,
    written: &str,
    saying: &Saying<'_>,
    settings: &Settings,
    say: &mut impl Write,
) -> Result<Vec<Attachment>, Stop> {
    let mut attached = images.attached(image).map_err(failure)?;
    let mut told: Vec<String> = attached.iter().map(|one| one.kind().to_owned()).collect();
    let made = made(written, settings)?;
    if saying.sbom && !attached.iter().any(Attachment::is_sbom) {
        attached.push(sbom(images, image, made.as_ref(), settings)?);
        told.push("SBOM".to_owned());
    }
    if let Some((made, session)) = &made {
        let name = without_tag(saying.target);
        let signed = session.sign_image(made, &name, &image.digest, &saying.signing)?;
        if let Some((line, key)) = signed {
            let statement = images.statement_attachment(image, &line).map_err(failure)?;
            if !attached.contains(&statement) {
                attached.push(statement);
            }
            told.push(format!("provenance by {} ({})", key.name, key.key.public().id()));
        }
    }
    if !told.is_empty() && settings.manner.verbosity > Verbosity::Quiet {
        let line = escape::line(&told.join(", ")).to_string();
        writeln!(say, "{}", settings.manner.style.verb(Role::Good, "Attaching", line))?;
    }
    Ok(attached)
}

/// Makes the SBOM of an image that no module of a workspace built.
pub(super) fn own_sbom(
    images: &Images<'_>,
    image: &Image,
    settings: &Settings,
) -> Result<Attachment, Stop> {
    sbom(images, image, None, settings)
}

/// Returns the SBOM attached to an image, or else a new one.
pub(super) fn sbom_text(
    images: &Images<'_>,
    image: &Image,
    written: &str,
    settings: &Settings,
) -> Result<String, Stop> {
    let attached = images.attached(image).map_err(failure)?;
    let there = attached.iter().find(|one| one.is_sbom());
    let attachment = match there {
        Some(there) => there.clone(),
        None => sbom(images, image, made(written, settings)?.as_ref(), settings)?,
    };
    let bytes = images.attachment_bytes(&attachment).unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// Returns the statements attached to an image: their payloads, or with `raw` the signed lines.
pub(super) fn statements(
    images: &Images<'_>,
    image: &Image,
    raw: bool,
) -> Result<Vec<String>, Stop> {
    let attached = images.attached(image).map_err(failure)?;
    let lines =
        images.statements(image, &attached).into_iter().map(|(line, statement)| match raw {
            true => line,
            false => String::from_utf8_lossy(&statement.envelope.payload).into_owned(),
        });
    Ok(lines.collect())
}

/// Returns the workspace module that built an image, if the image is given as a module's result.
fn made(written: &str, settings: &Settings) -> Result<Option<(MadeImage, Session)>, Stop> {
    let path = settings.cwd.join(written);
    if !path.exists() || !path.components().any(|part| part.as_os_str() == ".wake") {
        return Ok(None);
    }
    let session = session::open(settings)?;
    let state = source(&session.workspace.root);
    Ok(session.made_image(&path, state)?.map(|made| (made, session)))
}

fn sbom(
    images: &Images<'_>,
    image: &Image,
    made: Option<&(MadeImage, Session)>,
    settings: &Settings,
) -> Result<Attachment, Stop> {
    let placed = made.map_or(&[][..], |(made, _)| &made.placed);
    let Sbom { text, unread } = images.sbom(image, placed).map_err(failure)?;
    if let Some(path) = unread {
        let message = format!("the SBOM omits the packages in `/{path}` of `{}`", image.name);
        let mut warning = Diagnostic::error(Class::Environment, message);
        warning.level = Level::Warning;
        tell(&warning.help("wake reads only dpkg and apk package databases"), settings.manner);
    }
    images.sbom_attachment(image, &text).map_err(failure)
}

/// Returns the destination's name without a tag.
fn without_tag(target: &ImageReference) -> String {
    match target {
        ImageReference::Registry { host, repository, .. } => format!("{host}/{repository}"),
        ImageReference::Local { .. } => target.to_string(),
    }
}

pub(super) fn failure(error: ImageError) -> Stop {
    image_failure(&error).into()
}
