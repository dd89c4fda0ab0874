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

/// How the lock is used.
#[derive(Clone, Copy)]
pub(crate) enum Keep<'a> {
    /// Locked versions are kept, except at these nodes, where they are preferred.
    Preferring(&'a HashSet<NodeId>),
    /// Locked versions are kept, except at these nodes, where they are ignored.
    AllBut(&'a HashSet<NodeId>),
    /// Locked versions are preferred.
    Preferred,
    /// The lock is ignored.
    Nothing,
}

/// Why a search found no versions.
pub(crate) enum Ended<E> {
    /// The universe did not answer.
    Unanswered(E),
    /// There is no solution, as follows from these premises.
    Impossible(Vec<Premise>),
    /// It took too many steps.
    GivenUp,
}

/// The number of attempts, each with twice the steps of the previous one. Later attempts first decide what was
/// involved in conflicts, and repeat earlier decisions.
const BEGINNINGS: u32 = 5;
/// The steps of the first attempt, and additional ones per node.
const STEPS: u64 = 300_000;
const STEPS_PER_NODE: u64 = 4;
/// A step counts for one more with each of so many conflicts, and with each of so many conflicts per node on average.
const DEARER: u64 = 1_000;
const DEARER_OF_ONE: u64 = 4;

/// A premise that no decision can contradict.
pub(crate) enum Premise {
    /// The locked version of a node was kept.
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

/// Searches for versions that fit together and meet all of `aims`. Returns them by release number.
///
/// The result may contain more than is needed. The search first decides what had most conflicts, then what has the
/// fewest candidates, then by name, and always chooses the highest version. A search that takes too long is
/// restarted: it then first decides what was involved in conflicts, and repeats the last decisions, so that what
/// already fitted together is not searched for again.
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
        // Other variants contain an error that was stored, which is the first case.
        (Err(_), None) => Err(Ended::Impossible(Vec::new())),
    }
}

struct Search<'a, 'u, U: Universe> {
    known: RefCell<&'a mut Known<'u, U>>,
    aims: &'a [Aim],
    keep: Keep<'a>,
    /// Whether this is the first attempt.
    is_first: bool,
    /// The last decision of each node.
    last: RefCell<&'a mut HashMap<NodeId, u32>>,
    /// The remaining steps.
    steps: Cell<u64>,
    /// How often each node was involved in conflicts.
    in_the_way: RefCell<HashMap<NodeId, u32>>,
    /// The number of conflicts of all nodes.
    conflicts: Cell<u64>,
    /// Why the search was stopped.
    failed: RefCell<Option<Stop<U::Error>>>,
}

/// Why a search was stopped.
enum Stop<E> {
    /// The error of the universe.
    Unanswered(E),
    /// It took too many steps.
    TooLong,
}

/// Tells the solver to stop; the reason is in `failed`.
#[derive(Debug)]
struct Stopped;

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no answer")
    }
}

impl std::error::Error for Stopped {}

impl<U: Universe> Search<'_, '_, U> {
    /// Restricts `picks` at a node to those that the lock allows; `None` if the lock does not restrict them.
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
        // No candidates means a conflict, which is best found early.
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
        // The consequences of conflicts are examined again and again, especially if few nodes share them.
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

/// Returns the leaves of a proof without duplicates, in the order of the proof.
fn premises(tree: Tree) -> Vec<Premise> {
    let mut premises = Vec::new();
    let mut seen = HashSet::new();
    // Parts of a proof are shared.
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

/// Drops the parts of a proof one by one, because the proof may be deeper than the stack.
fn drop_all(mut parts: Vec<Arc<Tree>>) {
    while let Some(part) = parts.pop() {
        if let Some(DerivationTree::Derived(derived)) = Arc::into_inner(part) {
            parts.extend([derived.cause1, derived.cause2]);
        }
    }
}
