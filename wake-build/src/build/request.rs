//! Build requests, and what makes two of them the same.

use wake_model::encode::{Domain, Encoder, digest_bytes};
use wake_model::{Digest, json};
use wake_steps::pin::platform;

use crate::purpose::{Purpose, TagSelection};
use crate::session::Session;
use crate::target::{TargetConfig, TargetPattern};

/// A request to build.
#[derive(Clone, Debug, Default)]
pub struct BuildRequest {
    /// The targets; none: the package around the current directory.
    pub targets: Vec<TargetPattern>,
    /// The configuration for modules that the targets name.
    pub config: Option<TargetConfig>,
    /// The purpose of the build.
    pub purpose: Purpose,
    /// The tags to select.
    pub tags: TagSelection,
    /// Whether other steps continue after one has failed.
    pub keep_going: bool,
    /// How often each test runs, even if its result is cached; none: once, unless it is.
    pub runs: Option<u32>,
    /// How often a test is retried after a failure; none: the test decides.
    pub retries: Option<u32>,
    /// Whether the modules that the targets name run even if they are remembered.
    pub rebuild: bool,
    /// Whether results are linked into the checkout.
    pub link: LinkPolicy,
    /// Whether the report lists the results.
    pub results: bool,
    /// Whether events of cached results include the command's standard error. Then every step is looked up.
    pub recalls_warnings: bool,
}

impl BuildRequest {
    /// Returns whether the build ignores what earlier builds left.
    pub(super) fn is_from_anew(&self) -> bool {
        self.rebuild || self.recalls_warnings
    }
}

/// Whether results are linked into the checkout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LinkPolicy {
    /// They are not.
    #[default]
    Never,
    /// They are, if possible: nothing depends on the links.
    IfPossible,
    /// They are, or else the build fails.
    Always,
}

/// Returns the key of forecasts for these targets.
pub(crate) fn foresight_key(session: &Session, targets: &[TargetPattern]) -> Digest {
    let (targets, purpose) = (targets.to_vec(), Purpose::Everything);
    let request = BuildRequest { targets, purpose, ..BuildRequest::default() };
    let mut bytes = Vec::new();
    let mut e = Encoder::new(&mut bytes);
    e.list(2);
    e.text("forecasts");
    e.digest(&request_key(session, &request));
    digest_bytes(Domain::Evaluation, &bytes)
}

/// Returns the key of a request: everything that decides what is built and where it is stored, except the path of
/// the checkout.
pub(super) fn request_key(session: &Session, request: &BuildRequest) -> Digest {
    let mut bytes = Vec::new();
    let mut e = Encoder::new(&mut bytes);
    let workspace = &session.workspace;
    e.list(16);
    e.text(env!("CARGO_PKG_VERSION"));
    e.text(wake_eval::ENGINE);
    e.uint(wake_eval::API_VERSION.into());
    e.text(workspace.here.as_str());
    e.text(&session.store().root().to_string_lossy());
    e.text(&format!("{:?}", workspace.settings.members));
    e.text(&workspace.settings.registries.trust.text());
    e.text(&workspace.settings.overrides.lines().collect::<Vec<_>>().join("\n"));
    e.list(request.targets.len());
    for target in &request.targets {
        e.text(target.as_str());
    }
    match &request.config {
        Some(TargetConfig::Whole(config)) => e.text(&json::canonical(config)),
        Some(TargetConfig::Keys(keys)) => {
            e.list(keys.len());
            for (key, value) in keys {
                e.text(key);
                e.text(&json::canonical(value));
            }
        }
        None => e.none(),
    }
    e.text(match &request.purpose {
        Purpose::Results => "results",
        Purpose::Everything => "everything",
        Purpose::Tests(_) => "tests",
    });
    e.text(&format!("{:?}", request.tags));
    let chosen: Vec<String> = session.chosen.words().collect();
    e.list(chosen.len());
    chosen.iter().for_each(|word| e.text(word));
    e.text(session.machine.sandbox().as_ref());
    e.text(&platform());
    e.bool(request.link != LinkPolicy::Never);
    digest_bytes(Domain::Evaluation, &bytes)
}
