//! The thread that starts workers.
#![expect(clippy::disallowed_methods, reason = "an evaluator is this program again")]

use std::io;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, OnceLock, PoisonError};

use super::WorkerCommand;

/// Starts processes on a thread that lives as long as this value.
///
/// A worker asks the kernel to be killed when its parent ends. For the kernel the parent is the thread that started
/// the process, and a pool's calling thread may end long before the process does.
#[derive(Debug)]
pub(super) struct Spawner {
    command: WorkerCommand,
    orders: OnceLock<Mutex<Sender<SpawnRequest>>>,
}

type SpawnRequest = Sender<io::Result<Child>>;

impl Spawner {
    pub(super) fn new(command: WorkerCommand) -> Self {
        Spawner { command, orders: OnceLock::new() }
    }

    pub(super) fn program(&self) -> &Path {
        &self.command.program
    }

    pub(super) fn readable(&self) -> &[PathBuf] {
        &self.command.readable
    }

    /// Starts one process and waits until it has started.
    pub(super) fn spawn(&self) -> io::Result<Child> {
        let orders = self.orders.get_or_init(|| Mutex::new(self.start()));
        let (order, child) = channel();
        let gone = || io::Error::other("the thread that starts evaluators has ended");
        orders.lock().unwrap_or_else(PoisonError::into_inner).send(order).map_err(|_| gone())?;
        child.recv().map_err(|_| gone())?
    }

    fn start(&self) -> Sender<SpawnRequest> {
        let (sender, orders): (_, Receiver<SpawnRequest>) = channel();
        let command = self.command.clone();
        // If no thread can be started, the channel is closed and the next call reports it.
        let _ = std::thread::Builder::new().name("eval-spawner".to_owned()).spawn(move || {
            for order in orders {
                let _ = order.send(start(&command));
            }
        });
        sender
    }
}

fn start(command: &WorkerCommand) -> io::Result<Child> {
    Command::new(&command.program)
        .args(&command.args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // The parent handles Ctrl-C and ends its workers itself.
        .process_group(0)
        .spawn()
}
