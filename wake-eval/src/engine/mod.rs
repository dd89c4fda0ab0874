//! The language engine: the only part that knows jrsonnet.
