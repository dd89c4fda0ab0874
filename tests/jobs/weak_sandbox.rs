//! Jobs in the weak sandbox, which run directly on this machine.

use super::*;

fn weak(project: &Project, args: &[&str]) -> Wake {
    project.wake(["--sandbox", "weak", "job"].iter().chain(args))
}

#[test]
fn pipes_are_where_the_variables_say() {
    let script = "tr a-z A-Z < \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"\necho $0 $INPUT_PIPE";
    let text = run(ONE_EACH, script, "") + "      - $(INPUT_PIPE)\n";
    let project = project().file("upper.yml", &text).build();
    let id = format!("input={}", buffer(&project, b"bytes"));
    let made = || {
        let all = ["run", "--rootfs", "host", "-f", "upper.yml", "-b", &id];
        let shown = json(&weak(&project, &all).run().code(0));
        let output = shown["job"]["buffers"]["output"].as_str().unwrap();
        assert_eq!(project.wake(["buffer", "read", output]).run().code(0).stdout, "BYTES");
        shown
    };
    let first = made();
    let log = job(&project, &["logs", &first["id"].to_string()]).run().code(0).stdout;
    let (zero, variable) = log.trim_end().split_once(' ').unwrap();
    assert!(zero == variable && zero.ends_with("/input"), "{log}");
    // The paths of the pipes are not in the key.
    assert_eq!((&first["remembered"], &made()["remembered"]), (&false.into(), &true.into()));
    // Results are not shared with the strict sandbox.
    let strict = ["run", "--rootfs", "host", "-f", "upper.yml", "-b", &id];
    assert_eq!(json(&job(&project, &strict).run().code(0))["remembered"], false);
}

#[test]
fn replicas_and_limits_work_as_in_the_strict_sandbox() {
    let each = "echo \"$(cat \"$INPUT_PIPE\")\"";
    let project = project()
        .file("each.yml", &run("{inputs: [input]}", each, "  replicas: 2\n"))
        .file("slow.yml", &run("{}", "sleep 600 & sleep 600", "timeoutSeconds: 1\n"))
        .build();
    let id = format!("input={}", buffer(&project, b"bytes"));
    let exec = |file: &str, args: &[&str]| {
        weak(&project, &[&["exec", "--rootfs", "host", "-f", file], args].concat()).run()
    };
    exec("each.yml", &["-b", &id]).code(0);
    let log = job(&project, &["logs", "1"]).run().code(0).stdout;
    let mut lines: Vec<&str> = log.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["[job-0] bytes", "[job-1] bytes"]);
    exec("slow.yml", &[]).code(1);
    assert_eq!(last(&project)["statusReason"], "the job exceeded its timeout");
}

#[test]
fn workers_and_sockets_use_ports_of_the_machine() {
    let test = "workers_and_sockets_use_ports_of_the_machine";
    if !has_program("perl") {
        return skip(test, "there is no perl");
    }
    // Ports that are currently free.
    let listeners = [0; 2].map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let [endpoint, socket] = listeners.map(|one| one.local_addr().unwrap().port().to_string());
    let serve = |port: &str, answer: &str| {
        format!(
            "my $l = IO::Socket::INET->new(Listen => 5, LocalPort => {port}, ReuseAddr => 1) or die $!; while (my $v = $l->accept) {{ {answer} close $v; }}"
        )
    };
    let worker = serve(&endpoint, "print $v \"from the worker\";");
    let asks = format!(
        "my $w = IO::Socket::INET->new((split /\"/, $ENV{{TYGER_E_WORKER_ENDPOINT_ADDRESSES}})[1]) or die $!; my $said = <$w>; {}",
        serve(&socket, "print $v $said;")
    );
    let perl = |script: &str| format!("[perl, -MIO::Socket::INET, -e, '{script}']");
    let text = format!(
        "job:\n  codespec:\n    image: i\n    buffers: {{outputs: [out]}}\n    sockets: [{{port: {socket}, outputBuffer: out}}]\n    command: {}\nworker:\n  codespec:\n    image: w\n    endpoints: {{e: {endpoint}}}\n    command: {}\n",
        perl(&asks),
        perl(&worker)
    );
    let project = project().file("run.yml", &text).build();
    let done = weak(&project, &["exec", "--rootfs", "host", "-f", "run.yml"]).run().code(0);
    assert_eq!(done.stdout, "from the worker");
}

#[test]
fn what_the_weak_sandbox_does_not_support_is_reported_first() {
    let project = project()
        .file("image.yml", &run("{}", "true", ""))
        .file("shm.yml", &run("{}", "true", "    resources: {shm: 1Mi}\n"))
        .build();
    project.write("root/file", "");
    let told = |args: &[&str], code: i32| weak(&project, args).run().code(code).stderr;
    let refused = told(&["exec", "-f", "image.yml"], 2);
    expect![[r#"
        error: in the weak sandbox a job can only run on this machine's root file system
         help: use `--rootfs host`, or omit `--sandbox weak`
    "#]]
    .assert_eq(&refused);
    assert_eq!(told(&["create", "--rootfs", "root", "-f", "image.yml"], 2), refused);
    assert_eq!(json(&job(&project, &["list"]).run().code(0)), Value::Array(Vec::new()));
    expect![[r#"
        warning: `resources.shm` is ignored: in the weak sandbox `/dev/shm` is this machine's
    "#]]
    .assert_eq(&told(&["exec", "--rootfs", "host", "-f", "shm.yml"], 0));
}
