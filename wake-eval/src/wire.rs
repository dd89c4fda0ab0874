//! Frames on the pipes between the pool and a worker: a length, a tag, content.

pub(crate) mod request;
pub(crate) mod outcome;

use std::io;
use std::os::fd::AsFd;
use std::path::PathBuf;

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::Limits;

/// The first message to a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Greeting {
    pub(crate) limits: Limits,
    /// The directories whose files it may read.
    pub(crate) readable: Vec<PathBuf>,
}

/// The kinds of frames. `Greeting`, `Request` and `Replies` are sent to the worker, the others by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Tag {
    /// A [`Greeting`] as JSON: the very first frame.
    Greeting = 0,
    /// A [`request`].
    Request = 1,
    /// The [`crate::Answer`]s to the questions of one frame, in order.
    Replies = 2,
    /// A question about the packages with these keys.
    AskPkgs = 3,
    /// A question about the modules with these ids, as canonical JSON.
    AskModules = 4,
    /// The [`outcome`]; the worker then waits for the next request.
    Done = 5,
    /// The [`outcome`]; the worker then ends.
    Last = 6,
    /// A question about what can be imported from the packages with these keys.
    AskLibraries = 7,
    /// A question about the settings of the options with these names.
    AskOptions = 8,
}

impl Tag {
    fn of(byte: u8) -> Option<Tag> {
        use Tag::*;
        const ALL: [Tag; 9] =
            [Greeting, Request, Replies, AskPkgs, AskModules, Done, Last, AskLibraries, AskOptions];
        ALL.get(byte as usize).copied()
    }
}

/// Bytes before the content: a length of four bytes, little endian, and the tag.
const HEADER: usize = 5;

/// The minimum buffer space for a read; most frames fit in one read.
const ROOM: usize = 12 << 10;

/// Encodes the content of a frame with the `postcard` crate.
pub(crate) fn encode(content: &impl Serialize, room: usize) -> io::Result<Vec<u8>> {
    postcard::to_io(content, Vec::with_capacity(room)).map_err(io::Error::other)
}

/// Decodes the content of a frame.
pub(crate) fn decode<'a, T: Deserialize<'a>>(content: &'a [u8]) -> io::Result<T> {
    postcard::from_bytes(content).map_err(io::Error::other)
}

/// Writes one frame, in one system call if the pipe has room.
pub(crate) fn send(pipe: impl AsFd, tag: Tag, content: &[u8]) -> io::Result<()> {
    let mut frame = Vec::with_capacity(HEADER + content.len());
    put(&mut frame, tag, content)?;
    let mut rest = frame.as_slice();
    while !rest.is_empty() {
        match rustix::io::write(&pipe, rest) {
            Ok(written) => rest = &rest[written..],
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Appends one frame to the buffer.
fn put(frames: &mut Vec<u8>, tag: Tag, content: &[u8]) -> io::Result<()> {
    let length = u32::try_from(content.len())
        .map_err(|_| io::Error::other("a frame is larger than 4 GiB"))?;
    frames.extend_from_slice(&length.to_le_bytes());
    frames.push(tag as u8);
    frames.extend_from_slice(content);
    Ok(())
}

/// Sends frames to a non-blocking pipe.
#[derive(Debug, Default)]
pub(crate) struct Sender {
    frames: Vec<u8>,
    written: usize,
}

impl Sender {
    /// Appends a frame to what [`Sender::flush`] writes.
    pub(crate) fn put(&mut self, tag: Tag, content: &[u8]) -> io::Result<()> {
        put(&mut self.frames, tag, content)
    }

    /// Whether everything has been written.
    pub(crate) fn is_done(&self) -> bool {
        self.frames.is_empty()
    }

    /// Writes as much as the pipe accepts now. If nobody reads any more, drops the rest: the other pipe will report
    /// it.
    pub(crate) fn flush(&mut self, pipe: impl AsFd) -> io::Result<()> {
        while self.written < self.frames.len() {
            match rustix::io::write(&pipe, &self.frames[self.written..]) {
                Ok(written) => self.written += written,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::PIPE) => break,
                Err(error) => return Err(error.into()),
            }
        }
        self.frames.clear();
        self.written = 0;
        Ok(())
    }
}

/// Assembles frames from the data of a pipe.
#[derive(Debug, Default)]
pub(crate) struct Receiver {
    /// The buffer, partly filled with data that has not been consumed.
    bytes: Vec<u8>,
    start: usize,
    end: usize,
}

/// The result of one read.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A whole frame.
    Frame(Tag, Vec<u8>),
    /// Part of a frame, or nothing yet from a non-blocking pipe.
    Part,
    /// The other end is closed.
    End,
}

impl Receiver {
    /// Returns a buffered frame, or reads once, which blocks if the pipe is empty and blocking.
    pub(crate) fn step(&mut self, pipe: impl AsFd) -> io::Result<Arrival> {
        if let Some((tag, content)) = self.take()? {
            return Ok(Arrival::Frame(tag, content));
        }
        self.make_room();
        let read = loop {
            match rustix::io::read(&pipe, &mut self.bytes[self.end..]) {
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(Arrival::Part),
                other => break other?,
            }
        };
        if read == 0 {
            return Ok(Arrival::End);
        }
        self.end += read;
        Ok(self.take()?.map_or(Arrival::Part, |(tag, content)| Arrival::Frame(tag, content)))
    }

    /// Reads until a frame is complete; `None` at the end.
    pub(crate) fn frame(&mut self, pipe: impl AsFd) -> io::Result<Option<(Tag, Vec<u8>)>> {
        loop {
            match self.step(&pipe)? {
                Arrival::Frame(tag, content) => return Ok(Some((tag, content))),
                Arrival::Part => {}
                Arrival::End => return Ok(None),
            }
        }
    }

    fn here(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    fn length(&self) -> Option<usize> {
        let length = self.here().first_chunk::<4>()?;
        Some(u32::from_le_bytes(*length) as usize)
    }

    /// Moves the buffered data to the front and makes room for the rest of its frame.
    fn make_room(&mut self) {
        self.bytes.copy_within(self.start..self.end, 0);
        (self.start, self.end) = (0, self.end - self.start);
        let whole = self.length().map_or(0, |length| HEADER + length);
        let want = whole.max(self.end + ROOM);
        if self.bytes.len() < want || self.bytes.len() > want.saturating_mul(4) {
            self.bytes.resize(want, 0);
            self.bytes.shrink_to(want);
        }
    }

    fn take(&mut self) -> io::Result<Option<(Tag, Vec<u8>)>> {
        let Some(length) = self.length() else { return Ok(None) };
        let here = self.here();
        let Some(content) = here.get(HEADER..HEADER + length) else { return Ok(None) };
        let tag = Tag::of(here[4]).ok_or_else(|| io::Error::other("a frame is malformed"))?;
        let content = content.to_vec();
        self.start += HEADER + length;
        Ok(Some((tag, content)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::Answer;

    #[test]
    fn a_frame_arrives_unchanged() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        for content in [b"".to_vec(), b"{}".to_vec(), vec![7; 40_000]] {
            send(&write, Tag::AskModules, &content).unwrap();
            let frame = Receiver::default().frame(&read).unwrap();
            assert_eq!(frame, Some((Tag::AskModules, content)));
        }
        drop(write);
        assert!(Receiver::default().frame(&read).unwrap().is_none());
    }

    #[test]
    fn frames_that_arrive_together_are_separated() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        send(&write, Tag::Greeting, b"one").unwrap();
        send(&write, Tag::Request, b"two").unwrap();
        let mut receiver = Receiver::default();
        assert_eq!(receiver.frame(&read).unwrap(), Some((Tag::Greeting, b"one".to_vec())));
        assert_eq!(receiver.frame(&read).unwrap(), Some((Tag::Request, b"two".to_vec())));
    }

    #[test]
    fn replies_arrive_in_order() {
        let sent = vec![Answer::Pending, Answer::Ready("é".into()), Answer::Unknown];
        let content = encode(&sent, 0).unwrap();
        let replies: Vec<Answer> = decode(&content).unwrap();
        assert!(
            matches!(&replies[..], [Answer::Pending, Answer::Ready(text), Answer::Unknown] if &**text == "é")
        );
        assert!(decode::<Vec<Answer>>(&content[..1]).is_err(), "a truncated answer is invalid");
    }

    #[test]
    fn bytes_that_do_not_fit_into_the_pipe_are_sent_later() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        rustix::fs::fcntl_setfl(&write, rustix::fs::OFlags::NONBLOCK).unwrap();
        let content: Vec<Vec<u8>> = (0..9).map(|number| vec![number; 50_000]).collect();
        let mut sender = Sender::default();
        content.iter().for_each(|content| sender.put(Tag::Request, content).unwrap());
        let mut receiver = Receiver::default();
        let mut received = Vec::new();
        let mut stops = 0;
        while received.len() < content.len() {
            sender.flush(&write).unwrap();
            stops += usize::from(!sender.is_done());
            match receiver.step(&read).unwrap() {
                Arrival::Frame(Tag::Request, content) => received.push(content),
                Arrival::Part => {}
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(received, content);
        assert!(sender.is_done() && stops > 0);
        drop(read);
        sender.put(Tag::Request, b"{}").unwrap();
        sender.flush(&write).unwrap();
        assert!(sender.is_done(), "bytes that nobody will read are not kept");
    }

    #[test]
    fn an_unknown_tag_is_an_error() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        rustix::io::write(&write, &[0, 0, 0, 0, 99]).unwrap();
        assert!(Receiver::default().frame(&read).is_err());
    }
}
