//! `wake gc`

use std::io::Write;
use std::time::Duration;

use wake_buffer::Buffers;
use wake_steps::error::store_failure;
use wake_store::{GcEvent, GcMode, GcOptions, GcReport, Store};

use crate::args::GcArgs;
use crate::command::buffer::failure;
use crate::exit::{Exit, Outcome};
use crate::manner::Verbosity;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;
use crate::terminal::words;

/// The default age limit, which applies unless a bound is given.
const DEFAULT_AGE: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Deletes store content that no checkout refers to, within the given bounds.
pub(crate) fn run(
    args: &GcArgs,
    store: &Store,
    settings: &Settings,
    say: &mut impl Write,
) -> Outcome {
    let mode = if args.dry_run { GcMode::DryRun } else { GcMode::Delete };
    let default_age = args.max_size.is_none().then_some(DEFAULT_AGE);
    let older_than = args.older_than.or(default_age);
    let options = GcOptions { max_size: args.max_size, older_than, mode };
    let style = settings.manner.style;
    let verbose = settings.manner.verbosity >= Verbosity::Verbose || args.dry_run;
    let verb = if args.dry_run { "Would delete" } else { "Deleted" };
    if mode == GcMode::Delete {
        let purged = Buffers::new(store).purge_deleted(wake_steps::clock::unix_ms());
        purged.map_err(failure)?;
    }
    let report = store.gc(&options, &mut |event| {
        let line = match event {
            GcEvent::Waiting => {
                style.verb(Role::Guide, "Waiting", "for builds that are using the store")
            }
            GcEvent::Deleted { kind, path, bytes } if verbose => {
                let path = path.display().to_string();
                let size = words::bytes(bytes);
                let what = format!("{} {} ({size})", kind.as_ref(), escape::line(&path));
                style.verb(Role::Faint, verb, what)
            }
            GcEvent::Deleted { .. } => return,
        };
        // This is progress only; the result is reported below.
        let _ = writeln!(say, "{line}");
    });
    let report = report.map_err(store_failure)?;
    for root in &report.missing_roots {
        let root = root.display().to_string();
        let rest = "does not exist; it still counts as a checkout for 30 days";
        let text = format!("{} {rest}", escape::line(&root));
        writeln!(say, "{}", style.verb(Role::Caution, "Missing", text))?;
    }
    if settings.manner.verbosity > Verbosity::Quiet {
        writeln!(say, "{}", style.verb(Role::Good, verb, summary(&report)))?;
    }
    Ok(Exit::SUCCESS)
}

fn summary(report: &GcReport) -> String {
    let GcReport { deleted, deleted_bytes, kept, kept_bytes, rooted, .. } = report;
    format!(
        "{} ({}); {kept} kept ({}), {rooted} of them in use",
        words::count(*deleted, "item"),
        words::bytes(*deleted_bytes),
        words::bytes(*kept_bytes),
    )
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn unreferenced_items_are_deleted_unless_dry_run() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let blob = store.put_blob(b"nobody needs this").unwrap();
        let settings = crate::settings::tests::quiet(root.path());
        let mut say = Vec::new();
        let mut args = GcArgs { max_size: Some(0), older_than: None, dry_run: true };
        run(&args, &store, &settings, &mut say).unwrap();
        let text = String::from_utf8(say).unwrap();
        assert!(text.contains("Would delete 1 item ("), "{text}");
        assert!(store.blob(&blob).unwrap().is_some());
        args.dry_run = false;
        let mut say = Vec::new();
        run(&args, &store, &settings, &mut say).unwrap();
        assert!(String::from_utf8(say).unwrap().starts_with("     Deleted 1 item ("));
        assert!(store.blob(&blob).unwrap().is_none());
    }

    #[test]
    fn recently_used_items_are_kept_without_limits() {
        let root = tempfile::tempdir().unwrap();
        let store = Store::open(root.path()).unwrap();
        let (new, old) = (store.put_blob(b"new").unwrap(), store.put_blob(b"old").unwrap());
        let place = root.path().join(format!("blob/{}/{old}", &old.to_string()[..2]));
        let long_ago = crate::clock::now() - DEFAULT_AGE - Duration::from_secs(60);
        let times = std::fs::FileTimes::new().set_modified(long_ago).set_accessed(long_ago);
        std::fs::File::open(place).unwrap().set_times(times).unwrap();
        let settings = crate::settings::tests::quiet(root.path());
        let args = GcArgs { max_size: None, older_than: None, dry_run: false };
        run(&args, &store, &settings, &mut Vec::new()).unwrap();
        assert!(store.blob(&new).unwrap().is_some());
        assert!(store.blob(&old).unwrap().is_none());
    }
}
