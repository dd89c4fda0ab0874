//! Retrievers: an exec of another package provides packages, and the lock records them.
//!
//! | file | does |
//! |---|---|
//! | `protocol` | what a retriever is asked, and its answers |
//! | `references` | what its exec refers to |
//! | `call` | everything that one exec is asked for at once |
//! | `perform` | calls as steps |
//! | `take` | its output becomes a package of the store |
//! | `waiting` | why no retriever can be asked |
//! | `settling` | the lock under construction |
//! | `asking` | asks retrievers for packages |
//!
//! This file has the rounds: a retrieved package may need more, and a new requirement on registries has versions chosen again.

mod protocol;
mod references;
mod call;
mod perform;
mod take;
mod waiting;
mod settling;
mod asking;

use wake_model::Lock;
use wake_steps::Cancel;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};
use wake_steps::event::Event;

use self::settling::Settling;
use self::waiting::not_to_be_met;
use crate::choose::Choice;
use crate::load::OpenNeed;
use crate::resolve::Outline;
use crate::session::{Checkout, Session};

/// How many rounds of retrieval there are at most.
const MOST_ROUNDS: usize = 64;

/// What may happen to the lock.
#[derive(Clone, Copy)]
pub(crate) enum Freedom<'a> {
    /// Versions are chosen, and retrievers asked for what is not locked.
    Choose(&'a Choice),
    /// It stays as it is: retrievers are asked for what the store lacks.
    Keep,
}

/// Where progress is reported, and what stops it.
pub(crate) struct Audience<'a> {
    /// Stops it.
    pub(crate) cancel: &'a Cancel,
    /// Hears which retrievers are asked.
    pub(crate) tell: &'a mut dyn FnMut(&Event),
}

impl Session {
    /// Returns the new lock of the workspace; `before` is the present one. Retrieved packages that it names are then in the
    /// store. Nothing is written.
    pub(crate) fn settle(
        &self,
        checkout: &Checkout<'_>,
        before: &Lock,
        freedom: Freedom<'_>,
        audience: &mut Audience<'_>,
    ) -> Result<Lock, Failure> {
        let mut settling = Settling::new(self, checkout, before, freedom)?;
        if !settling.choose()? {
            return Ok(settling.chosen.into_iter().collect());
        }
        let mut rounds = 0;
        loop {
            let evaluator = checkout.evaluator();
            let result = settling.load(&evaluator)?;
            if settling.has_new_demands(&result.loaded) {
                settling.choose()?;
                continue;
            }
            let outline = Outline::of(&result.loaded, &settling.roots(&result.loaded), &evaluator)?;
            let open: Vec<&OpenNeed> =
                result.open.iter().filter(|need| settling.may_ask(need, &outline)).collect();
            if open.is_empty() {
                settling.check_retrievers(&outline)?;
                return Ok(settling.lock_of(&result.loaded));
            }
            rounds += 1;
            if rounds > MOST_ROUNDS {
                return Err(endless(open[0], &outline).into());
            }
            let ready = settling.ready(&open, &outline);
            if ready.is_empty() {
                return Err(not_to_be_met(&open, &result.open, outline));
            }
            let came = settling.ask(ready, &outline, &evaluator, audience)?;
            settling.take_over(came, &result, &outline);
        }
    }
}

fn endless(need: &OpenNeed, outline: &Outline<'_>) -> Diagnostic {
    let wanted = outline.get(&need.by, &need.key).map(|get| get.request.pkg_name().to_string());
    let message = format!(
        "after {MOST_ROUNDS} rounds of retrieval there are still packages to retrieve: {}",
        wanted.unwrap_or_default()
    );
    Diagnostic::error(Class::Resolution, message)
        .at(outline.written_at(&need.by, &need.key))
        .help("each round retrieves the dependencies of the one before: check for packages whose dependencies never end")
}
