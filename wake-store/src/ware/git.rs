//! Reads a commit of a git repository, by asking the `git` program for objects only.
//!
//! Nothing is checked out, so hooks, filters and attributes have no say; all objects are verified when they are fetched.

use super::archive::{Content, ExtractError, NoContent, Visit};
use super::category::Category;
use super::entry_path::EntryPath;
use super::filters::DEFAULT_TIME;
use super::node::{Meta, Node, Timestamp};
use super::warehouse::Warehouse;
use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

/// Why a commit cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum GitError {
    /// The program `git` cannot be run.
    #[error("`git` cannot be run: {source}")]
    Run {
        /// What the system said.
        source: io::Error,
    },
    /// No repository gave the commit.
    #[error("commit `{commit}` cannot be had from any of {tried} repositories{}", attempts.concat())]
    NotFound {
        /// The commit.
        commit: String,
        /// How many repositories there were.
        tried: usize,
        /// What git said of each.
        attempts: Vec<String>,
    },
    /// A repository holds something that has no meaning here.
    #[error("commit `{commit}` is malformed: {problem}")]
    Malformed {
        /// The commit.
        commit: String,
        /// What is wrong.
        problem: String,
    },
    /// A tree of the commit was not taken.
    #[error(transparent)]
    Extract(#[from] ExtractError),
}

impl GitError {
    /// The published category.
    pub fn category(&self) -> Category {
        match self {
            GitError::Run { .. } => Category::WarehouseUnavailable,
            GitError::NotFound { .. } => Category::WareNotFound,
            GitError::Malformed { .. } => Category::WareCorrupt,
            GitError::Extract(error) => error.category(),
        }
    }
}

/// Hands the tree of `commit` to `visitor`, with the trees of its submodules but not of theirs. Objects are fetched into
/// `scratch`, a directory that the caller removes.
pub(super) fn read_commit(
    commit: &str,
    sources: &[Warehouse],
    scratch: &Path,
    visitor: &mut dyn Visit,
) -> Result<(), GitError> {
    let urls: Vec<String> = sources.iter().map(Warehouse::to_string).collect();
    let (repository, url) = Repository::fetch(commit, &urls, scratch.join("git"))?;
    let visit = &mut |path: EntryPath, meta: Meta, content: &mut dyn Content| {
        visitor.entry(path, meta, content)
    };
    let modules = repository.read_tree(commit, &EntryPath::root(), visit)?;
    if modules.is_empty() {
        return Ok(());
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
                address.escape_debug()
            ),
        })?;
        let (module, _) =
            Repository::fetch(commit, &[address], scratch.join(format!("git-{number}")))?;
        module.read_tree(commit, path, visit)?;
    }
    Ok(())
}

struct Repository {
    dir: PathBuf,
}

type Take<'a> = dyn FnMut(EntryPath, Meta, &mut dyn Content) -> Result<(), ExtractError> + 'a;

impl Repository {
    /// Fetches `commit` from the first of `urls` that has it into a new bare repository.
    fn fetch(commit: &str, urls: &[String], dir: PathBuf) -> Result<(Self, String), GitError> {
        let repository = Self { dir };
        let mut init = git();
        init.args(["init", "--quiet", "--bare", "--template="]).arg(&repository.dir);
        let made = run(&mut init)?;
        if let Err(problem) = made {
            return Err(GitError::NotFound {
                commit: commit.to_owned(),
                tried: urls.len(),
                attempts: vec![problem],
            });
        }
        let mut attempts = Vec::new();
        for url in urls {
            let exact = repository.try_fetch(url, &["--depth=1", "--", url, commit])?;
            // Old servers give only what their branches and tags name.
            let got = match exact {
                Ok(_) => Ok(Vec::new()),
                Err(_) => repository.try_fetch(url, &["--", url, "+refs/*:refs/wake/*"])?,
            };
            let kind = format!("{commit}^{{commit}}");
            let present = run(repository.git().args(["cat-file", "-e", &kind]))?;
            match (got, present) {
                (_, Ok(_)) => return Ok((repository, url.clone())),
                (Ok(_), Err(_)) => attempts.push(format!("\n  `{url}` does not have it")),
                (Err(problem), Err(_)) => attempts.push(format!("\n  `{url}`: {problem}")),
            }
        }
        Err(GitError::NotFound { commit: commit.to_owned(), tried: urls.len(), attempts })
    }

    fn try_fetch(
        &self,
        url: &str,
        arguments: &[&str],
    ) -> Result<Result<Vec<u8>, String>, GitError> {
        let is_local = !url.contains("://") && !url.contains('@') || url.starts_with("file://");
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
        run(command.args(arguments))
    }

    /// Hands the tree of `commit` to `take` as if it stood at `base`; gives the submodules in it.
    fn read_tree(
        &self,
        commit: &str,
        base: &EntryPath,
        take: &mut Take<'_>,
    ) -> Result<Vec<(EntryPath, String)>, GitError> {
        let listing =
            run(self.git().args(["ls-tree", "-r", "-t", "-z", "--full-tree", commit]))?
                .map_err(|problem| GitError::Malformed { commit: commit.to_owned(), problem })?;
        let malformed = |problem: &str| GitError::Malformed {
            commit: commit.to_owned(),
            problem: problem.to_owned(),
        };
        let mut objects = Objects::open(self)?;
        let mut modules = Vec::new();
        if base.is_root() {
            take(EntryPath::root(), described(Node::Dir, 0o755), &mut NoContent)?;
        }
        for line in listing.split(|byte| *byte == 0).filter(|line| !line.is_empty()) {
            let tab = line
                .iter()
                .position(|byte| *byte == b'\t')
                .ok_or_else(|| malformed("a tree has no names"))?;
            let head =
                std::str::from_utf8(&line[..tab]).map_err(|_| malformed("a tree is not text"))?;
            let path = path_below(base, &line[tab + 1..])?;
            let [mode, _, object] = head.split(' ').collect::<Vec<_>>()[..] else {
                return Err(malformed("a tree has an entry of unknown form"));
            };
            match mode {
                "040000" => take(path, described(Node::Dir, 0o755), &mut NoContent)?,
                "160000" => {
                    take(path.clone(), described(Node::Dir, 0o755), &mut NoContent)?;
                    modules.push((path, object.to_owned()));
                }
                "120000" => {
                    let target = objects
                        .text(object)?
                        .ok_or_else(|| malformed("a link's target is not text"))?;
                    take(path, described(Node::Symlink { target }, 0o777), &mut NoContent)?;
                }
                "100644" | "100664" | "100755" => {
                    let mut blob = objects.blob(object)?;
                    let perms = if mode == "100755" { 0o755 } else { 0o644 };
                    take(path, described(Node::File { size: blob.left }, perms), &mut blob)?;
                    blob.finish()?;
                }
                _ => return Err(malformed("a tree has an entry of unknown mode")),
            }
        }
        Ok(modules)
    }

    /// The urls of submodules by their paths.
    fn submodule_urls(&self, commit: &str) -> Result<BTreeMap<String, String>, GitError> {
        let blob = format!("{commit}:.gitmodules");
        let listing = run(self.git().args(["config", "--blob", &blob, "--list", "-z"]))?
            .map_err(|problem| GitError::Malformed { commit: commit.to_owned(), problem })?;
        let (mut paths, mut urls) = (BTreeMap::new(), BTreeMap::new());
        for pair in String::from_utf8_lossy(&listing).split('\0') {
            let Some((key, value)) = pair.split_once('\n') else { continue };
            if let Some(name) =
                key.strip_prefix("submodule.").and_then(|key| key.strip_suffix(".path"))
            {
                paths.insert(name.to_owned(), value.to_owned());
            }
            if let Some(name) =
                key.strip_prefix("submodule.").and_then(|key| key.strip_suffix(".url"))
            {
                urls.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(paths.into_iter().filter_map(|(name, path)| Some((path, urls.remove(&name)?))).collect())
    }

    fn git(&self) -> Command {
        let mut command = git();
        command.arg("--git-dir").arg(&self.dir);
        command
    }
}

/// Git with everything shut off that a repository or a user's settings could make it run.
fn git() -> Command {
    let mut command = Command::new("git");
    command
        .env_remove("GIT_DIR")
        .env_remove("GIT_WORK_TREE")
        .env_remove("GIT_INDEX_FILE")
        .env_remove("GIT_OBJECT_DIRECTORY")
        .env_remove("GIT_ALTERNATE_OBJECT_DIRECTORIES")
        .env_remove("GIT_CONFIG_PARAMETERS")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("LC_ALL", "C")
        .args(["-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false"])
        .args(["-c", "transfer.fsckObjects=true", "-c", "gc.auto=0", "-c", "safe.directory=*"])
        .args(["-c", "protocol.ext.allow=never"])
        .stdin(Stdio::null());
    command
}

/// Runs a command; the inner error is what it said when it failed.
fn run(command: &mut Command) -> Result<Result<Vec<u8>, String>, GitError> {
    let output = command.output().map_err(|source| GitError::Run { source })?;
    if output.status.success() {
        return Ok(Ok(output.stdout));
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty()).unwrap_or("git failed");
    Ok(Err(last.escape_debug().to_string()))
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

/// A submodule's address, relative ones taken from that of the repository; none if git could mistake it for something else.
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
    // A stranger's repository may point to the network, but not into this machine.
    let network = ["https://", "http://", "ssh://", "git://"]
        .iter()
        .any(|scheme| address.starts_with(scheme));
    let local = address.starts_with('/') && parent.starts_with('/');
    let harmless =
        !address.contains("::") && !address.contains(['\0', '\n']) && !address.contains("://-");
    ((network || local) && harmless).then(|| address.to_owned())
}

/// A running `git cat-file --batch`.
struct Objects {
    child: Child,
    ask: ChildStdin,
    answer: BufReader<ChildStdout>,
}

impl Objects {
    fn open(repository: &Repository) -> Result<Self, GitError> {
        let mut child = repository
            .git()
            .args(["cat-file", "--batch"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| GitError::Run { source })?;
        match (child.stdin.take(), child.stdout.take()) {
            (Some(ask), Some(answer)) => Ok(Self { child, ask, answer: BufReader::new(answer) }),
            _ => Err(GitError::Run { source: io::Error::other("its pipes are missing") }),
        }
    }

    /// Begins to read a blob; the caller reads it to its end and calls [`Blob::finish`].
    fn blob(&mut self, object: &str) -> Result<Blob<'_>, GitError> {
        let failed = |source| GitError::Run { source };
        writeln!(self.ask, "{object}").and_then(|()| self.ask.flush()).map_err(failed)?;
        let mut head = String::new();
        self.answer.read_line(&mut head).map_err(failed)?;
        match head.trim_end().split(' ').collect::<Vec<_>>()[..] {
            [_, "blob", size] if size.parse::<u64>().is_ok() => {
                Ok(Blob { left: size.parse().unwrap_or(0), answer: &mut self.answer })
            }
            _ => Err(GitError::Malformed {
                commit: object.to_owned(),
                problem: "a blob is missing".to_owned(),
            }),
        }
    }

    fn text(&mut self, object: &str) -> Result<Option<String>, GitError> {
        let mut blob = self.blob(object)?;
        if blob.left > 4096 {
            return Ok(None);
        }
        let mut bytes = vec![0; blob.left as usize];
        blob.answer.read_exact(&mut bytes).map_err(|source| GitError::Run { source })?;
        blob.left = 0;
        blob.finish()?;
        Ok(String::from_utf8(bytes).ok().filter(|text| !text.is_empty() && !text.contains('\0')))
    }
}

impl Drop for Objects {
    fn drop(&mut self) {
        // It ends by itself when its input does; killing it saves the wait.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Blob<'a> {
    left: u64,
    answer: &'a mut BufReader<ChildStdout>,
}

impl Blob<'_> {
    /// Skips to the end of the object, which git marks by a newline.
    fn finish(mut self) -> Result<(), GitError> {
        let mut rest = [0u8; 8192];
        while self.read(&mut rest)? > 0 {}
        self.answer.read_exact(&mut [0]).map_err(|source| GitError::Run { source })
    }
}

impl Content for Blob<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize, ExtractError> {
        let most = buffer.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let n = self
            .answer
            .read(&mut buffer[..most])
            .map_err(|source| ExtractError::Source { source })?;
        if n == 0 && self.left > 0 && !buffer.is_empty() {
            return Err(ExtractError::Truncated { offset: 0 });
        }
        self.left -= n as u64;
        Ok(n)
    }
}
