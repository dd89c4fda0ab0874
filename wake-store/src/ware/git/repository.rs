//! A bare repository with the fetched objects.

use super::GitError;
use super::listing::Listing;
use super::objects::Objects;
use super::program::{git, run};
use crate::ware::archive::{ExtractError, NoContent, Visit};
use crate::ware::entry_path::EntryPath;
use crate::ware::meter::Meter;
use crate::ware::node::{DEFAULT_TIME, Meta, Node, Timestamp};
use crate::ware::policy::ArchivePolicy;
use crate::ware::route::Route;
use crate::ware::secrets::without_secrets;
use crate::ware::waiting::unless_stopped;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Where the objects are.
pub(super) struct Repository<'a> {
    dir: PathBuf,
    route: &'a Route,
}

impl<'a> Repository<'a> {
    /// Fetches `commit` from the first of `urls` that has it into a new bare repository.
    pub(super) fn fetch(
        commit: &str,
        urls: &[String],
        route: &'a Route,
        dir: PathBuf,
        meter: &Meter,
    ) -> Result<(Self, String), GitError> {
        let repository = Self { dir, route };
        let mut init = git(route);
        init.args(["init", "--quiet", "--bare", "--template="]).arg(&repository.dir);
        let made = run(&mut init)?;
        if let Err(problem) = made {
            return Err(GitError::NotFound {
                commit: commit.to_owned(),
                attempts: vec![format!(": {problem}")],
            });
        }
        let (mut attempts, mut reached) = (Vec::new(), false);
        for url in urls {
            let exact = repository.try_fetch(url, &["--depth=1", "--", url, commit], meter)?;
            // Old servers provide only what their branches and tags name.
            let got = match exact {
                Ok(_) => Ok(Vec::new()),
                Err(_) => repository.try_fetch(url, &["--", url, "+refs/*:refs/wake/*"], meter)?,
            };
            // Git follows a tag, but a tag has an ID of its own.
            let present = run(repository.git().args(["cat-file", "-t", commit]))?;
            let is_commit = present.is_ok_and(|kind| kind.trim_ascii() == b"commit");
            reached |= got.is_ok();
            match got {
                _ if is_commit => return Ok((repository, url.clone())),
                Ok(_) => attempts.push(format!("\n  `{}` does not have it", without_secrets(url))),
                Err(problem) => {
                    attempts.push(format!("\n  `{}`: {problem}", without_secrets(url)));
                }
            }
        }
        let commit = commit.to_owned();
        Err(match reached {
            true => GitError::NotFound { commit, attempts },
            false => GitError::Unavailable { commit, attempts },
        })
    }

    fn try_fetch(
        &self,
        url: &str,
        arguments: &[&str],
        meter: &Meter,
    ) -> Result<Result<Vec<u8>, String>, GitError> {
        let is_local = !url.contains("://") && !url.contains('@') || url.starts_with("file://");
        let is_here = url.starts_with("file://") || Path::new(url).is_absolute();
        if self.route.offline && !is_here {
            return Ok(Err("network access is disabled (offline)".to_owned()));
        }
        let mut command = self.git();
        command
            .arg("-c")
            .arg(format!("protocol.file.allow={}", if is_local { "always" } else { "never" }));
        command.args([
            "fetch",
            "--quiet",
            "--no-tags",
            "--no-recurse-submodules",
            "--no-write-fetch-head",
        ]);
        command.args(arguments);
        unless_stopped(meter, move || run(&mut command))
            .unwrap_or_else(|_| Err(ExtractError::Cancelled.into()))
    }

    /// Passes the tree of `commit` to `visitor` as if it were at `base`; returns its submodules.
    pub(super) fn read_tree(
        &self,
        commit: &str,
        base: &EntryPath,
        visitor: &mut dyn Visit,
    ) -> Result<Vec<(EntryPath, String)>, GitError> {
        self.check_count(commit)?;
        let malformed = |problem: &str| GitError::Malformed {
            commit: commit.to_owned(),
            problem: problem.to_owned(),
        };
        let mut objects = Objects::open(self.git())?;
        let mut modules = Vec::new();
        if base.is_root() {
            visitor.entry(EntryPath::root(), described(Node::Dir, 0o755), &mut NoContent)?;
        }
        let mut listing = Listing::of(self.git(), commit)?;
        while let Some(line) = listing.next(commit)? {
            let tab = line
                .iter()
                .position(|byte| *byte == b'\t')
                .ok_or_else(|| malformed("a tree entry has no name"))?;
            let head =
                std::str::from_utf8(&line[..tab]).map_err(|_| malformed("a tree is not UTF-8"))?;
            let path = path_below(base, &line[tab + 1..])?;
            let [mode, _, object] = head.split(' ').collect::<Vec<_>>()[..] else {
                return Err(malformed("a tree entry is malformed"));
            };
            match mode {
                "040000" => visitor.entry(path, described(Node::Dir, 0o755), &mut NoContent)?,
                "160000" => {
                    visitor.entry(path.clone(), described(Node::Dir, 0o755), &mut NoContent)?;
                    modules.push((path, object.to_owned()));
                }
                "120000" => {
                    let target = objects
                        .text(object)?
                        .ok_or_else(|| malformed("a link's target is not UTF-8"))?;
                    visitor.entry(
                        path,
                        described(Node::Symlink { target }, 0o777),
                        &mut NoContent,
                    )?;
                }
                "100644" | "100664" | "100755" => {
                    let mut blob = objects.blob(object)?;
                    let perms = if mode == "100755" { 0o755 } else { 0o644 };
                    visitor.entry(
                        path,
                        described(Node::File { size: blob.left }, perms),
                        &mut blob,
                    )?;
                    blob.finish()?;
                }
                _ => return Err(malformed("a tree entry has an unknown mode")),
            }
        }
        Ok(modules)
    }

    /// Counts the paths before anything is written: ten small objects can name as many paths as there are stars.
    fn check_count(&self, commit: &str) -> Result<(), GitError> {
        let most = ArchivePolicy::WARE.max_entries;
        let mut listing = Listing::of(self.git(), commit)?;
        let mut count = 0;
        while let Some(line) = listing.next(commit)? {
            count += 1;
            if count > most {
                let name = line.splitn(2, |byte| *byte == b'\t').last().unwrap_or_default();
                let path = name.escape_ascii().to_string();
                return Err(ExtractError::Limit { of: "entries", most, path }.into());
            }
        }
        Ok(())
    }

    /// Returns the URLs of submodules by their paths.
    pub(super) fn submodule_urls(
        &self,
        commit: &str,
    ) -> Result<BTreeMap<String, String>, GitError> {
        let blob = format!("{commit}:.gitmodules");
        let listing = run(self.git().args(["config", "--blob", &blob, "--list", "-z"]))?
            .map_err(|problem| GitError::Malformed { commit: commit.to_owned(), problem })?;
        let (mut paths, mut urls) = (BTreeMap::new(), BTreeMap::new());
        for pair in String::from_utf8_lossy(&listing).split('\0') {
            let Some((key, value)) = pair.split_once('\n') else { continue };
            let Some(key) = key.strip_prefix("submodule.") else { continue };
            if let Some(name) = key.strip_suffix(".path") {
                paths.insert(name.to_owned(), value.to_owned());
            } else if let Some(name) = key.strip_suffix(".url") {
                urls.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(paths.into_iter().filter_map(|(name, path)| Some((path, urls.remove(&name)?))).collect())
    }

    /// Returns the program, set up for this repository.
    fn git(&self) -> Command {
        let mut command = git(self.route);
        command.arg("--git-dir").arg(&self.dir);
        command
    }
}

fn described(node: Node, perms: u16) -> Meta {
    let mtime = Timestamp { seconds: DEFAULT_TIME, nanos: 0 };
    Meta { node, perms, uid: 1000, gid: 1000, mtime, xattrs: BTreeMap::new() }
}

fn path_below(base: &EntryPath, raw: &[u8]) -> Result<EntryPath, ExtractError> {
    let full =
        if base.is_root() { raw.to_vec() } else { [base.as_str().as_bytes(), b"/", raw].concat() };
    EntryPath::parse(&full)
        .map_err(|problem| ExtractError::Path { path: full.escape_ascii().to_string(), problem })
}
