//! The object of a job.

use serde_json::{Map, Value, json};

use crate::container;
use crate::error::ManifestError;
use crate::labels::{Role, labels, metadata};
use crate::run::{KubernetesRun, KubernetesSite};
use crate::{streams, worker};

/// The `Job`: pods that run once and are never begun again.
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
    let mut pod = container::pod(part, site);
    pod.insert("restartPolicy".to_owned(), "Never".into());
    streams::place(&mut pod, container::main(part, &given), run, site)?;
    let mut spec = Map::new();
    spec.insert("backoffLimit".to_owned(), 0.into());
    spec.insert("activeDeadlineSeconds".to_owned(), run.timeout.into());
    spec.insert("completions".to_owned(), part.replicas.into());
    spec.insert("parallelism".to_owned(), part.replicas.into());
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
