//! The rule library, published to a registry in a directory.

use std::path::PathBuf;

use crate::project::Project;
use crate::workspace_copy::rules;

/// A registry that has the rule library; it goes away with this value.
pub struct PublishedRules {
    library: Project,
}

impl PublishedRules {
    /// The packages of the library, those first that others need.
    pub const NAMES: [&str; 5] = ["rule", "sh", "cc", "python", "rust"];

    /// Publishes the library of this checkout.
    #[must_use]
    pub fn publish() -> PublishedRules {
        let published = PublishedRules::unpublished();
        published.library.wake(["publish"]).args(PublishedRules::NAMES).run().success();
        published
    }

    /// The library in a workspace that would publish it, and has not yet.
    #[must_use]
    pub fn unpublished() -> PublishedRules {
        let library = rules();
        library.write("wake.toml", library.read("wake.toml") + "\n" + &toml("file:../registry"));
        PublishedRules { library }
    }

    /// The workspace that publishes.
    #[must_use]
    pub fn library(&self) -> &Project {
        &self.library
    }

    /// The directory of the registry.
    #[must_use]
    pub fn registry(&self) -> PathBuf {
        self.library.base().join("registry")
    }

    /// The `wake.toml` of a workspace that takes the rules from there.
    #[must_use]
    pub fn toml(&self) -> String {
        toml(&format!("file://{}", self.registry().display()))
    }
}

fn toml(address: &str) -> String {
    format!("[registries]\nrules = \"{address}\"\n\n[namespaces]\nwake = \"rules\"\n")
}
