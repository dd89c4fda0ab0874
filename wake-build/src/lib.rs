//! Carries a build from package files to results.
