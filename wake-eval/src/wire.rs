//! Frames on the pipe.
