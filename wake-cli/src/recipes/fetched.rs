//! Remote test files of recipes: fetched once, and kept in the store.

use std::path::PathBuf;

use wake_model::encode::{Domain, digest_of};
use wake_model::{Digest, RelPath, TreeDigest};
use wake_recipe::content::read_file;
use wake_steps::Cancel;
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::error::store_failure;
use wake_store::Store;
use wake_store::ware::{AttemptError, DownloadError, WebError, download};

/// Whether a cached file may be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Freshness {
    /// Use the cached file.
    Kept,
    /// Fetch it again.
    Fetched,
}

/// Fetches files, each once.
pub(crate) struct Fetcher<'a> {
    pub(crate) store: &'a Store,
    pub(crate) cancel: &'a Cancel,
    pub(crate) freshness: Freshness,
}

impl Fetcher<'_> {
    /// Returns the path of the file at a URL.
    pub(crate) fn file(&self, url: &str) -> Result<PathBuf, Diagnostic> {
        let key = key(url);
        let kept = self.kept(&key).filter(|_| self.freshness == Freshness::Kept);
        let tree = match kept {
            Some(tree) => tree,
            None => {
                let tree = self.fetched(url)?;
                self.store.memo().put(key, tree.0.as_bytes().to_vec());
                // If this fails, the file is fetched again.
                let _ = self.store.flush_memo();
                tree
            }
        };
        Ok(self.store.tree_place(&tree).join(name(url).as_str()))
    }

    /// Returns the cached file, if the store still has it.
    fn kept(&self, key: &Digest) -> Option<TreeDigest> {
        let bytes = self.store.memo().get(key)?;
        let tree = TreeDigest(Digest::from_bytes(bytes.try_into().ok()?));
        self.store.tree(&tree).ok()?.hit().map(|_| tree)
    }

    fn fetched(&self, url: &str) -> Result<TreeDigest, Diagnostic> {
        let scratch = self.store.scratch().map_err(store_failure)?;
        let at = scratch.path().join("fetched");
        download(&[url.to_owned()], None, &at, self.store.route(), self.cancel.meter())
            .map_err(|error| not_fetched(&error))?;
        let failed = |error: &dyn std::fmt::Display| {
            Diagnostic::error(Class::Environment, format!("`{}`: {error}", at.display()))
        };
        let blob = read_file(&at).map_err(|error| failed(&error))?.source.blob;
        let mut builder = self.store.build_tree().map_err(store_failure)?;
        builder.add_file(&name(url), &at, &blob, false).map_err(|error| failed(&error))?;
        builder.finish().map_err(|error| failed(&error))
    }
}

/// Returns the memo key of the tree with the file. Source: `spec/store-layout.md`, the memo.
fn key(url: &str) -> Digest {
    digest_of(Domain::Record, |encoder| {
        encoder.list(2);
        encoder.text("recipe-test-file");
        encoder.text(url);
    })
}

/// Returns the file name: the last segment of the URL, with its extension.
fn name(url: &str) -> RelPath {
    let path = url.split(['?', '#']).next().unwrap_or_default();
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    let name = RelPath::root().child(last).ok().filter(|_| !last.starts_with('.'));
    name.or_else(|| RelPath::parse("file").ok()).unwrap_or_default()
}

fn not_fetched(error: &DownloadError) -> Diagnostic {
    let diagnostic = |class| Diagnostic::error(class, error.to_string());
    match error {
        DownloadError::Cancelled => diagnostic(Class::Interrupted),
        DownloadError::Io { .. } => diagnostic(Class::Environment),
        DownloadError::Nowhere(attempts) => {
            let is_offline = attempts
                .iter()
                .any(|attempt| matches!(attempt.problem, AttemptError::Web(WebError::Offline)));
            match is_offline {
                true => diagnostic(Class::Network)
                    .help("run without `--offline` to fetch it and keep it in the store"),
                false => diagnostic(Class::Network),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::name;

    #[test]
    fn a_file_is_named_after_the_end_of_its_url() {
        for (url, expected) in [
            ("http://a.example/x/t.fa.gz", "t.fa.gz"),
            ("http://a.example/x/t.fa?version=1#y", "t.fa"),
            ("http://a.example/x/", "x"),
            ("http://a.example/..", "file"),
            ("http://a.example/.hidden", "file"),
        ] {
            assert_eq!(name(url).as_str(), expected, "{url}");
        }
    }
}
