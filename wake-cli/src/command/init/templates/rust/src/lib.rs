/// What to say to whom it may concern.
pub fn greeting() -> &'static str {
    "Hello from NAME."
}

#[test]
fn says_where_it_comes_from() {
    assert_eq!(greeting(), "Hello from NAME.");
}
