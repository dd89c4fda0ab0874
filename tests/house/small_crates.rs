//! The checker, applied to crates of a few lines.

use std::collections::BTreeMap;

use crate::read::read;
use crate::verdict::verdict;

const ROOT: &str = "src/lib.rs";
const TWO_ROOMS: &str = "mod early;\nmod late;";

/// The complaints about a crate, each shortened to `FILE:LINE: imports PATH`, with ` of MODULE` if that differs.
fn complaints(files: &[(&str, &str)]) -> Vec<String> {
    let sources: BTreeMap<_, _> = files.iter().copied().collect();
    let of = read("small", ROOT, &sources).unwrap();
    let said = verdict(&of).complaints.into_iter();
    said.map(|said| said.split(", but").next().unwrap_or_default().to_owned()).collect()
}

/// The complaints about a first room with this text, before a second one that defines `X`, `x` and `Kind`.
fn early(text: &str) -> Vec<String> {
    early_below(TWO_ROOMS, text)
}

/// The same with another text of the root.
fn early_below(root: &str, text: &str) -> Vec<String> {
    let late = "pub struct X; pub fn x() {} pub enum Kind { A } pub mod deep { pub struct Y; }";
    complaints(&[(ROOT, root), ("src/early.rs", text), ("src/late.rs", late)])
}

#[test]
fn an_arrow_back_is_reported_with_both_lines() {
    let sources: BTreeMap<_, _> = [
        (ROOT, "//! A crate.\nmod early;\n\nmod late;\n"),
        ("src/early/mod.rs", "\nuse crate::late::X;\n"),
        ("src/late.rs", "pub struct X;"),
    ]
    .into();
    let verdict = verdict(&read("small", ROOT, &sources).unwrap());
    let said = "src/early/mod.rs:2: imports crate::late::X, but room `early` (src/lib.rs:2) comes before `late` \
                (src/lib.rs:4)";
    assert_eq!(verdict.complaints, [said]);
    assert_eq!(verdict.advice, ["src/lib.rs: the order `late early` leaves none"]);
}

#[test]
fn a_cycle_has_no_order() {
    let sources: BTreeMap<_, _> = [
        (ROOT, TWO_ROOMS),
        ("src/early.rs", "use crate::late::X;\nuse crate::late::x;\npub struct E;"),
        ("src/late.rs", "use crate::early::E;\npub struct X; pub fn x() {}"),
    ]
    .into();
    let verdict = verdict(&read("small", ROOT, &sources).unwrap());
    let advice = "src/lib.rs: the order `late early` leaves 1 to resolve:\n    \
                  `late` needs `early`: src/late.rs:1: imports crate::early::E";
    assert_eq!(verdict.advice, [advice]);
}

#[test]
fn a_reexport_from_the_root_counts_as_its_definition() {
    let said = ["src/early.rs:1: imports crate::X of crate::late"];
    let root = |import: &str| format!("{TWO_ROOMS}\npub use {import};");
    assert_eq!(early_below(&root("late::X"), "use crate::X;"), said);
    assert_eq!(early_below(&root("late::*"), "use crate::X;"), said);
    assert_eq!(early_below(&root("crate::late::{x, Kind as X}"), "use crate::X;"), said);
    assert_eq!(
        early_below(&root("self::late as l; pub use l::deep::Y as X"), "use crate::X;"),
        ["src/early.rs:1: imports crate::X of crate::late::deep"]
    );
    assert_eq!(
        early_below(&root("late::X"), "use super::*; fn f(_: X) {}"),
        ["src/early.rs:1: imports X of crate::late"]
    );
    assert!(early_below(&root("late::X"), "use super::*; fn f(_: Y) {}").is_empty());
}

#[test]
fn a_name_is_followed_through_several_imports() {
    let files = [
        (ROOT, "mod a;\nmod b;\nmod c;\npub use b::X;"),
        ("src/a.rs", "use crate::X;"),
        ("src/b.rs", "pub use self::inner::*; mod inner { pub use crate::c::Z as X; }"),
        ("src/c.rs", "pub struct Z;"),
    ];
    assert_eq!(
        complaints(&files),
        ["src/a.rs:1: imports crate::X of crate::c", "src/b.rs:1: imports crate::c::Z"]
    );
}

#[test]
fn circular_imports_terminate() {
    let root = format!("{TWO_ROOMS}\npub use early::*; pub use late::*; pub use crate::W;");
    assert!(early_below(&root, "pub use crate::*; use crate::{V, W}; fn f(_: V) {}").is_empty());
}

#[test]
fn every_form_of_import_is_found() {
    let deep = "mod a { mod b { use super::super::super::late::X; } }";
    assert_eq!(
        early(deep),
        ["src/early.rs:1: imports super::super::super::late::X of crate::late"]
    );
    for (text, written) in [
        ("use crate::{late::{X as Other}};", "crate::late::X"),
        ("use crate::late::*;", "crate::late"),
        ("use crate::late;", "crate::late"),
        ("use crate::late::{self, X};", "crate::late"),
        ("use crate::late::X as _;", "crate::late::X"),
        ("fn f() { use crate::late::x; }", "crate::late::x"),
        ("fn f() { crate::late::x() }", "crate::late::x"),
        ("fn f() -> Vec<crate::late::X> { vec![] }", "crate::late::X"),
        ("fn f(k: u8) { match k { crate::late::Kind::A => {} } }", "crate::late::Kind::A"),
        ("impl<T: Into<crate::late::X>> From<T> for S {}", "crate::late::X"),
        ("fn f() { format!(\"{}\", g(crate::late::X)); }", "crate::late::X"),
        ("fn f() { m! { use crate::{late::X}; } }", "crate::late::X"),
        ("macro_rules! m { ($a:ident) => { $crate::late::$a } }", "crate::late"),
        ("fn f() { g(0..crate::late::x()); m!(0..crate::late::x()) }", "crate::late::x"),
        ("struct S { #[serde(with = \"crate::late\")] f: u8 }", "crate::late"),
        ("#[derive(crate::late::X)] struct S;", "crate::late::X"),
    ] {
        assert_eq!(early(text), [format!("src/early.rs:1: imports {written}")], "{text}");
    }
}

#[test]
fn a_path_after_an_imported_name_is_followed() {
    let root = "mod early;\nmod middle { pub use crate::late; }\nmod late;";
    let said = early_below(root, "use crate::middle;\nfn f() { middle::late::x() }");
    let middle = "src/early.rs:1: imports crate::middle";
    let late = "src/early.rs:2: imports middle::late::x of crate::late";
    assert_eq!(said, [middle, late, "src/lib.rs:2: imports crate::late"]);
    // Reported only once.
    assert_eq!(early("use crate::late;\nfn f() { late::x() }").len(), 1);
}

#[test]
fn importing_through_a_later_room_is_a_fault() {
    let root = "mod base { pub struct B; }\nmod early;\nmod late { pub use crate::base::B; }";
    let said = complaints(&[(ROOT, root), ("src/early.rs", "use crate::late::B;")]);
    assert_eq!(said, ["src/early.rs:1: imports crate::late::B"]);
}

#[test]
fn rooms_of_a_folder_are_ordered() {
    let files = [
        (ROOT, "mod folder;"),
        ("src/folder.rs", "mod a;\nmod b;\npub struct Own;"),
        ("src/folder/a.rs", "use super::b::X;\nuse super::Own;\nuse crate::folder::Own as Same;"),
        ("src/folder/b/mod.rs", "mod c; use super::a; pub struct X;"),
        ("src/folder/b/c.rs", "use super::super::a; use super::X; use crate::folder::Own;"),
    ];
    assert_eq!(complaints(&files), ["src/folder/a.rs:1: imports super::b::X of crate::folder::b"]);
}

#[test]
fn a_crate_in_order_is_accepted() {
    let files = [
        (
            ROOT,
            "mod early;\nmod late;\nuse late::L; use early::E; pub fn own() {} fn f() { late::g() }",
        ),
        ("src/early.rs", "pub struct E; mod child; use child::C; use self::child::C as D;"),
        ("src/early/child.rs", "use super::E; use crate::own; pub struct C; fn f() { super::g() }"),
        (
            "src/late.rs",
            "use crate::{early::{E, *}, own}; pub struct L; pub fn g() { m!(crate::early::E) }",
        ),
    ];
    assert!(complaints(&files).is_empty());
}

#[test]
fn tests_may_import_anything() {
    for text in [
        "#[cfg(test)] use crate::late::X;",
        "#[cfg(test)] mod tests { use crate::late::X; }",
        "#[cfg(all(test, unix))] mod tests { use crate::late::X; }",
        "#[cfg(any(all(test, unix), test))] fn f() { crate::late::x() }",
        "#[test] fn f() { crate::late::x() }",
        "struct S { #[cfg(test)] f: crate::late::X }",
        "impl S { #[cfg(test)] fn f() { crate::late::x() } }",
        "fn f() { #[cfg(test)] crate::late::x(); #[cfg(test)] let a = crate::late::x(); }",
        "fn f() { #[cfg(test)] { crate::late::x() } #[cfg(test)] m!(crate::late::x()); }",
        "#![cfg(test)] use crate::late::X;",
        "#[cfg(test)] mod of_no_file;",
    ] {
        assert!(early(text).is_empty(), "{text}");
    }
    for condition in ["not(test)", "any(test, unix)", "unix", "feature = \"test\""] {
        assert_eq!(
            early(&format!("#[cfg({condition})] use crate::late::X;")).len(),
            1,
            "{condition}"
        );
    }
}

#[test]
fn names_from_other_crates_are_not_arrows() {
    for text in [
        "use late::X; fn f() { late::x() }",
        "use ::late::X; fn f() { ::late::x() }",
        "use other::late; fn f() { late::x(); m!(late::x(), a.late, <T>::late::x, other::crate_::late) }",
        "//! [`crate::late::X`]\n/// [`crate::late`]\nfn f() { g(\"crate::late::X\") }",
        "macro_rules! m { ($late:path) => { $late::x() } }",
        "use super::late_crate::X;",
    ] {
        let root = format!("{TWO_ROOMS}\npub use other::late as late_crate;");
        assert!(early_below(&root, text).is_empty(), "{text}");
    }
}

#[test]
fn a_name_defined_by_a_macro_is_found_through_a_glob() {
    let root = "mod early;\nmod late { make! { pub struct Made; } }\npub use late::*;";
    let said = complaints(&[(ROOT, root), ("src/early.rs", "use crate::Made;")]);
    assert_eq!(said, ["src/early.rs:1: imports crate::Made of crate::late"]);
}

#[test]
fn a_path_attribute_sets_the_file_of_a_room() {
    let root = "#[path = \"elsewhere/first.rs\"]\nmod early;\nmod late;";
    let files = [
        (ROOT, root),
        ("src/elsewhere/first.rs", "mod child;"),
        ("src/elsewhere/child.rs", "use crate::late::X;"),
        ("src/late.rs", "pub struct X;"),
    ];
    assert_eq!(complaints(&files), ["src/elsewhere/child.rs:1: imports crate::late::X"]);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let fault = |files: &[(&'static str, &'static str)]| {
        let sources: BTreeMap<_, _> = files.iter().copied().collect();
        read("small", ROOT, &sources).err().unwrap_or_default()
    };
    assert_eq!(fault(&[(ROOT, "mod early;")]), "src/early/mod.rs: cannot be read");
    let said = fault(&[(ROOT, "mod early;"), ("src/early.rs", "\nfn f( {")]);
    assert!(said.starts_with("src/early.rs:2: "), "{said}");
}
