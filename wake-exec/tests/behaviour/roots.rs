//! Root directories other than the host's, as used by formulas and hermetic builds.

use std::path::{Path, PathBuf};

use libtest_mimic::Trial;
use wake_exec::{
    Access, Fidelity, HostIdentity, Identity, Job, JobInput, JobRoot, Network, SandboxError,
    Source, TakeOutputs,
};
use wake_model::{Outcome, RelPath};

use crate::bed::{Bed, compiled, declaring, listing, path, text, trial};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("an_empty_root_contains_nothing", empty_root),
        trial("a_directory_can_be_the_root", directory_root),
        trial("a_layered_root_leaves_the_directory_unchanged", layered_root),
        trial("a_formula_runs_as_the_declared_user", formula_identity),
        trial("a_layered_root_shows_the_owners_on_disk", owners_on_disk),
        trial("links_in_a_root_stay_inside_it", links_in_a_root),
        trial("outputs_keep_their_attributes_on_request", attributes),
        trial("the_network_is_available_on_request", network),
        trial("devices_of_the_host_are_available_on_request", devices_are_shown),
        trial("the_host_has_an_identity", host_identity),
    ]
}

fn devices_are_shown(bed: &Bed) {
    // A device that no command sees otherwise.
    let unusual = ["/dev/fuse", "/dev/kmsg", "/dev/console", "/dev/tty0"];
    let Some(device) = unusual.into_iter().find(|path| Path::new(path).exists()) else {
        return wake_tests::skip(
            "devices_of_the_host_are_available_on_request",
            "it has no devices",
        );
    };
    let mut job = bed.sh(&format!("test -c {device} && stat -c '%t %T' {device} || echo none"));
    assert_eq!(bed.output_of(&job), "none\n");
    job.devices.push(device.into());
    let host = std::process::Command::new("stat").args(["-c", "%t %T", device]).output().unwrap();
    assert_eq!(bed.output_of(&job), String::from_utf8(host.stdout).unwrap());
    // The next command has the usual root directory.
    job.devices.clear();
    assert_eq!(bed.output_of(&job), "none\n");
    job.devices.push("/dev/not-there".into());
    let told = bed.run(&job).unwrap_err().to_string();
    assert!(told.contains("`/dev/not-there`"), "{told}");
}

/// A shell in a single file, for a root that contains nothing else.
const SHELL: &str = r#"
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <fcntl.h>
static void list(const char *dir) {
    struct dirent **names;
    int count = scandir(dir, &names, 0, alphasort);
    for (int i = 0; i < count; i++)
        if (names[i]->d_name[0] != '.') printf("%s\n", names[i]->d_name);
}
int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) {
        if (!strncmp(argv[i], "ls=", 3)) list(argv[i] + 3);
        else if (!strncmp(argv[i], "mkdir=", 6)) { if (mkdir(argv[i] + 6, 0750)) perror(argv[i]); }
        else if (!strncmp(argv[i], "write=", 6)) {
            int fd = open(argv[i] + 6, O_WRONLY | O_CREAT | O_TRUNC, 0640);
            if (fd < 0) perror(argv[i]); else { (void)!write(fd, "written", 7); close(fd); }
        } else if (!strcmp(argv[i], "id")) {
            char name[65] = ""; gethostname(name, 64);
            printf("%d %d %s\n", getuid(), getgid(), name);
        }
    }
    return 0;
}
"#;

/// Returns a directory with the shell at `bin/tool`; none if it cannot be compiled.
fn root(bed: &Bed) -> Option<PathBuf> {
    let source = bed.file("tool.c", SHELL);
    let program = bed.path("root/bin/tool");
    std::fs::create_dir_all(program.parent().unwrap()).unwrap();
    let cc =
        std::process::Command::new("cc").args(["-static", "-o"]).args([&program, &source]).status();
    if !cc.is_ok_and(|status| status.success()) {
        // Reports it.
        return compiled(bed, "tool", "#error no static C library").map(|_| PathBuf::new());
    }
    bed.file("root/etc/name", "root");
    bed.file("root/data/old", "old");
    Some(bed.path("root"))
}

fn tool(bed: &Bed, program: &str, args: &[&str]) -> Job {
    let mut job = bed.sh("");
    job.command.program = program.to_owned();
    job.command.args = args.iter().map(|arg| (*arg).to_owned()).collect();
    job
}

fn empty_root(bed: &Bed) {
    let Some(root) = root(bed) else { return };
    let mut job = tool(bed, "./tool", &["ls=/", "ls=/work"]);
    job.root = JobRoot::Empty;
    let host = root.join("bin/tool");
    let source = Source::Mount { host, access: Access::ReadOnly };
    job.inputs.push(JobInput { path: path("work/tool"), source });
    assert_eq!(bed.output_of(&job), "dev\nproc\ntmp\nwork\ntool\n");
}

fn directory_root(bed: &Bed) {
    let Some(root) = root(bed) else { return };
    let args = ["ls=/", "write=/etc/new", "write=/new", "write=/work/out"];
    let mut job = declaring(tool(bed, "/bin/tool", &args), &["out"]);
    job.root = JobRoot::Dir { host: root.clone(), access: Access::ReadOnly };
    let finished = bed.run(&job).unwrap();
    assert_eq!(
        text(&finished),
        "bin\ndata\ndev\netc\nproc\ntmp\nwork\nwrite=/etc/new: Read-only file system\n\
         write=/new: Read-only file system\n"
    );
    assert_eq!(finished.outputs.unwrap().len(), 1);
    assert_eq!(listing(&root), ["bin", "bin/tool", "data", "data/old", "etc", "etc/name"]);
    let mut job = tool(bed, "/bin/tool", &["ls=/etc"]);
    job.root = JobRoot::Dir { host: root, access: Access::ReadOnly };
    assert_eq!(bed.output_of(&job), "name\n");
    job.network = Network::Host;
    let said = bed.output_of(&job);
    let has_resolver = Path::new("/etc/resolv.conf").exists();
    assert_eq!(said.contains("resolv.conf\n"), has_resolver, "{said}");
    assert!(said.contains("name\n"), "{said}");
}

/// Returns a job like a formula's: writable root, no work directory, outputs anywhere.
fn formula(bed: &Bed, root: &Path, args: &[&str], outputs: &[&str]) -> Job {
    let mut job = declaring(tool(bed, "/bin/tool", args), outputs);
    job.root = JobRoot::Dir { host: root.to_owned(), access: Access::Layered };
    job.work = None;
    job.command.cwd = "/task".to_owned();
    job.outputs.base = RelPath::root();
    job.outputs.take = TakeOutputs::Always;
    job.inputs.push(JobInput { path: path("task"), source: Source::Dir });
    job
}

fn layered_root(bed: &Bed) {
    let Some(root) = root(bed) else { return };
    bed.file("ware/file", "ware");
    let args =
        ["mkdir=/task/out", "write=/task/out/a", "write=/ware/added", "ls=/ware", "ls=/fixed"];
    let mut job = formula(bed, &root, &args, &["task/out", "ware/", "absent"]);
    let ware = |access| Source::Mount { host: bed.path("ware"), access };
    job.identity.uid = 0;
    job.identity.gid = 0;
    job.inputs.push(JobInput { path: path("ware"), source: ware(Access::Layered) });
    job.inputs.push(JobInput { path: path("fixed"), source: ware(Access::ReadOnly) });
    let bytes = Source::Bytes { bytes: b"b".to_vec(), executable: true };
    job.inputs.push(JobInput { path: path("fixed2/b"), source: bytes });
    // As root, which owns the directories inside as well as outside: only then may it write to them.
    let ordinary = !crate::bed::is_root();
    let finished = match bed.run(&job) {
        Err(SandboxError::Unavailable { missing, .. }) if ordinary => {
            assert_eq!(missing, "layered file systems");
            return;
        }
        other => other.unwrap(),
    };
    assert_eq!(finished.outcome, Outcome::Exited(0));
    if ordinary {
        assert_eq!(text(&finished), "added\nfile\nfile\n");
    }
    let manifest = finished.outputs.unwrap();
    assert!(manifest.get(&path("task/out/a")).is_some(), "{manifest:?}");
    assert!(manifest.get(&path("ware/file")).is_some());
    assert_eq!(std::fs::read(job.outputs.into.join("task/out/a")).unwrap(), b"written");
    assert_eq!(listing(&bed.path("ware")), ["file"]);
    assert_eq!(listing(&root), ["bin", "bin/tool", "data", "data/old", "etc", "etc/name"]);
}

fn formula_identity(bed: &Bed) {
    let Some(root) = root(bed) else { return };
    for (uid, gid) in [(0, 0), (1000, 1000), (4711, 99)] {
        let mut job = formula(bed, &root, &["id", "mkdir=/task/mine"], &["task/mine"]);
        job.identity =
            Identity { uid, gid, hostname: "formula".to_owned(), rights: Default::default() };
        let finished = bed.run(&job).unwrap();
        assert_eq!(text(&finished), format!("{uid} {gid} formula\n"));
        assert_eq!(finished.outputs.unwrap().len(), 1);
    }
}

fn owners_on_disk(bed: &Bed) {
    let Some(root) = root(bed) else { return };
    let is_root = crate::bed::is_root();
    if is_root && rustix::fs::statfs(&root).unwrap().f_type == libc::OVERLAYFS_SUPER_MAGIC {
        return wake_tests::skipped("owners_on_disk", "overlayfs cannot map owners");
    }
    for (uid, gid) in [(0, 0), (1000, 1000), (4711, 99)] {
        if is_root {
            for own in ["data", "data/old"] {
                std::os::unix::fs::chown(root.join(own), Some(uid), Some(gid)).unwrap();
            }
        }
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(root.join("data/old"), mode).unwrap();
        let args = ["write=/data/old", "mkdir=/data/new", "write=/etc/name"];
        let mut job = formula(bed, &root, &args, &["data", "etc"]);
        job.identity =
            Identity { uid, gid, hostname: "formula".to_owned(), rights: Default::default() };
        let manifest = match bed.run(&job) {
            Err(SandboxError::Unavailable { .. }) if !is_root => return,
            other => other.unwrap().outputs.unwrap(),
        };
        assert!(manifest.get(&path("data/new")).is_some(), "{uid}");
        let left = |name: &str| std::fs::read_to_string(job.outputs.into.join(name)).unwrap();
        assert_eq!(left("data/old"), "written", "{uid}");
        let others = if is_root && uid != 0 { "root" } else { "written" };
        assert_eq!(left("etc/name"), others, "{uid}");
        assert_eq!(std::fs::read_to_string(root.join("data/old")).unwrap(), "old");
    }
}

fn links_in_a_root(bed: &Bed) {
    let Some(root) = root(bed) else { return };
    let victim = bed.path("victim");
    std::fs::create_dir(&victim).unwrap();
    for name in ["dev", "proc", "tmp", "task"] {
        let _ = std::fs::remove_dir_all(root.join(name));
        std::os::unix::fs::symlink(&victim, root.join(name)).unwrap();
        let mut job = formula(bed, &root, &["id"], &[]);
        if name == "tmp" {
            // If nothing is requested there, a root keeps its own entry.
            bed.run(&job).unwrap();
            job.inputs.push(JobInput { path: path(name), source: Source::Dir });
        }
        assert!(matches!(bed.run(&job).unwrap_err(), SandboxError::Step { .. }), "{name}");
        std::fs::remove_file(root.join(name)).unwrap();
    }
    std::os::unix::fs::symlink(&victim, root.join("out")).unwrap();
    let job = formula(bed, &root, &["id"], &["out/file"]);
    let faults = bed.run(&job).unwrap().outputs.unwrap_err();
    assert_eq!(
        faults[0].to_string(),
        "`out/file` is behind a symbolic link, which is not followed"
    );
    assert_eq!(listing(&victim), Vec::<String>::new());
}

fn attributes(bed: &Bed) {
    use std::os::unix::fs::MetadataExt as _;
    let script = "mkdir -m 2750 out; echo x > out/f; chmod 4711 out/f; ln -s /etc/passwd out/l; \
        mkfifo -m 604 out/p; \
        touch -d @1262304000 out/f; touch -d @1262304001 out";
    let mut job = declaring(bed.sh(script), &["out/"]);
    job.outputs.fidelity = Fidelity::Attributes;
    bed.run(&job).unwrap().outputs.unwrap();
    let at = |name: &str| std::fs::symlink_metadata(job.outputs.into.join(name)).unwrap();
    assert_eq!((at("out").mode() & 0o7777, at("out").mtime()), (0o2750, 1_262_304_001));
    assert_eq!((at("out/f").mode() & 0o7777, at("out/f").mtime()), (0o4711, 1_262_304_000));
    assert_eq!(at("out/p").mode(), 0o010_604, "a pipe");
    assert_eq!(
        std::fs::read_link(job.outputs.into.join("out/l")).unwrap(),
        Path::new("/etc/passwd")
    );
}

fn network(bed: &Bed) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut job = bed.sh(&format!("exec 3<>/dev/tcp/127.0.0.1/{port} && echo reached"));
    if !Path::new("/bin/bash").exists() {
        return wake_tests::skip("network", "there is no `/bin/bash`");
    }
    job.command.program = "/bin/bash".to_owned();
    assert_eq!(bed.run(&job).unwrap().outcome, Outcome::Exited(1));
    job.network = Network::Host;
    assert_eq!(bed.output_of(&job), "reached\n");
}

fn host_identity(bed: &Bed) {
    bed.file("etc/os-release", "ID=test\n");
    bed.file("var/lib/dpkg/status", "Package: a\nVersion: 1\n");
    let identity = HostIdentity::read_below(bed.dir.path()).unwrap();
    assert_eq!(HostIdentity::read_below(bed.dir.path()).unwrap(), identity);
    bed.file("home/user/file", "not part of it");
    assert_eq!(HostIdentity::read_below(bed.dir.path()).unwrap().digest, identity.digest);
    bed.file("var/lib/dpkg/status", "Package: a\nVersion: 2\n");
    let upgraded = HostIdentity::read_below(bed.dir.path()).unwrap();
    assert_ne!(upgraded.digest, identity.digest);
    bed.file("var/lib/dpkg/status", "Package: a\nVersion: 1\n");
    assert_eq!(HostIdentity::read_below(bed.dir.path()).unwrap().digest, identity.digest);
    assert_eq!(HostIdentity::read().unwrap(), HostIdentity::read().unwrap());
}
