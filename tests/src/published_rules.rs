//! The rule library, published to a directory registry.

use std::path::PathBuf;

use crate::project::Project;
use crate::workspace_copy::rules;

/// A registry with the rule library; it is deleted on drop.
pub struct PublishedRules {
    library: Project,
}

impl PublishedRules {
    /// The packages of the library, in dependency order.
    pub const NAMES: [&str; 5] = ["rule", "sh", "cc", "python", "rust"];

    /// Publishes the library of this checkout.
    #[must_use]
    pub fn publish() -> PublishedRules {
        let published = PublishedRules::unpublished();
        published.library.wake(["publish"]).args(PublishedRules::NAMES).run().success();
        published
    }

    /// Makes a workspace that can publish the library and has not yet.
    #[must_use]
    pub fn unpublished() -> PublishedRules {
        let library = rules();
        library.write("wake.toml", library.read("wake.toml") + "\n" + &toml("file:../registry"));
        PublishedRules { library }
    }

    /// Returns the publishing workspace.
    #[must_use]
    pub fn library(&self) -> &Project {
        &self.library
    }

    /// Returns the directory of the registry.
    #[must_use]
    pub fn registry(&self) -> PathBuf {
        self.library.base().join("registry")
    }

    /// Returns the `wake.toml` of a workspace that gets the rules from there.
    #[must_use]
    pub fn toml(&self) -> String {
        toml(&format!("file://{}", self.registry().display()))
    }
}

fn toml(address: &str) -> String {
    format!("[registries]\nrules = \"{address}\"\n\n[namespaces]\nwake = \"rules\"\n")
}
