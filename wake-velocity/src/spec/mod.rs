//! Targets, dependencies and conditions.
//!
//! | | first generation | second generation |
//! |---|---|---|
//! | target | `name`, `name@=v`, `name@^v`, `name@_v`, `name@lo%hi` | `name`, `name@v`, `name@v:`, `name@:v`, `name@lo:hi` |
//! | dependency | the same | a condition on the needed image |
//! | condition | | such specs, `system=`, `backend=`, `distro=` and `^dependency`, each optionally preceded by `!`, separated by white space |

mod first;
mod second;
mod condition;

pub use condition::{Clause, Condition, Part, Subject};
pub use first::FirstSpec;
pub use second::SecondSpec;

/// The system, backend and distribution for which images are built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The machine, `system=`.
    pub system: String,
    /// The backend, `backend=`, as named in documents.
    pub backend: String,
    /// The distribution, `distro=`.
    pub distro: String,
}
