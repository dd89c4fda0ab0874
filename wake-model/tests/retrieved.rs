//! Locked packages from retrievers, and the requirements sent to retrievers.

#![allow(clippy::unwrap_used)]

use wake_model::{Lock, PkgRequest, Requirement, Version};

fn requirement(text: &str) -> Requirement {
    text.parse().unwrap()
}

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

#[test]
fn a_requirement_means_the_highest_line_of_its_retriever() {
    let content = "0".repeat(64);
    let line =
        |pkg: &str, version: &str, source: &str| format!("{pkg} {version} {source} {content}\n");
    let text = [
        "wake-lock 1\n".to_owned(),
        line("x/a", "1.0.0", "via:acme/tool"),
        line("x/a", "1.2.0", "via:acme/tool"),
        line("x/a", "1.9.0", "via:tool"),
        line("x/a", "1.5.0", "main"),
        line("x/a", "2.0.0", "via:acme/tool"),
        line("a", "1.8.0", "via:acme/tool"),
    ]
    .concat();
    let lock = Lock::parse(&text).unwrap();
    let request = |wanted: &str| PkgRequest {
        name: "a".parse().unwrap(),
        version: requirement(wanted),
        namespace: Some("x".parse().unwrap()),
    };
    let found = |wanted: &str, by: &str| {
        let found = lock.find_retrieved(&request(wanted), &by.parse().unwrap());
        found.map(|pkg| pkg.version.to_string())
    };
    assert_eq!(found("^1", "acme/tool").as_deref(), Some("1.2.0"));
    assert_eq!(found("*", "acme/tool").as_deref(), Some("2.0.0"));
    assert_eq!(found("^1", "tool").as_deref(), Some("1.9.0"));
    assert_eq!(found("^3", "acme/tool"), None);
    assert_eq!(found("^1", "acme/other"), None);
    // Packages from registries do not count.
    assert_eq!(
        lock.find(&request("^1")).map(|pkg| pkg.version.to_string()).as_deref(),
        Some("1.5.0")
    );
}

#[test]
fn several_requirements_are_combined_into_one() {
    let all =
        Requirement::all([&requirement("^1"), &requirement(">=1.2, <1.9"), &requirement("^1")]);
    assert_eq!(all.to_string(), "^1, >=1.2, <1.9");
    for (text, fits) in [("1.1.0", false), ("1.2.0", true), ("1.9.0", false), ("2.0.0", false)] {
        assert_eq!(all.matches(&version(text)), fits, "{text}");
    }
    assert_eq!(Requirement::all([&requirement("*")]).to_string(), "*");
}

#[test]
fn exactly_one_version_is_a_requirement() {
    for (text, written) in
        [("1.2.3", "=1.2.3"), ("1.2.3-rc.1", "=1.2.3-rc.1"), ("1.2.3+1.dfsg-1", "=1.2.3")]
    {
        let exactly = version(text).exactly();
        assert_eq!(exactly.to_string(), written);
        assert!(exactly.matches(&version(text)), "{text}");
        assert!(!exactly.matches(&version("1.2.4")), "{text}");
    }
}
