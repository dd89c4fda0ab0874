//! The mixins of Prometheus and etcd: Jsonnet libraries that produce alert rules and a dashboard.

use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use wake_tests::{Project, copy_tree, project, skip};

use crate::scene::{here, sources};

/// The mixins where jsonnet-bundler puts them, and the package that uses them.
fn vendored() -> Option<Project> {
    let Some(sources) = sources() else {
        skip("mixins", "the Debian source archive cannot be reached");
        return None;
    };
    let project = project().build();
    let vendor = |link: &str, from: &str, to: &str| {
        copy_tree(&sources.join(from), &project.path(&format!("vendor/{to}")));
        symlink(to, project.path(&format!("vendor/{link}"))).unwrap();
    };
    let mixin = "prometheus/documentation/prometheus-mixin";
    vendor("prometheus-mixin", mixin, &format!("github.com/prometheus/{mixin}"));
    vendor("etcd-mixin", "etcd/Documentation/etcd-mixin", "github.com/etcd-io/etcd/etcd-mixin");
    copy_tree(&here("monitoring"), project.root());
    Some(project)
}

/// What go-jsonnet evaluates `monitoring.jsonnet` to, or `None` if it is not installed.
fn by_the_reference(project: &Project) -> Option<Value> {
    let python = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/engines/bin/python");
    let program = "import _gojsonnet; \
                   print(_gojsonnet.evaluate_file('monitoring.jsonnet', jpathdir=['vendor']))";
    let output = Command::new(python).args(["-c", program]).current_dir(project.root()).output();
    let output = output.ok().filter(|output| output.status.success())?;
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn mixins() {
    let Some(project) = vendored() else { return };
    project.build(&[":rules"]);
    let alerts = || project.result_text("//:rules", "alerts.yaml");
    let names =
        ["PrometheusBadConfig", "PrometheusTargetSyncFailure", "etcdMembersDown", "etcdNoLeader"];
    for name in names {
        assert!(alerts().contains(&format!("\"alert\": \"{name}\"\n")), "{}", alerts());
    }
    let selected =
        "max_over_time(prometheus_config_last_reload_successful{job=\"prometheus\"}[5m]) == 0\n";
    assert!(alerts().contains(selected), "{}", alerts());
    let dashboard: Value =
        serde_json::from_str(&project.result_text("//:rules", "etcd.json")).unwrap();
    assert_eq!(dashboard["title"], "etcd");
    assert_eq!(dashboard["rows"][0]["panels"][0]["title"], "Up");
    match by_the_reference(&project) {
        Some(reference) => {
            assert_eq!(reference["alerts.yaml"], alerts());
            assert_eq!(reference["etcd.json"], dashboard);
        }
        None => skip("mixins", "needs go-jsonnet"),
    }

    project.build_runs_nothing(&[":rules"]);
    // The dashboards of Prometheus are not used.
    project.edit(
        "vendor/prometheus-mixin/dashboards.libsonnet",
        "local row",
        "// A row.\nlocal row",
    );
    project.build_runs_nothing(&[":rules"]);
    project.edit("vendor/prometheus-mixin/alerts.libsonnet", "'for': '10m'", "'for': '11m'");
    project.build(&[":rules"]);
    assert!(alerts().contains("\"for\": \"11m\"\n"), "{}", alerts());
}
