//! The Rust rules: crates of a package, vendored crates, and the errors for invalid calls.
//!
//! If the system has no compiler, because the toolchain is in the user's home, that toolchain is the test's `//tools`.

#![allow(clippy::unwrap_used)]

use wake_tests::{
    Expect, Project, expect, has_system_rust, project, rules_into, rust_toolchain_into, skip,
};

/// A package `//app` with `modules` that may use `tools` and the rules, which are in `//rules`.
fn app(modules: &str, pkgs: &str) -> Project {
    let project = project().file("wake.toml", "").build();
    rules_into(&project, "rules");
    project.write(
        "app/PKG.libsonnet",
        format!(
            "local rust = import '@rust/rules.libsonnet';\nfunction(wake) wake.pkg(\n  wake.pkgInfo('app', '1.0.0'),\n  \
             files=wake.dir(['**/*.{{rs,toml,txt}}']),\n  \
             pkgs={{ rust: wake.getPkg(wake.pkgInfo('rust', '^1', 'wake'), from='../rules/rust'){pkgs} }},\n  \
             modules={modules},\n)\n"
        ),
    );
    project
}

/// The same with a compiler, passed to `modules` as `toolchain`; `None` if this machine has none.
fn compiling(modules: &str) -> Option<Project> {
    if has_system_rust() {
        return Some(app(&modules.replace("TOOLS", "null"), ""));
    }
    let project = app(
        &modules.replace("TOOLS", "'tools:rust'"),
        ", tools: wake.getPkg(wake.pkgInfo('tools', '^1'), from='../tools')",
    );
    rust_toolchain_into(&project, "tools", ", from='../rules/rust'").then_some(project)
}

#[test]
fn each_crate_is_a_step() {
    let modules = "rust.library('few-words', root='words/lib.rs', deps=[':counts'], features=['loud'], toolchain=TOOLS)
        + rust.library('counts', root='counts.rs', srcs=[], toolchain=TOOLS)
        + rust.proc_macro('shout', root='shout.rs', srcs=[], edition='2018', toolchain=TOOLS)
        + rust.binary('app', root='main.rs', srcs=[], deps=[':few-words', ':shout'], aliases={ ':few-words': 'w' }, env={ LEVEL: '7' },
                      build='build.rs', build_srcs=['greeting.txt'], build_deps=[':counts'], features=['warm'], toolchain=TOOLS)
        + rust.test('unit', root='words/lib.rs', deps=[':counts'], toolchain=TOOLS)
        + rust.test('whole', root='whole.rs', srcs=[], deps=[':few-words'], data=['words.txt'], bins=[':app'], toolchain=TOOLS)";
    let Some(project) = compiling(modules) else {
        return skip("each_crate_is_a_step", "needs rustc");
    };
    project.write(
        "app/words/lib.rs",
        "mod split;\npub fn loud() -> bool { cfg!(feature = \"loud\") }\n\
         pub fn count(text: &str) -> usize { counts::of(split::words(text)) }\n\
         #[test]\nfn two() { assert_eq!(count(\"a b\"), 2); }\n",
    );
    project.write(
        "app/words/split.rs",
        "pub fn words(text: &str) -> impl Iterator<Item = &str> { text.split_whitespace() }\n",
    );
    project.write(
        "app/counts.rs",
        "pub fn of<T>(all: impl Iterator<Item = T>) -> usize { all.count() }\n",
    );
    project.write(
        "app/shout.rs",
        "use proc_macro::TokenStream;\n#[proc_macro]\npub fn shout(text: TokenStream) -> TokenStream {\n    \
         format!(\"{:?}\", text.to_string().to_uppercase()).parse().unwrap()\n}\n",
    );
    project.write(
        "app/main.rs",
        "mod greeting { include!(concat!(env!(\"OUT_DIR\"), \"/greeting.rs\")); }\n\
         fn main() {\n    println!(\"{} {} {} {}\", w::count(\"a b c\"), w::loud(), shout::shout!(hey), env!(\"LEVEL\"));\n    \
         println!(\"{} {} {} {}\", greeting::TEXT, env!(\"LETTERS\"), cfg!(greeted), env!(\"CARGO_PKG_VERSION\"));\n}\n",
    );
    project.write("app/greeting.txt", "moin");
    project.write(
        "app/build.rs",
        "use std::env::var;\n\nfn main() {\n    let text = std::fs::read_to_string(\"greeting.txt\").unwrap();\n    \
         assert!(var(\"CARGO_FEATURE_WARM\").is_ok() && var(\"CARGO_PKG_NAME\").as_deref() == Ok(\"app\"));\n    \
         let out = format!(\"{}/greeting.rs\", var(\"OUT_DIR\").unwrap());\n    \
         std::fs::write(out, format!(\"pub const TEXT: &str = {text:?};\")).unwrap();\n    \
         println!(\"cargo::rustc-check-cfg=cfg(greeted)\");\n    println!(\"cargo:rustc-cfg=greeted\");\n    \
         println!(\"cargo:rustc-env=LETTERS={}\", counts::of(text.chars()));\n}\n",
    );
    project.write("app/words.txt", "a b c d\n");
    project.write(
        "app/whole.rs",
        "#[test]\nfn file() { assert_eq!(few_words::count(&std::fs::read_to_string(\"words.txt\").unwrap()), 4); }\n\
         #[test]\nfn program() {\n    let said = std::process::Command::new(env!(\"CARGO_BIN_EXE_app\")).output().unwrap().stdout;\n    \
         assert!(said.starts_with(b\"3 true HEY 7\\n\"));\n    \
         assert!(std::env::current_exe().unwrap().parent().unwrap().with_file_name(\"app\").exists());\n}\n",
    );
    let said = project.wake(["run", "//app:app"]).run().success();
    assert_eq!(said.stdout, "3 true HEY 7\nmoin 4 true 1.0.0\n");
    project.wake(["test", "//app"]).run().success().mentions("2 passed");
    project.build_runs_nothing(&["//app"]);

    // A file that a build script reads: the script reruns, and the crate is rebuilt.
    project.edit("app/greeting.txt", "moin", "hi");
    assert_eq!(
        project.build(&["//app:app"]).ran(),
        ["//app:app", "//app:app.built", "//app:app.script"]
    );

    // Only the macro and the crates that use it are rebuilt.
    project.edit("app/shout.rs", "to_uppercase", "to_lowercase");
    assert_eq!(project.build(&["//app:app"]).ran(), ["//app:app", "//app:shout"]);
    project.edit("app/words.txt", "a b", "a");
    let failed = project.wake(["test", "//app"]).run().code(3);
    failed.mentions("FAIL //app:whole").mentions("whole.rs:2");
    project.edit("app/words/split.rs", "split_whitespace()", "split_whitespace(1)");
    let failed = project.wake(["build", "//app:app"]).run().code(1);
    failed.mentions("words/split.rs:1:");
}

/// A vendored crate: its manifest below `[package]`, and its sources.
fn vendor(project: &Project, name: &str, version: &str, manifest: &str, sources: &[(&str, &str)]) {
    let dir = format!("app/vendor/{name}-{version}");
    project.write(
        &format!("{dir}/Cargo.toml"),
        format!(
            "[package]\nname = \"{name}\"\nversion = \"{version}\"\nedition = \"2021\"\n{manifest}"
        ),
    );
    for (path, text) in sources {
        project.write(&format!("{dir}/{path}"), text);
    }
}

fn locked(name: &str, version: &str, dependencies: &[&str]) -> String {
    let needs: String = dependencies.iter().map(|need| format!(" \"{need}\",\n")).collect();
    format!(
        "[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"registry+https://example.org/index\"\n\
         dependencies = [\n{needs}]\n\n"
    )
}

#[test]
fn vendored_crates_are_built_according_to_their_manifests() {
    let modules = "rust.vendored('vendored', importstr './Cargo.lock', toolchain=TOOLS)
        + rust.binary('app', root='main.rs', srcs=[], deps=[':top-level', ':leaf-2.0.0'], toolchain=TOOLS)";
    let Some(project) = compiling(modules) else {
        return skip("vendored_crates_are_built_according_to_their_manifests", "needs rustc");
    };
    project.write(
        "app/Cargo.toml",
        "[package]\nname = \"app\"\nversion = \"1.0.0\"\n\n[dependencies]\ntop-level = { version = \"1\", features = [\"extra\"] }\nleaf = \"2\"\n",
    );
    project.write(
        "app/Cargo.lock",
        [
            "version = 4\n\n[[package]]\nname = \"app\"\nversion = \"1.0.0\"\ndependencies = [\n \"leaf 2.0.0\",\n \"top-level\",\n]\n\n",
            &locked("leaf", "1.0.0", &[]),
            &locked("leaf", "2.0.0", &[]),
            &locked("made", "0.1.0", &[]),
            &locked("never", "0.1.0", &[]),
            &locked("top-level", "1.2.3", &["leaf 1.0.0", "made", "never"]),
        ]
        .concat(),
    );
    vendor(
        &project,
        "leaf",
        "1.0.0",
        "[features]\ndefault = []\nloud = []\n",
        &[(
            "src/lib.rs",
            "pub fn one() -> &'static str { if cfg!(feature = \"loud\") { \"ONE\" } else { \"one\" } }\n",
        )],
    );
    vendor(
        &project,
        "leaf",
        "2.0.0",
        "",
        &[("src/lib.rs", "pub const TWO: &str = env!(\"CARGO_PKG_VERSION\");\n")],
    );
    vendor(
        &project,
        "made",
        "0.1.0",
        "[lib]\nproc-macro = true\n",
        &[(
            "src/lib.rs",
            "#[proc_macro]\npub fn made(_: proc_macro::TokenStream) -> proc_macro::TokenStream { \"3\".parse().unwrap() }\n",
        )],
    );
    vendor(
        &project,
        "never",
        "0.1.0",
        "",
        &[("src/lib.rs", "compile_error!(\"for another system\");\n")],
    );
    vendor(
        &project,
        "top-level",
        "1.2.3",
        "[features]\nextra = [\"dep:made\", \"old/loud\"]\n\n[dependencies]\nold = { version = \"1\", package = \"leaf\" }\n\
         made = { version = \"0.1\", optional = true }\n\n[target.'cfg(windows)'.dependencies]\nnever = \"0.1\"\n",
        &[
            (
                "build.rs",
                "fn main() {\n    let out = std::env::var(\"OUT_DIR\").unwrap();\n    \
                 assert!(std::env::var(\"CARGO_FEATURE_EXTRA\").is_ok());\n    \
                 std::fs::write(format!(\"{out}/number.rs\"), \"4\").unwrap();\n    \
                 println!(\"cargo::rustc-check-cfg=cfg(found)\");\n    println!(\"cargo:rustc-cfg=found\");\n    \
                 println!(\"cargo:rustc-env=WORD=five\");\n}\n",
            ),
            (
                "src/lib.rs",
                "pub fn all() -> String {\n    let number: u32 = include!(concat!(env!(\"OUT_DIR\"), \"/number.rs\"));\n    \
                 format!(\"{} {} {} {} {}\", old::one(), made::made!(), number, env!(\"WORD\"), cfg!(found))\n}\n",
            ),
        ],
    );
    project
        .write("app/main.rs", "fn main() { println!(\"{} {}\", top_level::all(), leaf::TWO); }\n");
    let said = project.wake(["run", "//app:app"]).run().success();
    assert_eq!(said.stdout, "ONE 3 4 five true 2.0.0\n");

    // If the features of a crate change, only what depends on them is rebuilt.
    project.edit("app/vendor/top-level-1.2.3/Cargo.toml", ", \"old/loud\"", "");
    let ran = project.build(&["//app:app"]);
    let expected = ["//app:app", "//app:leaf-1.0.0", "//app:top-level", "//app:vendored"];
    assert_eq!(ran.ran(), expected);
    project.edit("app/Cargo.toml", "\"extra\"", "\"more\"");
    let failed = project.wake(["build", "//app:app"]).run().code(1);
    failed.mentions("top-level 1.2.3 has no feature `more`");
}

#[test]
fn a_crate_missing_from_the_vendored_ones_is_named() {
    let project = app("rust.vendored('vendored', importstr './Cargo.lock')", "");
    project.write("app/Cargo.toml", "[package]\nname = \"app\"\n");
    project.write("app/Cargo.lock", locked("leaf", "1.0.0", &[]));
    let failed = project.wake(["build", "//app:leaf"]).run().code(5);
    failed
        .mentions("rust.vendored('vendored'): `vendor/leaf-1.0.0/Cargo.toml` is not among the package's `files`")
        .mentions("cargo vendor --versioned-dirs");
}

/// Checks the errors for `modules` in a package with one source. The line of the rule is omitted because it changes with the rules.
fn refused(modules: &str, expected: Expect) {
    let project = app(modules, "");
    project.write("app/main.rs", "fn main() {}\n");
    let said = project.wake(["build", "//app"]).run().code(5).redacted_stderr();
    let shown: String = said
        .lines()
        .filter(|line| !line.contains("= note") && !line.contains("[TIME]"))
        .map(|line| format!("{line}\n"))
        .collect();
    expected.assert_eq(&shown);
}

#[test]
fn invalid_calls_are_errors() {
    refused(
        "rust.binary('app', root='main.rs', edition='2022')",
        expect![[r#"
            error: rust.binary('app'): `edition` must be one of 2015, 2018, 2021, 2024, not '2022'
             --> app/PKG.libsonnet:6:54
              |
            6 |   modules=rust.binary('app', root='main.rs', edition='2022'),
              |                                                      ^^^^^^
        "#]],
    );
    refused(
        "rust.binary('app', root='main.rs', crate='a-b')",
        expect![[r#"
            error: rust.binary('app'): `crate` must be a name of letters, digits and _, not 'a-b'
             --> app/PKG.libsonnet:6:52
              |
            6 |   modules=rust.binary('app', root='main.rs', crate='a-b'),
              |                                                    ^^^^^
        "#]],
    );
    refused(
        "rust.binary('app', root='main.rs', srcs=[], deps=[':lib'])",
        expect![[r#"
            error: rust.binary('app'): there is no module `:lib`; available: `app`
             --> app/PKG.libsonnet:6:61
              |
            6 |   modules=rust.binary('app', root='main.rs', srcs=[], deps=[':lib']),
              |                                                             ^^^^^^
        "#]],
    );
    refused(
        "rust.binary('app', root='main.rs', srcs=[], aliases={ ':lib': 'l' })",
        expect![[r#"
            error: rust.binary('app'): `aliases` names `:lib`, which is not among `deps`
             --> app/PKG.libsonnet:6:63
              |
            6 |   modules=rust.binary('app', root='main.rs', srcs=[], aliases={ ':lib': 'l' }),
              |                                                               ^^^^^^^^^^^^^^^
        "#]],
    );
    refused(
        "rust.binary('app', root='main.rs', srcs=[]) + rust.binary('b', root='main.rs', srcs=[], deps=[':app'])",
        expect![[r#"
            error: rust.binary('b'): `:app` is not a crate
             --> app/PKG.libsonnet:6:105
              |
            6 |   modules=rust.binary('app', root='main.rs', srcs=[]) + rust.binary('b', root='main.rs', srcs=[], deps=[':app']),
              |                                                                                                         ^^^^^^
        "#]],
    );
    refused(
        "rust.vendored('vendored', './Cargo.lock')",
        expect![[r#"
            error: rust.vendored('vendored'): `lock` must be the text of a Cargo.lock (importstr './Cargo.lock'), not another string
             --> app/PKG.libsonnet:6:11
              |
            6 |   modules=rust.vendored('vendored', './Cargo.lock'),
              |           ^^^^^^^^^^^^^
        "#]],
    );
    refused(
        "rust.binary('app')",
        expect![[r#"
            error: rust.binary('app'): the root `src/main.rs` is not among the package's `files`
             --> app/PKG.libsonnet:6:23
              |
            6 |   modules=rust.binary('app'),
              |                       ^^^^^
        "#]],
    );
}
