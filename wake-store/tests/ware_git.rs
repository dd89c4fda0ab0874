//! Git wares: a commit is unpacked by its objects, and nothing in the repository is executed (N12).
#![allow(clippy::disallowed_methods, clippy::unwrap_used, missing_docs)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use wake_store::ware::{
    ArchivePolicy, Category, Meter, PackFilters, PackType, Placement, Route, Unpack, UnpackFilters,
    WareId, Warehouse, pack,
};

fn git(dir: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .current_dir(dir)
        .args(["-c", "user.name=t", "-c", "user.email=t@t", "-c", "protocol.file.allow=always"])
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn repository(dir: &Path) {
    fs::create_dir(dir).unwrap();
    git(dir, &["init", "--quiet"]);
}

fn commit(dir: &Path) -> WareId {
    git(dir, &["add", "--all"]);
    git(dir, &["commit", "--quiet", "--message=x"]);
    format!("git:{}", git(dir, &["rev-parse", "HEAD"])).parse().unwrap()
}

fn unpack(ware: &WareId, from: &Path, to: &Path) -> Result<(), wake_store::ware::UnpackError> {
    let (address, route) = (from.to_str().unwrap(), Route::default());
    let sources = [Warehouse::parse(address, PackType::Git, Path::new("/"), &route).unwrap()];
    let filters = UnpackFilters::LOW_PRIV;
    let unpack =
        Unpack { ware, sources: &sources, filters, cache: None, policy: ArchivePolicy::WARE };
    unpack
        .place_at(to, Placement::Direct, &Meter::default())
        .map(|unpacked| assert_eq!(&unpacked.ware, ware))
}

#[test]
fn a_commit_becomes_a_tree() {
    let temp = tempfile::tempdir().unwrap();
    let origin = temp.path().join("origin");
    repository(&origin);
    fs::create_dir(origin.join("d")).unwrap();
    fs::write(origin.join("d/run"), "#!/bin/sh\n").unwrap();
    fs::set_permissions(origin.join("d/run"), fs::Permissions::from_mode(0o755)).unwrap();
    fs::write(origin.join("ä"), "text\n").unwrap();
    std::os::unix::fs::symlink("d/run", origin.join("link")).unwrap();
    let ware = commit(&origin);
    fs::write(origin.join("later"), "").unwrap();
    commit(&origin);

    let out = temp.path().join("out");
    unpack(&ware, &origin, &out).unwrap();
    assert_eq!(fs::read_to_string(out.join("ä")).unwrap(), "text\n");
    assert_eq!(fs::read_link(out.join("link")).unwrap(), Path::new("d/run"));
    let mode = |path: &str| fs::metadata(out.join(path)).unwrap().permissions().mode() & 0o7777;
    assert_eq!((mode("d/run"), mode("ä"), mode("d")), (0o755, 0o644, 0o755));
    assert!(!out.join("later").exists() && !out.join(".git").exists());

    // Every node has the default time, so what is unpacked today equals what is unpacked tomorrow.
    let keep_times: PackFilters = "uid=0,gid=0,mtime=keep".parse().unwrap();
    let flat: PackFilters = "uid=0,gid=0,mtime=@1262304000".parse().unwrap();
    assert_eq!(
        pack(&out, PackType::Tree, keep_times, None).unwrap(),
        pack(&out, PackType::Tree, flat, None).unwrap()
    );
}

#[test]
fn n12_nothing_in_a_repository_is_executed() {
    let temp = tempfile::tempdir().unwrap();
    let origin = temp.path().join("origin");
    repository(&origin);
    let bait = temp.path().join("bait");
    let touch = format!("touch {}", bait.display());
    fs::write(origin.join(".gitattributes"), "* filter=evil text eol=crlf ident\n").unwrap();
    fs::write(origin.join("f"), "$Id$\n").unwrap();
    let ware = commit(&origin);
    git(&origin, &["config", "filter.evil.smudge", &touch]);
    git(&origin, &["config", "uploadpack.packObjectsHook", &touch]);
    for hook in ["post-checkout", "post-upload-pack", "reference-transaction", "post-index-change"]
    {
        let path = origin.join(".git/hooks").join(hook);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\n{touch}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let out = temp.path().join("out");
    unpack(&ware, &origin, &out).unwrap();
    assert!(!bait.exists());
    assert_eq!(fs::read_to_string(out.join("f")).unwrap(), "$Id$\n");
}

#[test]
fn submodules_are_included_one_level_deep() {
    let temp = tempfile::tempdir().unwrap();
    for name in ["inner", "middle", "outer"] {
        repository(&temp.path().join(name));
    }
    let (inner, middle, outer) =
        (temp.path().join("inner"), temp.path().join("middle"), temp.path().join("outer"));
    fs::write(inner.join("i"), "").unwrap();
    commit(&inner);
    git(&middle, &["submodule", "--quiet", "add", "../inner", "in"]);
    fs::write(middle.join("m"), "").unwrap();
    commit(&middle);
    git(&outer, &["submodule", "--quiet", "add", "../middle", "mid"]);
    let ware = commit(&outer);
    let out = temp.path().join("out");
    unpack(&ware, &outer, &out).unwrap();
    assert!(out.join("mid/m").is_file());
    assert!(out.join("mid/in").is_dir() && !out.join("mid/in/i").exists());
}

#[test]
fn a_missing_commit_is_an_error() {
    let temp = tempfile::tempdir().unwrap();
    let origin = temp.path().join("origin");
    repository(&origin);
    fs::write(origin.join("f"), "").unwrap();
    commit(&origin);
    let ware: WareId = format!("git:{}", "0".repeat(39) + "1").parse().unwrap();
    let error = unpack(&ware, &origin, &temp.path().join("out")).unwrap_err();
    assert_eq!(error.category(), Category::WareNotFound, "{error}");
    assert!(!temp.path().join("out").exists());
    // The ID of a tag is not that of its commit.
    git(&origin, &["tag", "--annotate", "--message=x", "v1"]);
    let tag: WareId = format!("git:{}", git(&origin, &["rev-parse", "v1"])).parse().unwrap();
    let error = unpack(&tag, &origin, &temp.path().join("out")).unwrap_err();
    assert_eq!(error.category(), Category::WareNotFound, "{error}");
}

#[test]
fn a_missing_repository_is_an_error() {
    let temp = tempfile::tempdir().unwrap();
    let ware: WareId = format!("git:{}", "0".repeat(39) + "1").parse().unwrap();
    let absent = temp.path().join("absent");
    let error = unpack(&ware, &absent, &temp.path().join("out")).unwrap_err();
    assert_eq!(error.category(), Category::WarehouseUnavailable, "{error}");
    let commit = ware.hash();
    let absent = absent.display();
    assert_eq!(
        error.to_string(),
        format!(
            "no repository is available for commit `{commit}`\n  `{absent}`: '{absent}' does not \
             appear to be a git repository"
        )
    );
}

#[test]
fn n12_names_that_git_itself_refuses_are_refused() {
    let temp = tempfile::tempdir().unwrap();
    let origin = temp.path().join("origin");
    repository(&origin);
    fs::write(origin.join("f"), "").unwrap();
    commit(&origin);
    let blob = git(&origin, &["hash-object", "-w", "f"]);
    // A tree with the name `..`, written past git's checks.
    let raw: Vec<u8> =
        (0..40).step_by(2).map(|at| u8::from_str_radix(&blob[at..at + 2], 16).unwrap()).collect();
    fs::write(temp.path().join("tree"), [b"100644 ..\0".as_slice(), &raw].concat()).unwrap();
    let path = temp.path().join("tree");
    let tree =
        git(&origin, &["hash-object", "-t", "tree", "--literally", "-w", path.to_str().unwrap()]);
    let hash = git(&origin, &["commit-tree", &tree, "-m", "evil"]);
    git(&origin, &["update-ref", "refs/heads/evil", &hash]);
    let ware: WareId = format!("git:{hash}").parse().unwrap();
    unpack(&ware, &origin, &temp.path().join("out")).unwrap_err();
    assert!(!temp.path().join("out").exists());
}

/// Ten objects name a billion paths: they are counted, and nothing is written or kept of them.
#[test]
fn s19_an_exponentially_nested_tree_is_refused() {
    let temp = tempfile::tempdir().unwrap();
    let origin = temp.path().join("origin");
    repository(&origin);
    fs::write(origin.join("f"), "boom").unwrap();
    git(&origin, &["add", "--all"]);
    git(&origin, &["commit", "--quiet", "--message=x"]);
    let entry = |mode: &str, kind: &str, object: &str| {
        let line = |number| format!("{mode} {kind} {object}\tn{number}\n");
        (0..10).map(line).collect::<String>()
    };
    let make = |listing: &str| {
        let file = temp.path().join("listing");
        fs::write(&file, listing).unwrap();
        let script = format!("git -C '{}' mktree < '{}'", origin.display(), file.display());
        let output = Command::new("sh").args(["-c", &script]).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let mut tree = make(&entry("100644", "blob", &git(&origin, &["rev-parse", "HEAD:f"])));
    for _ in 0..8 {
        tree = make(&entry("040000", "tree", &tree));
    }
    let hash = git(&origin, &["commit-tree", &tree, "-m", "bomb"]);
    git(&origin, &["update-ref", "refs/heads/bomb", &hash]);
    let ware: WareId = format!("git:{hash}").parse().unwrap();
    let error = unpack(&ware, &origin, &temp.path().join("out")).unwrap_err();
    assert_eq!(error.category(), Category::WareCorrupt, "{error}");
    let text = error.to_string();
    assert!(text.starts_with("the archive exceeds the limit of 4000000 entries at `n0/"), "{text}");
    assert!(!temp.path().join("out").exists());
}

#[test]
fn a_stop_ends_the_wait_for_a_silent_server() {
    let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("git://{}/x", server.local_addr().unwrap());
    let meter = std::sync::Arc::new(Meter::default());
    let stop = std::sync::Arc::clone(&meter);
    let silent = std::thread::spawn(move || {
        let asked = server.accept().unwrap();
        stop.stop();
        asked
    });
    let temp = tempfile::tempdir().unwrap();
    let ware: WareId = format!("git:{}", "1".repeat(40)).parse().unwrap();
    let source = Warehouse::parse(&url, PackType::Git, temp.path(), &Route::default()).unwrap();
    let (sources, filters) = ([source], UnpackFilters::LOSSLESS);
    let policy = ArchivePolicy::WARE;
    let unpack = Unpack { ware: &ware, sources: &sources, filters, cache: None, policy };
    let error = unpack.place_at(&temp.path().join("out"), Placement::Direct, &meter).unwrap_err();
    assert_eq!(error.category(), Category::Cancelled, "{error}");
    assert_eq!(std::fs::read_dir(temp.path()).unwrap().count(), 0, "something was left behind");
    drop(silent.join());
}

#[test]
fn s19_too_many_submodules_are_not_fetched() {
    let temp = tempfile::tempdir().unwrap();
    let origin = temp.path().join("origin");
    repository(&origin);
    let link = |number| format!("160000 commit {}\tm{number}\n", "1".repeat(40));
    let listing = temp.path().join("listing");
    fs::write(&listing, (1000..2001).map(link).collect::<String>()).unwrap();
    let script = format!("git -C '{}' mktree < '{}'", origin.display(), listing.display());
    let output = Command::new("sh").args(["-c", &script]).output().unwrap();
    assert!(output.status.success());
    let tree = String::from_utf8(output.stdout).unwrap();
    let hash = git(&origin, &["commit-tree", tree.trim(), "-m", "many"]);
    git(&origin, &["update-ref", "refs/heads/many", &hash]);
    let ware: WareId = format!("git:{hash}").parse().unwrap();
    let error = unpack(&ware, &origin, &temp.path().join("out")).unwrap_err();
    let expected = "the archive exceeds the limit of 1000 submodules at `m2000`";
    assert_eq!(error.to_string(), expected);
}
