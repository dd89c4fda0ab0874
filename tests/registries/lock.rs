//! Writing `wake.lock`.

use std::fs;

use wake_tests::expect;

use crate::scene::{Scene, get, says, toml};

#[test]
fn the_lock_covers_the_requirements_of_all_members() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    scene.publish("greet", "1.2.0", &format!("text: {}", get("text", "^2.0")));
    let user = scene.user(&format!("greet: {}", get("greet", "^1")));
    user.write(
        "other/PKG.libsonnet",
        format!(
            "function(wake) wake.pkg(wake.pkgInfo('other', '1.0.0'), pkgs={{ old: {} }})",
            get("text", "^1")
        ),
    );
    let missing = user.wake(["build", "//app"]).run().code(6);
    missing.mentions("other/PKG.libsonnet").mentions("acme/text");
    scene.publish("text", "1.4.0", "");
    user.build(&["//app"]);
    let lock = user.read("wake.lock");
    let words: Vec<&str> = lock.lines().map(|line| line.rsplit_once(' ').unwrap().0).collect();
    assert_eq!(
        words,
        ["wake-lock", "acme/greet 1.2.0 main", "acme/text 1.4.0 main", "acme/text 2.0.1 main"]
    );
    user.wake(["lock", "--check"]).run().success();
}

#[test]
fn lock_check_reports_changes_without_writing_them() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let user = scene.user(&format!("text: {}", get("text", "^2")));
    says(&user.wake(["lock", "--check"]).run().code(11), &["Would lock + acme/text 2.0.1"]);
    assert!(!user.path("wake.lock").exists());
    let failed = user.wake(["build", "//app", "--locked"]).run().code(6);
    failed
        .mentions("it is not locked, because there is no `wake.lock`")
        .mentions("app/PKG.libsonnet:5:18");
    user.wake(["lock"]).run().success();
    user.wake(["build", "//app", "--locked"]).run().success();
    says(&user.wake(["lock"]).run().success(), &["Finished `wake.lock` is up to date"]);
}

#[test]
fn an_update_unlocks_the_packages_it_names() {
    let scene = Scene::new();
    for name in ["text", "tone"] {
        scene.publish(name, "1.0.0", "");
    }
    let user = scene.user(&format!("text: {}, tone: {}", get("text", "^1"), get("tone", "^1")));
    user.build(&["//app"]);
    for name in ["text", "tone"] {
        scene.publish(name, "1.1.0", "");
    }
    says(
        &user.wake(["update", "acme/text"]).run().success(),
        &["Locked ~ acme/text 1.0.0 -> 1.1.0"],
    );
    user.build(&["//app"]);
    assert_eq!(user.result_text("//app:app", "out.txt"), "text 1.1.0\ntone 1.0.0\n");
    says(
        &user.wake(["update", "acme/text", "--precise", "1.0.0"]).run().success(),
        &["Locked ~ acme/text 1.1.0 -> 1.0.0"],
    );
    says(
        &user.wake(["update"]).run().success(),
        &["Locked ~ acme/text 1.0.0 -> 1.1.0", "Locked ~ acme/tone 1.0.0 -> 1.1.0"],
    );
    user.wake(["update", "acme/txet"]).run().code(4).mentions("did you mean `acme/text`?");
}

#[test]
fn a_yanked_version_is_chosen_only_if_locked() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    scene.publish("text", "1.1.0", "");
    let pkgs = format!("text: {}", get("text", "^1"));
    let (early, late) = (scene.user(&pkgs), scene.user(&pkgs));
    early.build(&["//app"]);
    let yank = ["yank", "acme/text@1.1.0", "--reason", "it lies"];
    scene.publisher.wake(yank).run().success();
    late.build(&["//app"]);
    assert_eq!(late.result_text("//app:app", "out.txt"), "text 1.0.0\n");
    // A locked version is kept.
    early.edit("app/PKG.libsonnet", "function(wake)", "// anew\nfunction(wake)");
    early.build(&["//app"]);
    early.wake(["lock", "--check"]).run().success();
    assert_eq!(early.result_text("//app:app", "out.txt"), "text 1.1.0\n");
    late.edit("app/PKG.libsonnet", "'^1'", "'^1.1'");
    late.wake(["build", "//app"]).run().code(6).mentions("yanked: it lies");
    scene.publisher.wake(["yank", "acme/text@1.1.0", "--undo"]).run().success();
    late.build(&["//app"]);
    scene.publisher.wake(["yank", "acme/text@9.0.0", "--undo"]).run().code(4);
    let log = scene.read("index/acme/text.jsonl");
    assert_eq!(log.lines().count(), 4);
}

#[test]
fn conflicting_requirements_are_reported_with_their_positions() {
    let scene = Scene::new();
    scene.publish("tls", "1.2.0", "");
    scene.publish("tls", "1.4.0", "");
    scene.publish("http", "2.0.0", &format!("tls: {}", get("tls", "^1.4")));
    let user = scene.user(&format!("http: {}, tls: {}", get("http", "^2"), get("tls", "~1.2")));
    let failed = user.wake(["build", "//app"]).run().code(6);
    failed.mentions("app/PKG.libsonnet:5").mentions("acme/http 2.0.0 needs acme/tls ^1.4");
    assert!(!user.path("wake.lock").exists());
    let unknown = scene.user(&format!("text: {}", get("tsl", "^1")));
    unknown.wake(["build", "//app"]).run().code(6).mentions("tls");
}

/// Two branches that each add a package: git's union merge is a lock that builds.
#[test]
fn the_union_of_two_locks_builds() {
    let scene = Scene::new();
    for name in ["base", "one", "two"] {
        scene.publish(name, "1.0.0", "");
    }
    let lines = |pkgs: &[&str]| {
        let pkgs: Vec<String> =
            pkgs.iter().map(|name| format!("{name}: {}", get(name, "^1"))).collect();
        let user = scene.user(&pkgs.join(", "));
        user.wake(["lock"]).run().success();
        user.read("wake.lock")
    };
    let (ours, theirs) = (lines(&["base", "one"]), lines(&["base", "two"]));
    let both = scene.user(&format!(
        "base: {}, one: {}, two: {}",
        get("base", "^1"),
        get("one", "^1"),
        get("two", "^1")
    ));
    both.write("wake.lock", ours + &theirs);
    both.wake(["build", "//app", "--locked"]).run().success();
    // Rewritten, it has a canonical form again.
    both.wake(["lock"]).run().success();
    let lock = both.read("wake.lock");
    let mut lines: Vec<&str> = lock.lines().skip(1).collect();
    assert_eq!((lines.len(), lock.matches("wake-lock").count()), (3, 1));
    lines.sort_unstable();
    assert!(lock.lines().skip(1).eq(lines));
    assert_eq!(both.result_text("//app:app", "out.txt"), "base 1.0.0\none 1.0.0\ntwo 1.0.0\n");
}

#[test]
fn a_package_is_added_and_removed_by_name() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    let user = scene.user("// none yet\n");
    let before = user.read("app/PKG.libsonnet");
    let at = |args: &[&str]| user.wake(args).cwd(user.path("app")).run();
    says(
        &at(&["add", "acme/text"]).success(),
        &[
            "Added acme/text ^2.0 to app/PKG.libsonnet",
            "Found 2.0.1 in main, published [AGO], unsigned, needs nothing",
            "Locked + acme/text 2.0.1",
        ],
    );
    let after = user.read("app/PKG.libsonnet");
    assert!(
        after.contains("text: wake.getPkg(wake.pkgInfo('text', '^2.0', namespace='acme'))"),
        "{after}"
    );
    user.wake(["build", "//app", "--locked"]).run().success();
    assert_eq!(user.result_text("//app:app", "out.txt"), "text 2.0.1\n");
    at(&["add", "acme/text"]).code(5).mentions("a package has that key already");
    at(&["add", "acme/txet"]).code(6).mentions("did you mean `acme/text`?");
    // If no versions fit together, nothing is written.
    at(&["add", "acme/tone@^3"]).code(6);
    assert_eq!(user.read("app/PKG.libsonnet"), after);
    says(
        &at(&["remove", "acme/text"]).success(),
        &["Removed text from app/PKG.libsonnet", "Locked - acme/text 2.0.1"],
    );
    assert_eq!(
        user.read("app/PKG.libsonnet").replace([' ', '\n'], ""),
        before.replace([' ', '\n'], "")
    );
    at(&["remove", "text"]).code(4);
    user.build(&["//app"]);
}

#[test]
fn tree_shows_the_requirements_of_each_package() {
    let scene = Scene::new();
    scene.publish("text", "2.0.1", "");
    scene.publish("greet", "1.2.0", &format!("text: {}", get("text", "^2.0")));
    let pkgs = format!("greet: {}, hello: {}", get("greet", "^1"), get("greet", "~1.2"));
    let user = scene.user(&pkgs);
    user.wake(["lock"]).run().success();
    user.wake(["tree"]).run().success().prints(expect![[r#"
        //app 1.0.0
          acme/greet@1.2.0  greet: ^1
            acme/text@2.0.1  text: ^2.0
          acme/greet@1.2.0  hello: ~1.2  (above)
    "#]]);
    let json = user.wake(["tree", "//app", "--json"]).run().success().stdout;
    assert!(
        json.contains("\"label\":\"acme/text@2.0.1\"")
            || json.contains("\"label\": \"acme/text@2.0.1\""),
        "{json}"
    );
}

/// The lock is the second witness of a registry's contents.
#[test]
fn a_registry_without_a_locked_version_is_named() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let user = scene.user(&format!("text: {}", get("text", "^1")));
    user.build(&["//app"]);
    let other = Scene::new();
    other.publish("tone", "1.0.0", "");
    other.publish("text", "1.0.1", "");
    user.write("wake.toml", toml(&format!("file:{}", other.registry().display())));
    user.edit("app/PKG.libsonnet", "pkgs={", &format!("pkgs={{ tone: {},", get("tone", "^1")));
    let failed = user.wake(["build", "//app"]).run().code(7);
    failed
        .mentions("registry `main` no longer has acme/text 1.0.0, which `wake.lock` takes from it");
}

#[test]
fn a_lock_that_cannot_be_written_is_an_error() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let user = scene.user(&format!("text: {}", get("text", "^1")));
    fs::create_dir(user.path("wake.lock")).unwrap();
    user.wake(["build", "//app"]).run().code(6).mentions("`wake.lock` is not a regular file");
}

/// A merge conflict is read as both sides, with a warning.
#[test]
fn a_merge_conflict_in_the_lock_is_read_as_both_sides() {
    let scene = Scene::new();
    for name in ["one", "two"] {
        scene.publish(name, "1.0.0", "");
    }
    let pkgs = format!("one: {}, two: {}", get("one", "^1"), get("two", "^1"));
    let user = scene.user(&pkgs);
    user.wake(["lock"]).run().success();
    let lock = user.read("wake.lock");
    let [head, one, two] = &lock.lines().collect::<Vec<_>>()[..] else { panic!("{lock}") };
    let conflict = format!("{head}\n<<<<<<< ours\n{one}\n=======\n{two}\n>>>>>>> theirs\n");
    user.write("wake.lock", &conflict);
    let failed = user.wake(["build", "//app", "--locked"]).run().code(6);
    let said = failed.redacted_stderr();
    let said: Vec<&str> = said.lines().take_while(|line| !line.starts_with('[')).collect();
    expect![[r#"
        error: merge conflict in `wake.lock`
         --> wake.lock:2:1
          |
        2 | <<<<<<< ours
          | ^^^^^^^^^^^^
          = note: the lines of both sides are used
          help: run `wake lock` to resolve it
          help: put `wake.lock merge=union` in `.gitattributes` to have git merge it without conflicts
    "#]]
    .assert_eq(&(said.join("\n") + "\n"));
    user.wake(["build", "//app", "--frozen"]).run().code(6);
    user.write(".gitattributes", "wake.lock merge=union\n");
    let built = user.wake(["build", "//app"]).run().success();
    let built = built.mentions("warning: merge conflict in `wake.lock`");
    assert!(!built.stderr.contains(".gitattributes"), "{}", built.stderr);
    assert_eq!(user.read("wake.lock"), conflict);
    user.wake(["lock"]).run().success();
    assert_eq!(user.read("wake.lock"), lock);
    let locked = user.wake(["build", "//app", "--locked"]).run().success();
    assert!(!locked.stderr.contains("conflict"), "{}", locked.stderr);
}

#[test]
fn conflicting_digests_of_one_version_are_an_error() {
    let scene = Scene::new();
    scene.publish("one", "1.0.0", "");
    let user = scene.user(&format!("one: {}", get("one", "^1")));
    let zeros = "0".repeat(64);
    let line = |content: &str| format!("acme/one 1.0.0 main {content}\n");
    user.write("wake.lock", format!("wake-lock 1\n{}{}", line(&zeros), line(&"1".repeat(64))));
    let failed = user.wake(["build", "//app"]).run().code(6);
    failed.mentions("`acme/one 1.0.0` has different content on line 2").mentions("wake.lock:3:1");
}

/// A version that was just published is not chosen if the workspace requires older ones.
#[test]
fn a_version_that_is_too_young_is_chosen_only_if_locked() {
    let scene = Scene::new();
    scene.publish("text", "1.0.0", "");
    let path = scene.registry().join("index/acme/text.jsonl");
    let log = fs::read_to_string(&path).unwrap();
    let (lead, rest) = log.split_once("\"at\":").unwrap();
    let rest = rest.split_once(',').unwrap().1;
    fs::write(&path, format!("{lead}\"at\":1,{rest}")).unwrap();
    scene.publish("text", "1.1.0", "");
    let user = scene.user(&format!("text: {}", get("text", "^1")));
    let settings = user.read("wake.toml");
    user.write("wake.toml", format!("{settings}[resolve]\nmin-age = \"3d\"\n"));
    says(&user.wake(["lock"]).run().success(), &["Locked + acme/text 1.0.0"]);
    user.wake(["update"]).run().success().mentions("`wake.lock` is up to date");
    user.edit("app/PKG.libsonnet", "'^1'", "'^1.1'");
    let failed = user.wake(["build", "//app"]).run().code(6);
    failed.mentions(
        "1.1.0 is too young for `min-age` of `wake.toml`; use `wake update --now acme/text` to allow it",
    );
    says(
        &user.wake(["update", "--now", "acme/text"]).run().success(),
        &["Locked ~ acme/text 1.0.0 -> 1.1.0"],
    );
    // What is locked stays.
    user.wake(["update"]).run().success().mentions("`wake.lock` is up to date");
    user.build(&["//app"]);
    user.write("wake.toml", format!("{settings}[resolve]\nmin-age = \"soon\"\n"));
    user.wake(["ls"]).run().code(2).mentions("`min-age` is `soon`").mentions("wake.toml:7:11");
}

/// The number of merges in a test; set by `WAKE_TEST_MERGES`.
fn merges() -> u64 {
    std::env::var("WAKE_TEST_MERGES").ok().and_then(|merges| merges.parse().ok()).unwrap_or(20)
}

/// Two branches change their requirements at random and are merged by git's union driver: the merge builds unchanged.
#[test]
fn randomly_changed_branches_merge_to_a_lock_that_builds() {
    if !wake_tests::has_program("git") {
        return wake_tests::skip(
            "randomly_changed_branches_merge_to_a_lock_that_builds",
            "needs git",
        );
    }
    let scene = Scene::new();
    const PKGS: u64 = 14;
    let name = |number: u64| format!("p{number}");
    // Versions that need packages later in the list, all equally old.
    for version in ["1.0.0", "1.1.0", "1.2.0", "2.0.0"] {
        for number in 0..PKGS {
            let range = version.strip_suffix(".0").unwrap();
            let needs = [number + 1, number + 3].into_iter().filter(|need| *need < PKGS);
            let need = |need: u64| {
                let need = name(need);
                let got = get(&need, &format!("^{range}"));
                format!("{need}: {}, from='../{need}')", got.strip_suffix(')').unwrap())
            };
            let needs = needs.map(need);
            let needs: Vec<String> = needs.collect();
            scene.write(&name(number), version, &needs.join(", "), "cat data > out.txt");
        }
        let published = scene.publisher.wake(["publish", "//...", "--no-verify"]).run();
        published.success();
    }
    let user = scene.user("// none\n");
    let git = |args: &[&str]| {
        let mut git = std::process::Command::new("git");
        git.args(["-c", "user.name=t", "-c", "user.email=t@example.org"]).args(args);
        let done = git.current_dir(user.path("")).output().unwrap();
        assert!(done.status.success(), "{args:?}: {}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "-q", "-b", "main"]);
    user.write(".gitattributes", "wake.lock merge=union\n");
    user.write(".gitignore", ".wake\n");
    let mut state = 42_u64;
    let mut below = |end: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 33) % end
    };
    // Each package has a file of its own, so that only the lock is merged.
    let app = user.read("app/PKG.libsonnet");
    let with = |number: u64, range: &str, branch: &str| {
        let pkgs = format!("pkgs={{ {}: {},", name(number), get(&name(number), range));
        let text =
            app.replace("pkgs={", &pkgs).replace("'app', '1.0.0'", &format!("'{branch}', '1.0.0'"));
        user.write(&format!("{branch}/PKG.libsonnet"), text);
        for file in ["app.sh", "app.libsonnet"] {
            fs::copy(user.path(&format!("app/{file}")), user.path(&format!("{branch}/{file}")))
                .unwrap();
        }
    };
    for round in 0..merges() {
        let _ = fs::remove_dir_all(user.path(".git"));
        let _ = fs::remove_file(user.path("wake.lock"));
        for branch in ["base", "ours", "theirs"] {
            let _ = fs::remove_dir_all(user.path(branch));
        }
        git(&["init", "-q", "-b", "main"]);
        let mut commit = |branch: &str| {
            let range = ["^1.0", "^1.1", "^1.2", "^2", ">=1.1, <3", "*"][below(6) as usize];
            with(below(PKGS), range, branch);
            user.wake(["lock"]).run().success();
            git(&["add", "-A"]);
            git(&["commit", "-q", "-m", branch]);
        };
        commit("base");
        git(&["checkout", "-q", "-b", "theirs"]);
        commit("theirs");
        git(&["checkout", "-q", "main"]);
        commit("ours");
        git(&["merge", "-q", "theirs", "-m", "merged"]);
        // Evaluating everything is enough to check that the lock meets all requirements; every tenth is built as
        // well.
        let command = if round % 10 == 9 { "build" } else { "ls" };
        let merged = user.read("wake.lock");
        let built =
            user.wake([command, "//ours/...", "//theirs/...", "//base/...", "--locked"]).run();
        assert_eq!(built.code, 0, "round {round}: {}\n{merged}", built.stderr);
        assert_eq!(user.read("wake.lock"), merged);
        if command == "build" {
            for branch in ["base", "ours", "theirs"] {
                let shown = user.result_text(&format!("//{branch}:app"), "out.txt");
                assert!(shown.starts_with('p'), "round {round}: {shown}");
            }
        }
    }
}
