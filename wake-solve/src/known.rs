//! Packages as the search sees them: the ranges of their versions, and what requirements select among these.
//!
//! The search decides *nodes*. A range of a package is a node; its decision is a version. A requirement that several
//! ranges could meet is another kind of node, a *choice*; its decision is one of these ranges.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::rc::Rc;

use pubgrub::VersionSet;
use wake_model::{Lock, PkgName, Requirement, Version};

use crate::picks::Picks;
use crate::universe::{Need, Release, Standing, Universe};

/// A package, numbered when it was first requested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct PkgId(usize);

/// A node, numbered when it was first reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct NodeId(usize);

/// Something to decide.
pub(crate) enum Node {
    /// Whether to meet the requirements of the workspace; always yes.
    Workspace,
    /// The version of this range of a package.
    Range(PkgId, usize),
    /// One of several ranges of a package.
    Choice(PkgId, Vec<Meaning>),
}

/// The matching versions of one range.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Meaning {
    /// The number of the range in its package.
    pub range: usize,
    /// The numbers of the versions in the range.
    pub picks: Picks,
}

/// What a requirement leads to: a node, and its allowed decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Aim {
    pub node: NodeId,
    pub picks: Picks,
}

/// A package and its releases.
pub(crate) struct Pkg {
    pub name: Rc<PkgName>,
    /// Whether it was ever published.
    pub exists: bool,
    /// The published releases, lowest version first, one per precedence.
    pub releases: Vec<Release>,
    /// The ranges of usable releases, lowest first.
    pub ranges: Vec<VersionRange>,
    aims: HashMap<Requirement, Aim>,
}

/// Versions that can stand in for each other.
pub(crate) struct VersionRange {
    node: NodeId,
    /// The usable releases in the range, by number, lowest first.
    pub candidates: Vec<usize>,
    /// Those of them that are locked.
    locked: Picks,
}

/// The number of decisions of a node, and those that are locked.
pub(crate) struct Options<'a> {
    pub count: u32,
    pub locked: &'a Picks,
}

/// Everything requested so far.
pub(crate) struct Known<'u, U> {
    universe: &'u U,
    locked: BTreeMap<&'u PkgName, Vec<&'u Version>>,
    ids: HashMap<Rc<PkgName>, PkgId>,
    pkgs: Vec<Pkg>,
    nodes: Vec<(Node, Picks)>,
    choices: HashMap<(PkgId, Vec<Meaning>), NodeId>,
    /// How often each node was involved in conflicts of searches that were given up.
    contested: HashMap<NodeId, u32>,
    /// The remaining steps of searches.
    steps: u64,
}

impl NodeId {
    /// The node of the workspace itself.
    pub(crate) const WORKSPACE: NodeId = NodeId(0);
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'u, U: Universe> Known<'u, U> {
    /// Creates an empty state; `keeps` returns for which packages the lock counts.
    pub(crate) fn new(universe: &'u U, lock: &'u Lock, keeps: impl Fn(&PkgName) -> bool) -> Self {
        let mut locked: BTreeMap<&PkgName, Vec<&Version>> = BTreeMap::new();
        for pkg in lock.iter().filter(|pkg| pkg.is_of_registry() && keeps(&pkg.name)) {
            locked.entry(&pkg.name).or_default().push(&pkg.version);
        }
        Known {
            universe,
            locked,
            ids: HashMap::new(),
            pkgs: Vec::new(),
            nodes: vec![(Node::Workspace, Picks::of([]))],
            choices: HashMap::new(),
            contested: HashMap::new(),
            steps: 0,
        }
    }

    /// Sets the remaining steps of searches.
    pub(crate) fn allow(&mut self, steps: u64) {
        self.steps = steps;
    }

    /// Returns the remaining steps of searches.
    pub(crate) fn steps(&self) -> u64 {
        self.steps
    }

    /// Takes a step that counts for `cost`; returns whether it was allowed.
    pub(crate) fn step(&mut self, cost: u64) -> bool {
        let may = self.steps > 0;
        self.steps = self.steps.saturating_sub(cost);
        may
    }

    /// Returns the current number of nodes.
    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    /// Returns how often a node was involved in conflicts of searches that were given up.
    pub(crate) fn contested(&self, node: NodeId) -> u32 {
        self.contested.get(&node).copied().unwrap_or_default()
    }

    /// Records how often nodes were involved in conflicts of a search that is given up.
    pub(crate) fn note_contested(&mut self, nodes: HashMap<NodeId, u32>) {
        for (node, times) in nodes {
            *self.contested.entry(node).or_default() += times;
        }
    }

    /// Returns the nodes involved in conflicts, most frequent first.
    pub(crate) fn most_contested(&self) -> Vec<NodeId> {
        let mut nodes: Vec<(NodeId, u32)> =
            self.contested.iter().map(|(node, times)| (*node, *times)).collect();
        nodes.sort_by_key(|(node, times)| (std::cmp::Reverse(*times), *node));
        nodes.into_iter().map(|(node, _)| node).collect()
    }

    /// Returns the universe.
    pub(crate) fn universe(&self) -> &'u U {
        self.universe
    }

    /// Returns a package, requesting its versions if necessary.
    pub(crate) fn ask(&mut self, name: &PkgName) -> Result<PkgId, U::Error> {
        if let Some(id) = self.ids.get(name) {
            return Ok(*id);
        }
        let answer = self.universe.releases(name)?;
        let exists = answer.is_some();
        let locked = self.locked.get(name).map_or(&[][..], Vec::as_slice);
        let releases = one_for_each_precedence(answer.unwrap_or_default(), locked);
        let id = PkgId(self.pkgs.len());
        let name = Rc::new(name.clone());
        let ranges = ranges(id, &releases, locked, &mut self.nodes);
        self.expect(likely(&ranges).flat_map(|release| &releases[release].needs));
        self.ids.insert(name.clone(), id);
        self.pkgs.push(Pkg { name, exists, releases, ranges, aims: HashMap::new() });
        Ok(id)
    }

    /// Announces packages that will be requested.
    fn expect<'n>(&self, needs: impl IntoIterator<Item = &'n Need>) {
        let names = needs.into_iter().map(|need| &need.name);
        let names: Vec<&PkgName> = names.filter(|name| self.find(name).is_none()).collect();
        if !names.is_empty() {
            self.universe.expect(&names);
        }
    }

    /// Returns a package that has been requested.
    pub(crate) fn find(&self, name: &PkgName) -> Option<PkgId> {
        self.ids.get(name).copied()
    }

    /// Iterates over the locked, usable releases of the packages requested so far.
    pub(crate) fn locked(&self) -> impl Iterator<Item = (PkgId, usize)> {
        let of_pkg = |(number, pkg): (usize, &Pkg)| -> Vec<(PkgId, usize)> {
            let locked = pkg.ranges.iter().flat_map(VersionRange::locked);
            locked.map(|release| (PkgId(number), release)).collect()
        };
        self.pkgs.iter().enumerate().flat_map(of_pkg)
    }

    /// Returns the data of a package.
    pub(crate) fn pkg(&self, id: PkgId) -> &Pkg {
        &self.pkgs[id.0]
    }

    /// Returns a node.
    pub(crate) fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0].0
    }

    /// Returns the possible decisions of a node.
    pub(crate) fn options(&self, id: NodeId) -> Options<'_> {
        let (node, locked) = &self.nodes[id.0];
        match *node {
            Node::Workspace => Options { count: 1, locked },
            Node::Range(pkg, range) => {
                let range = &self.pkg(pkg).ranges[range];
                Options { count: count(&range.candidates), locked: &range.locked }
            }
            Node::Choice(_, ref meanings) => Options { count: count(meanings), locked },
        }
    }

    /// Returns the releases for `picks` at a range node, by number; `None` for other nodes.
    pub(crate) fn releases_of(&self, id: NodeId, picks: &Picks) -> Option<(PkgId, Vec<usize>)> {
        let Node::Range(pkg, range) = *self.node(id) else { return None };
        let candidates = &self.pkg(pkg).ranges[range].candidates;
        let numbers = picks.numbers(count(candidates)).map(|number| candidates[number as usize]);
        Some((pkg, numbers.collect()))
    }

    /// Returns the package that a node is about.
    pub(crate) fn pkg_of(&self, id: NodeId) -> Option<PkgId> {
        match *self.node(id) {
            Node::Workspace => None,
            Node::Range(pkg, _) | Node::Choice(pkg, _) => Some(pkg),
        }
    }

    /// Returns what `requirement` leads to. If no version meets it, that is a choice without decisions.
    pub(crate) fn aim(&mut self, id: PkgId, requirement: &Requirement) -> Aim {
        let pkg = &self.pkgs[id.0];
        if let Some(aim) = pkg.aims.get(requirement) {
            return aim.clone();
        }
        let mut meanings: Vec<Meaning> = pkg.meanings(requirement).collect();
        let aim = match meanings.len() {
            1 => {
                let Meaning { range, picks } = meanings.remove(0);
                Aim { node: pkg.ranges[range].node, picks }
            }
            count => Aim { node: self.choice(id, meanings), picks: Picks::of(0..count as u32) },
        };
        self.pkgs[id.0].aims.insert(requirement.clone(), aim.clone());
        aim
    }

    /// Returns the node for a choice between these ranges.
    fn choice(&mut self, id: PkgId, meanings: Vec<Meaning>) -> NodeId {
        let new = NodeId(self.nodes.len());
        *self.choices.entry((id, meanings)).or_insert_with_key(|(_, meanings)| {
            let locked = self.pkgs[id.0].locked_of(meanings);
            self.nodes.push((Node::Choice(id, meanings.clone()), locked));
            new
        })
    }

    /// Returns what a decision at a node leads to.
    pub(crate) fn follow(&mut self, id: NodeId, decision: u32) -> Result<Vec<Aim>, U::Error> {
        match *self.node(id) {
            Node::Workspace => Ok(Vec::new()),
            Node::Choice(pkg, ref meanings) => {
                let Meaning { range, ref picks } = meanings[decision as usize];
                let node = self.pkg(pkg).ranges[range].node;
                Ok(vec![Aim { node, picks: picks.clone() }])
            }
            Node::Range(pkg, range) => {
                let release = self.pkg(pkg).ranges[range].candidates[decision as usize];
                let met = self.needs(pkg, release)?;
                Ok(met.into_iter().map(|(_, aim)| aim).collect())
            }
        }
    }

    /// Returns the needs of a release and what they lead to, in an order independent of that of the answers.
    ///
    /// A need within the release's own range is omitted if the release itself meets it, and cannot be met otherwise.
    pub(crate) fn needs(
        &mut self,
        id: PkgId,
        release: usize,
    ) -> Result<Vec<(Need, Aim)>, U::Error> {
        let mut needs = self.pkg(id).releases[release].needs.clone();
        needs.sort_by_cached_key(|need| (need.name.clone(), need.requirement.to_string()));
        needs.dedup();
        self.expect(&needs);
        let itself = self.pkg(id).decision(release);
        let mut met = Vec::with_capacity(needs.len());
        for need in needs {
            let pkg = self.ask(&need.name)?;
            let aim = self.aim(pkg, &need.requirement);
            match &itself {
                Some(itself) if itself.node == aim.node => {
                    if itself.picks.is_disjoint(&aim.picks) {
                        let node = self.choice(pkg, Vec::new());
                        met.push((need, Aim { node, picks: Picks::empty() }));
                    }
                }
                _ => met.push((need, aim)),
            }
        }
        Ok(met)
    }
}

impl Pkg {
    /// Returns the versions that a requirement selects, by range, lowest first.
    fn meanings(&self, requirement: &Requirement) -> impl Iterator<Item = Meaning> {
        let matches = |release: usize| requirement.matches(&self.releases[release].version);
        self.ranges.iter().enumerate().filter_map(move |(range, versions)| {
            let numbered = (0..).zip(&versions.candidates);
            let picks = numbered.filter(|(_, release)| matches(**release));
            let picks = Picks::of(picks.map(|(number, _)| number));
            (!picks.is_empty()).then_some(Meaning { range, picks })
        })
    }

    /// Returns which of these are locked: those with a matching locked version, else all locked ranges. Another
    /// version of a locked range is thus preferred over another range.
    fn locked_of(&self, meanings: &[Meaning]) -> Picks {
        let locked = |meaning: &Meaning| &self.ranges[meaning.range].locked;
        let those = |has: &dyn Fn(&Meaning) -> bool| {
            let those = (0..).zip(meanings).filter(|(_, meaning)| has(meaning));
            Picks::of(those.map(|(number, _)| number))
        };
        let that_will_do = those(&|meaning| !locked(meaning).is_disjoint(&meaning.picks));
        match that_will_do.is_empty() {
            true => those(&|meaning| !locked(meaning).is_empty()),
            false => that_will_do,
        }
    }

    /// Returns the highest of some releases that a requirement matches.
    pub(crate) fn highest(&self, of: &[usize], requirement: &Requirement) -> Option<usize> {
        let matches = |release: &usize| requirement.matches(&self.releases[*release].version);
        of.iter().copied().filter(matches).max()
    }

    /// Returns the usable releases that a requirement matches, lowest first.
    pub(crate) fn matching(&self, requirement: &Requirement) -> impl Iterator<Item = usize> {
        self.usable().filter(|&release| requirement.matches(&self.releases[release].version))
    }

    /// Returns the usable releases, lowest first.
    pub(crate) fn usable(&self) -> impl DoubleEndedIterator<Item = usize> {
        self.ranges.iter().flat_map(|range| range.candidates.iter().copied())
    }

    /// Returns the range node of a release and its number there; `None` if it is not usable.
    pub(crate) fn decision(&self, release: usize) -> Option<Aim> {
        self.ranges.iter().find_map(|range| {
            let number = range.candidates.iter().position(|&candidate| candidate == release)?;
            Some(Aim { node: range.node, picks: Picks::of([number as u32]) })
        })
    }
}

impl VersionRange {
    /// Returns the locked releases, lowest first.
    fn locked(&self) -> impl Iterator<Item = usize> {
        let numbers = self.locked.numbers(count(&self.candidates));
        numbers.map(|number| self.candidates[number as usize])
    }
}

/// Returns the releases that will probably be chosen: those that are locked, else the highest.
fn likely(ranges: &[VersionRange]) -> impl Iterator<Item = usize> {
    let locked: Vec<usize> = ranges.iter().flat_map(VersionRange::locked).collect();
    let highest = ranges.last().and_then(|range| range.candidates.last().copied());
    let highest = highest.filter(|_| locked.is_empty());
    locked.into_iter().chain(highest)
}

fn count<T>(of: &[T]) -> u32 {
    u32::try_from(of.len()).unwrap_or(u32::MAX)
}

/// Sorts releases. Of those that differ only in build metadata, keeps the locked one, else a usable one, else the
/// last.
fn one_for_each_precedence(mut releases: Vec<Release>, locked: &[&Version]) -> Vec<Release> {
    let rank = |release: &Release| {
        (locked.contains(&&release.version), release.standing == Standing::Usable)
    };
    releases.sort_by(|one, other| {
        let by_precedence = one.version.precedence(&other.version);
        by_precedence
            .then_with(|| rank(other).cmp(&rank(one)))
            .then_with(|| other.version.cmp(&one.version))
    });
    releases.dedup_by(|later, first| later.version.precedence(&first.version).is_eq());
    releases
}

/// Returns the ranges of the usable `releases`, and creates a node for each.
fn ranges(
    pkg: PkgId,
    releases: &[Release],
    locked: &[&Version],
    nodes: &mut Vec<(Node, Picks)>,
) -> Vec<VersionRange> {
    let is_locked = |release: &usize| locked.contains(&&releases[*release].version);
    let is_usable = |release: &usize| match releases[*release].standing {
        Standing::Usable => true,
        Standing::OnlyLocked { .. } => is_locked(release),
        Standing::Unusable { .. } => false,
    };
    let usable: Vec<usize> = (0..releases.len()).filter(is_usable).collect();
    let chunks = usable
        .chunk_by(|&one, &other| releases[one].version.range() == releases[other].version.range());
    let range = |(number, candidates): (usize, &[usize])| {
        let node = NodeId(nodes.len());
        nodes.push((Node::Range(pkg, number), Picks::of([])));
        let locked = (0..).zip(candidates).filter(|(_, release)| is_locked(release));
        let locked = Picks::of(locked.map(|(number, _)| number));
        VersionRange { node, candidates: candidates.to_vec(), locked }
    };
    chunks.enumerate().map(range).collect()
}
