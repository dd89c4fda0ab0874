//! Selection of package files by globs.

use std::ops::Deref;

use globset::{GlobBuilder, GlobSet};
use jrsonnet_evaluator::{IStr, Result};
use wake_model::RelPath;
use wake_model::nearest::nearest;
use wake_model::place::PKG_FILE;

use super::note::{Note, amend, refuse};
use super::world::World;
use crate::{EntryKind, ListEntry};

/// Globs and paths; the path of a directory matches everything below it.
///
/// A pattern that is the path of something that exists matches it literally, whatever characters it contains.
pub(crate) struct Patterns(Vec<Pattern>);

/// Whether something exists at this path or below it.
pub(crate) type IsThere<'a> = &'a dyn Fn(&RelPath) -> Result<bool>;

/// The maximum length of a glob in bytes, which is that of a path.
const LONGEST: usize = 4096;

struct Pattern {
    text: String,
    /// The directory up to the first component with glob characters.
    start: RelPath,
    /// The maximum number of components of a match; `None` with `**`.
    depth: Option<usize>,
    kind: PatternKind,
}

enum PatternKind {
    Path(RelPath),
    Glob(GlobSet),
}

/// Names that are never part of a package. In a git worktree, `.git` is a file.
const NEVER: [&str; 2] = [".git", ".wake"];

impl Patterns {
    /// Parses patterns as written by a user; errors point at the pattern at fault.
    pub(crate) fn parse(texts: &[IStr], is_there: IsThere<'_>) -> Result<Patterns> {
        let parse = |text: &IStr| {
            let pattern = Pattern::parse(text, is_there);
            pattern.map_err(|error| amend(error, |note| note.key(excerpt(text))))
        };
        texts.iter().map(parse).collect::<Result<_>>().map(Patterns)
    }

    /// Whether any pattern matches the file at `path`, without a leading `./`.
    pub(crate) fn matches(&self, path: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(path))
    }

    /// Returns those of `files`, which are sorted and start with `./`, that any pattern matches. A path is looked up;
    /// a glob is compared only with what is below its starting directory.
    pub(crate) fn among<'f, T: Deref<Target = str>>(&self, files: &'f [T]) -> Vec<&'f T> {
        self.0.iter().flat_map(|pattern| pattern.among(files)).collect()
    }

    /// Whether any pattern matches everything below the directory at `path`, whatever its name.
    fn match_all_below(&self, path: &RelPath) -> bool {
        self.0.iter().any(|pattern| pattern.matches_all_below(path))
    }
}

/// Whether a pattern ends with an empty alternative, which allows it to match nothing.
pub(crate) fn may_choose_nothing(text: &str) -> bool {
    text.ends_with(",}")
}

/// Returns the beginning of a text, long enough to find it.
fn excerpt(text: &str) -> &str {
    let end = text.char_indices().nth(80).map_or(text.len(), |(at, _)| at);
    &text[..end]
}

/// Returns a text as shown in messages.
fn shown(text: &str) -> String {
    let excerpt = excerpt(text);
    if excerpt.len() < text.len() { format!("{excerpt}…") } else { excerpt.to_owned() }
}

impl Pattern {
    fn parse(text: &str, is_there: IsThere<'_>) -> Result<Pattern> {
        if text.len() > LONGEST {
            let length = text.len();
            let message = format!("a glob of {length} bytes is too long: the limit is {LONGEST}");
            refuse!(Note::new(message));
        }
        let path: RelPath = text.parse().map_err(Note::from)?;
        let mut start = RelPath::root();
        let mut glob = String::new();
        for component in path.components() {
            if glob.is_empty() {
                let child = start.child(component).map_err(Note::from)?;
                if !is_special(component) || is_there(&child)? {
                    start = child;
                    continue;
                }
                glob.push_str(&globset::escape(start.as_str()));
            }
            if !glob.is_empty() {
                glob.push('/');
            }
            glob.push_str(component);
        }
        let text = text.to_owned();
        if start == path {
            return Ok(Pattern { text, start, depth: None, kind: PatternKind::Path(path) });
        }
        // Alternatives may contain slashes, so only `**` and braces leave the depth open.
        let open = glob.contains("**") || glob.contains('{');
        let depth = (!open).then(|| path.components().count());
        let kind = PatternKind::Glob(compiled(&glob, &text)?);
        Ok(Pattern { text, start, depth, kind })
    }

    fn matches_all_below(&self, path: &RelPath) -> bool {
        match &self.kind {
            PatternKind::Path(_) => self.matches(path.as_str()),
            // A final `**` matches everything below the directory, so testing one name is enough.
            PatternKind::Glob(glob) => {
                self.text.ends_with("/**") && glob.is_match(format!("{path}/x"))
            }
        }
    }

    fn among<'f, T: Deref<Target = str>>(&self, files: &'f [T]) -> Vec<&'f T> {
        let from = |text: &str| files.partition_point(|file| **file < *text);
        let (path, below) = match self.start.is_root() {
            true => (".".to_owned(), "./".to_owned()),
            false => (self.start.dotted(), format!("{}/", self.start.dotted())),
        };
        let itself = files.get(from(&path)).filter(|file| ***file == *path).into_iter();
        let inside = files[from(&below)..].iter().take_while(|file| file.starts_with(&below));
        itself.chain(inside).filter(|file| self.matches(&file[2..])).collect()
    }

    fn matches(&self, path: &str) -> bool {
        match &self.kind {
            PatternKind::Path(prefix) if prefix.is_root() => true,
            PatternKind::Path(prefix) => path
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/')),
            PatternKind::Glob(glob) => glob.is_match(path),
        }
    }
}

/// Whether a text contains glob characters.
pub(crate) fn is_special(component: &str) -> bool {
    component.contains(['*', '?', '[', '{', '\\'])
}

fn compiled(glob: &str, text: &str) -> Result<GlobSet> {
    let parsed = GlobBuilder::new(glob).literal_separator(true).build();
    let parsed = parsed
        .map_err(|error| Note::new(format!("`{}` is not a glob: {}", shown(text), error.kind())))?;
    // A separate matcher would abort the process if the automaton became too large.
    let set = GlobSet::builder().add(parsed).build();
    Ok(set.map_err(|_| Note::new(format!("`{}` is too complex a glob", shown(text))))?)
}

/// Returns the files that `include` matches and `exclude` does not, as `./path`, sorted by their bytes.
pub(crate) fn list(world: &World, include: &[IStr], exclude: &[IStr]) -> Result<Vec<IStr>> {
    let of =
        |argument: &'static str| move |error| amend(error, |note: Note| note.argument(argument));
    let is_entry = |path: &RelPath| Ok(world.entry(path)?.is_some());
    let include = Patterns::parse(include, &is_entry).map_err(of("include"))?;
    // A pattern may literally be the name of a directory that must not be entered.
    let hidden: Vec<RelPath> = exclude.iter().filter_map(|text| text.parse().ok()).collect();
    let globs = Patterns::parse(exclude, &|_| Ok(false)).map_err(of("exclude"))?;
    let search = Search { world, hidden: &hidden, exclude: &globs };
    let mut found = search.all(&include).map_err(of("include"))?;
    found.sort_unstable();
    found.dedup();
    let exclude =
        Patterns::parse(exclude, &|path| Ok(is_among(&found, path))).map_err(of("exclude"))?;
    found.retain(|path| !exclude.matches(&path[2..]));
    Ok(found)
}

/// Whether `path` is one of the files, which are sorted and start with `./`, or a directory above one.
pub(crate) fn is_among(files: &[impl Deref<Target = str>], path: &RelPath) -> bool {
    let first = |text: &str| {
        let at = files.partition_point(|file| **file < *text);
        files.get(at).map_or("", |file| &**file)
    };
    let (path, below) = (path.dotted(), format!("{}/", path.dotted()));
    first(&path) == path || first(&below).starts_with(&below)
}

/// A search for files.
struct Search<'a> {
    world: &'a World,
    /// The exclude patterns that are paths.
    hidden: &'a [RelPath],
    /// The exclude patterns that are globs.
    exclude: &'a Patterns,
}

impl Search<'_> {
    fn all(&self, include: &Patterns) -> Result<Vec<IStr>> {
        let world = self.world;
        let mut found = Vec::new();
        for pattern in &include.0 {
            let before = found.len();
            let at = |note: Note| note.key(pattern.text.as_str());
            self.expand(pattern, &mut found).map_err(|error| amend(error, at))?;
            if found.len() == before && !may_choose_nothing(&pattern.text) {
                refuse!(at(nothing(world, pattern)));
            }
        }
        Ok(found)
    }
}

fn nothing(world: &World, pattern: &Pattern) -> Note {
    let note = Note::new(format!("`{}` matches no file in the package", pattern.text));
    let (Some(parent), Some(name)) = (pattern.start.parent(), pattern.start.file_name()) else {
        return note;
    };
    match world.list(&parent) {
        Ok(Some(entries)) if !entries.iter().any(|entry| entry.name == name) => {
            note.suggest(nearest(name, entries.iter().map(|entry| entry.name.as_str())))
        }
        _ => note,
    }
}

impl Search<'_> {
    fn expand(&self, pattern: &Pattern, found: &mut Vec<IStr>) -> Result<()> {
        let world = self.world;
        match world.entry(&pattern.start)? {
            None => Ok(()),
            Some(EntryKind::Dir) => {
                refuse_border(world, pattern)?;
                self.below(pattern, &pattern.start, found)
            }
            Some(EntryKind::File | EntryKind::Link) => {
                if pattern.matches(pattern.start.as_str()) {
                    found.push(pattern.start.dotted().into());
                }
                Ok(())
            }
            Some(EntryKind::Other) => {
                Err(Note::new(format!("`{}` is not a file, directory or link", pattern.start))
                    .into())
            }
        }
    }

    fn below(&self, pattern: &Pattern, dir: &RelPath, found: &mut Vec<IStr>) -> Result<()> {
        let world = self.world;
        let Some(entries) = world.list(dir)? else { return Ok(()) };
        if is_store(world, dir, &entries)? {
            return Ok(());
        }
        let mut dotted = dir.dotted();
        if !dir.is_root() {
            dotted.push('/');
        }
        let above = dotted.len();
        found.reserve(entries.len());
        world.found.borrow_mut().reserve(entries.len());
        for entry in entries.iter().filter(|entry| !NEVER.contains(&entry.name.as_str())) {
            match entry.kind {
                EntryKind::File | EntryKind::Link => {
                    dotted.truncate(above);
                    dotted.push_str(&entry.name);
                    if pattern.matches(&dotted[2..]) {
                        let file = IStr::from(&*dotted);
                        world.found.borrow_mut().insert(file.clone());
                        found.push(file);
                    }
                }
                EntryKind::Dir => {
                    let path = dir.child(&entry.name).map_err(Note::from)?;
                    let deep = pattern.depth.is_none_or(|depth| path.components().count() < depth);
                    // Excluded directories are not opened: they need not be readable.
                    if deep && !self.excludes(&path) && !world.is_pkg(&path)? {
                        self.below(pattern, &path, found)?;
                    }
                }
                // A build cannot use it, and nobody named it.
                EntryKind::Other => {}
            }
        }
        Ok(())
    }

    fn excludes(&self, dir: &RelPath) -> bool {
        self.hidden.contains(dir) || self.exclude.match_all_below(dir)
    }
}

/// Whether a directory is a wake store, which contains build results rather than sources.
fn is_store(world: &World, dir: &RelPath, entries: &[ListEntry]) -> Result<bool> {
    let has = |name: &str| {
        entries.iter().any(|entry| entry.name == name && matches!(entry.kind, EntryKind::File))
    };
    if !(has("format") && has("gate") && has("lock")) {
        return Ok(false);
    }
    let format = world.read(&dir.child("format").map_err(Note::from)?)?;
    Ok(format.is_some_and(|bytes| bytes.starts_with(b"wake-store ")))
}

/// Naming a directory inside another package must not allow entering that package either.
fn refuse_border(world: &World, pattern: &Pattern) -> Result<()> {
    let mut dir = RelPath::root();
    for component in pattern.start.components() {
        dir = dir.child(component).map_err(Note::from)?;
        if NEVER.contains(&component) {
            refuse!(Note::new(format!(
                "`{}` is in `{component}`, which is never part of a package",
                pattern.text
            )));
        }
        if world.is_pkg(&dir)? {
            refuse!(Note::new(format!(
                "`{}` belongs to another package: `{dir}` contains a {PKG_FILE}",
                pattern.text
            )));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn among(text: &str) -> Vec<&'static str> {
        const FILES: [&str; 6] = ["./a", "./a.c", "./b/a.c", "./b/c/d.h", "./b0", "./ba"];
        let patterns = Patterns::parse(&[text.into()], &|_| Ok(false)).unwrap();
        patterns.among(&FILES).into_iter().copied().collect()
    }

    #[test]
    fn lookup_finds_the_matching_files() {
        assert_eq!(among("b"), ["./b/a.c", "./b/c/d.h"]);
        assert_eq!(among("./a"), ["./a"]);
        assert_eq!(among("b/*"), ["./b/a.c"]);
        assert_eq!(among("**/*.c"), ["./a.c", "./b/a.c"]);
        assert_eq!(among("{b/**,a}"), ["./a", "./b/a.c", "./b/c/d.h"]);
        assert_eq!(among("."), ["./a", "./a.c", "./b/a.c", "./b/c/d.h", "./b0", "./ba"]);
        assert_eq!(among("c"), [] as [&str; 0]);
    }
}
