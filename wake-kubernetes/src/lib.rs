//! Says in Kubernetes' objects what Tyger's codespecs are, and has a cluster run them.
//!
//! | room | what it has |
//! |---|---|
//! | [`error`] | why a run cannot be said so, and why a cluster did not do what it was asked for |
//! | [`run`] | what is said: a run whose images and buffers are known, at a site |
//! | `yaml` | objects as people read them |
//! | [`labels`] | what objects are called, and found by |
//! | `container` | a codespec as a container |
//! | `streams` | what stands between buffers and the pipes of a job |
//! | `worker`, `job` | the objects of each |
//! | [`manifest`] | all of them |
//! | [`id`] | where the objects of a job are |
//! | `answer` | what a cluster says of objects |
//! | [`state`] | what that says of a job |
//! | [`kubectl`] | the program by which a cluster is reached |
//! | [`cluster`] | what it is asked |
//!
//! They stand in the order in which they are declared, and none knows a later one.

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
