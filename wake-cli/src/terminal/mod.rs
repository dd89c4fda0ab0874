//! Text for the terminal: escaped, coloured, cut to width.

pub(crate) mod style;
pub(crate) mod escape;
pub(crate) mod guard;
pub(crate) mod width;
pub(crate) mod words;
pub(crate) mod secret;
