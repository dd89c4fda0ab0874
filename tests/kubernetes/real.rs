//! Tests on a real cluster: `WAKE_TEST_KUBECONFIG` names it, and `WAKE_TEST_KUBE_IMAGE` an image with `sh` that it can pull, by digest.

use std::env;

use serde_json::Value;
use wake_tests::{Project, Wake, project};

use crate::scene::{json, until};

struct Real {
    project: Project,
    config: String,
    image: String,
}

impl Real {
    fn new() -> Real {
        let variable = |name: &str| env::var(name).unwrap_or_else(|_| panic!("{name} is not set"));
        let (config, image) = (variable("WAKE_TEST_KUBECONFIG"), variable("WAKE_TEST_KUBE_IMAGE"));
        Real { project: project().build(), config, image }
    }

    fn job(&self, args: &[&str]) -> Wake {
        self.project.wake(["job"].iter().chain(args)).env("KUBECONFIG", &self.config)
    }

    /// Runs a shell script with `wake job VERB`.
    fn script(&self, verb: &str, script: &str, rest: &str, args: &[&str]) -> Wake {
        let codespec = format!("{{image: '{}', command: [sh, -ec, '{script}']}}", self.image);
        self.project.write("run.yml", format!("job: {{codespec: {codespec}}}\n{rest}"));
        self.job(&[&[verb, "--engine", "kubernetes", "-f", "run.yml"], args].concat())
    }

    fn show(&self, id: &str) -> Value {
        json(&self.job(&["show", id]).run().code(0))
    }
}

#[test]
#[ignore = "asks the cluster that WAKE_TEST_KUBECONFIG names"]
fn jobs_run_in_a_real_cluster() {
    let real = Real::new();
    let done =
        real.script("run", "echo hello; sleep 2; echo bye >&2", "", &["--logs"]).run().code(0);
    assert!(done.stderr.contains("hello\nbye\n"), "{}", done.stderr);
    assert_eq!(json(&done)["status"], "Succeeded");

    let failed = json(&real.script("run", "echo oops; exit 3", "", &[]).run().code(1));
    assert_eq!(failed["statusReason"], "Main exited with code 3");
    let id = failed["id"].to_string();
    assert_eq!(real.job(&["logs", &id]).run().code(0).stdout, "oops\n");

    let late = real.script("run", "echo begun; sleep 600", "timeoutSeconds: 6\n", &[]);
    let late = json(&late.run().code(1));
    assert_eq!(
        (&late["status"], &late["statusReason"]),
        (&"Canceled".into(), &"the job exceeded its timeout".into())
    );
    assert_eq!(real.job(&["logs", &late["id"].to_string()]).run().code(0).stdout, "begun\n");

    let made = real.script("create", "echo ready; sleep 600", "", &[]).run().code(0);
    let id = made.stdout.trim_end();
    until("it runs", || match real.show(id)["status"] == "Running" {
        true => Ok(()),
        false => Err(real.show(id)["statusReason"].to_string()),
    });
    let cancelled = json(&real.job(&["cancel", id]).run().code(0));
    assert_eq!(cancelled["statusReason"], "Canceled by user");
}
