//! Files and trees fetched from other machines by digest, before the step that needs them, and kept in the store.

use std::fs;
use std::path::{Path, PathBuf};

use wake_model::{Node, RelPath, TreeDigest};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::step::{Root, TreeOrigin};
use wake_steps::{Input, SourceBase, SourceFile};
use wake_store::ware::{Attempt, AttemptError, DownloadError, WebError, download};

use super::root::import::ImportError;
use super::{Lowered, Site};
use crate::files::file_digest;
use crate::view::{Special, special};
use crate::written::JsonValue;

/// The parameters of `wake.fetch`.
struct Fetched<'v> {
    urls: Vec<String>,
    /// The digest; none if the user still has to write it.
    sha256: Option<&'v str>,
    /// Whether it is an archive to unpack.
    unpack: bool,
    /// How many leading directories to strip, each the only entry at its level.
    strip: u64,
    /// Whether the file is executable.
    executable: bool,
    /// Its path from the working directory.
    base: RelPath,
}

/// Why fetched content is not available.
#[derive(Debug, thiserror::Error)]
enum FetchedError {
    #[error(transparent)]
    Download(#[from] DownloadError),
    #[error(transparent)]
    Import(#[from] ImportError),
    #[error("`strip` is {strip}, but the top of the archive is not a single directory")]
    Strip { strip: u64 },
}

impl<'v> Fetched<'v> {
    fn of(value: &'v JsonValue<'v>) -> Option<Fetched<'v>> {
        let Some(Special::Fetched { fetch, .. }) = special(value) else { return None };
        let flag = |name: &str| matches!(fetch.get(name), Some(JsonValue::Bool(true)));
        let urls = match fetch.get("urls") {
            Some(JsonValue::List(urls)) => urls.as_slice(),
            _ => &[],
        };
        let strip = match fetch.get("strip") {
            Some(JsonValue::Number(strip)) => strip.as_u64().unwrap_or_default(),
            _ => 0,
        };
        Some(Fetched {
            urls: urls.iter().filter_map(|url| Some(url.as_str()?.to_owned())).collect(),
            sha256: fetch.get("sha256").and_then(JsonValue::as_str),
            unpack: flag("unpack"),
            strip,
            executable: flag("executable"),
            base: RelPath::parse(fetch.get("base")?.as_str()?).ok()?,
        })
    }

    /// Returns the same name for all parameters that give the same tree.
    fn name(&self, sha256: &str) -> String {
        let Fetched { unpack, strip, executable, base, .. } = self;
        match unpack {
            true => format!("{sha256} unpacked without {strip}"),
            false => {
                let name = base.file_name().unwrap_or_default();
                format!("{sha256} {} {name}", if *executable { "executable" } else { "file" })
            }
        }
    }
}

impl Site<'_> {
    /// Places the fetched content at its path; a tree as a whole.
    pub(super) fn bring_fetched(&mut self, value: &JsonValue<'_>) -> Lowered<()> {
        let (tree, fetched) = self.fetched(value)?;
        let input = match fetched.unpack {
            true => Input::Tree { tree, origin: TreeOrigin::Named },
            false => self.single_file(tree, &fetched, value)?,
        };
        let placed = self.inputs.place_whole(fetched.base, input);
        placed.map_err(|conflict| self.conflict(&conflict))
    }

    /// Returns the fetched content as a root file system.
    pub(super) fn root_of_fetched(&self, value: &JsonValue<'_>) -> Lowered<Root> {
        let (tree, fetched) = self.fetched(value)?;
        if !fetched.unpack {
            let error = self.error("`rootfs` is a fetched file, not a directory", value);
            return Err(Box::new(error.help("unpack it: `wake.fetch(url, sha256, unpack=true)`")));
        }
        Ok(Root::Tree { tree, origin: TreeOrigin::Named })
    }

    fn single_file(
        &self,
        tree: TreeDigest,
        fetched: &Fetched<'_>,
        value: &JsonValue<'_>,
    ) -> Lowered<Input> {
        let gone = || self.error("the fetched content is no longer in the store", value);
        let manifest = self.lowering.store.manifest(&tree).ok().flatten().ok_or_else(gone)?;
        let below = RelPath::parse(fetched.base.file_name().unwrap_or_default());
        let below = below.map_err(|error| self.error(error.to_string(), value))?;
        match manifest.get(&below) {
            Some(Node::File { blob, size, executable }) => Ok(Input::File(SourceFile {
                base: SourceBase::Tree(tree),
                below,
                blob: *blob,
                size: *size,
                executable: *executable,
                bytes: None,
            })),
            _ => Err(gone()),
        }
    }

    fn fetched<'v>(&self, value: &'v JsonValue<'v>) -> Lowered<(TreeDigest, Fetched<'v>)> {
        let Some(fetched) = Fetched::of(value) else {
            return Err(self.error("unexpected value in `wake.fetch`", value));
        };
        let Some(sha256) = fetched.sha256 else { return Err(self.without_digest(&fetched, value)) };
        let name = fetched.name(sha256);
        match self.imported("fetch", &name, || self.fetch(&fetched, sha256)) {
            Ok(tree) => Ok((tree, fetched)),
            Err(error) => Err(self.not_fetched(&error, sha256, value)),
        }
    }

    fn fetch(&self, fetched: &Fetched<'_>, sha256: &str) -> Result<TreeDigest, FetchedError> {
        let store = self.lowering.store;
        let scratch = store.scratch().map_err(ImportError::from)?;
        let meter = self.ground.wares.meter();
        let at = scratch.path().join("fetched");
        download(&fetched.urls, Some(sha256), &at, store.route(), meter)?;
        if fetched.unpack {
            let into = scratch.path().join("tree");
            let dir = self.unpacked(&at, &into)?;
            let dir = stripped(dir, fetched.strip)?;
            return Ok(self.tree_of(&dir)?);
        }
        let failed = |source| DownloadError::Io { path: at.clone(), source };
        let (blob, _) = file_digest(&at).map_err(failed)?;
        let mut builder = store.build_tree().map_err(ImportError::from)?;
        let name = RelPath::parse(fetched.base.file_name().unwrap_or_default()).unwrap_or_default();
        builder.add_file(&name, &at, &blob, fetched.executable).map_err(ImportError::from)?;
        Ok(builder.finish().map_err(ImportError::from)?)
    }

    /// Returns the error that tells the digest to write.
    fn without_digest(&self, fetched: &Fetched<'_>, value: &JsonValue<'_>) -> Box<Diagnostic> {
        let url = fetched.urls.first().map_or("", String::as_str);
        let error = self.error(format!("`{url}` is fetched without a digest"), value);
        let store = self.lowering.store;
        let found = store.scratch().ok().and_then(|scratch| {
            let at = scratch.path().join("fetched");
            download(&fetched.urls, None, &at, store.route(), self.ground.wares.meter()).ok()
        });
        Box::new(match found {
            Some(sha256) => {
                error.help(format!("if this is the right content, write `sha256='{sha256}'`"))
            }
            None => error.help("write the digest published by its authors: `sha256='…'`"),
        })
    }

    fn not_fetched(
        &self,
        error: &FetchedError,
        sha256: &str,
        value: &JsonValue<'_>,
    ) -> Box<Diagnostic> {
        let mut diagnostic = self.error(error.to_string(), value);
        match error {
            FetchedError::Download(DownloadError::Nowhere(attempts)) => {
                diagnostic.class = class_of(attempts);
                let others = attempts.iter().skip(1);
                let others = others.map(|Attempt { url, problem }| format!("{url}: {problem}"));
                diagnostic.notes.extend(others);
                let is_offline = |attempt: &Attempt| {
                    matches!(attempt.problem, AttemptError::Web(WebError::Offline))
                };
                let help = match diagnostic.class {
                    Class::Integrity => format!("`sha256` is {sha256}: correct it, or the address"),
                    _ if attempts.iter().any(is_offline) => {
                        "run without `--offline` to fetch it and keep it in the store".to_owned()
                    }
                    _ => "more addresses can be given: `wake.fetch([url, mirror], …)`".to_owned(),
                };
                diagnostic.help.push(help);
            }
            FetchedError::Download(DownloadError::Cancelled) => {
                diagnostic.class = Class::Interrupted
            }
            FetchedError::Download(DownloadError::Io { .. }) => {
                diagnostic.class = Class::Environment
            }
            // Its digest matches: the mistake is to take it for an archive.
            FetchedError::Import(error) => {
                let class = error.class();
                diagnostic.class =
                    if class == Class::Integrity { Class::Evaluation } else { class };
            }
            FetchedError::Strip { .. } => {}
        }
        Box::new(*diagnostic)
    }
}

/// Returns the class of failed attempts: wrong content outranks missing content.
fn class_of(attempts: &[Attempt]) -> Class {
    let is_other = |attempt: &Attempt| matches!(attempt.problem, AttemptError::Mismatch { .. });
    if attempts.iter().any(is_other) { Class::Integrity } else { Class::Network }
}

/// Returns the directory `strip` levels below `dir`, each of which must be the only entry.
fn stripped(dir: PathBuf, strip: u64) -> Result<PathBuf, FetchedError> {
    let mut dir = dir;
    for _ in 0..strip {
        let only = only_directory(&dir).ok_or(FetchedError::Strip { strip })?;
        dir = only;
    }
    Ok(dir)
}

fn only_directory(dir: &Path) -> Option<PathBuf> {
    let mut entries = fs::read_dir(dir).ok()?;
    let first = entries.next()?.ok()?;
    let is_only = entries.next().is_none() && first.file_type().ok()?.is_dir();
    is_only.then(|| first.path())
}
