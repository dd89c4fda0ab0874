//! `wake query`

use std::collections::BTreeMap;
use std::io::Write;

use serde_json::json;
use wake_build::{Graph, GraphNode, QueryResult};

use crate::args::{QueryArgs, QueryFormat};
use crate::command::graph::dot;
use crate::exit::Outcome;
use crate::print;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;

/// Prints the modules that match a query.
pub(crate) fn run(args: &QueryArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let found = session::told(session::open(settings)?.query(&args.query)?, settings);
    match args.format {
        QueryFormat::Text => {
            print::lines(found.modules.iter().map(|module| escape::line(&module.label)), out)
        }
        QueryFormat::Json => print::json(&document(&found), out),
        QueryFormat::Dot => print::text(&dot(&graph(found)), out),
    }
}

/// Renders modules as JSON, with those of their needs that were also found.
fn document(found: &QueryResult) -> serde_json::Value {
    let labels: BTreeMap<usize, &str> =
        found.modules.iter().map(|module| (module.id, module.label.as_str())).collect();
    let modules = found.modules.iter().map(|module| {
        let needs = found.edges.iter().filter(|edge| edge.from == module.id);
        let mut needs: Vec<&str> = needs.filter_map(|edge| labels.get(&edge.to).copied()).collect();
        needs.sort_unstable();
        needs.dedup();
        json!({ "label": module.label, "kind": module.kind, "tags": module.tags, "needs": needs })
    });
    modules.collect()
}

fn graph(found: QueryResult) -> Graph {
    let node = |module: wake_build::FoundModule| GraphNode {
        id: module.id,
        label: module.label,
        requested: false,
    };
    Graph { nodes: found.modules.into_iter().map(node).collect(), edges: found.edges }
}
