//! What lies in the work directory, and what happens if it changes.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::{Duration, SystemTime};

use libtest_mimic::Trial;
use wake_exec::{Access, FileSignature, SandboxError, Seal, Source};
use wake_model::BlobDigest;

use crate::bed::{Bed, declaring, trial, with};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        trial("inputs_of_every_kind", inputs_of_every_kind),
        trial("a_file_with_other_bytes_stops_the_job", other_bytes_stop_the_job),
        trial("a_file_with_another_signature_stops_the_job", other_signature_stops_the_job),
        trial("digests_decide_what_jobs_in_turn_see", digests_decide_what_jobs_in_turn_see),
        trial("a_file_that_is_gone_stops_the_job", absent_files_stop_the_job),
        trial("a_mounted_file_that_changes_voids_the_result", changes_void_the_result),
        trial("a_mounted_file_that_is_replaced_voids_the_result", replacement_voids_the_result),
        trial("a_large_young_file_is_copied", young_files_are_copied),
        trial("contradicting_inputs_are_an_error", contradictions),
    ]
}

fn file(host: &Path, content: &[u8], seal: Seal) -> Source {
    Source::File { host: host.to_owned(), blob: BlobDigest::of(content), executable: false, seal }
}

/// Makes a file look as if it had been written long ago, as far as that can be done: its inode cannot.
fn age(path: &Path) {
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
}

/// A file of two megabytes that has been left alone for longer than any clock's tick.
fn large(bed: &Bed, name: &str) -> (std::path::PathBuf, Vec<u8>) {
    let content = vec![b'l'; 2 << 20];
    let path = bed.file(name, &content);
    age(&path);
    std::thread::sleep(Duration::from_millis(2100));
    (path, content)
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

fn other_signature_stops_the_job(bed: &Bed) {
    let host = bed.file("data", "data");
    let signature = FileSignature::from(&std::fs::metadata(&host).unwrap());
    let seal = Seal::Signature(signature);
    let job = with(bed.sh("cat data"), "data", file(&host, b"data", seal));
    assert_eq!(bed.output_of(&job), "data");
    // Same size and same time of modification; the inode's own time gives it away.
    std::thread::sleep(Duration::from_millis(20));
    std::fs::write(&host, "DATA").unwrap();
    let written = std::fs::File::options().write(true).open(&host).unwrap();
    let nanos = u64::try_from(signature.mtime_ns).unwrap();
    written.set_modified(SystemTime::UNIX_EPOCH + Duration::from_nanos(nanos)).unwrap();
    assert!(matches!(bed.run(&job).unwrap_err(), SandboxError::Changed { .. }));
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
    // A named pipe must not make the worker wait for a writer.
    let pipe = bed.path("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let job = with(bed.sh("echo RAN"), "data", file(&pipe, b"x", Seal::Digest));
    assert!(matches!(bed.run(&job).unwrap_err(), SandboxError::Changed { .. }));
}

/// Runs a job that reads the large `host` and does `change` when it has begun.
fn changed_meanwhile(bed: &Bed, change: impl FnOnce(&Path) + Send) {
    let (host, content) = large(bed, "large");
    let begun = bed.path("exchange");
    std::fs::create_dir(&begun).unwrap();
    std::fs::set_permissions(&begun, std::fs::Permissions::from_mode(0o777)).unwrap();
    let script = "touch ex/begun; while ! [ -e ex/go ]; do sleep 0.02; done; wc -c < large > out";
    let exchange = Source::Mount { host: begun.clone(), access: Access::ReadWrite };
    let signature = FileSignature::from(&std::fs::metadata(&host).unwrap());
    for seal in [Seal::Digest, Seal::Signature(signature)] {
        let job = with(bed.sh(script), "large", file(&host, &content, seal));
        std::fs::write(begun.join("go"), "").unwrap();
        let job = declaring(with(job, "ex", exchange.clone()), &["out"]);
        assert!(bed.run(&job).unwrap().outputs.is_ok());
        std::fs::remove_file(begun.join("go")).unwrap();
        std::fs::remove_file(begun.join("begun")).unwrap();
    }
    let job = with(bed.sh(script), "large", file(&host, &content, Seal::Digest));
    let job = declaring(with(job, "ex", exchange), &["out"]);
    std::thread::scope(|scope| {
        let running = scope.spawn(|| bed.run(&job));
        while !begun.join("begun").exists() {
            assert!(!running.is_finished());
        }
        change(&host);
        std::fs::write(begun.join("go"), "").unwrap();
        let error = running.join().unwrap().unwrap_err();
        let expected = format!("`{}` changed while it was in use", host.display());
        assert_eq!(error.to_string(), expected);
    });
    assert!(!job.outputs.into.exists());
}

fn changes_void_the_result(bed: &Bed) {
    changed_meanwhile(bed, |host| {
        let modified = std::fs::metadata(host).unwrap().modified().unwrap();
        std::fs::write(host, vec![b'L'; 2 << 20]).unwrap();
        let file = std::fs::File::options().write(true).open(host).unwrap();
        file.set_modified(modified).unwrap();
    });
}

fn replacement_voids_the_result(bed: &Bed) {
    changed_meanwhile(bed, |host| {
        let other = host.with_extension("new");
        std::fs::write(&other, vec![b'L'; 2 << 20]).unwrap();
        std::fs::rename(other, host).unwrap();
    });
}

fn young_files_are_copied(bed: &Bed) {
    let content = vec![b'y'; 2 << 20];
    let host = bed.file("young", &content);
    let signature = FileSignature::from(&std::fs::metadata(&host).unwrap());
    for seal in [Seal::Digest, Seal::Signature(signature)] {
        let script = "grep -c ' /work/young ' /proc/self/mountinfo; wc -c < young";
        let job = with(bed.sh(script), "young", file(&host, &content, seal));
        assert_eq!(bed.output_of(&job), "0\n2097152\n");
    }
}

fn contradictions(bed: &Bed) {
    let bytes = || Source::Bytes { bytes: b"x".to_vec(), executable: false };
    let twice = with(with(bed.sh(""), "a", bytes()), "a", bytes());
    assert_eq!(
        bed.run(&twice).unwrap_err().to_string(),
        "could not create `/a`: File exists (os error 17)"
    );
    let below = with(with(bed.sh(""), "a", bytes()), "a/b", bytes());
    assert!(matches!(bed.run(&below).unwrap_err(), SandboxError::Step { .. }));
    let link = Source::Link { target: "/usr".to_owned() };
    let through = with(with(bed.sh(""), "a", link), "a/b", bytes());
    assert!(matches!(bed.run(&through).unwrap_err(), SandboxError::Step { .. }));
    assert_eq!(bed.output("echo next"), "next\n");
}
