//! The `Job` object.

use serde_json::{Map, Value, json};

use crate::container;
use crate::error::ManifestError;
use crate::labels::{Role, labels, metadata};
use crate::run::{KubernetesRun, KubernetesSite};
use crate::{streams, worker};

/// Seconds from SIGTERM to SIGKILL.
const GRACE: u32 = 5;
/// Seconds after which the cluster deletes a job that has ended.
const LEFT: u32 = 7 * 24 * 60 * 60;

/// Returns the `Job`, whose pods run once and are never restarted.
pub(crate) fn object(
    run: &KubernetesRun<'_>,
    site: &KubernetesSite,
) -> Result<Value, ManifestError> {
    let part = &run.job;
    if !part.codespec.sockets().is_empty() {
        return Err(ManifestError::Sockets);
    }
    if let (2.., [output, ..]) = (part.replicas, part.codespec.outputs()) {
        return Err(ManifestError::WrittenTwice(part.replicas, output.clone()));
    }
    let mut given = streams::variables(run);
    given.extend(worker::variables(run));
    given.extend(run.number.map(|number| ("TYGER_RUN_ID".to_owned(), number.to_string())));
    let mut pod = container::pod(part, site);
    pod.insert("restartPolicy".to_owned(), "Never".into());
    pod.insert("terminationGracePeriodSeconds".to_owned(), GRACE.into());
    streams::place(&mut pod, container::main(part, &given), run, site)?;
    let mut spec = Map::new();
    spec.insert("backoffLimit".to_owned(), 0.into());
    spec.insert("activeDeadlineSeconds".to_owned(), run.timeout.into());
    spec.insert("completions".to_owned(), part.replicas.into());
    spec.insert("parallelism".to_owned(), part.replicas.into());
    if run.number.is_some() {
        spec.insert("ttlSecondsAfterFinished".to_owned(), LEFT.into());
    }
    if part.replicas > 1 {
        spec.insert("completionMode".to_owned(), "Indexed".into());
    }
    let template = json!({"metadata": {"labels": labels(run, Role::Job)}, "spec": pod});
    spec.insert("template".to_owned(), template);
    Ok(json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": metadata(run, Role::Job, run.name.as_str(), part, site),
        "spec": spec,
    }))
}
