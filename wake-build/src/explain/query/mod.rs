//! Queries about the module graph: `wake query`.

mod parse;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use globset::GlobBuilder;
use petgraph::Direction;
use petgraph::graph::NodeIndex;
use petgraph::visit::EdgeRef;
use serde::Serialize;
use wake_eval::Read;
use wake_model::RelPath;
use wake_model::nearest::nearest;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};

use self::parse::{ModuleKind, Query, Word, error_at};
use super::view::View;
use super::{Explained, GraphEdge};
use crate::instance::{Instances, PkgInstance};
use crate::plan::ModuleStep;
use crate::session::Session;
use crate::target::TargetPattern;

/// The modules that a query found, with their dependencies.
#[derive(Clone, Debug, Serialize)]
pub struct QueryResult {
    /// The modules: in order for a path, otherwise sorted by label.
    pub modules: Vec<FoundModule>,
    /// The dependencies among them.
    pub edges: Vec<GraphEdge>,
}

/// A module in a query result.
#[derive(Clone, Debug, Serialize)]
pub struct FoundModule {
    /// Its number.
    pub id: usize,
    /// Its label.
    pub label: String,
    /// `command`, `test` or `files`.
    pub kind: String,
    /// Its tags.
    pub tags: Vec<String>,
}

/// The value of a part of a query: modules in the order in which they are reported, each once.
type Found = Vec<NodeIndex>;

impl Session {
    /// Answers a query; `spec/query.md` describes the language.
    ///
    /// Evaluates what the query is about, which may be the whole workspace, and performs nothing.
    pub fn query(&self, text: &str) -> Result<Explained<QueryResult>, Failure> {
        let query = Query::parse(text)?;
        let mut targets: Vec<TargetPattern> = Vec::new();
        let (mut all, named) = (query.is_about_all(), query.targets());
        for word in &named {
            match is_of_store(&word.text) {
                // There is no package there, but some module depends on it.
                true => all = true,
                false => targets.push(word.text.as_str().into()),
            }
        }
        if all {
            targets.push("//...".into());
        }
        self.with_plan(&targets, None, |view| {
            let inquiry = Inquiry { session: self, text, view };
            let found = inquiry.answer(&query)?;
            inquiry.result(&found)
        })
    }
}

/// Returns whether this is the label of a package in the store, `acme/zlib@1.3.1:lib`.
fn is_of_store(text: &str) -> bool {
    let pkg = text.split_once(':').map_or(text, |(pkg, _)| pkg);
    !pkg.starts_with("//") && pkg.contains('@')
}

/// A query that is being answered.
struct Inquiry<'a> {
    session: &'a Session,
    text: &'a str,
    view: &'a View<'a>,
}

impl Inquiry<'_> {
    fn answer(&self, query: &Query) -> Result<Found, Diagnostic> {
        let both = |one: &Query, other: &Query| -> Result<(Found, Found), Diagnostic> {
            Ok((self.answer(one)?, self.answer(other)?))
        };
        Ok(match query {
            Query::Target(word) => self.target(word)?,
            Query::Owner(word) => self.owners(word)?,
            Query::Needs(of) => self.reached(&self.answer(of)?, Direction::Outgoing),
            Query::NeededBy(of) => self.reached(&self.answer(of)?, Direction::Incoming),
            Query::Union(one, other) => {
                let (one, other) = both(one, other)?;
                self.sorted(one.into_iter().chain(other).collect())
            }
            Query::Difference(one, other) => {
                let (mut one, other) = both(one, other)?;
                let other: BTreeSet<NodeIndex> = other.into_iter().collect();
                one.retain(|node| !other.contains(node));
                one
            }
            Query::Intersection(one, other) => {
                let (mut one, other) = both(one, other)?;
                let other: BTreeSet<NodeIndex> = other.into_iter().collect();
                one.retain(|node| other.contains(node));
                one
            }
            Query::Path(from, to) => {
                let (from, to) = both(from, to)?;
                self.path(&from, &to)
            }
            Query::Kind(kind, of) => {
                let mut found = self.answer(of)?;
                found.retain(|&node| self.kind(node) == *kind);
                found
            }
            Query::Tagged(tag, of) => {
                let mut found = self.answer(of)?;
                let has = |node: NodeIndex| {
                    self.step(node).decl.tags.iter().any(|own| **own == *tag.text)
                };
                found.retain(|&node| has(node));
                found
            }
        })
    }

    fn step(&self, node: NodeIndex) -> &ModuleStep {
        &self.view.plan.graph[node]
    }

    /// Returns the modules sorted by label, each once.
    fn sorted(&self, nodes: BTreeSet<NodeIndex>) -> Found {
        let mut found: Found = nodes.into_iter().collect();
        found.sort_by(|one, other| self.step(*one).label.cmp(&self.step(*other).label));
        found
    }

    fn target(&self, word: &Word) -> Result<Found, Diagnostic> {
        let scope = TargetPattern::from(word.text.as_str()).scope(&self.session.workspace);
        let scope = scope.map_err(|error| error_at(self.text, error.message, Some(word)))?;
        let graph = &self.view.plan.graph;
        let is_meant = |node: &NodeIndex| {
            let step = &graph[*node];
            // In a larger plan its label may be ambiguous and therefore longer.
            scope.contains(&step.label) || scope.contains(&step.full_label())
        };
        let found: BTreeSet<NodeIndex> = graph.node_indices().filter(is_meant).collect();
        if found.is_empty() {
            let message = format!("no module matches `{}`", word.text);
            let mut error = error_at(self.text, message, Some(word));
            error.class = Class::Nothing;
            let labels = graph.node_weights().map(|step| step.label.as_str());
            return Err(match nearest(&word.text, labels) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error.help("run `wake ls --all //...` to list the modules"),
            });
        }
        Ok(self.sorted(found))
    }

    /// Returns these modules and all that edges in one direction lead to.
    fn reached(&self, from: &[NodeIndex], direction: Direction) -> Found {
        let mut found: BTreeSet<NodeIndex> = from.iter().copied().collect();
        let mut open = from.to_vec();
        while let Some(node) = open.pop() {
            let next = self.view.plan.graph.neighbors_directed(node, direction);
            open.extend(next.filter(|next| found.insert(*next)));
        }
        self.sorted(found)
    }

    /// Returns a shortest path from one of `from` to one of `to`; empty if there is none.
    fn path(&self, from: &[NodeIndex], to: &[NodeIndex]) -> Found {
        let ends: BTreeSet<NodeIndex> = to.iter().copied().collect();
        let mut before: BTreeMap<NodeIndex, Option<NodeIndex>> =
            from.iter().map(|&node| (node, None)).collect();
        let mut open: VecDeque<NodeIndex> = from.iter().copied().collect();
        while let Some(node) = open.pop_front() {
            if ends.contains(&node) {
                let mut way = vec![node];
                while let Some(Some(previous)) = way.last().and_then(|last| before.get(last)) {
                    way.push(*previous);
                }
                way.reverse();
                return way;
            }
            let next: BTreeSet<NodeIndex> = self.view.plan.graph.neighbors(node).collect();
            for next in self.sorted(next) {
                before.entry(next).or_insert_with(|| {
                    open.push_back(next);
                    Some(node)
                });
            }
        }
        Vec::new()
    }

    fn kind(&self, node: NodeIndex) -> ModuleKind {
        let step = self.step(node);
        let has_command = step
            .instance
            .text()
            .is_ok_and(|text| text.parts().is_ok_and(|parts| parts.exec.is_some()));
        match (&step.decl.test, has_command) {
            (Some(_), _) => ModuleKind::Test,
            (None, true) => ModuleKind::Command,
            (None, false) => ModuleKind::Files,
        }
    }

    /// Returns the modules whose commands see a file, or whose functions read it.
    fn owners(&self, word: &Word) -> Result<Found, Diagnostic> {
        let file = self.file(word)?;
        let instances = self.view.instances;
        let graph = &self.view.plan.graph;
        let is_owner = |node: &NodeIndex| {
            let step = &graph[*node];
            let own = instances.get(&step.pkg);
            sees(step, instances, &file)
                || own.is_some_and(|pkg| reads(pkg, &step.reads, instances, &file))
                || own.is_some_and(|pkg| reads(pkg, &pkg.reads, instances, &file))
        };
        Ok(self.sorted(graph.node_indices().filter(is_owner).collect()))
    }

    /// Returns the file that the user named, relative to the root of the workspace.
    fn file(&self, word: &Word) -> Result<RelPath, Diagnostic> {
        let workspace = &self.session.workspace;
        let text = word.text.as_str();
        let (base, path) = match text.strip_prefix("//") {
            Some(path) => (RelPath::root(), path),
            None => (workspace.here.clone(), text),
        };
        let path = path.strip_prefix("./").unwrap_or(path);
        let joined = if base.is_root() { path.to_owned() } else { format!("{base}/{path}") };
        let path = RelPath::parse(&joined)
            .map_err(|error| error_at(self.text, error.to_string(), Some(word)))?;
        // A deleted file no longer has an owner; a misspelt one never had any.
        match workspace.absolute(&path).symlink_metadata() {
            Ok(meta) if !meta.is_dir() => Ok(path),
            Ok(_) => {
                let message = format!("`{path}` is a directory");
                Err(error_at(self.text, message, Some(word)).help("name a file"))
            }
            Err(source) => Err(error_at(self.text, format!("`{path}`: {source}"), Some(word))),
        }
    }

    fn result(&self, found: &[NodeIndex]) -> Result<QueryResult, Failure> {
        let graph = &self.view.plan.graph;
        let module = |&node: &NodeIndex| FoundModule {
            id: node.index(),
            label: graph[node].label.clone(),
            kind: self.kind(node).name().to_owned(),
            tags: graph[node].decl.tags.iter().map(|tag| tag.to_string()).collect(),
        };
        let among: BTreeSet<NodeIndex> = found.iter().copied().collect();
        let edge = |edge: petgraph::graph::EdgeReference<'_, String>| GraphEdge {
            from: edge.source().index(),
            to: edge.target().index(),
            key: edge.weight().clone(),
        };
        let needs = found.iter().flat_map(|&node| graph.edges(node));
        let edges = needs.filter(|edge| among.contains(&edge.target())).map(edge).collect();
        Ok(QueryResult { modules: found.iter().map(module).collect(), edges })
    }
}

/// Returns whether a module's command sees a file of its package.
fn sees(step: &ModuleStep, instances: &Instances, file: &RelPath) -> bool {
    let Some(pkg) = instances.get(step.decl.pkg_files_owner(&step.pkg)) else { return false };
    let below = pkg.place.dir().and_then(|dir| file.strip(dir));
    let Some(below) = below.filter(|below| pkg.names(below)) else { return false };
    step.decl
        .pkg_files
        .as_ref()
        .is_none_or(|patterns| patterns.iter().any(|pattern| is_chosen(pattern, &below)))
}

/// Returns whether a path, a directory or a glob of `pkgFiles` matches a file.
fn is_chosen(pattern: &str, file: &RelPath) -> bool {
    let is_path = RelPath::parse(pattern).is_ok_and(|path| file.starts_with(&path));
    let glob = GlobBuilder::new(pattern.trim_start_matches("./")).literal_separator(true).build();
    is_path || glob.is_ok_and(|glob| glob.compile_matcher().is_match(file.as_str()))
}

/// Returns whether an evaluation in `pkg` read a file.
fn reads(pkg: &PkgInstance, reads: &[Read], instances: &Instances, file: &RelPath) -> bool {
    let ways = pkg.ways(instances);
    reads.iter().any(|read| match read {
        Read::File { path, digest: Some(_) } => {
            pkg.place.dir().is_some_and(|dir| dir.join(path) == *file)
        }
        Read::Import { way, digest: Some(_) } => {
            let place = ways.end(way).and_then(|place| place.dir());
            place.is_some_and(|dir| dir.join(&way.path) == *file)
        }
        _ => false,
    })
}
