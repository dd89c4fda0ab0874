//! Keeping what a build changed of a snapshot, at the least cost.
#![expect(
    clippy::disallowed_methods,
    reason = "the last use of a snapshot decides only which ones go"
)]

use std::io;
use std::time::SystemTime;

use rayon::prelude::*;
use rustix::fs::fstat;
use wake_store::ConfinedPath;

use super::delta::{Delta, Patch};
use super::draft::{Body, Draft, forget_beside};
use super::file::Snapshot;
use super::proofs::{ProofBytes, Table};
use super::signature::Proof;
use crate::shelf::ShelfEntry;

/// What a build changed of a snapshot.
pub(crate) struct Changes {
    /// All but the records of steps.
    pub(crate) patch: Patch,
    /// The records of steps, by number: of many steps they are much.
    pub(crate) steps: Vec<(u32, ShelfEntry)>,
}

impl Snapshot {
    /// Keeps what has changed so that the next build finds it at `place`: in a frame beside the snapshot; once such frames
    /// have become many, or if the snapshot lies elsewhere, as proofs beside it; and where that is not all, in a new one. Uses
    /// the threads of the current pool.
    ///
    /// Says whether it is, as it stands in memory, what the next build finds.
    pub(crate) fn keep(&mut self, place: &ConfinedPath, changes: Changes) -> io::Result<bool> {
        let damaged = || io::Error::from(io::ErrorKind::InvalidData);
        // Reading the frames must stay cheap beside reading the tables.
        let bearable = (self.size / 16).max(64 << 10);
        if self.place == *place && self.delta.length() + changes.size() <= bearable {
            let patch = changes.into_patch().ok_or_else(damaged)?;
            let frame = self.delta.frame(&patch);
            self.delta.append(&frame)?;
            self.overlay.put(patch);
            return Ok(true);
        }
        let Changes { patch, steps } = changes;
        let (content, proofs) = patch.split();
        self.overlay.put(content);
        self.overlay.put_steps(steps);
        // Where all has changed, even a copy of it is too much.
        if self.overlay.size_of_content() <= bearable
            && let Some(content) = self.overlay.content()
            && self.keep_proofs(place, content, &proofs).is_ok()
        {
            return Ok(false);
        }
        self.overlay.put(proofs);
        let draft = Draft::of(self).ok_or_else(damaged)?;
        draft.write(place, &self.key, &Body::Of(self))?;
        Ok(false)
    }

    /// Whether nobody but who holds it has kept anything at its place since it was read, as far as lengths and times say.
    pub(crate) fn is_latest(&self) -> bool {
        let same = |there: rustix::fs::Stat| {
            fstat(&self.file)
                .is_ok_and(|here| (here.st_ino, here.st_dev) == (there.st_ino, there.st_dev))
        };
        self.place.stat().is_ok_and(same) && self.delta.is_all()
    }

    /// Leaves the snapshot itself as it is.
    fn keep_proofs(&self, place: &ConfinedPath, mut content: Patch, new: &Patch) -> io::Result<()> {
        if self.place != *place {
            link(&self.place, place)?;
        }
        let mut table = self.proof_table();
        put(&mut table.dirs, &new.dir_proofs);
        put(&mut table.files, &new.file_proofs);
        put(&mut table.links, &new.links);
        // What is not as the tables say has its proof in the content: else, without that, the tables would be believed.
        for (number, file) in &mut content.files {
            *file = file.clone().proven(take(&mut table.files, *number));
        }
        for (number, _) in &content.results {
            content.links.push((*number, take(&mut table.links, *number)));
        }
        let state = table.write(place, &self.checksum)?;
        Delta::begin(place, state, &content)
    }

    /// What is proof now.
    fn proof_table(&self) -> Table {
        let bytes = |proof: Option<&[u8]>| *proof.map_or(Proof::NONE, Proof::read).as_bytes();
        let link = |number| self.result(number).map_or(Proof::NONE, |result| result.proof);
        Table {
            dirs: each(self.dirs(), |dir| bytes(self.dir_proof(dir))),
            files: each(self.files(), |file| bytes(self.file_proof(file))),
            links: each(self.results(), |number| *link(number).as_bytes()),
        }
    }
}

impl Changes {
    /// Roughly, the bytes that they take.
    fn size(&self) -> u64 {
        self.patch.size() + self.steps.iter().map(|(_, record)| record.len() as u64).sum::<u64>()
    }

    /// All of them; none if a record cannot be read.
    fn into_patch(self) -> Option<Patch> {
        let Changes { mut patch, steps } = self;
        for (step, record) in steps {
            let mut bytes = Vec::new();
            record.read(&mut bytes)?;
            patch.steps.push((step, bytes));
        }
        Some(patch)
    }
}

fn each(count: usize, proof: impl Fn(usize) -> ProofBytes + Send + Sync) -> Vec<ProofBytes> {
    (0..count).into_par_iter().with_min_len(1 << 12).map(proof).collect()
}

fn put(table: &mut [ProofBytes], proofs: &[(u32, Proof)]) {
    for (number, proof) in proofs {
        if let Some(slot) = table.get_mut(*number as usize) {
            *slot = *proof.as_bytes();
        }
    }
}

fn take(table: &mut [ProofBytes], number: u32) -> Proof {
    let slot = table.get_mut(number as usize);
    slot.map_or(Proof::NONE, |slot| Proof::read(&std::mem::replace(slot, *Proof::NONE.as_bytes())))
}

/// Gives the snapshot at `from`, which nobody changes in place, a second name.
fn link(from: &ConfinedPath, to: &ConfinedPath) -> io::Result<()> {
    to.replace_by_link(from, || forget_beside(to))?;
    // The newest snapshots are those that are kept, here and in the store.
    to.open()?.set_modified(SystemTime::now())
}
