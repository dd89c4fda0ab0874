//! Carries a build from package files to results: the first front of `wake-steps`.
//!
//! The rooms, in the order in which a build passes through them; none knows a later one:
//!
//! | room | does |
//! |---|---|
//! | `settings`, `workspace`, `registries`, `pkg_place`, `target` | finds the checkout, the sources of packages and images, and the targets |
//! | `published` | a package as its registry's users see it |
//! | `sources`, `fixed`, `files`, `source_text`, `shelf` | reads files, caches their digests, and spools data to disk |
//! | `test_past` | past results of tests |
//! | `options`, `evaluate`, `expression` | the options of a build; applies functions, with a cache; evaluates expressions |
//! | `file_set` | the files of a package that dependents get |
//! | `retriever`, `lock_text`, `locked`, `load`, `order`, `choose`, `resolve` | from package files and `wake.lock` to packages that fit together |
//! | `written`, `view`, `instance` | packages with their inputs, as functions see them |
//! | `module`, `purpose`, `plan` | from packages to the graph of configured modules that are wanted |
//! | `host_packages`, `lower` | packages of the distribution; from a module to a step, which no longer knows packages |
//! | `links` | results in the checkout |
//! | `snapshot` | what the last build looked at, and its results, as the starting point of the next |
//! | `session`, `retrieve`, `logins`, `locking`, `inquiry`, `obtain`, `needs`, `build`, `publish`, `explain` | what a user asks for |

#![expect(
    clippy::result_large_err,
    reason = "a diagnostic is made once in a failing build and read by a user"
)]

mod settings;
mod workspace;
mod gauge;
mod registries;
mod published;
mod workers;
mod pkg_place;
mod config_text;
mod target;
mod sources;
mod fixed;
mod files;
mod source_text;
mod shelf;
mod test_past;
mod options;
mod evaluate;
mod expression;
mod file_set;
mod retriever;
mod lock_text;
mod locked;
mod load;
mod order;
mod choose;
mod resolve;
mod written;
mod view;
mod instance;
mod module;
mod purpose;
mod plan;
mod host_packages;
mod lower;
mod links;
mod snapshot;
mod session;
mod retrieve;
mod logins;
mod locking;
mod inquiry;
mod obtain;
mod needs;
mod build;
mod publish;
mod explain;

pub use build::{
    BuildReport, BuildRequest, BuiltModule, Entering, Guest, GuestManner, Kept, LinkPolicy,
    LookOver, Standing, StepVisit, VisitEnd, VisitPlace, VisitedStep,
};
pub use choose::LockChange;
pub use explain::{
    Explained, Forecasts, FoundModule, Graph, GraphEdge, GraphNode, ListingDepth, MadeImage,
    NeedLine, PackageListing, PkgNode, PkgReason, QueryResult, StepJob,
};
pub use expression::{EvalResult, Expression};
pub use files::file_digest;
pub use gauge::{FetchGauge, Fetching};
pub use inquiry::{FoundPkg, PkgAccount, SearchResult};
pub use locking::LockRequest;
pub use needs::{AddRequest, Addition, FoundNeed, NeedsChange, Signers};
pub use obtain::ObtainedPkg;
pub use options::ChosenOptions;
pub use publish::{Extent, PublishRequest, PublishStep, Published, Signing, key_failure};
pub use purpose::{Purpose, Shard, TagSelection, TestSelection};
pub use registries::{Mirrors, Reach, image_mirror_warnings};
pub use session::{LockUse, Options, Session, evaluation_worker};
pub use settings::{
    KubernetesSettings, Overrides, PersonSettings, RegistrySettings, Settings, SlurmSettings,
    TrustSettings, span,
};
pub use snapshot::{LookedAt, Touched};
pub use target::{Scope, TargetConfig, TargetPattern};
pub use test_past::{Flakiness, PastEnd, TestPast};
pub use wake_registry::{KeyRing, LoginNote, NamedKey, PublicKey, Source, Yank};
pub use workers::Workers;
pub use workspace::{WORKSPACE_FILE, Workspace};
