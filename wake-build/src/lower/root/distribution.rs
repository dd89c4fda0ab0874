//! Root file systems of distribution packages installed on this machine.

use std::path::Path;

use wake_exec::fixed_etc;
use wake_model::place::HOST_PACKAGES;
use wake_model::{RelPath, TreeDigest};
use wake_steps::diagnostic::Class;
use wake_steps::step::{Root, TreeOrigin};
use wake_store::BuildTreeError;

use super::import::ImportError;
use crate::files::file_digest;
use crate::host_packages::{Closure, HostFile, HostPackagesError};
use crate::lower::{Lowered, Site};
use crate::written::JsonValue;

/// Why packages of the distribution cannot become a root file system.
#[derive(Debug, thiserror::Error)]
enum DistributionError {
    #[error(transparent)]
    Packages(#[from] HostPackagesError),
    #[error(transparent)]
    Import(#[from] ImportError),
}

impl Site<'_> {
    /// Returns the files of the packages that `rootfs` names and of their dependencies, in the store.
    pub(super) fn root_of_packages(&self, rootfs: &JsonValue<'_>) -> Lowered<Root> {
        let names = match rootfs.get("packages") {
            Some(JsonValue::List(names)) => names.as_slice(),
            _ => &[],
        };
        let names: Vec<String> =
            names.iter().filter_map(|name| Some(name.as_str()?.to_owned())).collect();
        match self.packages_tree(&names) {
            Ok(tree) => Ok(Root::Tree { tree, origin: TreeOrigin::Named }),
            Err(error) => {
                let mut diagnostic = self.root_error(format!("`rootfs`: {error}"), rootfs);
                diagnostic.help.push(match &error {
                    DistributionError::Packages(HostPackagesError::NotInstalled {
                        name,
                        near,
                        ..
                    }) => match near {
                        Some(near) => format!(
                            "did you mean `{near}`? If `{name}` exists, install it with `apt install {name}`"
                        ),
                        None => format!("install it with `apt install {name}`"),
                    },
                    DistributionError::Packages(HostPackagesError::Broken { .. }) => {
                        "run `apt --fix-broken install` to repair that".to_owned()
                    }
                    _ => "use `rootfs=wake.HOST` for the whole machine".to_owned(),
                });
                diagnostic.class = match &error {
                    DistributionError::Import(error) => error.class(),
                    DistributionError::Packages(_) => Class::Environment,
                };
                Err(diagnostic)
            }
        }
    }

    fn packages_tree(&self, names: &[String]) -> Result<TreeDigest, DistributionError> {
        let distribution = self.lowering.distribution()?;
        let closure = distribution.closure(names)?;
        let listing = closure.listing();
        self.imported("packages", &listing, || self.taken(&closure, &listing))
    }

    fn taken(&self, closure: &Closure<'_>, listing: &str) -> Result<TreeDigest, DistributionError> {
        let mut builder = self.lowering.store.build_tree().map_err(ImportError::from)?;
        let files = closure.files()?;
        let is_link = |path: &str| matches!(files.get(path), Some(HostFile::Link(_)));
        for (path, file) in &files {
            let Ok(at) = RelPath::parse(path) else { continue };
            // A path through a link is covered by the link's target.
            if at.ancestors().skip(1).any(is_link) {
                continue;
            }
            let added = match file {
                HostFile::Link(target) => builder.add_link(&at, target),
                HostFile::File(host) => add_file(&mut builder, &at, host)?,
            };
            added.map_err(ImportError::from)?;
        }
        let own = fixed_etc().into_iter().map(|(name, text)| (format!("etc/{name}"), text));
        let own = own.chain([(HOST_PACKAGES.to_owned(), listing.to_owned())]);
        for (path, text) in own {
            let at = RelPath::parse(&path).unwrap_or_default();
            match builder.add_bytes(&at, text.as_bytes(), false) {
                // The packages contain this one themselves.
                Ok(()) | Err(BuildTreeError::Conflict { .. }) => {}
                Err(error) => return Err(ImportError::from(error).into()),
            }
        }
        Ok(builder.finish().map_err(ImportError::from)?)
    }
}

fn add_file(
    builder: &mut wake_store::TreeBuilder<'_>,
    at: &RelPath,
    host: &Path,
) -> Result<Result<(), BuildTreeError>, HostPackagesError> {
    use std::os::unix::fs::PermissionsExt;
    let failed = |source| HostPackagesError::Io { path: host.to_owned(), source };
    let mode = std::fs::metadata(host).map_err(failed)?.permissions().mode();
    let (blob, _) = file_digest(host).map_err(failed)?;
    Ok(builder.add_file(at, host, &blob, mode & 0o111 != 0))
}
