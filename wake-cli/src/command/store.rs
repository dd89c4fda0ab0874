//! `wake store`

use std::io::Write;
use std::path::Path;

use serde_json::json;
use wake_model::{Digest, Node, RelPath, TreeDigest};
use wake_steps::diagnostic::{Class, Diagnostic};
use wake_steps::error::store_failure;
use wake_store::{BuildTreeError, Contents, Lookup, Store, VerifyOptions, VerifyReport};

use crate::args::StoreCommand;
use crate::exit::{Exit, Outcome, Stop};
use crate::manner::Verbosity;
use crate::print;
use crate::settings::Settings;
use crate::terminal::escape;
use crate::terminal::style::Role;
use crate::terminal::words;

/// Runs a `wake store` subcommand.
pub(crate) fn run(
    command: &StoreCommand,
    store: &Store,
    settings: &Settings,
    out: &mut impl Write,
    say: &mut impl Write,
) -> Outcome {
    match command {
        StoreCommand::Verify { quick } => verify(*quick, store, settings, say),
        StoreCommand::Path { tree } => path(tree, store, out),
        StoreCommand::Ls { place } => ls(place, store, out),
        StoreCommand::Cat { place } => cat(place, store, out),
        StoreCommand::Import { dir } => import(dir, store, out),
        StoreCommand::Du { json } => du(*json, store, out),
    }
}

fn verify(quick: bool, store: &Store, settings: &Settings, say: &mut impl Write) -> Outcome {
    let contents = if quick { Contents::Stamps } else { Contents::Hash };
    let report = store.verify(&VerifyOptions { contents }, &|_, _| {}).map_err(store_failure)?;
    let style = settings.manner.style;
    for corruption in &report.corrupt {
        let text = corruption.to_string();
        writeln!(say, "{}", style.verb(Role::Bad, "Corrupt", escape::line(&text)))?;
    }
    let VerifyReport { trees, actions, blobs, segments, corrupt } = &report;
    let all = format!(
        "{}, {}, {}, {}",
        words::count(*trees, "tree"),
        words::count(*actions, "action record"),
        words::count(*blobs, "blob"),
        words::count(*segments, "memo segment"),
    );
    if corrupt.is_empty() {
        if settings.manner.verbosity > Verbosity::Quiet {
            writeln!(say, "{}", style.verb(Role::Good, "Verified", all))?;
        }
        return Ok(Exit::SUCCESS);
    }
    let wrong = format!("{} of {all} quarantined; builds will recreate them", corrupt.len());
    writeln!(say, "{}", style.verb(Role::Bad, "Error", wrong))?;
    Ok(Exit(Class::Integrity.exit_code()))
}

fn path(tree: &str, store: &Store, out: &mut impl Write) -> Outcome {
    let digest = digest(tree)?;
    match store.tree(&TreeDigest(digest)).map_err(store_failure)? {
        Lookup::Hit(tree) => print::line(tree.path.display(), out),
        Lookup::Miss => Err(absent(tree)),
        Lookup::Corrupt(corruption) => {
            Err(Diagnostic::error(Class::Integrity, corruption.to_string()).into())
        }
    }
}

fn ls(place: &str, store: &Store, out: &mut impl Write) -> Outcome {
    let (digest, path) = parse(place)?;
    let manifest = store.ls(&TreeDigest(digest), &path).map_err(browse_fault)?;
    let line = |(path, node): (&RelPath, &Node)| {
        let path = escape::line(path.as_str());
        match node {
            Node::Dir => format!("{path}/"),
            Node::Link { target } => format!("{path} -> {}", escape::line(target)),
            Node::File { .. } => path.into_owned(),
        }
    };
    print::lines(manifest.iter().map(line), out)
}

fn cat(place: &str, store: &Store, out: &mut impl Write) -> Outcome {
    let (digest, path) = parse(place)?;
    let bytes = if path.is_root() {
        let blob = store.blob(&wake_model::BlobDigest(digest)).map_err(store_failure)?;
        blob.ok_or_else(|| absent(place))?
    } else {
        store.cat(&TreeDigest(digest), &path).map_err(browse_fault)?
    };
    // Raw bytes: the user asked for them, and may redirect them anywhere.
    out.write_all(&bytes)?;
    Ok(Exit::SUCCESS)
}

fn import(dir: &Path, store: &Store, out: &mut impl Write) -> Outcome {
    let fault = |error: BuildTreeError| match error {
        BuildTreeError::Store(error) => store_failure(error),
        error => Diagnostic::error(Class::Environment, error.to_string()),
    };
    let mut builder = store.build_tree().map_err(store_failure)?;
    let left_out = builder.add_contents(&RelPath::root(), dir).map_err(fault)?;
    if let Some(path) = left_out.first() {
        let path = dir.join(path);
        let message = format!("`{}` is a device, a pipe or a socket", path.display());
        let help = "remove it: a tree can contain only files, links and directories";
        return Err(Diagnostic::error(Class::Usage, message).help(help).into());
    }
    print::line(builder.finish().map_err(fault)?, out)
}

fn du(as_json: bool, store: &Store, out: &mut impl Write) -> Outcome {
    let usage = store.du().map_err(store_failure)?;
    if as_json {
        let kinds: serde_json::Map<String, serde_json::Value> = usage
            .iter()
            .map(|(kind, usage)| {
                let usage = json!({ "count": usage.count, "bytes": usage.bytes });
                (kind.as_ref().to_owned(), usage)
            })
            .collect();
        return print::line(json!({ "store": store.root(), "kinds": kinds }), out);
    }
    for (kind, usage) in &usage {
        let size = words::bytes(usage.bytes);
        writeln!(out, "{:<10}  {:>8}  {size:>9}", kind.as_ref(), usage.count)?;
    }
    let count: usize = usage.values().map(|usage| usage.count).sum();
    let bytes = words::bytes(usage.values().map(|usage| usage.bytes).sum());
    let root = store.root().display();
    print::line(format_args!("{:<10}  {count:>8}  {bytes:>9}  {root}", "all"), out)
}

/// Parses a digest, and a path in its tree.
fn parse(text: &str) -> Result<(Digest, RelPath), Stop> {
    let (head, rest) = text.split_once('/').unwrap_or((text, ""));
    let path = match rest.trim_end_matches('/') {
        "" => RelPath::root(),
        rest => RelPath::parse(rest)
            .map_err(|error| Diagnostic::error(Class::Usage, format!("`{text}`: {error}")))?,
    };
    Ok((digest(head)?, path))
}

fn digest(text: &str) -> Result<Digest, Stop> {
    text.parse().map_err(|_| {
        Diagnostic::error(Class::Usage, format!("`{text}` is not a digest"))
            .help("use a digest of 64 hexadecimal digits, as shown by `wake log --json`")
            .into()
    })
}

fn absent(what: &str) -> Stop {
    Diagnostic::error(Class::Nothing, format!("`{what}` is not in the store")).into()
}

fn browse_fault(error: wake_store::BrowseError) -> Stop {
    match error {
        wake_store::BrowseError::Store(error) => store_failure(error).into(),
        error => Diagnostic::error(Class::Nothing, error.to_string()).into(),
    }
}
