//! What is to be built: each asset once, those that others are made of first.
//!
//! | file | has |
//! |---|---|
//! | `request` | what is asked for, and who finds documents and roots |
//! | `build` | one asset that is to be built, with all that it is given |
//! | `planner` | from what is asked for to what is built |

mod request;
mod build;
mod planner;

use wake_steps::diagnostic::Diagnostic;

pub(crate) use self::build::{ASSET, ASSETS, FoundAsset, WORK};
pub use self::build::{Build, GenomeRef, GivenAsset, GivenFile, Origin};
pub use self::request::{
    BuildRequest, Documents, FoundRecipe, ParentPolicy, RootOf, Roots, UnknownGenome,
};

/// What is to be built.
#[derive(Debug)]
pub struct Plan {
    /// The assets; what one is made of stands before it.
    pub builds: Vec<Build>,
    /// What is probably not meant.
    pub warnings: Vec<Diagnostic>,
}

impl Plan {
    /// Plans what `request` asks for. Nothing is run and nothing is written.
    pub fn new(request: &BuildRequest<'_>) -> Result<Plan, Diagnostic> {
        planner::plan(request)
    }

    /// The builds of another plan as well.
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
