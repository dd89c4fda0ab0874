//! The compilation database, for editors. Source: Clang's "JSON Compilation Database Format Specification".
//!
//! A command runs in a sandbox, where other packages and generated files have other paths. Here every path is one that an editor
//! can open: in the checkout if the file is there, else through the link in `.wake/out`, else in the store.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Serialize;
use wake_build::StepJob;
use wake_exec::{JobInput, Source, WORK_DIR, WORK_PATH};
use wake_model::RelPath;
use wake_model::place::is_foreign;

/// The file name extensions of sources.
const SOURCES: [&str; 12] = ["c", "cc", "cpp", "cxx", "c++", "C", "m", "mm", "cu", "S", "s", "i"];

/// Options that add a header search directory, joined or as the next word.
const DIRECTORIES: [&str; 4] = ["-I", "-isystem", "-iquote", "-idirafter"];

/// Options whose next word is an input file.
const FILES: [&str; 2] = ["-include", "-imacros"];

/// Options whose next word is not a source.
const OTHERS: [&str; 7] = ["-o", "-MF", "-MT", "-MQ", "-x", "-arch", "-target"];

/// The maximum number of links to follow; more count as a cycle.
const MOST_LINKS: usize = 40;

/// One command of a compilation database.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct CompileCommand {
    directory: PathBuf,
    file: PathBuf,
    arguments: Vec<String>,
}

/// The links in `.wake/out`, by target.
#[derive(Debug, Default)]
pub(super) struct ResultLinks(HashMap<PathBuf, PathBuf>);

impl ResultLinks {
    /// Reads all links below `dir`.
    pub(super) fn read(dir: &Path) -> ResultLinks {
        let mut links = ResultLinks::default();
        let mut open = vec![dir.to_owned()];
        while let Some(dir) = open.pop() {
            let Ok(entries) = fs::read_dir(&dir) else { continue };
            for entry in entries.filter_map(Result::ok) {
                match entry.file_type() {
                    Ok(kind) if kind.is_dir() => open.push(entry.path()),
                    Ok(kind) if kind.is_symlink() => {
                        if let Ok(target) = fs::read_link(entry.path()) {
                            links.0.insert(target, entry.path());
                        }
                    }
                    _ => {}
                }
            }
        }
        links
    }

    /// Returns the same place through a result link, if there is one.
    fn through(&self, place: PathBuf) -> PathBuf {
        let found = place.ancestors().find_map(|above| Some((above, self.0.get(above)?)));
        let Some((above, link)) = found else { return place };
        match place.strip_prefix(above) {
            Ok(rest) if rest.as_os_str().is_empty() => link.clone(),
            Ok(rest) => link.join(rest),
            Err(_) => place,
        }
    }
}

/// Returns the compile command of a step that compiles one source; `None` for other steps.
pub(super) fn of_step(step: &StepJob, links: &ResultLinks) -> Option<CompileCommand> {
    let unit = Unit { step, links };
    let args = &step.job.command.args;
    let source = unit.source(args)?;
    let file = match unit.lies_here(&source) {
        true => step.dir.join(source.as_str()),
        false => unit.host(&source)?,
    };
    let mut arguments = vec![unit.program()];
    let mut searched = vec![source.parent().unwrap_or_default()];
    let mut words = args.iter();
    while let Some(word) = words.next() {
        if let Some(option) = DIRECTORIES.iter().find(|option| word.starts_with(**option)) {
            let joined = word.get(option.len()..).filter(|rest| !rest.is_empty());
            let Some(dir) = joined.or_else(|| words.next().map(String::as_str)) else { break };
            searched.extend(unit.path(dir));
            let dirs = unit.dirs(dir);
            arguments.extend(dirs.into_iter().map(|dir| format!("{option}{dir}")));
        } else if FILES.contains(&word.as_str()) {
            arguments.push(word.clone());
            arguments.extend(words.next().map(|file| unit.shown(file)));
        } else if OTHERS.contains(&word.as_str()) {
            arguments.push(word.clone());
            arguments.extend(words.next().cloned());
        } else if let Some(file) = word.strip_prefix('@') {
            arguments.push(format!("@{}", unit.shown(file)));
        } else if unit.path(word).as_ref() == Some(&source) {
            arguments.push(unit.shown(word));
        } else {
            arguments.push(word.clone());
        }
    }
    for dir in unit.generated(&searched) {
        let option = format!("-I{}", dir.display());
        if !arguments.contains(&option) {
            arguments.push(option);
        }
    }
    Some(CompileCommand { directory: step.dir.clone(), file, arguments })
}

/// A step that may compile something.
struct Unit<'a> {
    step: &'a StepJob,
    links: &'a ResultLinks,
}

impl Unit<'_> {
    /// Returns the one source that the command compiles.
    fn source(&self, args: &[String]) -> Option<RelPath> {
        args.iter().find(|word| *word == "-c")?;
        let mut sources = Vec::new();
        let mut words = args.iter();
        while let Some(word) = words.next() {
            let takes_a_word = [&DIRECTORIES[..], &FILES, &OTHERS];
            if takes_a_word.iter().any(|options| options.contains(&word.as_str())) {
                words.next();
            } else if !word.starts_with(['-', '@']) {
                let path = self.path(word).filter(|path| self.input(path).is_some());
                let is_source = |path: &RelPath| {
                    let end = path.as_str().rsplit_once('.').map(|(_, end)| end);
                    end.is_some_and(|end| SOURCES.contains(&end))
                };
                sources.extend(path.filter(is_source));
            }
        }
        let source = sources.pop();
        source.filter(|_| sources.is_empty())
    }

    fn program(&self) -> String {
        let program = &self.step.job.command.program;
        if program.starts_with('/') { program.clone() } else { self.shown(program) }
    }

    /// Resolves a path of the command against its working directory; `None` if it leads outside.
    fn path(&self, text: &str) -> Option<RelPath> {
        let below = text.strip_prefix(WORK_DIR).and_then(|rest| rest.strip_prefix('/'));
        let text = below.unwrap_or(text);
        if matches!(text, "." | "./") || text == WORK_DIR {
            return Some(RelPath::root());
        }
        RelPath::parse(text.trim_end_matches('/')).ok()
    }

    /// Returns the input at or above a path, with the rest of the path.
    fn input(&self, path: &RelPath) -> Option<(&JobInput, String)> {
        let inputs = self.step.job.inputs.iter();
        let found = inputs.filter_map(|input| {
            let at = input.path.as_str().strip_prefix(WORK_PATH)?.strip_prefix('/')?;
            let rest = path.as_str().strip_prefix(at)?;
            let is_below = rest.is_empty() || rest.starts_with('/');
            is_below.then(|| (input, rest.trim_start_matches('/').to_owned()))
        });
        found.min_by_key(|(_, rest)| rest.len())
    }

    /// Returns the location of a sandbox path on this machine.
    fn host(&self, path: &RelPath) -> Option<PathBuf> {
        let mut path = path.clone();
        for _ in 0..MOST_LINKS {
            let (input, rest) = self.input(&path)?;
            let place = match &input.source {
                Source::File { host, .. } | Source::Mount { host, .. } => host.clone(),
                Source::Link { target } => {
                    let at = self.path(&format!("/{}", input.path))?.parent().unwrap_or_default();
                    let leads = at.resolve(target).ok().or_else(|| self.path(target))?;
                    path = if rest.is_empty() { leads } else { leads.resolve(&rest).ok()? };
                    continue;
                }
                Source::Bytes { .. } | Source::Dir => return None,
            };
            return Some(self.links.through(if rest.is_empty() {
                place
            } else {
                place.join(rest)
            }));
        }
        None
    }

    /// Whether a path is a file of the package in the checkout.
    fn lies_here(&self, path: &RelPath) -> bool {
        !is_foreign(path) && self.step.dir.join(path.as_str()).exists()
    }

    /// Rewrites a word that names a file to a path that an editor can open.
    fn shown(&self, text: &str) -> String {
        let Some(path) = self.path(text) else { return text.to_owned() };
        match self.host(&path) {
            Some(host) if !self.lies_here(&path) => host.display().to_string(),
            _ => text.to_owned(),
        }
    }

    /// Returns the header search directories for a word: first in the checkout, where headers are edited.
    fn dirs(&self, text: &str) -> Vec<String> {
        let Some(path) = self.path(text) else { return vec![text.to_owned()] };
        if !is_foreign(&path) {
            return vec![if path.is_root() { ".".to_owned() } else { path.as_str().to_owned() }];
        }
        let collected = self.step.collected.iter().filter_map(|(at, dir)| {
            let rest = path.as_str().strip_prefix(at.as_str())?.trim_start_matches('/');
            let dir = if rest.is_empty() { dir.clone() } else { dir.join(rest) };
            dir.is_dir().then(|| dir.display().to_string())
        });
        let host = self.host(&path).map(|host| host.display().to_string());
        let mut dirs: Vec<String> = collected.take(1).chain(host).collect();
        if dirs.is_empty() {
            dirs.push(text.to_owned());
        }
        dirs
    }

    /// Returns the directories that hold files which the command sees in these directories but which are not in the checkout.
    fn generated(&self, searched: &[RelPath]) -> Vec<PathBuf> {
        let mut dirs = Vec::new();
        for input in &self.step.job.inputs {
            let path =
                input.path.as_str().strip_prefix(WORK_PATH).and_then(|rest| rest.strip_prefix('/'));
            let Some(path) = path.and_then(|path| RelPath::parse(path).ok()) else { continue };
            if is_foreign(&path) || self.lies_here(&path) {
                continue;
            }
            let Some(host) = self.host(&path) else { continue };
            for dir in searched {
                let Some(rest) = path.strip(dir).filter(|rest| !rest.is_root()) else { continue };
                if host.ends_with(rest.as_str()) {
                    let above = host.ancestors().nth(rest.as_str().split('/').count());
                    dirs.extend(above.map(Path::to_owned));
                }
            }
        }
        dirs.sort();
        dirs.dedup();
        dirs
    }
}
