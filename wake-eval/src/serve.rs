//! The worker's side of the pipe.
#![expect(
    clippy::disallowed_methods,
    reason = "an evaluator measures its requests, and ends with its parent"
)]

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{self, Write};
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::process::ExitCode;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::process::Signal;
use rustix::stdio;

use crate::confine::{confine, restrict_calls};
use crate::engine::{self, Ask, KnownAnswers, LastPkg, Open, Surroundings};
use crate::outcome::EvaluatedText;
use crate::resident::Resident;
use crate::wire::request::RequestParts;
use crate::wire::{Greeting, Receiver, Tag, decode, encode, outcome, send};
use crate::{Answer, EvalError, Kind, Limit, Limits, Sources};

/// Answers requests on standard input until it ends; this is the main function of a worker process.
///
/// `sources` opens the files of a package, given [`crate::Request::root`]. The process limits its own memory, gives
/// up everything but reading the files in [`crate::WorkerCommand::readable`] and the system calls for that, and dies
/// with its parent. Nothing else may use standard input and output meanwhile.
pub fn serve(sources: impl Fn(&Path) -> Box<dyn Sources> + Send + 'static) -> ExitCode {
    // An idle worker notices the end of the pipe; this also ends one that computes.
    let _ = rustix::process::set_parent_process_death_signal(Some(Signal::KILL));
    let mut receiver = Receiver::default();
    let Ok(Some((Tag::Greeting, content))) = receiver.frame(stdio::stdin()) else {
        return ExitCode::FAILURE;
    };
    let Ok(greeting) = serde_json::from_slice::<Greeting>(&content) else {
        return ExitCode::FAILURE;
    };
    let Greeting { limits, readable } = greeting;
    // Opened now, because its files cannot be read later.
    let resident = Resident::of_this_process();
    confine(&limits, &readable);
    std::panic::set_hook(Box::new(|_| {}));
    let thread = std::thread::Builder::new().name("eval".to_owned()).stack_size(limits.stack);
    match thread.spawn(move || work(Rc::new(sources), receiver, &resident, &limits)) {
        Ok(thread) => thread.join().unwrap_or(ExitCode::FAILURE),
        Err(error) => {
            // The parent reads this. If it does not, there is no way to report the write error either.
            let _ = writeln!(io::stderr(), "{NO_THREAD}: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The message of a worker that cannot start its thread.
pub(crate) const NO_THREAD: &str = "cannot start its thread";

/// A worker that uses more bytes than this ends after its request, so that one large evaluation does not keep memory
/// occupied.
const FAT: u64 = 96 << 20;

/// Requests between memory checks: one check takes more than a hundredth of the time of most requests.
const LOOK_EVERY: u32 = 8;

/// A longer request may have used much memory: filling too much takes at least ten times this long.
const LONG: Duration = Duration::from_micros(500);

fn work(open: Rc<Open>, receiver: Receiver, resident: &Resident, limits: &Limits) -> ExitCode {
    restrict_calls();
    let pipe = Rc::new(Pipe { receiver: RefCell::new(receiver), waiting: RefCell::default() });
    let told = Rc::new(KnownAnswers::default());
    let last = LastPkg::default();
    let mut served = 0_u32;
    loop {
        let content = match pipe.request() {
            Ok(Some(content)) => content,
            Ok(None) => return ExitCode::SUCCESS,
            Err(_) => return ExitCode::FAILURE,
        };
        let Ok(mut request) = decode::<RequestParts<'_>>(&content) else {
            return ExitCode::FAILURE;
        };
        told.begin(request.epoch);
        told.listen(std::mem::take(&mut request.told));
        let began = Instant::now();
        let (outcome, mut tag) = answer(&request, &open, &pipe, &told, &last, limits, began);
        served += 1;
        let looks = served.is_multiple_of(LOOK_EVERY) || began.elapsed() > LONG;
        if looks && resident.bytes().is_some_and(|bytes| bytes > FAT) {
            tag = Tag::Last;
        }
        let Ok(content) = outcome::encode(&outcome) else { return ExitCode::FAILURE };
        if send(stdio::stdout(), tag, &content).is_err() || tag == Tag::Last {
            return ExitCode::SUCCESS;
        }
    }
}

fn answer(
    request: &RequestParts<'_>,
    open: &Rc<Open>,
    pipe: &Rc<Pipe>,
    told: &Rc<KnownAnswers>,
    last: &LastPkg,
    limits: &Limits,
    began: Instant,
) -> (Result<EvaluatedText, EvalError>, Tag) {
    // Finding the place takes several times as long as the failed evaluation, and must not exceed the deadline.
    let has_time = || began.elapsed() * 8 < limits.deadline;
    let sources: Rc<dyn Sources> = Rc::from(open(request.root));
    let (open, ask, known) = (open.clone(), pipe.clone(), told.clone());
    let around = Surroundings { sources, open, ask, known };
    let run = || engine::evaluate(request, &around, last, limits, &has_time);
    match std::panic::catch_unwind(AssertUnwindSafe(run)) {
        Ok(outcome) => (outcome, Tag::Done),
        // After a panic the engine's state cannot be trusted.
        Err(payload) => {
            let said = engine::said(payload.as_ref());
            let error = out_of_memory(request, limits, &said)
                .unwrap_or_else(|| engine::panicked(request, &around, limits, &said));
            (Err(error), Tag::Last)
        }
    }
}

/// Returns the error of an evaluation that panicked because memory ran out.
fn out_of_memory(request: &RequestParts<'_>, limits: &Limits, said: &str) -> Option<EvalError> {
    // The engine grows its stack in pieces and panics if there is no memory for the next one. Its string storage
    // asserts that the allocation succeeded.
    let causes = ["allocate memory", "OutOfMemory", "ENOMEM", "!data.is_null()"];
    if !causes.iter().any(|cause| said.contains(cause)) {
        return None;
    }
    let memory = size(limits.memory);
    let message = format!("evaluating `{}` needs more than {memory} of memory", request.pkg);
    Some(EvalError::bare(request.pkg, Kind::Limit(Limit::Memory), message))
}

pub(crate) fn size(bytes: u64) -> String {
    match bytes {
        bytes if bytes >= 1 << 30 && bytes % (1 << 30) == 0 => format!("{} GiB", bytes >> 30),
        bytes if bytes >= 1 << 20 => format!("{} MiB", bytes >> 20),
        bytes => format!("{bytes} bytes"),
    }
}

/// Sends questions to the parent; ends the process if the parent is gone.
struct Pipe {
    receiver: RefCell<Receiver>,
    /// Requests that arrived before the replies to the previous request's questions.
    waiting: RefCell<VecDeque<Vec<u8>>>,
}

impl Pipe {
    /// Returns the next request; `None` at the end of input.
    fn request(&self) -> io::Result<Option<Vec<u8>>> {
        if let Some(request) = self.waiting.borrow_mut().pop_front() {
            return Ok(Some(request));
        }
        match self.receiver.borrow_mut().frame(stdio::stdin())? {
            Some((Tag::Request, content)) => Ok(Some(content)),
            Some(_) => Err(io::Error::other("unexpected message from the parent")),
            None => Ok(None),
        }
    }

    /// Returns the replies to a question; `None` at the end of input.
    fn replies(&self) -> io::Result<Option<Vec<Answer>>> {
        loop {
            match self.receiver.borrow_mut().frame(stdio::stdin())? {
                Some((Tag::Replies, content)) => return decode(&content).map(Some),
                Some((Tag::Request, content)) => self.waiting.borrow_mut().push_back(content),
                Some(_) => return Err(io::Error::other("unexpected message from the parent")),
                None => return Ok(None),
            }
        }
    }

    fn ask(&self, tag: Tag, questions: &[&str]) -> Vec<Answer> {
        let sent =
            encode(&questions, 1 << 10).and_then(|content| send(stdio::stdout(), tag, &content));
        match sent.and_then(|()| self.replies()) {
            Ok(Some(replies)) => replies,
            // Nobody is left to receive an outcome.
            Ok(None) | Err(_) => std::process::abort(),
        }
    }
}

impl Ask for Pipe {
    fn pkgs(&self, keys: &[&str]) -> Vec<Option<Arc<str>>> {
        let known = |answer| match answer {
            Answer::Ready(text) => Some(text),
            Answer::Pending | Answer::Unknown => None,
        };
        self.ask(Tag::AskPkgs, keys).into_iter().map(known).collect()
    }

    fn modules(&self, ids: &[&str]) -> Vec<Answer> {
        self.ask(Tag::AskModules, ids)
    }

    fn library(&self, key: &str) -> Option<Arc<str>> {
        match self.ask(Tag::AskLibraries, &[key]).pop()? {
            Answer::Ready(text) => Some(text),
            Answer::Pending | Answer::Unknown => None,
        }
    }

    fn option(&self, name: &str) -> Option<Arc<str>> {
        match self.ask(Tag::AskOptions, &[name]).pop()? {
            Answer::Ready(text) => Some(text),
            Answer::Pending | Answer::Unknown => None,
        }
    }
}
