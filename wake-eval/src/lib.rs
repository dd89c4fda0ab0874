//! Turns Jsonnet into plain values.
