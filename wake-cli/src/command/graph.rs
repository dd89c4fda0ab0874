//! `wake graph`

use std::fmt::Write as _;
use std::io::Write;

use wake_build::Graph;

use crate::args::{GraphArgs, GraphFormat};
use crate::exit::Outcome;
use crate::print;
use crate::selection;
use crate::session;
use crate::settings::Settings;
use crate::terminal::escape;

/// Prints the graph of steps: an edge leads from a step to one that it needs.
pub(crate) fn run(args: &GraphArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let config = selection::config(&args.selection.config)?;
    let seen = session::open(settings)?.graph(&args.selection.targets, config.as_ref())?;
    let graph = session::told(seen, settings);
    let text = match args.format {
        GraphFormat::Dot => dot(&graph),
        GraphFormat::Mermaid => mermaid(&graph),
        GraphFormat::Json => return print::json(&graph, out),
    };
    print::text(&text, out)
}

/// Source: the DOT language of Graphviz; quoted identifiers escape `"` and `\`.
pub(crate) fn dot(graph: &Graph) -> String {
    let quote = |text: &str| {
        format!("\"{}\"", escape::line(text).replace('\\', "\\\\").replace('"', "\\\""))
    };
    let mut text = String::from("digraph wake {\n  rankdir=LR;\n  node [shape=box];\n");
    for node in &graph.nodes {
        let id = node.id;
        let bold = if node.requested { ", style=bold" } else { "" };
        let _ = writeln!(text, "  {id} [label={}{bold}];", quote(&node.label));
    }
    for edge in &graph.edges {
        let _ = writeln!(text, "  {} -> {} [label={}];", edge.from, edge.to, quote(&edge.key));
    }
    text + "}\n"
}

/// Source: Mermaid's flowcharts; entities stand for what its syntax uses.
fn mermaid(graph: &Graph) -> String {
    let quote = |text: &str| {
        format!("\"{}\"", escape::line(text).replace('#', "#35;").replace('"', "#quot;"))
    };
    let mut text = String::from("flowchart LR\n");
    for node in &graph.nodes {
        let id = node.id;
        let (open, close) = if node.requested { ("([", "])") } else { ("[", "]") };
        let _ = writeln!(text, "  s{id}{open}{}{close}", quote(&node.label));
    }
    for edge in &graph.edges {
        let _ = writeln!(text, "  s{} -->|{}| s{}", edge.from, quote(&edge.key), edge.to);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use wake_build::{GraphEdge, GraphNode};

    fn two() -> Graph {
        let node = |id, label: &str, requested| GraphNode { id, label: label.into(), requested };
        Graph {
            nodes: vec![node(0, "//a:\"b\"", false), node(1, "//c:d", true)],
            edges: vec![GraphEdge { from: 1, to: 0, key: "lib".into() }],
        }
    }

    #[test]
    fn pictures() {
        assert_eq!(
            dot(&two()),
            "digraph wake {
  rankdir=LR;
  node [shape=box];
  0 [label=\"//a:\\\"b\\\"\"];
  1 [label=\"//c:d\", style=bold];
  1 -> 0 [label=\"lib\"];
}
"
        );
        assert_eq!(
            mermaid(&two()),
            "flowchart LR
  s0[\"//a:#quot;b#quot;\"]
  s1([\"//c:d\"])
  s1 -->|\"lib\"| s0
"
        );
    }
}
