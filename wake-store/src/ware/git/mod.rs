//! Reads a commit of a git repository, by asking the `git` program only for objects.
//!
//! Nothing is checked out, so hooks, filters and attributes do not apply; all objects are verified when they are
//! fetched.

mod program;
mod objects;
mod listing;
mod repository;

use self::repository::Repository;
use super::archive::{ExtractError, Visit};
use super::category::Category;
use super::entry_path::EntryPath;
use super::meter::Meter;
use super::route::Route;
use super::secrets::without_secrets;
use super::warehouse::Warehouse;
use std::io;
use std::path::Path;

/// Why a commit could not be read.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The program `git` cannot be run.
    #[error("`git` cannot be run: {source}")]
    Run {
        /// The system's error.
        source: io::Error,
    },
    /// No repository provided the commit.
    #[error("no repository has commit `{commit}`{}", attempts.concat())]
    NotFound {
        /// The commit.
        commit: String,
        /// Git's message for each.
        attempts: Vec<String>,
    },
    /// No repository could be reached.
    #[error("no repository is available for commit `{commit}`{}", attempts.concat())]
    Unavailable {
        /// The commit.
        commit: String,
        /// Git's message for each.
        attempts: Vec<String>,
    },
    /// The commit contains something invalid.
    #[error("commit `{commit}` is malformed: {problem}")]
    Malformed {
        /// The commit.
        commit: String,
        /// What is wrong.
        problem: String,
    },
    /// A tree of the commit was refused.
    #[error(transparent)]
    Extract(#[from] ExtractError),
}

impl GitError {
    /// Returns the published error category.
    pub fn category(&self) -> Category {
        match self {
            GitError::Run { .. } | GitError::Unavailable { .. } => Category::WarehouseUnavailable,
            GitError::NotFound { .. } => Category::WareNotFound,
            GitError::Malformed { .. } => Category::WareCorrupt,
            GitError::Extract(error) => error.category(),
        }
    }
}

/// The maximum number of submodules of a commit: each is fetched separately.
const MOST_MODULES: usize = 1000;

/// Passes the tree of `commit` to `visitor`, with the trees of its submodules, but not of theirs. Objects are fetched
/// into `scratch`, a directory that the caller removes; `meter` may stop the operation.
pub(super) fn read_commit(
    commit: &str,
    sources: &[Warehouse],
    scratch: &Path,
    visitor: &mut dyn Visit,
    meter: &Meter,
) -> Result<(), GitError> {
    let urls: Vec<String> = sources.iter().map(Warehouse::git_address).collect();
    let direct = Route::default();
    let route = sources.iter().find_map(Warehouse::route).unwrap_or(&direct);
    let (repository, url) = Repository::fetch(commit, &urls, route, scratch.join("git"), meter)?;
    let modules = repository.read_tree(commit, &EntryPath::root(), visitor)?;
    if modules.is_empty() {
        return Ok(());
    }
    if let Some((path, _)) = modules.get(MOST_MODULES) {
        let (most, path) = (MOST_MODULES as u64, path.to_string());
        return Err(ExtractError::Limit { of: "submodules", most, path }.into());
    }
    let addresses = repository.submodule_urls(commit)?;
    for (number, (path, commit)) in modules.iter().enumerate() {
        let address = addresses.get(path.as_str()).ok_or_else(|| GitError::Malformed {
            commit: commit.clone(),
            problem: format!("submodule `{path}` has no url in `.gitmodules`"),
        })?;
        let address = resolve(&url, address).ok_or_else(|| GitError::Malformed {
            commit: commit.clone(),
            problem: format!(
                "submodule `{path}` has the forbidden url `{}`",
                without_secrets(address).escape_debug()
            ),
        })?;
        let dir = scratch.join(format!("git-{number}"));
        let (module, _) = Repository::fetch(commit, &[address], route, dir, meter)?;
        module.read_tree(commit, path, visitor)?;
    }
    Ok(())
}

/// Returns a submodule's address, with relative ones resolved against the repository's; none if git could misinterpret
/// it.
fn resolve(parent: &str, address: &str) -> Option<String> {
    if address.starts_with("./") || address.starts_with("../") {
        let mut base = parent.trim_end_matches('/').to_owned();
        for component in address.split('/') {
            match component {
                "." | "" => {}
                ".." => base.truncate(base.rfind('/')?),
                name => base = format!("{base}/{name}"),
            }
        }
        return Some(base);
    }
    // An untrusted repository may refer to the network, but not to this machine.
    let network = ["https://", "http://", "ssh://", "git://"]
        .iter()
        .any(|scheme| address.starts_with(scheme));
    let local = address.starts_with('/') && parent.starts_with('/');
    let harmless =
        !address.contains("::") && !address.contains(['\0', '\n']) && !address.contains("://-");
    ((network || local) && harmless).then(|| address.to_owned())
}
