//! `wake graph`

use std::fmt::Write as _;
use std::io::Write;

use serde_json::json;

use crate::args::{GraphArgs, GraphFormat};
use crate::exit::{Exit, Outcome};
use crate::selection;
use crate::session::{self, Graph};
use crate::settings::Settings;
use crate::terminal::escape;

/// Prints the graph of steps: an edge leads from a step to one that it needs.
pub(crate) fn run(args: &GraphArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let configs = selection::configs(&args.selection.config)?;
    let graph = session::graph(settings, &args.selection.targets, configs)?;
    let text = match args.format {
        GraphFormat::Dot => dot(&graph),
        GraphFormat::Mermaid => mermaid(&graph),
        GraphFormat::Json => json(&graph),
    };
    out.write_all(text.as_bytes())?;
    Ok(Exit::Success)
}

/// Source: the DOT language of Graphviz; quoted identifiers escape `"` and `\`.
fn dot(graph: &Graph) -> String {
    let quote = |text: &str| {
        format!("\"{}\"", escape::line(text).replace('\\', "\\\\").replace('"', "\\\""))
    };
    let mut text = String::from("digraph wake {\n  rankdir=LR;\n  node [shape=box];\n");
    for (id, node) in graph.nodes.iter().enumerate() {
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
    let quote = |text: &str| format!("\"{}\"", escape::line(text).replace('#', "#35;").replace('"', "#quot;"));
    let mut text = String::from("flowchart LR\n");
    for (id, node) in graph.nodes.iter().enumerate() {
        let (open, close) = if node.requested { ("([", "])") } else { ("[", "]") };
        let _ = writeln!(text, "  s{id}{open}{}{close}", quote(&node.label));
    }
    for edge in &graph.edges {
        let _ = writeln!(text, "  s{} -->|{}| s{}", edge.from, quote(&edge.key), edge.to);
    }
    text
}

fn json(graph: &Graph) -> String {
    let nodes: Vec<_> = graph
        .nodes
        .iter()
        .map(|node| json!({ "label": node.label, "requested": node.requested }))
        .collect();
    let edges: Vec<_> = graph
        .edges
        .iter()
        .map(|edge| json!({ "from": edge.from, "to": edge.to, "key": edge.key }))
        .collect();
    format!("{:#}\n", json!({ "nodes": nodes, "edges": edges }))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::session::{Edge, Node};

    fn two() -> Graph {
        let node = |label: &str, requested| Node { label: label.into(), requested };
        Graph {
            nodes: vec![node("//a:\"b\"", false), node("//c:d", true)],
            edges: vec![Edge { from: 1, to: 0, key: "lib".into() }],
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
        let value: serde_json::Value = serde_json::from_str(&json(&two())).unwrap();
        assert_eq!(value["edges"], json!([{ "from": 1, "to": 0, "key": "lib" }]));
        assert_eq!(value["nodes"][1], json!({ "label": "//c:d", "requested": true }));
    }
}
