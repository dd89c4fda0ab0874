//! Jobs created by `wake job create`, which run without their creator.

use super::*;

fn create(project: &Project, args: &[&str]) -> String {
    let all = [&["create", "--rootfs", "host"], args].concat();
    job(project, &all).run().code(0).stdout.trim_end().to_owned()
}

/// The process that runs a created job: its id, and that of its session.
fn process_of(project: &Project, id: &str) -> (i32, i32) {
    let store = project.store().display().to_string();
    let is_it = |pid: &i32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let words: Vec<&str> = line.trim_end_matches('\0').split('\0').collect();
        words.contains(&store.as_str()) && words.ends_with(&["job", "perform", id])
    };
    let names = fs::read_dir("/proc").unwrap().map(|entry| entry.unwrap().file_name());
    let mut all = names.filter_map(|name| name.to_str()?.parse::<i32>().ok());
    let pid = all.find(is_it).unwrap_or_else(|| panic!("no process runs the job {id}"));
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().collect::<Vec<_>>();
    (pid, fields[3].parse().unwrap())
}

/// Waits until the record of a job satisfies `is_so`, and returns it.
fn until(project: &Project, id: &str, is_so: impl Fn(&Value) -> bool) -> Value {
    loop {
        let shown = json(&job(project, &["show", id]).run().code(0));
        if is_so(&shown) {
            return shown;
        }
        assert!(!shown["finishedAt"].is_string(), "{shown}");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

#[test]
fn a_created_job_runs_without_its_creator() {
    let script = "echo begun; tr a-z A-Z < \"$INPUT_PIPE\" > \"$OUTPUT_PIPE\"";
    let project = project().file("upper.yml", &run(ONE_EACH, script, "")).build();
    let input = project.wake(["buffer", "create"]).run().code(0).stdout.trim_end().to_owned();
    let named = format!("input={input}");
    let id = create(&project, &["-f", "upper.yml", "-b", &named, "--tag", "k=v"]);
    // It waits for its input; its creator has exited.
    let (pid, session) = process_of(&project, &id);
    assert_eq!(pid, session);
    for stream in ["0", "1", "2"] {
        let target = fs::read_link(format!("/proc/{pid}/fd/{stream}")).unwrap();
        assert_eq!(target.to_str(), Some("/dev/null"));
    }
    until(&project, &id, |shown| shown["status"] == "Running");
    project.write("source", b"bytes");
    project.wake(["buffer", "write", &input, "-i", "source"]).run().code(0);
    let watched = job(&project, &["watch", &id]).run().code(0).stdout;
    let last: Value = serde_json::from_str(watched.lines().last().unwrap()).unwrap();
    assert_eq!((&last["status"], &last["tags"]["k"]), (&"Succeeded".into(), &"v".into()));
    let output = last["job"]["buffers"]["output"].as_str().unwrap();
    assert_eq!(project.wake(["buffer", "read", output]).run().code(0).stdout, "BYTES");
    assert_eq!(job(&project, &["logs", "-f", &id]).run().code(0).stdout, "begun\n");
    // Its input was not complete when it started; now it is.
    let remembered = || {
        let id = create(&project, &["-f", "upper.yml", "-b", &named]);
        job(&project, &["watch", &id]).run().code(0);
        json(&job(&project, &["show", &id]).run().code(0))["remembered"].clone()
    };
    assert_eq!((remembered(), remembered()), (false.into(), true.into()));
    let again = project.wake(["job", "perform", &id]).run().code(2).stderr;
    assert!(again.contains("is not pending: it is Succeeded"), "{again}");
}

#[test]
fn a_created_job_can_be_cancelled_and_records_how_it_ended() {
    let project = project()
        .file("long.yml", &run("{outputs: [output]}", "sleep 600 & sleep 600", ""))
        .file("fails.yml", &run("{outputs: [output]}", "exit 3", ""))
        .build();
    let id = create(&project, &["-f", "long.yml"]);
    let cancelled = json(&job(&project, &["cancel", &id]).run().code(0));
    assert_eq!(
        (&cancelled["status"], &cancelled["statusReason"]),
        (&"Canceled".into(), &"Canceled by user".into())
    );
    let id = create(&project, &["-f", "long.yml"]);
    let (pid, _) = process_of(&project, &id);
    let pid = rustix::process::Pid::from_raw(pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let gone = until(&project, &id, |shown| shown["status"] == "Failed");
    assert_eq!(
        gone["statusReason"],
        "the process running the job ended without reporting a result"
    );
    let id = create(&project, &["-f", "fails.yml"]);
    job(&project, &["watch", &id]).run().code(1);
    let failed = json(&job(&project, &["show", &id]).run().code(0));
    assert_eq!(failed["statusReason"], "Main exited with code 3");
    let output = failed["job"]["buffers"]["output"].as_str().unwrap();
    assert_eq!(json(&project.wake(["buffer", "show", output]).run().code(0))["state"], "failed");
}

#[test]
fn an_invalid_job_is_not_created_and_one_without_its_image_fails() {
    let project = project()
        .file("image.yml", &run("{outputs: [output]}", "echo", ""))
        .file("input.yml", &run(ONE_EACH, "echo", ""))
        .build();
    let told = job(&project, &["create", "-f", "input.yml"]).run().code(2).stderr;
    expect![[r#"
        error: no buffer is given for `input`
         help: use `--buffer input=ID`, or `wake job exec` to read standard input
    "#]]
    .assert_eq(&told);
    assert_eq!(json(&job(&project, &["list"]).run().code(0)), Value::Array(Vec::new()));
    assert_eq!(json(&project.wake(["buffer", "list"]).run().code(0)), Value::Array(Vec::new()));
    let created = job(&project, &["create", "-f", "image.yml", "--offline"]).run().code(0);
    let id = created.stdout.trim_end();
    job(&project, &["watch", id]).run().code(1);
    let shown = json(&job(&project, &["show", id]).run().code(0));
    expect!["Failed to pull image `registry.example.org/none`: image `registry.example.org/none` is not in the store, and the network may not be used"].assert_eq(shown["statusReason"].as_str().unwrap());
}
