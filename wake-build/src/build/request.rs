//! What is asked of a build, and what tells one such request from another.

use wake_model::encode::{Domain, Encoder, digest_bytes};
use wake_model::{Digest, json};
use wake_steps::pin::platform;

use crate::purpose::{Purpose, TagSelection};
use crate::session::Session;
use crate::target::{TargetConfig, TargetPattern};

/// What is asked of a build.
#[derive(Clone, Debug, Default)]
pub struct BuildRequest {
    /// The targets; none: the package around the person.
    pub targets: Vec<TargetPattern>,
    /// The configuration of the modules that the targets name.
    pub config: Option<TargetConfig>,
    /// What it is for.
    pub purpose: Purpose,
    /// Which tags are wanted.
    pub tags: TagSelection,
    /// Whether steps go on after one has failed.
    pub keep_going: bool,
    /// How often each test runs, whatever is remembered; none: once, unless it is.
    pub runs: Option<u32>,
    /// How often a test is tried again after a failure; none: as it says.
    pub retries: Option<u32>,
    /// Whether the modules that the targets name run although they are remembered.
    pub rebuild: bool,
    /// Whether results are linked into the checkout.
    pub link: LinkPolicy,
    /// Whether the report lists the results.
    pub results: bool,
    /// Whether events of remembered results tell what their commands once wrote to standard error. Every step is looked up then.
    pub recalls_warnings: bool,
}

impl BuildRequest {
    /// Whether what an earlier build left says nothing of it.
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
    /// They are, if that can be: nobody needs the links.
    IfPossible,
    /// They are, or the build fails.
    Always,
}

/// What tells forecasts of targets from others.
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

/// What tells one request from another: everything that decides what is built, and where it is kept; not where
/// the checkout lies.
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
