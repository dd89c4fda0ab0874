//! The parts of Kubernetes objects that are read.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::labels::COMPONENT;

/// Several objects.
#[derive(Debug, Deserialize)]
pub(crate) struct List {
    pub(crate) items: Vec<Object>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Object {
    pub(crate) kind: String,
    #[serde(default)]
    pub(crate) metadata: Metadata,
    #[serde(default)]
    pub(crate) spec: Spec,
    #[serde(default)]
    pub(crate) status: Status,
    /// The reason of an event.
    #[serde(default)]
    pub(crate) reason: String,
    #[serde(default)]
    pub(crate) message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Metadata {
    pub(crate) name: String,
    pub(crate) uid: String,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) deletion_timestamp: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Spec {
    pub(crate) node_name: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Status {
    pub(crate) phase: String,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) init_container_statuses: Vec<ContainerStatus>,
    pub(crate) container_statuses: Vec<ContainerStatus>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Condition {
    #[serde(rename = "type")]
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) message: String,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct ContainerStatus {
    pub(crate) name: String,
    pub(crate) restart_count: u32,
    pub(crate) state: ContainerState,
    pub(crate) last_state: ContainerState,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct ContainerState {
    pub(crate) waiting: Option<Waiting>,
    pub(crate) running: Option<Running>,
    pub(crate) terminated: Option<Terminated>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Waiting {
    pub(crate) reason: String,
    pub(crate) message: String,
}

#[derive(Debug, Default, Deserialize)]
pub(crate) struct Running {}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(crate) struct Terminated {
    pub(crate) exit_code: i32,
    pub(crate) signal: i32,
    pub(crate) reason: String,
    pub(crate) message: String,
}

impl Object {
    /// Whether it belongs to this part of a run: `job` or `worker`.
    pub(crate) fn is_of(&self, role: &str) -> bool {
        self.metadata.labels.get(COMPONENT).is_some_and(|of| of == role)
    }

    /// Returns the condition of this type if it is true.
    pub(crate) fn condition(&self, kind: &str) -> Option<&Condition> {
        self.status.conditions.iter().find(|one| one.kind == kind && one.status == "True")
    }

    /// All of its containers, in starting order.
    pub(crate) fn containers(&self) -> impl Iterator<Item = &ContainerStatus> {
        let Status { init_container_statuses, container_statuses, .. } = &self.status;
        init_container_statuses.iter().chain(container_statuses)
    }

    /// Returns the container of this name.
    pub(crate) fn container(&self, name: &str) -> Option<&ContainerStatus> {
        self.containers().find(|container| container.name == name)
    }

    /// The node that it runs on.
    pub(crate) fn node(&self) -> &str {
        self.spec.node_name.as_deref().unwrap_or("its node")
    }

    /// Whether its node has stopped responding: its containers were last reported ready, but the pod is not.
    pub(crate) fn is_out_of_reach(&self) -> bool {
        let is = |kind: &str, status: &str| {
            self.status.conditions.iter().any(|one| one.kind == kind && one.status == status)
        };
        is("ContainersReady", "True") && (is("Ready", "False") || is("Ready", "Unknown"))
    }
}
