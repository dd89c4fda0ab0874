//! Successive builds in one process, which keep the state of the last build in memory.
//!
//! A build compares the whole checkout with what the last one looked at. A process that is notified of every change checks only
//! those paths and reads no state from disk. What is kept is no more than the next build would read from disk.

use wake_steps::Cancel;
use wake_steps::event::Reporter;
use wake_steps::profile::Profile;

use super::request::request_key;
use super::{BuildReport, BuildRequest};
use crate::session::Session;
use crate::snapshot::{LookedAt, Origin, Snapshot, Touched, place, verify, verify_touched};

/// The most touched paths that are checked one by one; beyond that, the whole checkout is compared.
const FEW: usize = 2000;

/// The state that the last build of a request left.
pub struct Kept {
    snapshot: Snapshot,
    standing: Standing,
}

/// The standing of kept state after one more build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is that of the last build, which succeeded and took the touched paths into account.
    Current,
    /// It is unchanged: the build failed or was stopped.
    Behind,
    /// It can no longer be relied on.
    Lost,
}

/// The result of comparing the whole checkout.
pub enum LookOver {
    /// It is as the last build left it.
    Same(Box<Kept>),
    /// Something differs, or there is nothing to compare it with.
    Different,
}

impl Kept {
    /// Returns what the build looked at.
    pub fn looked_at(&self) -> Option<LookedAt> {
        self.snapshot.looked_at()
    }

    /// Returns the standing after the last build on this state.
    pub fn standing(&self) -> Standing {
        self.standing
    }
}

impl Session {
    /// Compares the whole checkout with the state of the last build of `request`, read from disk unless it is `kept`.
    pub fn look_over(&self, request: &BuildRequest, kept: Option<Kept>) -> LookOver {
        let key = request_key(self, request);
        let own = place(&self.state_dir(), &key);
        let latest = kept.map(|kept| kept.snapshot).filter(Snapshot::is_latest);
        self.machine.threads().install(|| {
            let Some(snapshot) = latest.or_else(|| Snapshot::open(own, &key)) else {
                return LookOver::Different;
            };
            let is_of_this_boot = snapshot.meta().is_some_and(|meta| meta.is_of_this_boot());
            let compare = || {
                verify(&snapshot, Origin::Here, &self.workspace.root, &Profile::default(), &|| {
                    false
                })
            };
            let differences = if is_of_this_boot { compare() } else { None };
            let is_same = differences.is_some_and(|found| found.changed.is_empty())
                && self.host_holds(&snapshot) == Some(())
                && self.results_hold(&snapshot);
            match is_same {
                true => LookOver::Same(Box::new(Kept { snapshot, standing: Standing::Current })),
                false => LookOver::Different,
            }
        })
    }

    /// Returns whether [`Session::build_on`] is likely to work; otherwise a build has to plan anew, in a session of its own.
    pub fn can_build_on(&self, request: &BuildRequest, kept: &Kept, touched: &Touched) -> bool {
        let Kept { snapshot, standing } = kept;
        let compare = || {
            verify_touched(snapshot, touched, &self.workspace.root, &Profile::default()).is_some()
        };
        let may_hold = *standing != Standing::Lost && touched.len() <= FEW && snapshot.is_latest();
        !request.is_from_anew() && may_hold && self.host_holds(snapshot).is_some() && compare()
    }

    /// Builds like [`Session::build`] where only `touched` differs from `kept`.
    pub fn build_on(
        &self,
        kept: &mut Kept,
        touched: &Touched,
        request: &BuildRequest,
        cancel: &Cancel,
        reporter: &mut dyn Reporter,
    ) -> BuildReport {
        let Kept { snapshot, standing } = kept;
        *standing = Standing::Lost;
        let ground = Ground::Kept { snapshot, touched, standing };
        self.build_from(ground, request, cancel, reporter)
    }
}

/// What a build starts from.
pub(super) enum Ground<'a> {
    /// The state on disk.
    Disk,
    /// State kept in memory.
    Kept {
        snapshot: &'a mut Snapshot,
        touched: &'a Touched,
        /// Set to the standing of the snapshot afterwards.
        standing: &'a mut Standing,
    },
}
