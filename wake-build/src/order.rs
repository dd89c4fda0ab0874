//! Dependency order: topological sorting, levels, and cycles.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use petgraph::algo::tarjan_scc;
use petgraph::graph::{DiGraph, NodeIndex};
use wake_steps::diagnostic::{Class, Diagnostic, Place};

/// Builds a graph with an edge from each key to each of its dependencies.
pub(crate) fn graph_of<K: Ord + Copy, N: IntoIterator<Item = K>>(
    needs: impl Iterator<Item = (K, N)> + Clone,
) -> DiGraph<K, ()> {
    let mut graph = DiGraph::new();
    let nodes: BTreeMap<K, NodeIndex> =
        needs.clone().map(|(key, _)| (key, graph.add_node(key))).collect();
    for (key, needed) in needs {
        for to in needed.into_iter().filter_map(|need| nodes.get(&need)) {
            graph.update_edge(nodes[&key], *to, ());
        }
    }
    graph
}

/// Sorts the nodes of a graph, dependencies first; also returns the strongly connected sets.
pub(crate) fn sort<N, E>(graph: &DiGraph<N, E>) -> (Vec<NodeIndex>, Vec<Vec<NodeIndex>>) {
    let components = tarjan_scc(graph);
    let order = components.concat();
    let is_cycle = |members: &Vec<NodeIndex>| {
        members.len() > 1 || members.iter().any(|&node| graph.contains_edge(node, node))
    };
    (order, components.into_iter().filter(is_cycle).collect())
}

/// Groups things into levels, by the longest dependency chain below each: those of one level do not depend on
/// each other.
pub(crate) fn levels<T: Copy + Eq + Hash, N: Iterator<Item = T>>(
    order: impl IntoIterator<Item = T>,
    needs: impl Fn(T) -> N,
) -> Vec<Vec<T>> {
    let mut depth: HashMap<T, usize> = HashMap::new();
    let mut levels: Vec<Vec<T>> = Vec::new();
    for thing in order {
        let below = needs(thing).filter_map(|need| depth.get(&need)).max();
        let level = below.map_or(0, |deepest| deepest + 1);
        depth.insert(thing, level);
        if levels.len() <= level {
            levels.resize_with(level + 1, Vec::new);
        }
        levels[level].push(thing);
    }
    levels
}

/// A node in a cycle; it depends on the next one, the last one on the first.
pub(crate) struct Link {
    /// Its label.
    pub label: String,
    /// The key of its dependency on the next.
    pub key: String,
    /// Where that is written, if known.
    pub place: Option<Place>,
}

/// Returns the error for the cycle `links`, which consists of `things`.
pub(crate) fn cycle_error(class: Class, things: &str, links: Vec<Link>) -> Diagnostic {
    let labels: Vec<String> = links.iter().map(|link| link.label.clone()).collect();
    let first = labels.first().cloned().unwrap_or_default();
    let message = format!("dependency cycle among {things}: {} -> {first}", labels.join(" -> "));
    let mut diagnostic = Diagnostic::error(class, message);
    for (at, Link { label, key, place }) in links.into_iter().enumerate() {
        let to = &labels[(at + 1) % labels.len()];
        let written = place.as_ref().map(|place| format!(" at {place}")).unwrap_or_default();
        diagnostic = diagnostic.note(format!("{label} needs {to} as `{key}`{written}"));
        if at == 0 {
            diagnostic = diagnostic.at(place);
        }
    }
    diagnostic
}

/// Returns one cycle among `members`, which all reach each other, with the key of each dependency; `onward` returns a
/// dependency of a member among them.
pub(crate) fn way_around<T: Ord + Clone>(
    members: &[T],
    onward: impl Fn(&T) -> Option<(String, T)>,
) -> Vec<(T, String)> {
    let Some(start) = members.iter().min() else { return Vec::new() };
    let mut way: Vec<(T, String)> = Vec::new();
    let mut at = start.clone();
    loop {
        if let Some(first) = way.iter().position(|(passed, _)| *passed == at) {
            return way.split_off(first);
        }
        let Some((key, to)) = onward(&at) else { return way };
        way.push((at, key));
        at = to;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dependencies_come_first_and_cycles_are_reported() {
        let needs = [
            (1, vec![2, 9]),
            (2, vec![3]),
            (3, vec![]),
            (4, vec![4]),
            (5, vec![6, 1]),
            (6, vec![5]),
        ];
        let graph = graph_of(needs.iter().map(|(key, needs)| (*key, needs.iter().copied())));
        let (order, cycles) = sort(&graph);
        let order: Vec<u8> = order.into_iter().map(|node| graph[node]).collect();
        let at = |key: u8| order.iter().position(|other| *other == key);
        assert!(at(3) < at(2) && at(2) < at(1) && at(1) < at(5) && order.len() == 6, "{order:?}");
        let mut cycles: Vec<Vec<u8>> = cycles
            .iter()
            .map(|members| members.iter().map(|&node| graph[node]).collect())
            .collect();
        cycles.iter_mut().for_each(|members| members.sort_unstable());
        cycles.sort();
        assert_eq!(cycles, [vec![4], vec![5, 6]]);
        let needs = |thing: u8| [vec![], vec![], vec![1], vec![1, 2]][usize::from(thing)].clone();
        assert_eq!(
            levels([0, 1, 2, 3], |thing| needs(thing).into_iter()),
            [vec![0, 1], vec![2], vec![3]]
        );
    }

    #[test]
    fn nodes_leading_to_the_cycle_are_omitted() {
        let onward = |at: &u8| Some((format!("to {at}"), [1, 2, 1][usize::from(*at)]));
        let way = way_around(&[0, 1, 2], onward);
        assert_eq!(way, [(1, "to 1".to_owned()), (2, "to 2".to_owned())]);
        assert_eq!(way_around(&[7], |_| Some(("self".to_owned(), 7))), [(7, "self".to_owned())]);
    }
}
