//! Whether the first page of the specification lists all other pages, and no missing ones.

/// The faults of `first`, the text of the first page, where `names` are the pages in its directory.
pub(crate) fn faults(first: &str, names: &[String]) -> Vec<String> {
    let linked = |name: &String| first.contains(&format!("]({name})"));
    let missing = names.iter().filter(|name| *name != "README.md" && !linked(name));
    let links = first.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let dead = links.filter(|link| !names.iter().any(|name| name == link));
    missing
        .map(|name| format!("`spec/README.md` does not name `{name}`"))
        .chain(dead.map(|link| format!("`spec/README.md` names `{link}`, which does not exist")))
        .collect()
}

#[test]
fn an_unlisted_page_is_a_fault() {
    let names = ["README.md", "a.md", "b.md"].map(str::to_owned);
    assert_eq!(
        faults("| [a.md](a.md) | [c.md](c.md) |", &names),
        [
            "`spec/README.md` does not name `b.md`",
            "`spec/README.md` names `c.md`, which does not exist",
        ]
    );
    assert!(faults("[a.md](a.md), [b.md](b.md)", &names).is_empty());
}
