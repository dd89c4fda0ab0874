//! Evaluations without a worker process.
