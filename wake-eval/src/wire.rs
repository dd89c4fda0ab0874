//! Frames on the pipes between the pool and a worker: a length, a tag, bytes.

use std::io;
use std::os::fd::AsFd;

use rustix::io::Errno;

/// What a frame means. The first two go to the worker, as do the answers; the rest comes from it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Tag {
    /// The limits as JSON: the first frame of all.
    Limits = 0,
    /// A request as JSON.
    Request = 1,
    /// The answer to a question: JSON text.
    Ready = 2,
    /// The answer to a question: not yet.
    Pending = 3,
    /// The answer to a question: there is no such thing.
    Unknown = 4,
    /// A question for the package whose key this is.
    AskPkg = 5,
    /// A question for the module whose id, as JSON, this is.
    AskModule = 6,
    /// The outcome as JSON; the worker waits for the next request.
    Done = 7,
    /// The outcome as JSON; the worker ends.
    Last = 8,
}

impl Tag {
    fn of(byte: u8) -> Option<Tag> {
        const ALL: [Tag; 9] = [
            Tag::Limits,
            Tag::Request,
            Tag::Ready,
            Tag::Pending,
            Tag::Unknown,
            Tag::AskPkg,
            Tag::AskModule,
            Tag::Done,
            Tag::Last,
        ];
        ALL.get(byte as usize).copied()
    }
}

/// Bytes before the content: four of length, little endian, and the tag.
const HEADER: usize = 5;

/// Writes one frame, in one system call where the pipe takes it.
pub(crate) fn send(pipe: impl AsFd, tag: Tag, content: &[u8]) -> io::Result<()> {
    let length = u32::try_from(content.len())
        .map_err(|_| io::Error::other("a frame is larger than 4 GiB"))?;
    let mut frame = Vec::with_capacity(HEADER + content.len());
    frame.extend_from_slice(&length.to_le_bytes());
    frame.push(tag as u8);
    frame.extend_from_slice(content);
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

/// Puts together frames from what a pipe gives.
#[derive(Debug, Default)]
pub(crate) struct Receiver {
    bytes: Vec<u8>,
}

/// What one reading of a pipe brought.
#[derive(Debug)]
pub(crate) enum Received {
    /// A whole frame.
    Frame(Tag, Vec<u8>),
    /// Part of one.
    Part,
    /// The other end is closed.
    End,
}

impl Receiver {
    /// Gives a frame that is already here, else reads once, which blocks if the pipe is empty.
    pub(crate) fn step(&mut self, pipe: impl AsFd) -> io::Result<Received> {
        if let Some((tag, content)) = self.take()? {
            return Ok(Received::Frame(tag, content));
        }
        let have = self.bytes.len();
        let want = self.missing().max(4096);
        self.bytes.resize(have + want, 0);
        let read = loop {
            match rustix::io::read(&pipe, &mut self.bytes[have..]) {
                Err(Errno::INTR) => {}
                other => break other,
            }
        };
        self.bytes.truncate(have + read.unwrap_or(0));
        if read? == 0 {
            return Ok(Received::End);
        }
        Ok(self.take()?.map_or(Received::Part, |(tag, content)| Received::Frame(tag, content)))
    }

    /// Reads until a frame is complete; none at the end.
    pub(crate) fn frame(&mut self, pipe: impl AsFd) -> io::Result<Option<(Tag, Vec<u8>)>> {
        loop {
            match self.step(&pipe)? {
                Received::Frame(tag, content) => return Ok(Some((tag, content))),
                Received::Part => {}
                Received::End => return Ok(None),
            }
        }
    }

    fn length(&self) -> Option<usize> {
        let length = self.bytes.first_chunk::<4>()?;
        Some(u32::from_le_bytes(*length) as usize)
    }

    fn missing(&self) -> usize {
        self.length().map_or(0, |length| (HEADER + length).saturating_sub(self.bytes.len()))
    }

    fn take(&mut self) -> io::Result<Option<(Tag, Vec<u8>)>> {
        let Some(end) = self.length().map(|length| HEADER + length) else { return Ok(None) };
        if self.bytes.len() < end {
            return Ok(None);
        }
        let tag = Tag::of(self.bytes[4]).ok_or_else(|| io::Error::other("a frame is malformed"))?;
        let rest = self.bytes.split_off(end);
        let content = std::mem::replace(&mut self.bytes, rest).split_off(HEADER);
        Ok(Some((tag, content)))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_frame_arrives_as_it_was_sent() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        for content in [b"".to_vec(), b"{}".to_vec(), vec![7; 40_000]] {
            send(&write, Tag::AskModule, &content).unwrap();
            let frame = Receiver::default().frame(&read).unwrap();
            assert_eq!(frame, Some((Tag::AskModule, content)));
        }
        drop(write);
        assert!(Receiver::default().frame(&read).unwrap().is_none());
    }

    #[test]
    fn frames_that_arrive_together_are_kept_apart() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        send(&write, Tag::Limits, b"one").unwrap();
        send(&write, Tag::Request, b"two").unwrap();
        let mut receiver = Receiver::default();
        assert_eq!(receiver.frame(&read).unwrap(), Some((Tag::Limits, b"one".to_vec())));
        assert_eq!(receiver.frame(&read).unwrap(), Some((Tag::Request, b"two".to_vec())));
    }

    #[test]
    fn an_unknown_tag_is_an_error() {
        let (read, write) = rustix::pipe::pipe().unwrap();
        rustix::io::write(&write, &[0, 0, 0, 0, 99]).unwrap();
        assert!(Receiver::default().frame(&read).is_err());
    }
}
