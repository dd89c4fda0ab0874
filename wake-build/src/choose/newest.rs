//! The newest version of one package that may be chosen.

use std::collections::BTreeMap;
use std::sync::Mutex;

use wake_model::{Lock, PkgName, Requirement, Version};
use wake_solve::{Release, Standing, Universe};
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_store::Store;

use super::overriding::Overriding;
use super::published::{Age, Published};
use crate::registries::Registries;
use crate::workspace::Workspace;

/// Returns the highest version of a published package that matches `wanted` and may be chosen now, a pre-release only if there is
/// nothing else; none if the package does not exist. Packages in `free` are exempt from `min-age`.
pub(crate) fn newest_usable(
    workspace: &Workspace,
    registries: &Registries,
    store: &Store,
    (name, wanted): (&PkgName, Option<&Requirement>),
    free: &[PkgName],
) -> Result<Option<Version>, Failure> {
    let (before, answers) = (Lock::default(), Mutex::default());
    let overrides = &workspace.settings.overrides;
    let overriding = Overriding { overrides, versions: BTreeMap::new() };
    let age = Age::of(workspace, free, "add");
    let published = Published { registries, store, before: &before, age, answers, overriding };
    let releases = published.releases(name).map_err(|error| Failure::from(*error))?;
    let Some(mut releases) = releases else { return Ok(None) };
    releases.sort_by(|one, other| other.version.cmp(&one.version));
    let versions: Vec<String> =
        releases.iter().map(|release| release.version.to_string()).collect();
    releases.retain(|release| wanted.is_none_or(|wanted| wanted.matches(&release.version)));
    if let (Some(wanted), true) = (wanted, releases.is_empty()) {
        let message = format!("no version of {name} matches {wanted}");
        let note = format!("available versions: {}", versions.join(", "));
        return Err(Diagnostic::error(Class::Resolution, message).note(note).into());
    }
    let usable = || releases.iter().filter(|release| release.standing == Standing::Usable);
    let plain = usable().find(|release| !release.version.to_string().contains('-'));
    match plain.or_else(|| usable().next()) {
        Some(release) => Ok(Some(release.version.clone())),
        None => Err(none_usable(name, &releases).into()),
    }
}

/// Returns the error that says why none of the newest versions may be chosen.
fn none_usable(name: &PkgName, releases: &[Release]) -> Diagnostic {
    /// The most versions listed; `wake info` lists all.
    const SHOWN: usize = 5;
    let message = format!("no version of {name} can be chosen now");
    let mut diagnostic = Diagnostic::error(Class::Resolution, message);
    let mut helps = Vec::new();
    for Release { version, standing, .. } in releases.iter().take(SHOWN) {
        let because = match standing {
            Standing::Usable => continue,
            Standing::OnlyLocked { because } => because,
            Standing::Unusable { because, help } => {
                helps.extend(help.clone());
                because
            }
        };
        diagnostic = diagnostic.note(format!("{version} is {because}"));
    }
    helps.dedup();
    let more = releases.len().saturating_sub(SHOWN);
    if more > 0 {
        diagnostic = diagnostic.note(format!("{more} more"));
    }
    helps.into_iter().fold(diagnostic, Diagnostic::help)
}
