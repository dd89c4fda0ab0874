//! What objects are called, and found by.

use serde_json::{Map, Value, json};

use crate::run::{KubernetesRun, KubernetesSite, Part};

/// The label by which all objects of a run are found.
pub(crate) const INSTANCE: &str = "app.kubernetes.io/instance";
/// The label that says of which part of a run an object is.
pub(crate) const COMPONENT: &str = "app.kubernetes.io/component";
/// The annotation that says which of several replicas a pod of a job is. Source: Kubernetes, `completionMode: Indexed`.
pub(crate) const INDEX: &str = "batch.kubernetes.io/job-completion-index";

/// Which part of a run an object is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// What runs to its end.
    Job,
    /// What serves that.
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

/// The labels by which the pods of a part are found.
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

/// The metadata of an object of a run.
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
        // Keys of annotations may not be all that tags may be.
        annotations.insert("wake/tags".to_owned(), Value::Object(tags).to_string().into());
    }
    metadata.insert("annotations".to_owned(), Value::Object(annotations));
    Value::Object(metadata)
}
