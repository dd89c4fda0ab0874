//! Documents that are rejected, with the whole message.
#![allow(clippy::unwrap_used, missing_docs)]

use wake_formula::Document;

fn refusal(text: &str) -> String {
    let error = Document::parse(text, "f.json").unwrap_err();
    let hint = error.hint.as_ref().map_or(String::new(), |hint| format!("\nhint: {hint}"));
    let indent = error.source_line.chars().take(error.column - 1);
    let indent: String = indent.map(|c| if c == '\t' { '\t' } else { ' ' }).collect();
    format!("{error}\n{}\n{indent}^{hint}", error.source_line)
}

#[test]
fn unknown_field() {
    let text = "{\n  \"formula\": {\n    \"actoin\": {},\n    \"action\": {}\n  }\n}";
    assert_eq!(
        refusal(text),
        "f.json:3:5: unknown field `actoin` in the formula\n    \"actoin\": {},\n    ^\nhint: did you mean `action`?"
    );
}

#[test]
fn columns_count_characters() {
    let text = r#"{"formula": {"action": {"env": {"ä": "ö"}, "exit": 1}}}"#;
    assert_eq!(refusal(text).split(": ").next().unwrap(), "f.json:1:44");
}

#[test]
fn relative_path() {
    let text = r#"{"formula": {"inputs": {"task": "tar:6q7G"}, "action": {}}}"#;
    assert!(
        refusal(text).starts_with(
            "f.json:1:25: path `task` is relative: expected one that starts with `/`\n"
        )
    );
}

#[test]
fn two_inputs_at_one_path() {
    let text = r#"{"formula": {"inputs": {"/a": "tar:6q7G", "/a/": "tar:6q7G"}, "action": {}}}"#;
    assert!(refusal(text).starts_with("f.json:1:43: two inputs at one path: `/a`\n"));
}

#[test]
fn input_below_a_mount_but_not_beside_it() {
    let text = |path: &str| {
        format!(
            r#"{{"formula": {{"inputs": {{"/a": "mount:ro:/tmp", "{path}": "tar:6q7G"}}, "action": {{}}}}}}"#
        )
    };
    assert!(
        refusal(&text("/a/b")).starts_with(
            "f.json:1:48: input `/a/b` is below `/a`, which is mounted from the host\n"
        )
    );
    Document::parse(&text("/ab"), "f.json").unwrap();
}

#[test]
fn values_that_the_system_rejects() {
    let text = |field: &str| format!(r#"{{"formula": {{"action": {{{field}}}}}}}"#);
    let long = format!("\"hostname\": \"{}\"", "h".repeat(65));
    for (field, message) in [
        (
            r#""userinfo": {"uid": 4294967295}"#,
            "f.json:1:45: `uid` cannot be 4294967295: expected a whole number up to 4294967294",
        ),
        (r#""exec": ["/a", "b\u0000"]"#, r"f.json:1:33: `b\0` contains a NUL character"),
        (&long, "f.json:1:37: `hostname` takes at most 64 bytes, none of them NUL"),
    ] {
        assert_eq!(refusal(&text(field)).lines().next().unwrap(), message);
    }
    let longest = format!("\"hostname\": \"{}\"", "h".repeat(64));
    Document::parse(&text(&longest), "f.json").unwrap();
}

#[test]
fn values_that_capsules_cannot_have() {
    let text = |inputs: &str, command: &str, packtype: &str| {
        format!(
            r#"{{"formula.v1": {{"inputs": {{{inputs}}}, "action": {{"exec": {{"command": ["{command}"]}}}}, "outputs": {{"o": {{"from": "/o", "packtype": "{packtype}"}}}}}}}}"#
        )
    };
    for (text, message) in [
        (
            text("", "/a", "git"),
            "pack type `git` cannot be packed: expected `tar`, `tree` or `zip`",
        ),
        (text("", r"/\u0000", "tar"), r"`/\0` contains a NUL character"),
        (text(r#""$A": "literal:\u0000""#, "/a", "tar"), r"`literal:\0` contains a NUL character"),
    ] {
        let refusal = refusal(&text);
        let first = refusal.lines().next().unwrap();
        assert!(first.ends_with(message), "{first}");
    }
    // A file may contain anything.
    Document::parse(&text(r#""/a": "literal:\u0000""#, "/a", "tar"), "f.json").unwrap();
}

#[test]
fn ware_ids() {
    let text =
        |ware: &str| format!(r#"{{"formula": {{"inputs": {{"/": "{ware}"}}, "action": {{}}}}}}"#);
    for (ware, message) in [
        ("6q7G", "ware id `6q7G` has no colon: expected `packtype:hash`"),
        ("rar:6q7G", "pack type `rar` is unknown: expected `tar`, `tree`, `zip` or `git`"),
        ("tar:0OIl", "`0OIl` is not the hash of a `tar` ware"),
        (
            "mount:rx:/tmp",
            "`mount:rx:/tmp` is not a mount: expected `mount:ro:/path` or `mount:rw:/path`",
        ),
    ] {
        let refusal = refusal(&text(ware));
        assert_eq!(refusal.lines().next().unwrap(), format!("f.json:1:30: {message}"));
    }
}

#[test]
fn numbers_as_filter_values() {
    let text = r#"{"formula": {"action": {}, "outputs": {"/o": {"packtype": "tar", "filters": {"uid": 1000}}}}}"#;
    assert!(
        refusal(text).starts_with("f.json:1:85: filter `uid` is a number: expected a string\n")
    );
}

#[test]
fn output_that_cannot_be_packed() {
    let text = r#"{"formula": {"action": {}, "outputs": {"/o": {"packtype": "git"}}}}"#;
    assert!(refusal(text).starts_with(
        "f.json:1:59: pack type `git` cannot be packed: expected `tar`, `tree` or `zip`\n"
    ));
}

#[test]
fn commas_before_brackets_or_none_but_not_alone() {
    let parse = |text: &str| Document::parse(text, "f.json").unwrap();
    let plain = parse(r#"{"formula": {"action": {"exec": ["/x", "/y"], "cwd": "/"}}}"#);
    assert_eq!(parse(r#"{"formula": {"action": {"exec": ["/x", "/y",], "cwd": "/",},},}"#), plain);
    assert_eq!(parse(r#"{"formula": {"action": {"exec": ["/x""/y"] "cwd": "/"}}}"#), plain);
    assert!(
        refusal(r#"{"formula": {"action": {"exec": [,]}}}"#)
            .starts_with("f.json:1:34: `,` does not start a value\n")
    );
    assert!(
        refusal(r#"{"formula": {"action": {"exec": ["/x",, "/y"]}}}"#)
            .starts_with("f.json:1:39: `,` does not start a value\n")
    );
    assert!(
        refusal(r#"{"formula": {"action": {"exec": ["/x", "/y"},}}"#)
            .starts_with("f.json:1:44: `}` does not start a value\n")
    );
}

#[test]
fn broken_json() {
    for (text, message) in [
        ("", "1:1: the document ends where a value is expected"),
        ("{\"formula\": {\n", "2:1: the document ends where `}` is expected"),
        ("{\"formula\": \"x", "1:13: unterminated string"),
        ("{\"a\": 1, \"a\": 2}", "1:10: duplicate key `a` in one object"),
        ("{} {}", "1:4: text follows the end of the document"),
        ("{\"a\": tru}", "1:7: `tru` is not a value: strings are written in double quotes"),
        ("{\"a\": 01}", "1:7: `01` is not a number"),
    ] {
        let refusal = refusal(text);
        assert_eq!(refusal.lines().next().unwrap(), format!("f.json:{message}"));
    }
    assert!(refusal(&"[".repeat(100_000)).contains("are nested more than 64 levels deep"));
}

#[test]
fn warpforge_capsules() {
    let text = |action: &str| {
        format!(
            r#"{{"formula": {{"formula.v1": {{"inputs": {{}}, "action": {action}, "outputs": {{}}}}}}}}"#
        )
    };
    assert!(refusal(&text(r#"{"exec": {"comand": []}}"#)).contains("`exec` has no `command`"));
    assert!(refusal(&text(r#"{"exec": {"command": []}, "echo": {}}"#)).contains("exactly one of"));
    assert!(refusal(&text("{}")).contains("exactly one of"));
}

#[test]
fn documents_of_other_kinds_are_identified() {
    let first = |text: &str| refusal(text).lines().next().unwrap().to_owned();
    for (text, what) in [
        (r#"{"plot.v1": {"inputs": {}, "steps": {}, "outputs": {}}}"#, "a warpforge plot"),
        (r#"{"module.v1": {"name": "a"}}"#, "a warpforge module"),
        (r#"{"catalogmirrors.v1": {"byWare": {}}}"#, "a warpforge catalog file"),
        (r#"{"imports": {}, "steps": {}, "exports": {}}"#, "a reach module"),
        (r#"{"guid": "a", "formulaID": "b", "exitCode": 0, "results": {}}"#, "a run record"),
        (r#"{"inputs": {}, "action": {"exec": ["/x"]}}"#, "a bare formula"),
    ] {
        assert_eq!(first(text), format!("f.json:1:1: this is {what}, not a formula"));
    }
    for formula in [
        r#""inputs": {"/": "ware:tar:a"}, "action": {}"#,
        r#""inputs": {}, "action": {"script": {}}"#,
        r#""action": {}, "outputs": {"o": {"from": "/o"}}"#,
    ] {
        let message = "this is a warpforge formula without its capsule `formula.v1`";
        let text = format!("{{\"formula\": {{{formula}}}}}");
        assert_eq!(first(&text), format!("f.json:1:1: {message}"));
    }
}

#[test]
fn two_spellings_of_one_path() {
    let inputs = |dialect: &str| {
        let one = if dialect == "ware:" { "ware:tar:a" } else { "tar:a" };
        format!(r#""inputs": {{"/a": "{one}", "//a/": "{one}"}}"#)
    };
    let repeatr = format!(r#"{{"formula": {{{}, "action": {{}}}}}}"#, inputs(""));
    assert!(refusal(&repeatr).contains("two inputs at one path"));
    let action = r#""action": {"echo": {}}, "outputs": {}"#;
    let warpforge = format!(r#"{{"formula.v1": {{{}, {action}}}}}"#, inputs("ware:"));
    assert!(refusal(&warpforge).contains("two inputs at one path"));
}

/// An algorithm with quadratic cost would take minutes for these, longer than a test may take.
#[test]
fn many_keys_and_many_mounts_are_read_at_once() {
    let many = |entry: &dyn Fn(usize) -> String| -> String {
        (0..60_000).map(entry).collect::<Vec<_>>().join(",")
    };
    let env = many(&|n| format!(r#""V{n}": """#));
    let inputs = many(&|n| format!(r#""/m{n}": "mount:ro:/""#));
    let text = format!(
        r#"{{"formula": {{"inputs": {{{inputs}}}, "action": {{"exec": ["/x"], "env": {{{env}}}}}}}}}"#
    );
    Document::parse(&text, "f.json").unwrap();
    let below = text.replacen("\"/m0\"", "\"/m59999/x\"", 1);
    assert!(refusal(&below).contains("input `/m59999/x` is below `/m59999`, which is mounted"));
}
