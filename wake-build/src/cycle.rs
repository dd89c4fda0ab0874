//! Cycles: things that need each other, shown with the way around.

use wake_steps::diagnostic::{Class, Diagnostic, Place};

/// One thing on the way around; it needs the next one, the last one the first.
pub(crate) struct Link {
    /// How it is called.
    pub label: String,
    /// The key under which it needs the next.
    pub key: String,
    /// Where that is written, as far as is known.
    pub place: Option<Place>,
}

/// The error that shows `links`, which are `things`, and where each of them was written.
pub(crate) fn error(class: Class, things: &str, links: Vec<Link>) -> Diagnostic {
    let labels: Vec<String> = links.iter().map(|link| link.label.clone()).collect();
    let first = labels.first().cloned().unwrap_or_default();
    let message = format!("{things} need each other: {} -> {first}", labels.join(" -> "));
    let mut diagnostic = Diagnostic::error(class, message);
    for (at, Link { label, key, place }) in links.into_iter().enumerate() {
        let to = &labels[(at + 1) % labels.len()];
        let written = place.as_ref().map(|p| format!(" at {}:{}:{}", p.file, p.line, p.column));
        let written = written.unwrap_or_default();
        diagnostic = diagnostic.note(format!("{label} needs {to} as `{key}`{written}"));
        if at == 0 {
            diagnostic = diagnostic.at(place);
        }
    }
    diagnostic
}

/// One way around among `members`, which all reach each other, each with the key that leads onward; `onward` gives one
/// that a member needs among them.
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
    fn what_only_leads_to_the_cycle_is_left_out() {
        let onward = |at: &u8| Some((format!("to {at}"), [1, 2, 1][usize::from(*at)]));
        let way = way_around(&[0, 1, 2], onward);
        assert_eq!(way, [(1, "to 1".to_owned()), (2, "to 2".to_owned())]);
        assert_eq!(way_around(&[7], |_| Some(("self".to_owned(), 7))), [(7, "self".to_owned())]);
    }
}
