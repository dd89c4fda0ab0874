//! What is set once: `wake.toml` of a workspace, and `config.toml` of a person. Where and how fast to build, never what.

mod file;
mod span;
mod trust;
mod registries;
mod mirrors;
mod workspace;
mod person;

pub use person::PersonSettings;
pub use registries::RegistrySettings;
pub use span::span;
pub use trust::TrustSettings;
pub use workspace::Settings;
