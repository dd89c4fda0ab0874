//! Locks: sets of lines, independent of order, and closed under union.

use proptest::collection::vec;
use proptest::prelude::*;
use wake_model::{Digest, Lock, Version};

use crate::things::version;

/// Returns a line whose content is a function of the package and its version, as for published packages.
fn line() -> impl Strategy<Value = String> {
    let source = prop_oneof!["main|copy", "via:(t/)?tool"];
    ("(acme/)?[ab]", version(), source).prop_map(|(name, version, source)| {
        let version: Version = version.to_string().split('+').next().unwrap().parse().unwrap();
        let byte = format!("{name} {version}").bytes().fold(7, u8::wrapping_add);
        format!("{name} {version} {source} {}", Digest::from_bytes([byte; 32]))
    })
}

fn lock(lines: &[String]) -> String {
    lines.iter().fold("wake-lock 1\n".to_owned(), |text, line| text + line + "\n")
}

proptest! {
    #[test]
    fn a_lock_comes_back_in_one_form(lines in vec(line(), 0..8).prop_shuffle()) {
        let read = Lock::parse(&lock(&lines)).unwrap();
        let written = read.to_string();
        prop_assert_eq!(Lock::parse(&written), Ok(read));
        let mut sorted = lines.clone();
        sorted.sort();
        sorted.dedup();
        prop_assert_eq!(written, lock(&sorted));
    }

    #[test]
    fn a_version_control_merge_of_locks_is_their_union(
        both in vec(line(), 0..4),
        ours in vec(line(), 0..4),
        theirs in vec(line(), 0..4),
        base in proptest::option::of(vec(line(), 0..4)),
    ) {
        let union = Lock::parse(&lock(&[both.clone(), ours.clone(), theirs.clone()].concat())).unwrap();
        let base = base.map(|base| [vec!["||||||| base".to_owned()], base].concat());
        let marked = [
            both,
            vec!["<<<<<<< ours".to_owned()],
            ours,
            base.unwrap_or_default(),
            vec!["=======".to_owned()],
            theirs,
            vec![">>>>>>> theirs".to_owned()],
        ];
        prop_assert_eq!(Lock::parse(&lock(&marked.concat())), Ok(union));
    }

    #[test]
    fn every_error_has_a_place_in_the_text(
        lines in vec(prop_oneof![line(), "[<=>|]{6,8}( x)?", "[ab1.é ]{0,6}"], 0..6),
        cut in 0..200usize,
    ) {
        let text: String = lock(&lines).chars().skip(cut % 13).take(cut).collect();
        if let Err(error) = Lock::parse(&text) {
            let line = text.lines().nth(error.line - 1).unwrap_or_default();
            let length = line.chars().count();
            prop_assert!(error.line <= text.lines().count().max(1), "{error:?}");
            prop_assert!(1 <= error.columns.start && error.columns.start <= error.columns.end);
            prop_assert!(error.columns.end <= length + 1, "{error:?} in `{line}`");
        }
    }
}
