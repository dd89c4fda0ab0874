//! Saving what a build changed in a snapshot, at the least cost.
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

/// What a build changed in a snapshot.
pub(crate) struct Changes {
    /// All changes except step records.
    pub(crate) patch: Patch,
    /// Step records, by number; large if there are many steps.
    pub(crate) steps: Vec<(u32, ShelfEntry)>,
}

impl Snapshot {
    /// Saves the changes for the next build at `place`: as a frame beside the snapshot; once such frames
    /// have become many, or if the snapshot is from elsewhere, as proofs beside it; or, if that is not enough, as a new snapshot.
    /// Uses the threads of the current pool.
    ///
    /// Returns whether the state in memory is what the next build will find.
    pub(crate) fn keep(&mut self, place: &ConfinedPath, changes: Changes) -> io::Result<bool> {
        let damaged = || io::Error::from(io::ErrorKind::InvalidData);
        // Reading the frames must stay cheap compared with reading the tables.
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
        // If everything has changed, even a copy of it would be too large.
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

    /// Returns whether no other process has saved anything since it was read, judging by lengths and times.
    pub(crate) fn is_latest(&self) -> bool {
        let same = |there: rustix::fs::Stat| {
            fstat(&self.file)
                .is_ok_and(|here| (here.st_ino, here.st_dev) == (there.st_ino, there.st_dev))
        };
        self.place.stat().is_ok_and(same) && self.delta.is_all()
    }

    /// Saves proofs and leaves the snapshot itself alone.
    fn keep_proofs(&self, place: &ConfinedPath, mut content: Patch, new: &Patch) -> io::Result<()> {
        if self.place != *place {
            link(&self.place, place)?;
        }
        let mut table = self.proof_table();
        put(&mut table.dirs, &new.dir_proofs);
        put(&mut table.files, &new.file_proofs);
        put(&mut table.links, &new.links);
        // A file that differs from the tables has its proof in the content; otherwise the tables would be trusted without that.
        for (number, file) in &mut content.files {
            *file = file.clone().proven(take(&mut table.files, *number));
        }
        for (number, _) in &content.results {
            content.links.push((*number, take(&mut table.links, *number)));
        }
        let state = table.write(place, &self.checksum)?;
        Delta::begin(place, state, &content)
    }

    /// Returns the present proofs.
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
    /// Returns its approximate size in bytes.
    fn size(&self) -> u64 {
        self.patch.size() + self.steps.iter().map(|(_, record)| record.len() as u64).sum::<u64>()
    }

    /// Returns everything as a patch; none if a record cannot be read.
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
    // The newest snapshots are kept, here and in the store.
    to.open()?.set_modified(SystemTime::now())
}
