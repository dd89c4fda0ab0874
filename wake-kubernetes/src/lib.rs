//! Says in Kubernetes' objects what Tyger's codespecs are.
//!
//! | room | what it has |
//! |---|---|
//! | [`error`] | why a run cannot be said so |
//! | [`run`] | what is said: a run whose images and buffers are known, at a site |
//! | `yaml` | objects as people read them |
//! | `labels` | what objects are called, and found by |
//! | `container` | a codespec as a container |
//! | `streams` | what stands between buffers and the pipes of a job |
//! | `worker`, `job` | the objects of each |
//! | [`manifest`] | all of them |
//!
//! They stand in the order in which they are declared, and none knows a later one. Nothing here reaches a cluster.

pub mod error;
pub mod run;
mod yaml;
mod labels;
mod container;
mod streams;
mod worker;
mod job;
pub mod manifest;

pub use error::ManifestError;
pub use manifest::Manifest;
pub use run::{KubernetesRun, KubernetesSite, Part, RunName};
