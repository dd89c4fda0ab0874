//! One search for versions that fit together.

use std::cell::{Cell, RefCell};
use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::convert::Infallible;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use pubgrub::{
    Dependencies, DependencyProvider, DerivationTree, External, PackageResolutionStatistics,
    PubGrubError, VersionSet, resolve,
};
use wake_model::PkgName;

use crate::known::{Aim, Known, Node, NodeId, PkgId};
use crate::picks::Picks;
use crate::universe::Universe;

/// How much the lock says.
#[derive(Clone, Copy)]
pub(crate) enum Keep<'a> {
    /// What is locked is not up for decision, but for these nodes, where it is preferred.
    Preferring(&'a HashSet<NodeId>),
    /// What is locked is not up for decision, but for these nodes, which are decided as if it were not.
    AllBut(&'a HashSet<NodeId>),
    /// What is locked is preferred.
    Preferred,
    /// As if nothing were locked.
    Nothing,
}

/// Why a search ended without versions.
pub(crate) enum Ended<E> {
    /// There is no answer from the universe.
    Unanswered(E),
    /// There are none, which follows from these premises.
    Impossible(Vec<Premise>),
    /// It took more steps than it may.
    GivenUp,
}

/// How often a search begins anew, each time with twice the steps: what was in the way is decided first then, and as it was last.
const BEGINNINGS: u32 = 5;
/// Steps of the first time, and more for each node that there is.
const STEPS: u64 = 300_000;
const STEPS_PER_NODE: u64 = 4;
/// With each so many conflicts a step counts for one more, and with each so many of a node on average.
const DEARER: u64 = 1_000;
const DEARER_OF_ONE: u64 = 4;

/// What nothing could be decided against.
pub(crate) enum Premise {
    /// What the lock has at a node was kept.
    Kept(NodeId),
    /// Each of these decisions at `node` leads to one of those at another node, or to none at all.
    Leads {
        /// The node.
        node: NodeId,
        /// The decisions there.
        picks: Picks,
        /// What they lead to.
        aim: Aim,
    },
}

/// Versions that fit together and meet all of `aims`, by their numbers among the releases.
///
/// More may be there than something needs. Decided first is what had most conflicts, then what has the fewest candidates,
/// then what has the first name; and always the highest version. What takes long begins anew, with what was in the way first,
/// and with the versions that were decided last, so that what fitted together already is not looked for again.
pub(crate) fn search<U: Universe>(
    known: &mut Known<'_, U>,
    aims: &[Aim],
    keep: Keep<'_>,
) -> Result<Vec<(PkgId, usize)>, Ended<U::Error>> {
    let mut last = HashMap::new();
    for beginning in 0..BEGINNINGS {
        let nodes = u64::try_from(known.len()).unwrap_or(u64::MAX);
        let most = (STEPS + STEPS_PER_NODE * nodes) << beginning;
        match search_once(known, aims, keep, most, &mut last) {
            Err(Ended::GivenUp) if known.steps() > 0 => {}
            other => return other,
        }
    }
    Err(Ended::GivenUp)
}

fn search_once<U: Universe>(
    known: &mut Known<'_, U>,
    aims: &[Aim],
    keep: Keep<'_>,
    most: u64,
    last: &mut HashMap<NodeId, u32>,
) -> Result<Vec<(PkgId, usize)>, Ended<U::Error>> {
    let failed = RefCell::new(None);
    let steps = Cell::new(most);
    let (in_the_way, conflicts) = (RefCell::default(), Cell::default());
    let is_first = last.is_empty();
    let last = RefCell::new(last);
    let known = RefCell::new(known);
    let search = Search { known, aims, keep, is_first, last, steps, in_the_way, conflicts, failed };
    let answer = resolve(&search, NodeId::WORKSPACE, 0u32);
    let Search { known, failed, in_the_way, .. } = search;
    let known = known.into_inner();
    match (answer, failed.into_inner()) {
        (_, Some(Stop::Unanswered(error))) => Err(Ended::Unanswered(error)),
        (_, Some(Stop::TooLong)) => {
            known.note_contested(in_the_way.into_inner());
            Err(Ended::GivenUp)
        }
        (Ok(decisions), None) => {
            let release = |(node, decision): (NodeId, u32)| match *known.node(node) {
                Node::Range(pkg, range) => {
                    Some((pkg, known.pkg(pkg).ranges[range].candidates[decision as usize]))
                }
                Node::Workspace | Node::Choice(..) => None,
            };
            Ok(decisions.into_iter().filter_map(release).collect())
        }
        (Err(PubGrubError::NoSolution(tree)), None) => Err(Ended::Impossible(premises(tree))),
        // The others hold an error that was put aside, which is the first case.
        (Err(_), None) => Err(Ended::Impossible(Vec::new())),
    }
}

struct Search<'a, 'u, U: Universe> {
    known: RefCell<&'a mut Known<'u, U>>,
    aims: &'a [Aim],
    keep: Keep<'a>,
    /// Whether nothing was decided before it.
    is_first: bool,
    /// How each node was decided last.
    last: RefCell<&'a mut HashMap<NodeId, u32>>,
    /// Steps that it may still take.
    steps: Cell<u64>,
    /// How often each node was in the way.
    in_the_way: RefCell<HashMap<NodeId, u32>>,
    /// The same of all nodes together.
    conflicts: Cell<u64>,
    /// Why it was stopped.
    failed: RefCell<Option<Stop<U::Error>>>,
}

/// Why a search was stopped.
enum Stop<E> {
    /// The error of the universe, as it was.
    Unanswered(E),
    /// It took more steps than it may.
    TooLong,
}

/// The universe did not answer.
#[derive(Debug)]
struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no answer")
    }
}

impl std::error::Error for Stopped {}

impl<U: Universe> Search<'_, '_, U> {
    /// Of `picks` at a node those that may be decided, if the lock says anything about it: else all.
    fn locked(&self, node: NodeId, picks: &Picks) -> Option<Picks> {
        let known = self.known.borrow();
        let locked = known.options(node).locked;
        let left = picks.intersection(locked);
        let is_kept = |free: &HashSet<NodeId>| !locked.is_empty() && !free.contains(&node);
        let counts = match self.keep {
            Keep::Preferring(free) => is_kept(free) || !left.is_empty(),
            Keep::AllBut(free) => is_kept(free),
            Keep::Preferred => !left.is_empty(),
            Keep::Nothing => false,
        };
        counts.then_some(left)
    }

    fn put_aside<T>(&self, answer: Result<T, U::Error>) -> Result<T, Stopped> {
        answer.map_err(|error| {
            *self.failed.borrow_mut() = Some(Stop::Unanswered(error));
            Stopped
        })
    }
}

impl<U: Universe> DependencyProvider for Search<'_, '_, U> {
    type P = NodeId;
    type V = u32;
    type VS = Picks;
    type M = Infallible;
    type Err = Stopped;
    type Priority = (u32, Reverse<usize>, Reverse<(Option<Rc<PkgName>>, NodeId)>);

    fn prioritize(
        &self,
        node: &NodeId,
        picks: &Picks,
        statistics: &PackageResolutionStatistics,
    ) -> Self::Priority {
        let locked = self.locked(*node, picks);
        let known = self.known.borrow();
        let candidates = locked.as_ref().unwrap_or(picks).len(known.options(*node).count);
        let name = match *known.node(*node) {
            Node::Workspace => None,
            Node::Range(pkg, _) | Node::Choice(pkg, _) => Some(known.pkg(pkg).name.clone()),
        };
        // Where nothing is left there is a conflict, and the sooner it is seen the better.
        let times = statistics.conflict_count();
        if times > 0 {
            let before = self.in_the_way.borrow_mut().insert(*node, times).unwrap_or_default();
            let more = u64::from(times.saturating_sub(before));
            self.conflicts.set(self.conflicts.get() + more);
        }
        let times = times.saturating_add(known.contested(*node));
        let conflicts = if candidates == 0 { u32::MAX } else { times };
        (conflicts, Reverse(candidates), Reverse((name, *node)))
    }

    fn choose_version(&self, node: &NodeId, picks: &Picks) -> Result<Option<u32>, Stopped> {
        let locked = self.locked(*node, picks);
        let picks = locked.as_ref().unwrap_or(picks);
        let count = self.known.borrow().options(*node).count;
        let mut last = self.last.borrow_mut();
        let as_last = last.get(node).copied().filter(|one| !self.is_first && picks.contains(one));
        let decision = as_last.or_else(|| picks.highest(count));
        last.extend(decision.map(|decision| (*node, decision)));
        Ok(decision)
    }

    fn get_dependencies(
        &self,
        node: &NodeId,
        decision: &u32,
    ) -> Result<Dependencies<NodeId, Picks, Infallible>, Stopped> {
        let aims = match *node {
            NodeId::WORKSPACE => self.aims.to_vec(),
            node => self.put_aside(self.known.borrow_mut().follow(node, *decision))?,
        };
        let led = aims.into_iter().map(|Aim { node, picks }| (node, picks));
        Ok(Dependencies::Available(led.collect()))
    }

    fn should_cancel(&self) -> Result<(), Stopped> {
        let universe = self.known.borrow().universe();
        self.put_aside(universe.go_on())?;
        // What follows from conflicts is looked at again, above all where there are few nodes to share them.
        let nodes = u64::try_from(self.in_the_way.borrow().len()).unwrap_or(u64::MAX).max(1);
        let conflicts = self.conflicts.get();
        let cost = 1 + conflicts / DEARER + conflicts / (nodes * DEARER_OF_ONE);
        let left = self.steps.get();
        self.steps.set(left.saturating_sub(cost));
        match left > 0 && self.known.borrow_mut().step(cost) {
            true => Ok(()),
            false => {
                *self.failed.borrow_mut() = Some(Stop::TooLong);
                Err(Stopped)
            }
        }
    }
}

type Tree = DerivationTree<NodeId, Picks, Infallible>;

/// The leaves of a proof, each once, in the order in which it speaks of them.
fn premises(tree: Tree) -> Vec<Premise> {
    let mut premises = Vec::new();
    let mut seen = HashSet::new();
    // Parts of it stand in several places.
    let mut held = vec![Arc::new(tree)];
    let mut open = vec![0];
    while let Some(number) = open.pop() {
        let part = held[number].clone();
        match &*part {
            DerivationTree::Derived(derived) => {
                for cause in [&derived.cause2, &derived.cause1] {
                    if seen.insert(Arc::as_ptr(cause)) {
                        open.push(held.len());
                        held.push(cause.clone());
                    }
                }
            }
            DerivationTree::External(External::NoVersions(node, _)) => {
                premises.push(Premise::Kept(*node));
            }
            DerivationTree::External(External::FromDependencyOf(node, picks, to, wanted)) => {
                let aim = Aim { node: *to, picks: wanted.clone() };
                premises.push(Premise::Leads { node: *node, picks: picks.clone(), aim });
            }
            DerivationTree::External(External::NotRoot(..)) => {}
            DerivationTree::External(External::Custom(_, _, never)) => match *never {},
        }
    }
    drop_all(held);
    premises
}

/// Drops parts of proofs, none inside of another: a proof may be deeper than the stack.
fn drop_all(mut parts: Vec<Arc<Tree>>) {
    while let Some(part) = parts.pop() {
        if let Some(DerivationTree::Derived(derived)) = Arc::into_inner(part) {
            parts.extend([derived.cause1, derived.cause2]);
        }
    }
}
