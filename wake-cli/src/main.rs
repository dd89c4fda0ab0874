//! The wake command line.
fn main() {}
