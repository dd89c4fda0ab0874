//! The plan of a build: each asset once, parents first.
//!
//! | file | contains |
//! |---|---|
//! | `request` | the request, and the traits that find documents and root file systems |
//! | `build` | one asset to build, with its inputs |
//! | `planner` | makes the builds of a request |

mod request;
mod build;
mod planner;

use wake_steps::diagnostic::Diagnostic;

pub(crate) use self::build::{ASSET, ASSETS, FoundAsset, WORK};
pub use self::build::{Build, GenomeRef, GivenAsset, GivenFile, Origin};
pub use self::request::{
    BuildRequest, Documents, FoundRecipe, ParentPolicy, RootOf, Roots, UnknownGenome,
};

/// The assets to build.
#[derive(Debug)]
pub struct Plan {
    /// The builds; parents precede their children.
    pub builds: Vec<Build>,
    /// Warnings.
    pub warnings: Vec<Diagnostic>,
}

impl Plan {
    /// Plans a request. Runs and writes nothing.
    pub fn new(request: &BuildRequest<'_>) -> Result<Plan, Diagnostic> {
        planner::plan(request)
    }

    /// Appends the builds of another plan.
    pub fn append(&mut self, other: Plan) {
        let first = self.builds.len();
        self.builds.extend(other.builds.into_iter().map(|mut build| {
            for given in &mut build.assets {
                if let Origin::Built(number) = &mut given.origin {
                    *number += first;
                }
            }
            build
        }));
        self.warnings.extend(other.warnings);
    }
}
