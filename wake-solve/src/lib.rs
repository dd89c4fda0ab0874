//! Chooses the version of each published package that a workspace uses.
//!
//! This crate does no I/O and reads no clock: a [`Universe`] knows which versions exist. The choice depends only on
//! its answers, the lock and the requirements, not on their order.
//!
//! For each package, one version is chosen per *range* of versions that can stand in for each other, such as `^1`, so
//! that major versions can coexist. The rules are in `spec/versions.md` and `spec/lock.md`.
//!
//! | room | content |
//! |---|---|
//! | [`universe`] | the caller's knowledge of packages, and the requirements of a workspace |
//! | [`task`] | the problem to solve, and the errors |
//! | `picks` | sets of versions |
//! | `known` | everything requested so far as the search sees it: ranges, and what requirements select |
//! | `search` | one search for versions that fit together |
//! | `reading` | what each requirement selects among the chosen versions |
//! | `prose` | versions and requirements in messages |
//! | `wishes` | where a search starts, and alternative requirements |
//! | `unmet` | requirements that no version meets |
//! | `proof` | conflicts between requirements, as facts |
//! | `conflict` | these facts in words, and help |
//! | `solve` | the whole process, which keeps what is locked as long as possible |

pub mod universe;
pub mod task;
mod picks;
mod known;
mod search;
mod reading;
mod prose;
mod wishes;
mod unmet;
mod proof;
mod conflict;
mod solve;

pub use solve::solve;
pub use task::{Chosen, Exact, Fault, MOST_STEPS, Task, Unsolved, Update};
pub use universe::{Demand, Need, Release, Standing, Universe};
