//! Jobs with several processes: replicas and workers; and sockets in place of pipes.

use std::fs;
use std::io::Read;
use std::process::Stdio;

use serde_json::Value;
use wake_tests::{Finished, Project, expect, project};

use super::{ONE_EACH, buffer, exec, job, json, last, run};

/// Whether Perl is installed, which these tests use for TCP.
fn has_perl(test: &str) -> bool {
    let has = wake_tests::has_program("perl");
    if !has {
        wake_tests::skip(test, "there is no perl");
    }
    has
}

/// The document of a run with a worker; the scripts are in Perl.
fn distributed(job: &str, worker: &str, replicas: u32, rest: &str) -> String {
    let script =
        |text: &str| text.lines().map(|line| format!("        {line}\n")).collect::<String>();
    format!(
        "job:\n  codespec:\n    image: i\n    buffers: {{outputs: [output]}}\n    command:\n      - perl\n      - -MIO::Socket::INET\n      - -e\n      - |\n{}worker:\n  replicas: {replicas}\n  codespec:\n    image: w\n    endpoints: {{Test: 9002}}\n    command:\n      - perl\n      - -MIO::Socket::INET\n      - -e\n      - |\n{}{rest}",
        script(job),
        script(worker)
    )
}

/// A worker that answers each request with what it received.
const WORKER: &str = "\
chomp(my $name = `uname -n`);
my $listener = IO::Socket::INET->new(Listen => 5, LocalPort => 9002, ReuseAddr => 1) or die $!;
while (my $visitor = $listener->accept) {
  print $visitor $name . ' heard ' . <$visitor>;
  close $visitor;
}";

/// A job that asks every worker, `ROUNDS` times, and writes their answers.
const ASKER: &str = "\
open(my $out, '>', $ENV{OUTPUT_PIPE}) or die $!;
$out->autoflush(1);
print $out \"$ENV{TYGER_WORKER_NODES} $ENV{TYGER_TEST_WORKER_ENDPOINT_ADDRESSES}\\n\";
for my $round (1 .. ($ENV{ROUNDS} // 1)) {
  for my $address ($ENV{TYGER_TEST_WORKER_ENDPOINT_ADDRESSES} =~ /\"([^\"]+)\"/g) {
    my $worker = IO::Socket::INET->new($address) or die \"$address: $!\";
    print $worker \"hello\\n\";
    print {$out} <$worker>;
  }
}";

#[test]
fn a_job_finds_its_workers_and_they_end_with_it() {
    if !has_perl("a_job_finds_its_workers_and_they_end_with_it") {
        return;
    }
    let project = project().file("run.yml", &distributed(ASKER, WORKER, 2, "")).build();
    let done = exec(&project, b"", &["-f", "run.yml"]).code(0);
    assert_eq!(
        done.stdout,
        "[\"127.1.0.1\",\"127.1.0.2\"] [\"127.1.0.1:9002\",\"127.1.0.2:9002\"]\nworker-0 heard hello\nworker-1 heard hello\n"
    );
    assert!(done.stderr.contains("its result will not be cached because it has workers"));
    let shown = last(&project);
    assert_eq!((&shown["status"], &shown["worker"]["replicas"]), (&"Succeeded".into(), &2.into()));
    assert_eq!(shown["worker"]["codespec"], "w");
}

#[test]
fn a_worker_that_ends_is_restarted() {
    if !has_perl("a_worker_that_ends_is_restarted") {
        return;
    }
    // It serves one request.
    let once = WORKER.replace("close $visitor;", "exit 3;");
    let asker = format!("$ENV{{ROUNDS}} = 3;\n{ASKER}");
    let project = project().file("run.yml", &distributed(&asker, &once, 1, "")).build();
    let done = exec(&project, b"", &["-f", "run.yml"]).code(0);
    let heard = "worker-0 heard hello\n".repeat(3);
    assert_eq!(done.stdout, format!("[\"127.1.0.1\"] [\"127.1.0.1:9002\"]\n{heard}"));
    let id = last(&project)["id"].to_string();
    let log = job(&project, &["logs", &id]).run().code(0).stdout;
    let line = "[worker-0] Worker 0 exited with code 3; restarting it\n";
    let restarts = log.matches(line).count();
    assert!(restarts >= 2, "{log}");
    assert_eq!(last(&project)["worker"]["restarts"], restarts);
}

#[test]
fn a_worker_gets_sigterm_before_it_is_killed() {
    if !has_perl("a_worker_gets_sigterm_before_it_is_killed") {
        return;
    }
    let worker = format!("$SIG{{TERM}} = sub {{ print STDERR \"told\\n\"; exit 0 }};\n{WORKER}");
    let project = project().file("run.yml", &distributed(ASKER, &worker, 1, "")).build();
    exec(&project, b"", &["-f", "run.yml"]).code(0);
    assert_eq!(job(&project, &["logs", "1"]).run().code(0).stdout, "[worker-0] told\n");
    assert_eq!(last(&project)["worker"]["restarts"], 0);
}

#[test]
fn a_worker_that_keeps_ending_fails_the_job() {
    let script = "echo waits >&2; sleep 600";
    let doc = format!(
        "{}worker:\n  codespec:\n    image: w\n    endpoints: {{e: 9}}\n    command: [sh, -c, 'echo starts; exit 3']\n",
        run("{outputs: [output]}", script, "")
    );
    let project = project().file("run.yml", &doc).build();
    let told = exec(&project, b"", &["-f", "run.yml"]).code(1).stderr;
    assert!(told.contains("Worker 0 exited with code 3; `wake job logs 1`"), "{told}");
    let shown = last(&project);
    assert_eq!(
        (&shown["status"], &shown["statusReason"]),
        (&"Failed".into(), &"Worker 0 exited with code 3".into())
    );
    let log = job(&project, &["logs", "1"]).run().code(0).stdout;
    assert_eq!(log.matches("[worker-0] starts\n").count(), 6, "{log}");
    assert_eq!(shown["worker"]["restarts"], 5);
    // The job never started, because no worker listened.
    assert!(!log.contains("waits"), "{log}");
}

#[test]
fn a_job_whose_worker_never_listens_is_ended_by_its_timeout() {
    let doc = format!(
        "{}worker:\n  codespec:\n    image: w\n    endpoints: {{e: 9}}\n    command: [sleep, '600']\ntimeoutSeconds: 1\n",
        run("{outputs: [output]}", "echo begins", "")
    );
    let project = project().file("run.yml", &doc).build();
    exec(&project, b"", &["-f", "run.yml"]).code(1);
    let shown = last(&project);
    assert_eq!(
        (&shown["status"], &shown["statusReason"]),
        (&"Canceled".into(), &"the job exceeded its timeout".into())
    );
    assert_eq!(job(&project, &["logs", "1"]).run().code(0).stdout, "");
}

#[test]
fn each_replica_has_its_own_root() {
    if !wake_tests::has_busybox("each_replica_has_its_own_root") {
        return;
    }
    let own = "[ ! -e /mark ] || exit 9; touch /mark";
    let script = format!(
        "{own}\nif [ $(uname -n) = job-0 ]; then nc 127.1.0.2 9002 < /dev/null > \"$OUTPUT_PIPE\"; fi"
    );
    let worker = format!("{own}; exec nc -ll -p 9002 -e uname -n");
    let rest = format!(
        "  replicas: 2\nworker:\n  replicas: 2\n  codespec:\n    image: w\n    endpoints: {{e: 9002}}\n    command: [sh, -ec, '{worker}']\n"
    );
    let project = project().file("run.yml", &run("{outputs: [output]}", &script, &rest)).build();
    project.busybox_root("root", &["sh", "touch", "nc", "uname"]);
    let done = job(&project, &["exec", "--rootfs", "root", "-f", "run.yml"]).run().code(0);
    assert_eq!(done.stdout, "worker-1\n");
    assert!(!project.path("root/mark").exists());
}

/// The processes whose command line contains a word.
fn processes(word: &str) -> Vec<i32> {
    let names = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name());
    let all = names.filter_map(|name| name.to_str()?.parse::<i32>().ok());
    let has = |pid: &i32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.contains(word)
    };
    all.filter(has).collect()
}

fn kill(pid: i32) {
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
}

#[test]
fn a_killed_worker_is_logged_and_a_killed_wake_leaves_no_processes() {
    if !has_perl("a_killed_worker_is_logged_and_a_killed_wake_leaves_no_processes") {
        return;
    }
    let marker = format!("marker-of-{}", std::process::id());
    let worker = format!("# {marker}\n{WORKER}");
    let asker = format!("{ASKER}\nsleep 600;");
    let project = project().file("run.yml", &distributed(&asker, &worker, 1, "")).build();
    let wake = job(&project, &["exec", "--rootfs", "host", "-f", "run.yml"]);
    let mut child = wake.command().stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = String::new();
    let stdout = child.stdout.as_mut().unwrap();
    while !said.ends_with("heard hello\n") {
        let mut byte = [0];
        stdout.read_exact(&mut byte).unwrap();
        said.push(byte[0].into());
    }
    let [first] = processes(&marker)[..] else { panic!("one worker") };
    kill(first);
    let again = loop {
        match processes(&marker)[..] {
            [again] if again != first => break again,
            _ => std::thread::sleep(std::time::Duration::from_millis(10)),
        }
    };
    let shown = last(&project);
    assert_eq!((&shown["status"], &shown["worker"]["restarts"]), (&"Running".into(), &1.into()));
    let log = job(&project, &["logs", "1"]).run().code(0).stdout;
    assert!(log.contains("Worker 0 was killed by signal 9; restarting it"), "{log}");
    child.kill().unwrap();
    child.wait().unwrap();
    while processes(&marker).contains(&again) {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    let shown = last(&project);
    assert_eq!(
        (&shown["status"], &shown["statusReason"]),
        (&"Failed".into(), &"the process running the job ended without reporting a result".into())
    );
}

fn replicated(script: &str, count: u32) -> String {
    run(ONE_EACH, script, &format!("  replicas: {count}\n"))
}

#[test]
fn each_replica_reads_all_of_an_input_and_one_writes_an_output() {
    let script = "\
case $(uname -n) in
job-1) cat \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\" ;;
*) wc -c < \"$INPUT_PIPE\"; : > \"$OUTPUT_PIPE\" ;;
esac";
    let both = "cat \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"";
    let one_fails = "case $(uname -n) in job-1) exit 3 ;; *) sleep 600 ;; esac";
    let project = project()
        .file("one.yml", &replicated(script, 3))
        .file("both.yml", &replicated(both, 2))
        .file("fails.yml", &replicated(one_fails, 2))
        .build();
    let id = format!("input={}", buffer(&project, b"some bytes"));
    let done = exec(&project, b"", &["-f", "one.yml", "-b", &id]).code(0);
    assert_eq!(done.stdout, "some bytes");
    let log = job(&project, &["logs", "1"]).run().code(0).stdout;
    let mut lines: Vec<&str> = log.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["[job-0] 10", "[job-2] 10"]);
    // The result of all replicas is cached; with another number of replicas it is another job.
    let again = exec(&project, b"", &["-f", "one.yml", "-b", &id]).code(0);
    assert!(again.stderr.contains("Cached job 2"), "{}", again.stderr);
    assert_eq!(again.stdout, "some bytes");
    project.write("two.yml", replicated(script, 2));
    let other = exec(&project, b"", &["-f", "two.yml", "-b", &id]).code(0);
    assert_eq!((other.stdout.as_str(), other.stderr.as_str()), ("some bytes", ""));
    let told = exec(&project, b"", &["-f", "both.yml", "-b", &id]).code(10).stderr;
    assert!(told.contains("the output `output` cannot be overwritten: replica "), "{told}");
    exec(&project, b"", &["-f", "fails.yml", "-b", &id]).code(1);
    assert_eq!(last(&project)["statusReason"], "Main of replica 1 exited with code 3");
}

/// A run of a job that has both of its buffers on a socket.
fn at_a_port(script: &str) -> String {
    let script: String = script.lines().map(|line| format!("        {line}\n")).collect();
    format!(
        "job:\n  codespec:\n    image: i\n    buffers: {{inputs: [in], outputs: [out]}}\n    sockets: [{{port: 9002, inputBuffer: in, outputBuffer: out}}]\n    command:\n      - perl\n      - -MIO::Socket::INET\n      - -e\n      - |\n{script}"
    )
}

#[test]
fn a_job_with_sockets_ends_when_all_data_has_passed_through() {
    if !has_perl("a_job_with_sockets_ends_when_all_data_has_passed_through") {
        return;
    }
    let server = "\
my $listener = IO::Socket::INET->new(Listen => 5, LocalPort => 9002, ReuseAddr => 1) or die $!;
while (my $visitor = $listener->accept) {
  print STDERR defined $ENV{IN_PIPE} ? 'a pipe' : 'no pipe';
  while (read($visitor, my $bytes, 65536)) { print $visitor uc $bytes; }
  close $visitor;
}";
    let project = project()
        .file("serve.yml", &at_a_port(server))
        .file("other.yml", &at_a_port(server).replace("9002", "9003"))
        .file("idle.yml", &at_a_port("exit 0;"))
        .file("fails.yml", &at_a_port("exit 3;"))
        .build();
    let long = b"abcdefgh".repeat(1 << 18);
    let done = exec(&project, &long, &["-f", "serve.yml"]).code(0);
    assert!(done.stdout.as_bytes() == long.to_ascii_uppercase());
    let log = job(&project, &["logs", "1"]).run().code(0).stdout;
    assert_eq!(log, "no pipe");
    let id = format!("in={}", buffer(&project, b"bytes"));
    let remembered = |file: &str| {
        let all = ["run", "--rootfs", "host", "-f", file, "-b", &id];
        let shown = json(&job(&project, &all).run().code(0));
        let out = shown["job"]["buffers"]["out"].as_str().unwrap();
        assert_eq!(project.wake(["buffer", "read", out]).run().code(0).stdout, "BYTES");
        shown["remembered"].as_bool().unwrap()
    };
    assert!(!remembered("serve.yml") && remembered("serve.yml"));
    // With another port it is another job.
    assert!(!remembered("other.yml"));
    // As with an unopened pipe.
    assert_eq!(exec(&project, b"unwanted", &["-f", "idle.yml"]).code(0).stdout, "");
    exec(&project, b"x", &["-f", "fails.yml"]).code(1);
    assert_eq!(last(&project)["statusReason"], "Main exited with code 3");
}

#[test]
fn only_a_job_that_is_not_remembered_has_its_number() {
    let script = "echo \"${TYGER_RUN_ID-none}\" > \"$OUTPUT_PIPE\"";
    let project = project()
        .file("id.yml", &run(ONE_EACH, script, ""))
        .file("pure.yml", &run("{outputs: [output]}", script, ""))
        .build();
    assert_eq!(exec(&project, b"x", &["-f", "id.yml"]).code(0).stdout, "1\n");
    assert_eq!(exec(&project, b"x", &["-f", "id.yml"]).code(0).stdout, "2\n");
    assert_eq!(exec(&project, b"", &["-f", "pure.yml"]).code(0).stdout, "none\n");
}

#[test]
fn shared_memory_has_the_size_that_is_asked_for() {
    let script = "stat -f -c '%b %S' /dev/shm > \"$OUTPUT_PIPE\"";
    let rest = "    resources: {shm: 2Mi, limits: {cpu: 500m}}\n";
    let project = project().file("shm.yml", &run("{outputs: [output]}", script, rest)).build();
    let done = exec(&project, b"", &["-f", "shm.yml"]).code(0);
    assert_eq!(done.stdout, "512 4096\n");
    assert_eq!(done.stderr, "");
}

fn told(project: &Project, args: &[&str], code: i32) -> String {
    let Finished { stderr, .. } = exec(project, b"", args).code(code);
    stderr
}

#[test]
fn unsupported_replicas_and_workers_are_refused_before_anything_runs() {
    let with = |rest: &str, more: &str| {
        run(ONE_EACH, "echo", more).replace("    command:", &format!("{rest}    command:"))
    };
    let worker = |rest: &str, replicas: u32| {
        format!(
            "{}worker:\n  replicas: {replicas}\n  codespec:\n    image: w\n{rest}",
            run("{}", "echo", "")
        )
    };
    let project = project()
        .file("gpu.yml", &with("    resources: {gpu: 1000}\n", ""))
        .file("half.yml", &with("    resources: {gpu: 500m}\n", ""))
        .file("most.yml", &with("    maxReplicas: 2\n", "  replicas: 3\n"))
        .file("stdin.yml", &with("", "  replicas: 2\n"))
        .file("many.yml", &worker("", 250))
        .file("identity.yml", &worker("    identity: x\n", 1))
        .file("ports.yml", &worker("    endpoints: {e: 9002}\n", 2))
        .build();
    let all = |args: &[&[&str]]| {
        let texts = args.iter().map(|args| {
            let code =
                if matches!(args[1], "gpu.yml" | "many.yml" | "identity.yml") { 10 } else { 2 };
            told(&project, args, code)
        });
        texts.collect::<String>()
    };
    expect![[r#"
        error: 1000 GPUs are requested, but this machine has N
         help: remove `resources.gpu`, or run the job on a machine with enough GPUs
        error: `resources.gpu` is 500m: expected a whole number
         help: request whole GPUs: a GPU is not shared
        error: `job.replicas` is 3, but `maxReplicas` of its codespec is 2
         help: lower `replicas` or raise `maxReplicas`
        error: 2 replicas cannot share standard input as `input`
         help: put the input into a buffer and use `--buffer input=ID`
        error: 251 replicas cannot run at once: one machine runs at most 250
         help: lower `replicas`
        error: identity `x` is not supported
         help: remove `identity`
        error: 2 processes would listen on port 9002 of the machine's network, which they share
         help: omit `--allow-network` and `--sandbox weak`
    "#]]
    .assert_eq(
        &all(&[
            &["-f", "gpu.yml"],
            &["-f", "half.yml"],
            &["-f", "most.yml"],
            &["-f", "stdin.yml"],
            &["-f", "many.yml"],
            &["-f", "identity.yml"],
            &["-f", "ports.yml", "--allow-network"],
        ])
        // The number of GPUs depends on the machine.
        .replace("this machine has none", "this machine has N")
        .replace("this machine has 1", "this machine has N"),
    );
    assert_eq!(json(&job(&project, &["list"]).run().code(0)), Value::Array(Vec::new()));
}
