//! Choosing where a job runs. Cached results are looked up locally first.

use std::io::Write;
use std::sync::Arc;

use wake_job::options::Streams;
use wake_store::Store;

use super::carry_out::planned;
use super::sending::Sending;
use super::{carry_out, detached, engines, follow};
use crate::args::JobArgs;
use crate::exit::Outcome;
use crate::print;
use crate::session;
use crate::settings::Settings;

/// Runs `wake job exec` and `wake job run`.
pub(super) fn carry_out(
    args: &JobArgs,
    streams: Streams,
    store: &Arc<Store>,
    settings: &Settings,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    args.engine.elsewhere().map_or(Ok(()), |engine| engines::possible(engine, args))?;
    let (run, plan) = planned(args, streams, store, settings)?;
    if let Some(engine) = args.engine.elsewhere() {
        let cancel = session::cancel()?;
        let sending = Sending { engine, args, store, settings, cancel: &cancel };
        return match sending.remembered(&run, streams)? {
            Some(plan) => {
                carry_out::carry_out(args, streams, (run, plan), store, settings, out, say)
            }
            None => follow::carry_out(&sending, streams, run, plan.standard(), out, say),
        };
    }
    carry_out::carry_out(args, streams, (run, plan), store, settings, out, say)
}

/// Runs `wake job create`.
pub(super) fn create(
    args: &JobArgs,
    store: &Arc<Store>,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    args.engine.elsewhere().map_or(Ok(()), |engine| engines::possible(engine, args))?;
    let (run, plan) = planned(args, Streams::Made, store, settings)?;
    if let Some(engine) = args.engine.elsewhere() {
        let cancel = session::cancel()?;
        let sending = Sending { engine, args, store, settings, cancel: &cancel };
        return match sending.remembered(&run, Streams::Made)? {
            Some(plan) => detached::create(args, (run, plan), store, settings, out),
            None => print::line(sending.send(run, plan)?.id, out),
        };
    }
    detached::create(args, (run, plan), store, settings, out)
}
