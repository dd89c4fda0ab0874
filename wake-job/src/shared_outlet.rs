//! An output that several replicas may write, of which one does.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use wake_buffer::BufferWriter;
use wake_codespec::name::BufferName;

use crate::outlet::{Outlet, StreamError};
use crate::pipes::{Taken, Taker};

/// Where an output goes, whichever replica writes it.
pub(crate) struct SharedOutlet<'s> {
    name: BufferName,
    state: Mutex<State<'s>>,
}

struct State<'s> {
    /// Gone once nobody writes it any more.
    outlet: Option<Outlet<'s>>,
    /// The replica that writes it.
    owner: Option<usize>,
}

/// The same for one replica.
pub(crate) struct ReplicaOutlet<'s> {
    pub(crate) shared: Arc<SharedOutlet<'s>>,
    pub(crate) replica: usize,
}

impl<'s> SharedOutlet<'s> {
    pub(crate) fn new(name: BufferName, outlet: Outlet<'s>) -> Arc<Self> {
        let state = Mutex::new(State { outlet: Some(outlet), owner: None });
        Arc::new(SharedOutlet { name, state })
    }

    /// What the output is called.
    pub(crate) fn name(&self) -> &BufferName {
        &self.name
    }

    /// What it is called, and the buffer, of which a block may not have been put down. Nobody writes it any more.
    pub(crate) fn end(&self) -> (BufferName, Option<BufferWriter<'s>>) {
        let outlet = self.state.lock().unwrap_or_else(PoisonError::into_inner).outlet.take();
        (self.name.clone(), outlet.and_then(Outlet::end))
    }
}

impl Taker<StreamError> for ReplicaOutlet<'_> {
    fn take(&mut self, pipe: &File) -> Result<Taken, StreamError> {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { outlet: Some(outlet), owner } = &mut *state else { return Ok(Taken::Refused) };
        if *owner != Some(self.replica) {
            // A pipe that is only opened and closed belongs to nobody.
            if rustix::io::ioctl_fionread(pipe).map_err(std::io::Error::from)? == 0 {
                return Ok(Taken::Nothing);
            }
            if let Some(first) = *owner {
                let (output, replica) = (self.shared.name.clone(), self.replica);
                return Err(StreamError::Overwritten { output, replica, first });
            }
            *owner = Some(self.replica);
        }
        outlet.take(pipe)
    }

    fn nothing_came(&mut self) -> Result<Taken, StreamError> {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State { outlet: Some(outlet), owner } if *owner == Some(self.replica) => {
                outlet.nothing_came()
            }
            _ => Ok(Taken::Nothing),
        }
    }
}
