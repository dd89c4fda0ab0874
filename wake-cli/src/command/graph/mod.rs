//! `wake graph`

mod compile;

use std::fmt::Write as _;
use std::io::Write;

use wake_build::{Graph, TargetConfig};
use wake_steps::diagnostic::{Class, Diagnostic, Level};

use self::compile::ResultLinks;
use crate::args::{GraphArgs, GraphFormat};
use crate::exit::Outcome;
use crate::print;
use crate::selection;
use crate::session;
use crate::settings::Settings;
use crate::terminal::{escape, words};

/// Prints the graph of steps: an edge leads from a step to its need.
pub(crate) fn run(args: &GraphArgs, settings: &Settings, out: &mut impl Write) -> Outcome {
    let config = selection::config(&args.selection.config)?;
    if args.format == GraphFormat::CompileCommands {
        return compile_commands(args, config.as_ref(), settings, out);
    }
    let seen = session::open(settings)?.graph(&args.selection.targets, config.as_ref())?;
    let graph = session::told(seen, settings);
    let text = match args.format {
        GraphFormat::Dot => dot(&graph),
        GraphFormat::Mermaid => mermaid(&graph),
        GraphFormat::Json | GraphFormat::CompileCommands => return print::json(&graph, out),
    };
    print::text(&text, out)
}

/// Prints the compile commands of all steps that the targets select or need.
fn compile_commands(
    args: &GraphArgs,
    config: Option<&TargetConfig>,
    settings: &Settings,
    out: &mut impl Write,
) -> Outcome {
    let session = session::open(settings)?;
    let links = ResultLinks::read(&session.results_dir());
    let mut commands = Vec::new();
    let take = &mut |step| commands.extend(compile::of_step(&step, &links));
    let mut seen = session.each_job(&args.selection.targets, config, take)?;
    if seen.answer > 0 {
        let message = format!(
            "{} left out: their dependencies are not up to date",
            words::count(seen.answer, "command")
        );
        let mut warning = Diagnostic::error(Class::Action, message).help("run `wake build` first");
        warning.level = Level::Warning;
        seen.warnings.push(warning);
    }
    session::told(seen, settings);
    print::json(&commands, out)
}

/// Renders DOT. Source: the DOT language of Graphviz; quoted identifiers escape `"` and `\`.
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

/// Renders a Mermaid flowchart. Source: Mermaid's flowcharts; entities replace characters of its syntax.
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
