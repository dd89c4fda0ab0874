//! An order of rooms that fits their imports.

use std::collections::BTreeSet;

use crate::arrow::Arrow;
use crate::module::ModuleId;

/// The rooms of a list in an order without arrows back, or with few if every order has some. Rooms stay in the given
/// order where possible.
pub(crate) fn order(rooms: &[ModuleId], arrows: &[&Arrow]) -> Vec<ModuleId> {
    let (mut open, mut ordered) = (rooms.to_vec(), Vec::new());
    while !open.is_empty() {
        let next = next(&open, arrows);
        ordered.push(open.remove(next));
    }
    while let Some(better) = better(&ordered, arrows) {
        ordered = better;
    }
    ordered
}

/// The arrows that lead to a later room in an order.
pub(crate) fn left<'a>(order: &[ModuleId], arrows: &[&'a Arrow]) -> Vec<&'a Arrow> {
    let place = |room| order.iter().position(|&other| other == room);
    arrows.iter().copied().filter(|arrow| place(arrow.from) < place(arrow.to)).collect()
}

/// The order with one room moved so that fewer arrows lead back, if there is such a move.
fn better(ordered: &[ModuleId], arrows: &[&Arrow]) -> Option<Vec<ModuleId>> {
    let now = left(ordered, arrows).len();
    let places = 0..ordered.len();
    let moves = places.clone().flat_map(|from| places.clone().map(move |to| (from, to)));
    let mut orders = moves.map(|(from, to)| {
        let mut moved = ordered.to_vec();
        let room = moved.remove(from);
        moved.insert(to, room);
        moved
    });
    // Most lists have none at this point, so there is nothing to search.
    if now == 0 { None } else { orders.find(|order| left(order, arrows).len() < now) }
}

/// The index of the first room that needs no other; else of the one that needs the fewest others in its cycle.
fn next(open: &[ModuleId], arrows: &[&Arrow]) -> usize {
    let needs = |room| {
        let needed = arrows.iter().filter(move |arrow| arrow.from == room).map(|arrow| arrow.to);
        needed.filter(|to| open.contains(to))
    };
    let reached: Vec<_> = open.iter().map(|&room| reached(room, needs)).collect();
    let index = |room: &ModuleId| open.iter().position(|other| other == room);
    // Whatever such a room reaches leads back to it, so nothing outside its cycle has to come first.
    let is_lowest = |&at: &usize| {
        reached[at].iter().filter_map(index).all(|other| reached[other].contains(&open[at]))
    };
    (0..open.len()).filter(is_lowest).min_by_key(|&at| needs(open[at]).count()).unwrap_or(0)
}

fn reached<I: Iterator<Item = ModuleId>>(
    from: ModuleId,
    needs: impl Fn(ModuleId) -> I,
) -> BTreeSet<ModuleId> {
    let (mut reached, mut open) = (BTreeSet::new(), vec![from]);
    while let Some(room) = open.pop() {
        open.extend(needs(room).filter(|&needed| reached.insert(needed)));
    }
    reached
}
