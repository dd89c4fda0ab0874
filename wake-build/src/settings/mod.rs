//! Settings: `wake.toml` of a workspace and `config.toml` of a user. They decide where and how fast to build; only `overrides` decides what.

mod file;
mod span;
mod trust;
mod registries;
mod mirrors;
mod overrides;
mod workspace;
mod clusters;
mod person;

pub use clusters::{KubernetesSettings, SlurmSettings};
pub(crate) use overrides::Override;
pub use overrides::Overrides;
pub use person::PersonSettings;
pub use registries::RegistrySettings;
pub use span::span;
pub use trust::TrustSettings;
pub use workspace::Settings;
