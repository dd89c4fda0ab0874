//! The worker process: enters its namespaces once, then runs one job after another in them.
//!
//! It is process 1 of its own PID namespace. Not creating a new namespace for each command is what makes commands
//! cheap, and loses nothing: after each command it kills whatever is left in the namespace and waits until it is alone,
//! and the kernel lets no fork escape that kill.

mod kernel;
mod owners;
mod mounts;
mod seccomp;
mod uses;
mod hold;
mod confine;
mod place;
mod shared;
mod populate;
mod scratch;
mod etc_copy;
mod dates;
mod changes;
mod view;
mod furnish;
mod sysv;
mod traces;
mod watcher;
mod group;
mod spawn;
mod logs;
mod disk;
mod supervise;
mod memory;
mod reap;
mod collect;
mod written;
mod tools;
mod beside;
mod layers;
mod standing;
mod weak;
mod run;

use std::os::fd::{OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::process::ExitCode;

use wake_model::SandboxLevel;

use crate::scheduling::Scheduling;
use crate::wire::{self, Reply, Request, WorkerClass};

pub(crate) use confine::confine;
pub use confine::keeps_owners;

/// The `main` of a worker process: serves the executor at the other end of standard input until that is closed.
///
/// Must be called before the process starts a thread, by a program that does nothing else.
pub fn serve() -> ExitCode {
    let socket = match control_socket() {
        Ok(socket) => socket,
        Err(_) => return ExitCode::from(2),
    };
    match wire::receive(&socket) {
        Ok(Some(Request::Become(class, scheduling))) => become_worker(&class, scheduling, socket),
        Ok(Some(Request::Hold(count))) => hold::hold(count, &socket),
        _ => ExitCode::from(2),
    }
}

/// Moves the socket away from standard input, which belongs to commands.
fn control_socket() -> rustix::io::Result<UnixStream> {
    const STDIN: RawFd = 0;
    // SAFETY: descriptor 0 is open for as long as nothing closes it, and nothing here does.
    let stdin = unsafe { std::os::fd::BorrowedFd::borrow_raw(STDIN) };
    let socket: OwnedFd = rustix::io::fcntl_dupfd_cloexec(stdin, 3)?;
    let null = rustix::fs::open("/dev/null", rustix::fs::OFlags::RDWR, rustix::fs::Mode::empty())?;
    rustix::stdio::dup2_stdin(&null)?;
    Ok(UnixStream::from(socket))
}

fn become_worker(
    class: &WorkerClass,
    scheduling: Option<Scheduling>,
    socket: UnixStream,
) -> ExitCode {
    let (result, role) = match class.level {
        SandboxLevel::Weak => {
            let pid = i32::try_from(std::process::id()).unwrap_or_default();
            (weak::prepare().map(|()| pid), confine::ForkRole::Worker(None))
        }
        SandboxLevel::Strict => match confine(class) {
            Ok(confine::ForkRole::Parent(overseer)) => {
                // From here on the worker speaks; a second holder of the socket would hide its end from the executor.
                drop(socket);
                let worker = overseer.worker;
                overseer.serve();
                return reap::wait_for(worker);
            }
            Ok(confine::ForkRole::Worker(confined)) => {
                let pid = confined.as_ref().map_or(0, |confined| confined.outer_pid);
                (Ok(pid), confine::ForkRole::Worker(confined))
            }
            Err(failure) => (Err(failure), confine::ForkRole::Worker(None)),
        },
    };
    let usable = result.is_ok();
    if wire::send(&socket, &Reply::Ready(result)).is_err() || !usable {
        return ExitCode::from(2);
    }
    let confine::ForkRole::Worker(confined) = role else { return ExitCode::from(2) };
    answer(socket, confined, scheduling)
}

/// Answers requests until the executor is gone.
fn answer(
    socket: UnixStream,
    confined: Option<confine::Confinement>,
    scheduling: Option<Scheduling>,
) -> ExitCode {
    let mut runner = match run::Runner::new(confined, scheduling) {
        Ok(runner) => runner,
        Err(_) => return ExitCode::from(2),
    };
    loop {
        match wire::receive(&socket) {
            Ok(Some(request @ (Request::Run(..) | Request::Visit(..)))) => {
                let result = match request {
                    Request::Visit(job, group, visit) => {
                        runner.run(&job, group.as_ref(), Some(&visit), &socket)
                    }
                    Request::Run(job, group) => runner.run(&job, group.as_ref(), None, &socket),
                    _ => return ExitCode::from(2),
                };
                if wire::send(&socket, &Reply::Done(Box::new(result))).is_err() {
                    return ExitCode::SUCCESS;
                }
                if runner.tidy().is_err() {
                    return ExitCode::from(2);
                }
            }
            // For a job that was over before they arrived.
            Ok(Some(Request::Go | Request::Cancel | Request::Streams)) => {}
            Ok(Some(Request::Become(..) | Request::Hold(_) | Request::Wish(_))) | Err(_) => {
                return ExitCode::from(2);
            }
            Ok(None) => return ExitCode::SUCCESS,
        }
    }
}
