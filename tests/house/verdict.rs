//! The complaints about a crate whose rooms are not in order.

use std::fmt::Write;

use crate::arrow::{Arrow, arrows};
use crate::module::{Crate, ModuleId};
use crate::order::{left, order};

/// The arrows back of a crate, and a better order for each list of rooms that has some.
pub(crate) struct Verdict {
    /// One sentence for each, sorted by file and line.
    pub(crate) complaints: Vec<String>,
    pub(crate) advice: Vec<String>,
}

/// Checks all imports of a crate.
pub(crate) fn verdict(of: &Crate) -> Verdict {
    let arrows = arrows(of);
    let complaints = arrows.iter().filter(|arrow| arrow.is_back());
    let complaints = complaints.map(|arrow| arrow.complaint(of)).collect();
    let advice = (0..of.modules.len()).filter_map(|list| advice(of, list, &arrows)).collect();
    Verdict { complaints, advice }
}

/// The remedy for the rooms that one module declares; `None` if they are in order.
fn advice(of: &Crate, list: ModuleId, arrows: &[Arrow]) -> Option<String> {
    let module = &of.modules[list];
    let in_list = |arrow: &&Arrow| of.modules[arrow.from].parent == Some(list);
    let arrows: Vec<_> = arrows.iter().filter(in_list).collect();
    arrows.iter().find(|arrow| arrow.is_back())?;
    let order = order(&module.rooms, &arrows);
    let left = left(&order, &arrows);
    let names: Vec<_> = order.iter().map(|&id| of.modules[id].name()).collect();
    let mut text = format!("{}: the order `{}` leaves", module.file, names.join(" "));
    match left.len() {
        0 => text += " none",
        count => drop(write!(text, " {count} to resolve:")),
    }
    for arrow in left {
        let (from, to) = (of.modules[arrow.from].name(), of.modules[arrow.to].name());
        let _ = write!(text, "\n    `{from}` needs `{to}`: {}", arrow.import(of));
    }
    Some(text)
}
