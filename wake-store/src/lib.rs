//! Keeps bytes by the digest of their content.
