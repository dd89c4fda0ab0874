//! The order of modules and crates: no room imports a later one, and no crate depends on one above it.
//!
//! The rooms are the modules that `lib.rs`, `main.rs` or the file of a folder declares, in the order of declaration. A room
//! may import rooms declared before it, its own contents, and what the files of the folders around it define
//! themselves. Importing a re-exported name counts as an import of the module that defines it.
//! Code compiled only for tests is exempt.
//!
//! `WAKE_HOUSE_ROOT=/path` checks another checkout.

#![allow(clippy::unwrap_used)]

mod sources;

mod module;
mod test_only;
mod tokens;
mod use_tree;

mod mention;
mod read;
mod resolve;

mod arrow;
mod order;
mod verdict;

mod workspace;

mod described;
mod pages;
mod layers;
mod small_crates;

use module::{Crate, ROOT};
use sources::{Checkout, Sources};
use verdict::verdict;

fn crates(checkout: &Checkout) -> Vec<Crate> {
    let packages = workspace::packages(checkout).unwrap();
    packages.iter().flat_map(|package| package.crates(checkout).unwrap()).collect()
}

#[test]
fn no_room_imports_a_later_one() {
    let mut said = String::new();
    for of in crates(&Checkout::here()) {
        let verdict = verdict(&of);
        if let count @ 1.. = verdict.complaints.len() {
            let (complaints, advice) = (verdict.complaints.join("\n"), verdict.advice.join("\n"));
            said += &format!("\n{}: {count}\n{complaints}\n{advice}\n", of.name);
        }
    }
    assert!(
        said.is_empty(),
        "rooms import later ones: move the imported item into an earlier room, or reorder the rooms\n{said}"
    );
}

#[test]
fn crates_depend_only_on_what_their_layer_allows() {
    let packages = workspace::packages(&Checkout::here()).unwrap();
    let faults = layers::faults(&packages);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_index_of_the_specification_lists_all_pages() {
    let checkout = Checkout::here();
    let first = checkout.text("spec/README.md").unwrap();
    let faults = pages::faults(&first, &checkout.names("spec"));
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Prints the rooms of each crate with `--nocapture`, in the form that `ARCHITECTURE.md` uses.
#[test]
#[allow(clippy::print_stdout)]
fn the_rooms_match_the_architecture_page() {
    let checkout = Checkout::here();
    let mut rooms = Vec::new();
    for of in crates(&checkout) {
        let names = of.modules[ROOT].rooms.iter().map(|&id| of.modules[id].name().to_owned());
        let names: Vec<_> = names.collect();
        println!("{}: {}", of.name, names.join(" "));
        rooms.push((of.name, names));
    }
    assert!(rooms.iter().any(|(_, names)| names.len() > 1), "found no rooms: {rooms:?}");
    let faults = described::faults(&checkout.text("ARCHITECTURE.md").unwrap_or_default(), &rooms);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
