//! One file for each command: what was asked, to what is printed.

pub(crate) mod watch;
pub(crate) mod build;
pub(crate) mod test;
pub(crate) mod run;
pub(crate) mod plan;
pub(crate) mod why;
pub(crate) mod graph;
pub(crate) mod query;
pub(crate) mod affected;
pub(crate) mod log;
pub(crate) mod shell;
pub(crate) mod ls;
pub(crate) mod eval;
pub(crate) mod init;
pub(crate) mod lock;
pub(crate) mod needs;
pub(crate) mod tree;
pub(crate) mod publish;
pub(crate) mod registry;
pub(crate) mod gc;
pub(crate) mod store;
pub(crate) mod ware;
pub(crate) mod formula;
pub(crate) mod image;
pub(crate) mod doctor;
pub(crate) mod completions;
