//! Choosing files of the package by glob.

use globset::{GlobBuilder, GlobMatcher};
use jrsonnet_evaluator::{IStr, Result};
use wake_model::RelPath;
use wake_model::nearest::nearest;
use wake_model::place::PKG_FILE;

use super::note::{Note, amend, refuse};
use super::world::World;
use crate::EntryKind;

/// Globs and paths; a path of a directory means everything below it.
pub(crate) struct Patterns(Vec<Pattern>);

struct Pattern {
    text: String,
    /// The directory above the first component that is not plain.
    start: RelPath,
    /// How many components a match has at most; none with `**`.
    depth: Option<usize>,
    kind: PatternKind,
}

enum PatternKind {
    Path(RelPath),
    Glob(GlobMatcher),
}

/// Directories that are never entered, wherever they are.
const NEVER: [&str; 2] = [".git", ".wake"];

impl Patterns {
    /// Parses patterns as a user wrote them; the note points at the one at fault.
    pub(crate) fn parse(texts: &[IStr]) -> std::result::Result<Patterns, Note> {
        texts
            .iter()
            .map(|text| Pattern::parse(text).map_err(|note| note.key(text.as_str())))
            .collect::<std::result::Result<_, _>>()
            .map(Patterns)
    }

    /// Whether one of them matches the file at `path`, written without a leading `./`.
    pub(crate) fn matches(&self, path: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(path))
    }
}

impl Pattern {
    fn parse(text: &str) -> std::result::Result<Pattern, Note> {
        let path: RelPath = text.parse()?;
        let special = |component: &str| component.contains(['*', '?', '[', '{', '\\']);
        if !special(path.as_str()) {
            let kind = PatternKind::Path(path.clone());
            return Ok(Pattern { text: text.to_owned(), start: path, depth: None, kind });
        }
        let plain: Vec<&str> =
            path.components().take_while(|component| !special(component)).collect();
        let start = if plain.is_empty() { RelPath::root() } else { plain.join("/").parse()? };
        // Alternatives may hold slashes, so that only `**` and braces leave the depth open.
        let open = path.as_str().contains("**") || path.as_str().contains('{');
        let depth = (!open).then(|| path.components().count());
        let glob = GlobBuilder::new(path.as_str())
            .literal_separator(true)
            .build()
            .map_err(|error| Note::new(format!("`{text}` is not a glob: {}", error.kind())))?;
        Ok(Pattern {
            text: text.to_owned(),
            start,
            depth,
            kind: PatternKind::Glob(glob.compile_matcher()),
        })
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

/// The files that `include` matches and `exclude` does not, as `./path`, sorted by their bytes.
pub(crate) fn list(world: &World, include: &Patterns, exclude: &Patterns) -> Result<Vec<IStr>> {
    let mut found = Vec::new();
    for pattern in &include.0 {
        let before = found.len();
        let at = |note: Note| note.key(pattern.text.as_str());
        expand(world, pattern, &mut found).map_err(|error| amend(error, at))?;
        if found.len() == before {
            refuse!(at(nothing(world, pattern)));
        }
    }
    found.retain(|path| !exclude.matches(&path[2..]));
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

fn nothing(world: &World, pattern: &Pattern) -> Note {
    let note = Note::new(format!("`{}` matches no file of the package", pattern.text));
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

fn expand(world: &World, pattern: &Pattern, found: &mut Vec<IStr>) -> Result<()> {
    match world.entry(&pattern.start)? {
        None => Ok(()),
        Some(EntryKind::Dir) => {
            refuse_border(world, pattern)?;
            below(world, pattern, &pattern.start, found)
        }
        Some(EntryKind::File { .. } | EntryKind::Link) => {
            if pattern.matches(pattern.start.as_str()) {
                found.push(pattern.start.dotted().into());
            }
            Ok(())
        }
        Some(EntryKind::Other) => Err(Note::new(format!(
            "`{}` is neither a file nor a directory nor a link",
            pattern.start
        ))
        .into()),
    }
}

/// Another package may not be entered by naming a directory inside it either.
fn refuse_border(world: &World, pattern: &Pattern) -> Result<()> {
    let mut dir = RelPath::root();
    for component in pattern.start.components() {
        dir = dir.child(component).map_err(Note::from)?;
        if NEVER.contains(&component) {
            refuse!(Note::new(format!(
                "`{}` lies in `{component}`, which is never part of a package",
                pattern.text
            )));
        }
        if world.is_pkg(&dir)? {
            refuse!(Note::new(format!(
                "`{}` belongs to another package: `{dir}` holds a {PKG_FILE}",
                pattern.text
            )));
        }
    }
    Ok(())
}

fn below(world: &World, pattern: &Pattern, dir: &RelPath, found: &mut Vec<IStr>) -> Result<()> {
    let Some(entries) = world.list(dir)? else { return Ok(()) };
    let mut dotted = dir.dotted();
    if !dir.is_root() {
        dotted.push('/');
    }
    let above = dotted.len();
    found.reserve(entries.len());
    world.found.borrow_mut().reserve(entries.len());
    for entry in entries.iter() {
        match entry.kind {
            EntryKind::File { .. } | EntryKind::Link => {
                dotted.truncate(above);
                dotted.push_str(&entry.name);
                if pattern.matches(&dotted[2..]) {
                    let file = IStr::from(&*dotted);
                    if !NEVER.contains(&entry.name.as_str()) {
                        world.found.borrow_mut().insert(file.clone());
                    }
                    found.push(file);
                }
            }
            EntryKind::Dir => {
                let path = dir.child(&entry.name).map_err(Note::from)?;
                let deep = pattern.depth.is_none_or(|depth| path.components().count() < depth);
                if deep && !NEVER.contains(&entry.name.as_str()) && !world.is_pkg(&path)? {
                    below(world, pattern, &path, found)?;
                }
            }
            // Nothing that a build could use, and nothing that someone named.
            EntryKind::Other => {}
        }
    }
    Ok(())
}
