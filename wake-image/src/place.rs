//! All locations of an image: mirrors of its registry, then the one its reference names.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use wake_registry::{ContainerError, Repository};
use wake_store::ware::{Meter, Web};
use wake_store::{Scratch, Store};

use crate::error::ImageError;
use crate::local::Local;
use crate::reference::{ImageReference, LocalForm};
use crate::source::Source;

/// Faults of registry mirrors, for all images of a run; other locations were used instead.
#[derive(Debug, Default)]
pub struct ImageMirrors {
    faults: Mutex<BTreeMap<String, MirrorFault>>,
}

#[derive(Debug)]
struct MirrorFault {
    problem: String,
    /// Whether it could not be reached and is not used any further.
    is_down: bool,
}

/// Where data that is not in the store can be fetched from. Locations are opened on first use.
#[derive(Debug)]
pub(crate) struct Place {
    reference: ImageReference,
    mirrors: OnceLock<Vec<Mirror>>,
    own: Opened,
}

#[derive(Debug)]
struct Mirror {
    address: String,
    opened: Opened,
}

#[derive(Debug, Default)]
struct Opened(OnceLock<(Source, Option<Scratch>)>);

/// What is needed to open a location.
#[derive(Clone, Copy)]
pub(crate) struct Opener<'a> {
    pub(crate) store: &'a Store,
    pub(crate) web: &'a Web,
    pub(crate) meter: &'a Meter,
    pub(crate) mirrors: &'a ImageMirrors,
}

impl ImageMirrors {
    /// The mirrors that failed, each with its first problem. A mirror that merely lacks something is not at fault.
    pub fn passed_over(&self) -> Vec<(String, String)> {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.iter().map(|(mirror, fault)| (mirror.clone(), fault.problem.clone())).collect()
    }

    fn is_down(&self, mirror: &str) -> bool {
        let faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        faults.get(mirror).is_some_and(|fault| fault.is_down)
    }

    fn add(&self, mirror: &str, error: &ImageError) {
        let is_down = matches!(error, ImageError::Registry(_));
        let mut faults = self.faults.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = faults.entry(mirror.to_owned());
        fault.or_insert(MirrorFault { problem: error.to_string(), is_down }).is_down |= is_down;
    }
}

impl Place {
    pub(crate) fn new(reference: &ImageReference) -> Place {
        Place { reference: reference.clone(), mirrors: OnceLock::new(), own: Opened::default() }
    }

    /// The reference to the image.
    pub(crate) fn reference(&self) -> &ImageReference {
        &self.reference
    }

    /// Tries the mirrors in order, then the image's own location, whose result is final.
    pub(crate) fn ask<T>(
        &self,
        with: Opener<'_>,
        question: impl Fn(&Source) -> Result<T, ImageError>,
    ) -> Result<T, ImageError> {
        let mirrors = self.mirrors.get_or_init(|| mirrors(&self.reference, with.web));
        for Mirror { address, opened } in mirrors {
            if with.mirrors.is_down(address) {
                continue;
            }
            let answer = match opened.mirror(address, with) {
                Ok(Some(source)) => question(source),
                Ok(None) => continue,
                Err(error) => Err(error),
            };
            match answer {
                Ok(answer) => return Ok(answer),
                Err(error) if is_own(&error) => return Err(error),
                Err(ImageError::NotThere { .. } | ImageError::Missing { .. }) => {}
                Err(error) => with.mirrors.add(address, &error),
            }
        }
        question(self.own.own(&self.reference, with)?)
    }
}

/// Whether the error is local rather than the fault of the location.
fn is_own(error: &ImageError) -> bool {
    matches!(
        error,
        ImageError::Cancelled
            | ImageError::Store(_)
            | ImageError::Registry(ContainerError::Cancelled | ContainerError::Logins { .. })
    )
}

/// The mirrors of an image in a registry, most specific first.
fn mirrors(reference: &ImageReference, web: &Web) -> Vec<Mirror> {
    let ImageReference::Registry { host, repository, .. } = reference else { return Vec::new() };
    let own = format!("oci://{host}/{repository}");
    let mut addresses = web.route().addresses(&own);
    addresses.pop();
    // A registry may be configured as its own mirror.
    addresses.retain(|address| *address != own);
    let mirror = |address| Mirror { address, opened: Opened::default() };
    addresses.into_iter().map(mirror).collect()
}

impl Opened {
    /// The source at a mirror's address; `None` if there is nothing.
    fn mirror(&self, address: &str, with: Opener<'_>) -> Result<Option<&Source>, ImageError> {
        if let Some((source, _)) = self.0.get() {
            return Ok(Some(source));
        }
        let opened = if let Some(rest) = address.strip_prefix("oci://") {
            if with.web.route().offline {
                return Ok(None);
            }
            let Some((host, repository)) = rest.split_once('/') else { return Ok(None) };
            let repository = Repository::new(host, repository, with.web.clone())?;
            Source::Remote(Box::new(repository))
        } else {
            let dir = Path::new(address.strip_prefix("file://").unwrap_or(address));
            if !dir.is_dir() {
                return Ok(None);
            }
            // A layout does not need to be unpacked.
            Source::Local(Local::open(LocalForm::Layout, dir, dir, with.meter)?)
        };
        Ok(Some(&self.0.get_or_init(|| (opened, None)).0))
    }

    fn own(&self, reference: &ImageReference, with: Opener<'_>) -> Result<&Source, ImageError> {
        if let Some((source, _)) = self.0.get() {
            return Ok(source);
        }
        let opened = match reference {
            ImageReference::Registry { host, repository, .. } => {
                if with.web.route().offline {
                    return Err(ImageError::Offline { image: reference.to_string() });
                }
                let repository = Repository::new(host, repository, with.web.clone())?;
                (Source::Remote(Box::new(repository)), None)
            }
            ImageReference::Local { form, path, .. } => {
                let scratch = with.store.scratch()?;
                let local = Local::open(*form, path, scratch.path(), with.meter)?;
                (Source::Local(local), Some(scratch))
            }
        };
        Ok(&self.0.get_or_init(|| opened).0)
    }
}
