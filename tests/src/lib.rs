//! Runs the real `wake` on a workspace made for each test.
//!
//! A test describes the workspace, runs the program, and checks what a user or a script can
//! see: exit code, standard output and error, JSON events, result links.
//!
//! ```no_run
//! use wake_tests::project;
//!
//! let project = project().step("hello", "echo hello > out.txt").build();
//! let build = project.build(&[]);
//! assert_eq!(build.ran(), ["//:hello"]);
//! ```

#![allow(clippy::unwrap_used)]

mod marker;
mod excerpt;
mod redact;
mod events;
mod finished;
mod program;
mod project;
mod requirement;
mod busybox;
mod terminal;
mod workspace_copy;
mod published_rules;
mod toolchain;

pub use busybox::has_busybox;
pub use events::Build;
pub use finished::Finished;
pub use marker::Marker;
pub use program::{Wake, binary, copy_of_binary};
pub use project::{Project, ProjectBuilder, project};
pub use published_rules::PublishedRules;
pub use requirement::{fixtures, has_program, is_root, skip, skipped};
pub use terminal::{AtTerminal, Typing};
pub use toolchain::{has_system_rust, rust_toolchain_into};
pub use workspace_copy::{copy_tree, example, read_tree, rules, rules_into};

pub use expect_test::{Expect, expect};
