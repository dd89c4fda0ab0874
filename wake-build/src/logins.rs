//! Stored logins for registries.

use std::path::PathBuf;

use wake_registry::{LoginNote, log_in, log_out};
use wake_steps::Cancel;
use wake_steps::diagnostic::{Class, Diagnostic, Failure};

use crate::registries::{Reach, registry_failure};
use crate::session::Session;

impl Session {
    /// Tries a login at a registry and stores it. Returns a note about who else will receive it, if anyone.
    pub fn log_in(
        &self,
        name: &str,
        login: &LoginNote,
        cancel: &Cancel,
    ) -> Result<Option<String>, Failure> {
        self.registries.count_with(cancel.meter());
        let (name, address) = self.registries.named(name)?;
        if self.registries.reach() == Reach::Nothing {
            let message =
                "a login is tried before it is stored, but `--offline` does not allow that";
            return Err(Diagnostic::error(Class::Usage, message).into());
        }
        let (file, route) = (self.logins()?, &self.options.route);
        let noted = log_in(name, address, login, &file, route, self.registries.meter());
        Ok(noted.map_err(registry_failure)?)
    }

    /// Removes the login for a registry; returns whether there was one.
    pub fn log_out(&self, name: &str) -> Result<bool, Failure> {
        let (_, address) = self.registries.named(name)?;
        Ok(log_out(address, &self.logins()?).map_err(registry_failure)?)
    }

    fn logins(&self) -> Result<PathBuf, Diagnostic> {
        self.options.route.own_logins.clone().ok_or_else(|| {
            let message = "cannot locate the user configuration directory";
            Diagnostic::error(Class::Environment, message).help("set `HOME` or `XDG_CONFIG_HOME`")
        })
    }
}
