//! Labels, annotations and metadata of objects.

use serde_json::{Map, Value, json};

use crate::run::{KubernetesRun, KubernetesSite, Part};

/// The label that selects all objects of a run.
pub(crate) const INSTANCE: &str = "app.kubernetes.io/instance";
/// The label that names the part of a run that an object belongs to.
pub(crate) const COMPONENT: &str = "app.kubernetes.io/component";
/// The annotation with the replica index of a job's pod. Source: Kubernetes, `completionMode: Indexed`.
pub(crate) const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// The part of a run that an object belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The job.
    Job,
    /// The worker that serves it.
    Worker,
}

impl Role {
    /// `job` or `worker`.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Role::Job => "job",
            Role::Worker => "worker",
        }
    }
}

/// Returns the labels that select the pods of a part.
pub(crate) fn selector(run: &KubernetesRun<'_>, role: Role) -> Value {
    json!({
        INSTANCE: run.name.as_str(),
        COMPONENT: role.as_str(),
    })
}

pub(crate) fn labels(run: &KubernetesRun<'_>, role: Role) -> Value {
    json!({
        INSTANCE: run.name.as_str(),
        COMPONENT: role.as_str(),
        "app.kubernetes.io/managed-by": "wake",
    })
}

/// Returns the metadata of an object.
pub(crate) fn metadata(
    run: &KubernetesRun<'_>,
    role: Role,
    name: &str,
    part: &Part<'_>,
    site: &KubernetesSite,
) -> Value {
    let mut metadata = Map::new();
    metadata.insert("name".to_owned(), name.into());
    if let Some(namespace) = &site.namespace {
        metadata.insert("namespace".to_owned(), namespace.as_str().into());
    }
    metadata.insert("labels".to_owned(), labels(run, role));
    let mut annotations = Map::new();
    annotations.insert("wake/codespec".to_owned(), part.label.into());
    annotations.insert("wake/content-id".to_owned(), part.codespec.id().to_string().into());
    let tags: Map<String, Value> =
        run.tags.iter().map(|(key, value)| (key.to_owned(), value.into())).collect();
    if !tags.is_empty() {
        // Some tag keys are not valid annotation keys.
        annotations.insert("wake/tags".to_owned(), Value::Object(tags).to_string().into());
    }
    metadata.insert("annotations".to_owned(), Value::Object(annotations));
    Value::Object(metadata)
}
