//! Outputs of a job whose replicas are on several machines: each belongs to the replica that writes its first byte.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::PathBuf;

use wake_buffer::{BufferError, BufferWriter, Buffers, WriteOptions};
use wake_model::BufferId;

/// An output that replicas claim in a directory that all of them share.
#[derive(Clone, Debug)]
pub(crate) struct OutputClaim<'s> {
    pub(crate) buffers: Buffers<'s>,
    /// The buffer to write.
    pub(crate) id: BufferId,
    pub(crate) options: WriteOptions,
    /// The file with the number of the replica that writes it.
    pub(crate) path: PathBuf,
    /// Milliseconds since 1970.
    pub(crate) now: u64,
}

/// The owner of an output.
pub(crate) enum Claimed<'s> {
    /// The replica that made the claim.
    Own(Box<BufferWriter<'s>>),
    /// Another replica.
    Other(usize),
}

impl<'s> OutputClaim<'s> {
    /// Claims the output for a replica.
    pub(crate) fn claim(&self, replica: usize) -> Result<Claimed<'s>, BufferError> {
        let failed = |source| BufferError::Io { path: self.path.clone(), source };
        if let Some(dir) = self.path.parent() {
            fs::create_dir_all(dir).map_err(failed)?;
        }
        // The file gets its content before its name, which only one replica can give it.
        let unnamed = self.path.with_extension(format!("{replica}.new"));
        let made = File::create(&unnamed).and_then(|mut file| write!(file, "{replica}"));
        let named = made.and_then(|()| fs::hard_link(&unnamed, &self.path));
        let _ = fs::remove_file(&unnamed);
        match named {
            Ok(()) => {
                let writer = self.buffers.begin(&self.id, self.options, self.now)?;
                Ok(Claimed::Own(Box::new(writer)))
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                let first = fs::read_to_string(&self.path).map_err(failed)?;
                let first = first.parse().map_err(|_| {
                    failed(io::Error::new(io::ErrorKind::InvalidData, "not a replica number"))
                })?;
                Ok(Claimed::Other(first))
            }
            Err(error) => Err(failed(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use wake_buffer::State;
    use wake_model::Tags;
    use wake_store::Store;

    #[test]
    fn an_output_belongs_to_the_first_claimant() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("store")).unwrap();
        let buffers = Buffers::new(&store);
        let id = buffers.create(&Tags::default(), None, 0).unwrap();
        let claim = OutputClaim {
            buffers,
            id: id.clone(),
            options: WriteOptions::default(),
            path: dir.path().join("writer/out.put"),
            now: 0,
        };
        let Claimed::Own(mut writer) = claim.claim(7).unwrap() else { panic!("it is free") };
        assert!(matches!(claim.claim(0).unwrap(), Claimed::Other(7)));
        writer.write(b"x").unwrap();
        writer.leave().unwrap();
        assert!(matches!(claim.claim(1).unwrap(), Claimed::Other(7)));
        assert_eq!(buffers.get(&id).unwrap().state, State::Writing);
    }
}
