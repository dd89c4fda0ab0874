//! What targets, dependencies and conditions say.
//!
//! | | first generation | second generation |
//! |---|---|---|
//! | target | `name`, `name@=v`, `name@^v`, `name@_v`, `name@lo%hi` | `name`, `name@v`, `name@v:`, `name@:v`, `name@lo:hi` |
//! | dependency | the same | a condition on the image that is needed |
//! | condition | | such specs, `system=`, `backend=`, `distro=` and `^dependency`, each perhaps after `!`, separated by white space |

mod first;
mod second;
mod condition;

pub use condition::{Clause, Condition, Part, Subject};
pub use first::FirstSpec;
pub use second::SecondSpec;

/// Where images are built, and by what: the values that documents ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setting {
    /// The machine, `system=`.
    pub system: String,
    /// The tool, `backend=`, as documents name it.
    pub backend: String,
    /// The distribution, `distro=`.
    pub distro: String,
}
