//! Runs Tyger's codespecs on this machine.
//!
//! | room | what it has |
//! |---|---|
//! | [`moment`] | times as text |
//! | [`codespecs`] | codespecs as a store keeps them |
//!
//! They stand in the order in which they are declared, and none knows a later one.

pub mod moment;
pub mod codespecs;
