//! The wake command line.
mod args;
mod crash;
mod environment;
mod exit;
mod report;
mod selection;
mod settings;
mod signals;
mod terminal;
#[allow(dead_code)]
fn main() {}
