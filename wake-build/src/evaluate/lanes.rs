//! Many evaluations, spread over threads so that neither evaluators nor wake have to wait for each other.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rayon::Scope;
use wake_eval::{Answers, Op};

use super::{CachedEvaluation, Evaluator, FailedEvaluation};
use crate::pkg_place::PkgPlace;
use wake_steps::diagnostic::Diagnostic;

/// The most requests queued at one evaluator: while it works on one, wake handles the results of others.
const AHEAD: usize = 8;

/// Work done in pieces, each of which needs one evaluation and may produce further pieces.
pub(crate) trait Work<'w>: Sync + Sized + 'w {
    /// A piece of work.
    type Piece: Send + 'w;
    /// Answers what the evaluation asks.
    type Answers: Answers + 'w;

    /// Returns what to evaluate for a piece, when its turn has come.
    fn question(&'w self, piece: &Self::Piece) -> Result<Question<Self::Answers>, Box<Diagnostic>>;

    /// Takes the result of a piece and returns further pieces.
    fn answered(
        &'w self,
        piece: Self::Piece,
        result: Result<(Op, CachedEvaluation), FailedEvaluation>,
    ) -> Vec<Self::Piece>;
}

/// One application of a function.
pub(crate) struct Question<A> {
    /// The package.
    pub(crate) pkg: PkgPlace,
    /// The operation.
    pub(crate) op: Op,
    /// Answers what it asks.
    pub(crate) answers: A,
}

/// Lanes for pieces of work, each a thread with an evaluator: at most as many as there are threads, started when there
/// is enough to do.
pub(crate) struct Lanes<'w, W: Work<'w>> {
    work: &'w W,
    evaluator: &'w Evaluator<'w>,
    queue: Mutex<Queue<W::Piece>>,
}

struct Queue<P> {
    pieces: VecDeque<P>,
    /// Active lanes.
    lanes: usize,
    /// Whether the remaining pieces are no longer wanted.
    is_closed: bool,
}

impl<'w, W: Work<'w>> Lanes<'w, W> {
    /// Creates lanes of which none is active.
    pub(crate) fn new(work: &'w W, evaluator: &'w Evaluator<'w>) -> Self {
        let queue = Queue { pieces: VecDeque::new(), lanes: 0, is_closed: false };
        Lanes { work, evaluator, queue: Mutex::new(queue) }
    }

    /// Adds pieces, which are completed before `scope` ends.
    pub(crate) fn put<'s>(&'s self, pieces: impl IntoIterator<Item = W::Piece>, scope: &Scope<'s>) {
        let mut queue = self.queue();
        if queue.is_closed {
            return;
        }
        queue.pieces.extend(pieces);
        let free = rayon::current_num_threads().saturating_sub(queue.lanes);
        let new = free.min(queue.pieces.len());
        queue.lanes += new;
        drop(queue);
        for _ in 0..new {
            scope.spawn(|scope| self.work(scope));
        }
    }

    /// Drops the pieces that have not begun.
    pub(crate) fn close(&self) {
        let mut queue = self.queue();
        queue.is_closed = true;
        queue.pieces.clear();
    }

    /// Works on one lane until there is nothing left to begin.
    fn work<'s>(&'s self, scope: &Scope<'s>) {
        let mut line = self.evaluator.pool.line();
        loop {
            if line.len() <= AHEAD / 2 {
                for piece in self.take(AHEAD - line.len()) {
                    self.begin(piece, &mut line, scope);
                }
                line.send();
            }
            if let Some((piece, op, result)) = self.evaluator.serve(&mut line) {
                let result = result.map(|remembered| (op, remembered));
                self.put(self.work.answered(piece, result), scope);
            } else if self.leave() {
                return;
            }
        }
    }

    fn begin<'s>(
        &'s self,
        piece: W::Piece,
        line: &mut wake_eval::Line<'_, W::Answers, (super::PendingEvaluation, W::Piece)>,
        scope: &Scope<'s>,
    ) {
        let result = match self.work.question(&piece) {
            Ok(Question { pkg, op, answers }) => {
                match self.evaluator.look_up(&pkg, &op, &answers) {
                    Ok(remembered) => Ok((op, remembered)),
                    Err(asked) => {
                        line.put(self.evaluator.request(&pkg, op), answers, (asked, piece));
                        return;
                    }
                }
            }
            Err(diagnostic) => Err(diagnostic.into()),
        };
        self.put(self.work.answered(piece, result), scope);
    }

    /// Takes an equal share of the remaining pieces, at most `most`.
    fn take(&self, most: usize) -> Vec<W::Piece> {
        let mut queue = self.queue();
        let share = queue.pieces.len().div_ceil(rayon::current_num_threads().max(1));
        queue.pieces.drain(..share.min(most)).collect()
    }

    /// Ends this lane if there is nothing left for it; returns whether it did.
    fn leave(&self) -> bool {
        let mut queue = self.queue();
        let leaves = queue.pieces.is_empty();
        queue.lanes -= usize::from(leaves);
        leaves
    }

    fn queue(&self) -> MutexGuard<'_, Queue<W::Piece>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
