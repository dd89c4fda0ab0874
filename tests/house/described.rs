//! The rooms as listed in `ARCHITECTURE.md`, if it lists them.
//!
//! The list is a fenced block marked `rooms`, with one line for each crate: its name, a colon, and its rooms in order.

/// The crates and rooms of all such blocks, each with its line number.
pub(crate) fn described(text: &str) -> Vec<(usize, &str, Vec<&str>)> {
    let mut inside = false;
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        match line.trim() {
            "```rooms" => inside = true,
            line if line.starts_with("```") => inside = false,
            line if inside => {
                let (name, rooms) = line.split_once(':').unwrap_or((line, ""));
                found.push((number, name.trim(), rooms.split_whitespace().collect()));
            }
            _ => {}
        }
    }
    found
}

/// The differences between the text and the code, where `actual` has each crate with its rooms.
pub(crate) fn faults(text: &str, actual: &[(String, Vec<String>)]) -> Vec<String> {
    described(text)
        .into_iter()
        .filter_map(|(line, name, rooms)| {
            let at = format!("ARCHITECTURE.md:{line}");
            match actual.iter().find(|(other, _)| other == name) {
                None => Some(format!("{at}: there is no crate `{name}` with rooms")),
                Some((_, are)) if *are == rooms => None,
                Some((_, are)) => {
                    Some(format!("{at}: `{name}` has the rooms `{}` in this order", are.join(" ")))
                }
            }
        })
        .collect()
}

#[test]
fn a_line_that_differs_from_the_code_is_a_fault() {
    let text = "rooms: no\n```rooms\nwake-a: one two\nwake-b: one\n```\nwake-c: no\n";
    let rooms = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
    let actual = [("wake-a".to_owned(), rooms(&["two", "one"]))];
    assert_eq!(
        faults(text, &actual),
        [
            "ARCHITECTURE.md:3: `wake-a` has the rooms `two one` in this order",
            "ARCHITECTURE.md:4: there is no crate `wake-b` with rooms",
        ]
    );
    assert_eq!(faults(text, &[("wake-a".to_owned(), rooms(&["one", "two"]))]).len(), 1);
}
