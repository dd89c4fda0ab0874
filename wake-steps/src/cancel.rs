//! Stopping a build.

use std::io;
use std::sync::Arc;

use wake_exec::CancelToken;
use wake_store::ware::Meter;

/// Stops a build from another thread or a signal handler: commands are killed and fetching ends.
#[derive(Debug)]
pub struct Cancel {
    token: CancelToken,
    meter: Arc<Meter>,
}

impl Cancel {
    /// Creates one that has not fired.
    pub fn new() -> io::Result<Cancel> {
        Ok(Cancel { token: CancelToken::new()?, meter: Arc::default() })
    }

    /// Fires.
    pub fn cancel(&self) {
        self.meter.stop();
        self.token.cancel();
    }

    /// Returns whether it has fired.
    pub fn is_cancelled(&self) -> bool {
        self.token.is_cancelled()
    }

    /// The token that stops commands.
    pub fn token(&self) -> &CancelToken {
        &self.token
    }

    /// The meter that counts what is fetched.
    pub fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }
}
