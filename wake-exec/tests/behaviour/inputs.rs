//! The contents of the work directory, and what happens if inputs change.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use libtest_mimic::Trial;
use wake_exec::{Access, Job, Layer, SandboxError, Seal, Source};
use wake_model::{BlobDigest, SandboxLevel};

use crate::bed::{Bed, declaring, listing, trial, with};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("inputs_of_every_kind", inputs_of_every_kind),
        trial("a_file_with_other_bytes_stops_the_job", other_bytes_stop_the_job),
        trial("successive_jobs_see_inputs_by_digest", digests_decide_what_jobs_in_turn_see),
        trial("a_missing_file_stops_the_job", absent_files_stop_the_job),
        trial("a_kept_file_looks_like_a_copied_one", kept_files_are_like_copies),
        trial("a_kept_file_is_used_in_place", kept_files_are_shown),
        trial("changes_to_a_kept_file_stay_private", kept_files_stay),
        trial("small_and_large_files_of_others_look_alike", foreign_files_are_alike),
        trial(
            "what_is_changed_while_a_command_runs_is_not_what_it_sees",
            later_changes_do_not_show,
        ),
        trial("contradictory_inputs_are_an_error", contradictions),
    ]
}

fn file(host: &Path, content: &[u8], seal: Seal) -> Source {
    Source::File { host: host.to_owned(), blob: BlobDigest::of(content), executable: false, seal }
}

fn inputs_of_every_kind(bed: &Bed) {
    let host = bed.file("host/data", "data");
    let tool = bed.file("host/tool", "#!/bin/sh\necho tool\n");
    bed.file("host/tree/x", "x");
    let bytes = Source::Bytes { bytes: b"inline".to_vec(), executable: false };
    let executable = Source::File {
        host: tool,
        blob: BlobDigest::of(b"#!/bin/sh\necho tool\n"),
        executable: true,
        seal: Seal::Digest,
    };
    let tree = Source::Mount { host: bed.path("host/tree"), access: Access::ReadOnly };
    let script = "cat src/data inline link/data tree/x; echo; ./bin/tool; ls -A empty; \
        stat -c '%n %a' src src/data bin/tool inline; echo mine > src/new; echo changed > src/data || true";
    let mut job = bed.sh(script);
    job = with(job, "src/data", file(&host, b"data", Seal::Digest));
    job = with(job, "bin/tool", executable);
    job = with(job, "inline", bytes);
    job = with(job, "link", Source::Link { target: "src".to_owned() });
    job = with(job, "tree", tree);
    job = with(job, "empty", Source::Dir);
    let said = bed.output_of(&job);
    assert_eq!(said, "datainlinedatax\ntool\nsrc 755\nsrc/data 444\nbin/tool 555\ninline 444\n");
    assert_eq!(std::fs::read(host).unwrap(), b"data");
}

fn other_bytes_stop_the_job(bed: &Bed) {
    let host = bed.file("data", "edited");
    let job = with(bed.sh("echo RAN"), "data", file(&host, b"as planned", Seal::Digest));
    let error = bed.run(&job).unwrap_err();
    assert_eq!(error.to_string(), format!("`{}` changed while it was in use", host.display()));
}

fn digests_decide_what_jobs_in_turn_see(bed: &Bed) {
    let host = bed.file("data", "one");
    let of = |content: &[u8]| with(bed.sh("cat data"), "data", file(&host, content, Seal::Digest));
    assert_eq!(bed.output_of(&of(b"one")), "one");
    std::fs::write(&host, "two").unwrap();
    // The same worker has copied these bytes before, wherever they are now.
    assert_eq!(bed.output_of(&of(b"one")), "one");
    assert_eq!(bed.output_of(&of(b"two")), "two");
    assert!(matches!(bed.run(&of(b"three")).unwrap_err(), SandboxError::Changed { .. }));
    // A command that writes to its copy changes nobody else's.
    let script = "chmod 600 data; echo mine > data; cat data";
    let spoils = with(bed.sh(script), "data", file(&host, b"two", Seal::Digest));
    assert_eq!(bed.output_of(&spoils), "mine\n");
    assert_eq!(bed.output_of(&of(b"two")), "two");
}

fn absent_files_stop_the_job(bed: &Bed) {
    let host = bed.path("absent");
    let job = with(bed.sh("echo RAN"), "data", file(&host, b"x", Seal::Digest));
    assert!(matches!(bed.run(&job).unwrap_err(), SandboxError::Changed { .. }));
    // The worker must not wait for a writer of a named pipe.
    let pipe = bed.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let job = with(bed.sh("echo RAN"), "data", file(&pipe, b"x", Seal::Digest));
    assert!(matches!(bed.run(&job).unwrap_err(), SandboxError::Changed { .. }));
}

/// Creates a file at `at` in a directory of its own, in the form that files of the store have.
fn kept(bed: &Bed, at: &str, content: &[u8], executable: bool) -> Layer {
    let blob = BlobDigest::of(content);
    let name = format!("{}-{}-{executable}", blob.0.short(16), at.replace('/', "-"));
    let tree = bed.path(&format!("store/{name}"));
    let place = tree.join(at);
    if !place.exists() {
        std::fs::create_dir_all(place.parent().unwrap()).unwrap();
        std::fs::write(&place, content).unwrap();
        let file = std::fs::File::open(&place).unwrap();
        let mode = if executable { 0o555 } else { 0o444 };
        file.set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(315_619_200)).unwrap();
    }
    let dirs = at.rsplit_once('/').map(|(dir, _)| dir.parse().unwrap());
    Layer { tree, dirs: dirs.into_iter().collect() }
}

fn showing(mut job: Job, layer: Layer) -> Job {
    job.layers.push(layer);
    job
}

/// What commands do to a file, and what they observe afterwards.
const DEEDS: &[&str] = &[
    "stat -c '%A %a %h %U %u %g %s %Y %F' FILE; head -c 3 FILE; ls -A dir",
    "[ -w FILE ] && echo writable; echo x >> FILE",
    "chmod u+w FILE && echo more >> FILE && tail -c 5 FILE; stat -c '%a %h' FILE",
    "chmod 600 FILE; stat -c '%a %U %Y' FILE",
    "sed -i 's/a/x/' FILE && head -c 2 FILE; stat -c '%a %U' FILE",
    "gzip -nc FILE | wc -c; gzip -n FILE; ls FILE* dir",
    "mv FILE moved; ls FILE; head -c 2 moved",
    "rm FILE; ls -A dir; echo new > FILE; cat FILE; stat -c %a FILE",
    "rm -rf dir; ls",
    "ln FILE second; stat -c '%h %n' FILE second; chmod 640 second; stat -c %a FILE",
    "cp -p FILE copy; cmp FILE copy; touch -d @5 FILE; stat -c %Y FILE",
    "truncate -s 2 FILE; chmod u+w FILE; truncate -s 2 FILE; cat FILE",
    "dd status=none if=/dev/zero of=FILE bs=1 count=1 conv=notrunc; echo other > dir/new; mv -f dir/new FILE; cat FILE",
    "exec 3< FILE; rm FILE; head -c 2 <&3; ls -A dir",
    "./FILE; echo $?",
];

fn kept_files_are_like_copies(bed: &Bed) {
    for level in [SandboxLevel::Strict, SandboxLevel::Weak] {
        for executable in [false, true] {
            for at in ["dir/file", "file"] {
                DEEDS.iter().for_each(|deed| alike(bed, deed, at, executable, level));
            }
        }
    }
}

fn alike(bed: &Bed, deed: &str, at: &str, executable: bool, level: SandboxLevel) {
    let content = if executable { b"#!/bin/echo ran\n".as_slice() } else { b"abc" };
    let copied = Source::Bytes { bytes: content.to_vec(), executable };
    let said = [None, Some(kept(bed, at, content, executable))].map(|layer| {
        let script = format!("LC_ALL=C; export LC_ALL; {{ {deed}; }} 2>&1; true");
        let job = bed.sh(&script.replace("FILE", at));
        let job = match layer {
            Some(layer) => showing(job, layer),
            None => with(job, at, copied.clone()),
        };
        let beside = Source::Bytes { bytes: Vec::new(), executable: false };
        let mut job = with(job, "dir/beside", beside);
        job.level = level;
        bed.output_of(&job)
    });
    assert_eq!(said[0], said[1], "{deed} of {at}, executable: {executable}, {level:?}");
}

fn kept_files_are_shown(bed: &Bed) {
    let content = vec![b'k'; 3 << 20];
    let job = |script: &str| {
        let job = showing(bed.sh(script), kept(bed, "a/large", &content, false));
        showing(job, kept(bed, "b/other", b"other", false))
    };
    // Nothing is copied before it is changed, and a layer of an earlier command is not visible to this one.
    let script =
        "df --output=used -k /work | tail -1; echo x >> b/other 2>/dev/null; rm a/large; ls";
    for _ in 0..3 {
        let said = bed.output_of(&job(script));
        let (used, names) = said.trim().split_once('\n').unwrap();
        assert!(used.parse::<u64>().unwrap() < 1024, "{used} KiB are used");
        assert_eq!(names, "a\nb");
    }
    assert_eq!(bed.output_of(&job("wc -c < a/large; cat b/other")), "3145728\nother");
    // What is visible of the mechanism is the same, whatever earlier commands had.
    let shown = |at: &str, content: &[u8]| {
        let script = "grep ' /work ' /proc/self/mountinfo | sed 's/.* - //'";
        bed.output_of(&showing(bed.sh(script), kept(bed, at, content, false)))
    };
    let new = Bed::new();
    let first = shown("c/third", b"third");
    assert_eq!(first.lines().count(), 1);
    shown("d/fourth", b"fourth");
    assert_eq!(shown("c/third", b"third"), first);
    let script = "grep ' /work ' /proc/self/mountinfo | sed 's/.* - //'";
    let other = showing(new.sh(script), kept(bed, "c/third", b"third", false));
    assert_eq!(new.output_of(&other), first);
    // What it leaves behind can be collected in both cases.
    let job = declaring(job("mv a/large out; mkdir both; mv b/other both"), &["out", "both/"]);
    let manifest = bed.run(&job).unwrap().outputs.unwrap();
    assert_eq!(manifest.len(), 2);
    assert_eq!(std::fs::read(job.outputs.into.join("out")).unwrap(), content);
}

fn kept_files_stay(bed: &Bed) {
    let at = "file";
    let script = "chmod u+w file; echo mine > file; touch -d @7 file; mv file gone";
    bed.output_of(&showing(bed.sh(script), kept(bed, at, b"kept", false)));
    let Layer { tree, .. } = kept(bed, at, b"kept", false);
    assert_eq!(std::fs::read(tree.join(at)).unwrap(), b"kept");
    let stat = std::fs::metadata(tree.join(at)).unwrap();
    assert_eq!(stat.permissions().mode() & 0o7777, 0o444);
    assert_eq!(listing(&tree), [at]);
    let job = showing(bed.sh("cat file; stat -c %Y file"), kept(bed, at, b"kept", false));
    assert_eq!(bed.output_of(&job), "kept315619200\n");
}

fn foreign_files_are_alike(bed: &Bed) {
    let large = vec![b'f'; 1 << 20];
    let script = "LC_ALL=C; export LC_ALL; cd .wake/pkgs/dep; stat -c '%a %u %h %Y %F' FILE . ..; \
        for deed in 'chmod u+w' 'rm -f' 'touch' 'ln -f s' 'mv -t /work'; do $deed FILE 2>&1; done; \
        (echo x >> FILE) 2>&1; (echo x > new) 2>&1; chmod 777 . 2>&1; true";
    let mut said = Vec::new();
    for content in [b"f".as_slice(), &large] {
        let host = bed.file("dep", content);
        std::fs::set_permissions(&host, std::fs::Permissions::from_mode(0o444)).unwrap();
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(315_619_200);
        std::fs::File::open(&host).unwrap().set_modified(time).unwrap();
        let source = file(&host, content, Seal::Store);
        let job = with(bed.sh(&script.replace("FILE", "f")), ".wake/pkgs/dep/f", source);
        said.push(bed.output_of(&job));
        std::fs::remove_file(host).unwrap();
    }
    assert_eq!(said[0], said[1]);
    for denied in
        ["chmod: changing permissions of 'f'", "rm: cannot remove 'f'", "cannot create new"]
    {
        assert!(said[0].contains(&format!("{denied}: Read-only file system\n")), "{}", said[0]);
    }
}

fn later_changes_do_not_show(bed: &Bed) {
    let content = vec![b'l'; 2 << 20];
    let host = bed.file("large", &content);
    let exchange = bed.path("exchange");
    std::fs::create_dir(&exchange).unwrap();
    std::fs::set_permissions(&exchange, std::fs::Permissions::from_mode(0o777)).unwrap();
    let script =
        "touch ex/begun; while ! [ -e ex/go ]; do sleep 0.02; done; tr -d l < large | wc -c";
    let job = with(bed.sh(script), "large", file(&host, &content, Seal::Digest));
    let source = Source::Mount { host: exchange.clone(), access: Access::ReadWrite };
    let job = with(job, "ex", source);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| bed.output_of(&job));
        while !exchange.join("begun").exists() {
            assert!(!running.is_finished());
        }
        std::fs::write(&host, vec![b'L'; 2 << 20]).unwrap();
        std::fs::write(exchange.join("go"), "").unwrap();
        assert_eq!(running.join().unwrap(), "0\n");
    });
}

fn contradictions(bed: &Bed) {
    let bytes = || Source::Bytes { bytes: b"x".to_vec(), executable: false };
    let twice = with(with(bed.sh(""), "a", bytes()), "a", bytes());
    assert_eq!(
        bed.run(&twice).unwrap_err().to_string(),
        "cannot create `/a`: File exists (os error 17)"
    );
    let below = with(with(bed.sh(""), "a", bytes()), "a/b", bytes());
    assert!(matches!(bed.run(&below).unwrap_err(), SandboxError::Step { .. }));
    let link = Source::Link { target: "/usr".to_owned() };
    let through = with(with(bed.sh(""), "a", link), "a/b", bytes());
    assert!(matches!(bed.run(&through).unwrap_err(), SandboxError::Step { .. }));
    assert_eq!(bed.output("echo next"), "next\n");
}
