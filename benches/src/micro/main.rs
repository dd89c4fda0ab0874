//! Measures the pieces that wake is made of.
fn main() {}
