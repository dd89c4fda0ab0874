//! An output that several replicas may write, of which one does.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use wake_buffer::BufferWriter;
use wake_codespec::name::BufferName;

use crate::outlet::{Outlet, StreamError};
use crate::pipes::{Taken, Taker};

/// Where an output goes, whichever replica writes it.
pub(crate) struct SharedOutlet<'scope, 's> {
    name: BufferName,
    state: Mutex<State<'scope, 's>>,
}

struct State<'scope, 's> {
    /// Gone once all that was written is put down.
    outlet: Option<Outlet<'scope, 's>>,
    /// The replica that writes it.
    owner: Option<usize>,
}

/// The same for one replica.
pub(crate) struct ReplicaOutlet<'scope, 's> {
    pub(crate) shared: Arc<SharedOutlet<'scope, 's>>,
    pub(crate) replica: usize,
}

impl<'scope, 's: 'scope> SharedOutlet<'scope, 's> {
    pub(crate) fn new(name: BufferName, outlet: Outlet<'scope, 's>) -> Arc<Self> {
        let state = Mutex::new(State { outlet: Some(outlet), owner: None });
        Arc::new(SharedOutlet { name, state })
    }

    /// What the output is called.
    pub(crate) fn name(&self) -> &BufferName {
        &self.name
    }

    /// Puts down what is left; the buffer, and whether all of it could be kept.
    pub(crate) fn end(&self) -> (BufferName, Option<BufferWriter<'s>>, Result<(), StreamError>) {
        let outlet = self.state.lock().unwrap_or_else(PoisonError::into_inner).outlet.take();
        let (writer, kept) = outlet.map_or((None, Ok(())), Outlet::end);
        (self.name.clone(), writer, kept)
    }
}

impl<'scope, 's: 'scope> Taker<StreamError> for ReplicaOutlet<'scope, 's> {
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
