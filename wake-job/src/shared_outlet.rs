//! An output that any one of several replicas may write.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use wake_buffer::BufferWriter;
use wake_codespec::name::BufferName;

use crate::outlet::{Outlet, StreamError};
use crate::output_claim::{Claimed, OutputClaim};
use crate::pipes::{Taken, Taker};

/// An output that is shared by the replicas.
pub(crate) struct SharedOutlet<'s> {
    name: BufferName,
    state: Mutex<State<'s>>,
}

struct State<'s> {
    outlet: Entry<'s>,
    /// The replica that writes to it.
    owner: Option<usize>,
}

/// The state of an output's entry.
enum Entry<'s> {
    /// Open for writing.
    Open(Box<Outlet<'s>>),
    /// Open for the first replica on any machine that claims it.
    Claimed(OutputClaim<'s>),
    /// Closed.
    Shut,
}

/// A shared output as seen by one replica.
pub(crate) struct ReplicaOutlet<'s> {
    pub(crate) shared: Arc<SharedOutlet<'s>>,
    pub(crate) replica: usize,
}

impl<'s> SharedOutlet<'s> {
    pub(crate) fn new(name: BufferName, outlet: Outlet<'s>) -> Arc<Self> {
        SharedOutlet::entered(name, Entry::Open(Box::new(outlet)))
    }

    /// An output that replicas on other machines may write too.
    pub(crate) fn claimed(name: BufferName, claim: OutputClaim<'s>) -> Arc<Self> {
        SharedOutlet::entered(name, Entry::Claimed(claim))
    }

    fn entered(name: BufferName, outlet: Entry<'s>) -> Arc<Self> {
        let state = Mutex::new(State { outlet, owner: None });
        Arc::new(SharedOutlet { name, state })
    }

    /// The name of the output.
    pub(crate) fn name(&self) -> &BufferName {
        &self.name
    }

    /// Closes the output, and returns its name and its buffer, whose last block may not have been stored.
    pub(crate) fn end(&self) -> (BufferName, Option<BufferWriter<'s>>) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let writer = match std::mem::replace(&mut state.outlet, Entry::Shut) {
            Entry::Open(outlet) => outlet.end(),
            Entry::Claimed(_) | Entry::Shut => None,
        };
        (self.name.clone(), writer)
    }
}

impl Taker<StreamError> for ReplicaOutlet<'_> {
    fn take(&mut self, pipe: &File) -> Result<Taken, StreamError> {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let State { outlet, owner } = &mut *state;
        if matches!(outlet, Entry::Shut) {
            return Ok(Taken::Refused);
        }
        if *owner != Some(self.replica) {
            // Opening and closing a pipe without writing does not claim it.
            if rustix::io::ioctl_fionread(pipe).map_err(std::io::Error::from)? == 0 {
                return Ok(Taken::Nothing);
            }
            if let Entry::Claimed(claim) = outlet {
                match claim.claim(self.replica)? {
                    Claimed::Own(writer) => {
                        *outlet = Entry::Open(Box::new(Outlet::new(Some(*writer), None)));
                    }
                    Claimed::Other(first) => *owner = Some(first),
                }
            }
            if let Some(first) = *owner {
                let (output, replica) = (self.shared.name.clone(), self.replica);
                return Err(StreamError::Overwritten { output, replica, first });
            }
            *owner = Some(self.replica);
        }
        match outlet {
            Entry::Open(outlet) => outlet.take(pipe),
            Entry::Claimed(_) | Entry::Shut => Ok(Taken::Refused),
        }
    }

    fn nothing_came(&mut self) -> Result<Taken, StreamError> {
        let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State { outlet: Entry::Open(outlet), owner } if *owner == Some(self.replica) => {
                outlet.nothing_came()
            }
            _ => Ok(Taken::Nothing),
        }
    }
}
