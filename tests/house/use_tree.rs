//! The single imports of a `use` declaration.

use syn::{ItemUse, UseTree};

use crate::module::{Mention, Path};

/// One import.
pub(crate) struct Leaf {
    pub(crate) mention: Mention,
    pub(crate) taken: Taken,
}

/// What an import takes from the target of its path.
pub(crate) enum Taken {
    /// The target itself, under a name.
    As(String),
    /// All names in the target.
    All,
}

/// Every import of a declaration.
pub(crate) fn leaves(item: &ItemUse) -> Vec<Leaf> {
    let mut found = Vec::new();
    let start = Path { segments: Vec::new(), external: item.leading_colon.is_some() };
    collect(&item.tree, &start, &mut found);
    found
}

fn collect(tree: &UseTree, before: &Path, found: &mut Vec<Leaf>) {
    let (ident, taken) = match tree {
        UseTree::Path(step) => {
            let path = longer(before, &step.ident);
            return collect(&step.tree, &path, found);
        }
        UseTree::Group(group) => {
            return group.items.iter().for_each(|tree| collect(tree, before, found));
        }
        UseTree::Glob(glob) => {
            let line = glob.star_token.spans[0].start().line;
            let mention = Mention { path: before.clone(), line };
            return found.push(Leaf { mention, taken: Taken::All });
        }
        UseTree::Name(name) => (&name.ident, None),
        UseTree::Rename(renamed) => (&renamed.ident, Some(renamed.rename.to_string())),
    };
    // `use a::{self}` imports `a`.
    let path = if ident == "self" && !before.segments.is_empty() {
        before.clone()
    } else {
        longer(before, ident)
    };
    let name = taken.or_else(|| path.segments.last().cloned()).unwrap_or_default();
    let mention = Mention { path, line: ident.span().start().line };
    found.push(Leaf { mention, taken: Taken::As(name) });
}

fn longer(path: &Path, segment: &syn::Ident) -> Path {
    let mut path = path.clone();
    path.segments.push(segment.to_string());
    path
}
