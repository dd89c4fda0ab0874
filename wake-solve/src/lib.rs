//! Which version of each published package a workspace uses.
//!
//! Nothing here does I/O or reads a clock: a [`Universe`] answers which versions exist. What is chosen depends on what it answers,
//! on the lock and on the requirements, and on nothing else: not on the order in which any of them is given.
//!
//! Of each package one version is chosen in each *range* of versions that can stand in for each other, such as `^1`, so that
//! majors stand side by side. The rules are in `spec/lock.md`.
//!
//! | room | what it has |
//! |---|---|
//! | [`universe`] | what the caller knows of packages, and what a workspace asks for |
//! | [`task`] | what is to be solved, and what is said of what cannot be |
//! | `picks` | sets of versions |
//! | `known` | what has been asked for so far, as the search sees it: ranges, and what each requirement means |
//! | `search` | one search for versions that fit together |
//! | `reading` | what each requirement means among the versions that were chosen |
//! | `prose` | versions and requirements as a person reads them |
//! | `wishes` | where a search begins, and what else could be asked for there |
//! | `unmet` | requirements that nothing can meet, each by itself |
//! | `proof` | why others cannot be met together, as facts |
//! | `conflict` | these facts in words, and what would help |
//! | `solve` | the whole: what is locked stays as long as it can |

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
