//! Builds one after the other in one process: what the last one left stays in memory.
//!
//! A build compares the whole checkout with what the last one looked at. Who is told of every change has to look at nothing else,
//! and has to read nothing again. What stays is no more than what the next build would read from disk.

use wake_steps::Cancel;
use wake_steps::event::Reporter;
use wake_steps::profile::Profile;

use super::request::request_key;
use super::{BuildReport, BuildRequest};
use crate::session::Session;
use crate::snapshot::{LookedAt, Origin, Snapshot, Touched, place, verify, verify_touched};

/// So many touched paths are looked at one by one; if they are more, the whole checkout is.
const FEW: usize = 2000;

/// What the last build of a request left.
pub struct Kept {
    snapshot: Snapshot,
    standing: Standing,
}

/// What something that is kept says after one more build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// What that build left, which was successful: it knows what had been touched before.
    Current,
    /// What it said before: the build failed or was stopped.
    Behind,
    /// Nothing that can be relied on.
    Lost,
}

/// What a look over the whole checkout found.
pub enum LookOver {
    /// It is as the last build left it.
    Same(Box<Kept>),
    /// Something is different, or there is nothing to compare it with.
    Different,
}

impl Kept {
    /// What the build looked at.
    pub fn looked_at(&self) -> Option<LookedAt> {
        self.snapshot.looked_at()
    }

    /// What it says since the last build that was made on it.
    pub fn standing(&self) -> Standing {
        self.standing
    }
}

impl Session {
    /// Compares the whole checkout with what the last build of `request` left, which is read from disk unless it is `kept`.
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

    /// Whether [`Session::build_on`] would do, as far as one can see before: else a build has to plan anew, in a session of its own.
    pub fn can_build_on(&self, request: &BuildRequest, kept: &Kept, touched: &Touched) -> bool {
        let Kept { snapshot, standing } = kept;
        let compare = || {
            verify_touched(snapshot, touched, &self.workspace.root, &Profile::default()).is_some()
        };
        let may_hold = *standing != Standing::Lost && touched.len() <= FEW && snapshot.is_latest();
        !request.is_from_anew() && may_hold && self.host_holds(snapshot).is_some() && compare()
    }

    /// Builds like [`Session::build`], where nothing but `touched` is other than `kept` says.
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

/// What a build begins with.
pub(super) enum Ground<'a> {
    /// What lies on disk.
    Disk,
    /// What was kept in memory.
    Kept {
        snapshot: &'a mut Snapshot,
        touched: &'a Touched,
        /// What the snapshot says afterwards.
        standing: &'a mut Standing,
    },
}
