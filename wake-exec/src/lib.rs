//! Runs one action in isolation.
