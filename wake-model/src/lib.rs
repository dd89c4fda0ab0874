//! What the things of wake are.
