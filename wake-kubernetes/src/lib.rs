//! Turns runs of Tyger's codespecs into Kubernetes objects, and runs them in a cluster.
//!
//! | room | contents |
//! |---|---|
//! | [`error`] | why a run has no objects, and why a request to a cluster failed |
//! | [`run`] | the input: a run whose images and buffers are known, and a site |
//! | `yaml` | objects as readable YAML |
//! | [`labels`] | names and labels of objects |
//! | `container` | a codespec as a container |
//! | `streams` | the containers that transfer data between buffers and the pipes of a job |
//! | `worker`, `job` | the objects of each |
//! | [`manifest`] | all objects of a run |
//! | [`id`] | where the objects of a job are |
//! | `answer` | objects as the API server returns them |
//! | [`state`] | the state of a job, from those objects |
//! | [`kubectl`] | runs `kubectl` |
//! | [`cluster`] | requests to a cluster |
//!
//! The rooms are declared in this order, and none depends on a later one.

pub mod error;
pub mod run;
mod yaml;
pub mod labels;
mod container;
mod streams;
mod worker;
mod job;
pub mod manifest;
pub mod id;
mod answer;
pub mod state;
pub mod kubectl;
pub mod cluster;

pub use cluster::{Cluster, Served};
pub use error::{KubernetesError, ManifestError};
pub use id::KubernetesId;
pub use kubectl::{Kubectl, LogChild, LogEnd, LogReader};
pub use labels::Role;
pub use manifest::Manifest;
pub use run::{KubernetesRun, KubernetesSite, Part, RunName};
pub use state::{KubernetesEnd, KubernetesJob, KubernetesPod, KubernetesState};
