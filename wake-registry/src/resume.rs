//! Archive downloads that resume after an interruption, in this run or in a later one.

use std::io::{self, ErrorKind, Read};
use std::time::Duration;

use wake_model::{PkgName, TreeDigest, Version};
use wake_store::ware::{Meter, pause};
use wake_store::{Partial, Store};

use crate::error::RegistryError;
use crate::shelf::Part;
use crate::site::{Bytes, Site};

/// How many interruptions with little progress in between are tolerated.
const BREAKS: u32 = 5;
/// How many bytes count as progress.
const PROGRESS: u64 = 1 << 20;
/// The wait before the first retry.
const FIRST_WAIT: Duration = Duration::from_millis(100);
/// Archives below this size are not kept partially.
const SMALL: u64 = 64 << 10;

/// The bytes of an archive: first those kept from before, then those being received.
pub(crate) struct Resumed<'a> {
    site: &'a Site,
    pkg: &'a PkgName,
    version: &'a Version,
    meter: &'a Meter,
    kept: Option<Partial>,
    /// How many bytes of `kept` came from before.
    before: u64,
    now: Box<dyn Read + Send>,
    /// How many bytes were read.
    at: u64,
    /// The total size, if known.
    end: Option<u64>,
    tag: Option<String>,
    breaks: u32,
    /// Where the last interruption occurred.
    broke_at: u64,
    /// Whether retries are exhausted.
    gave_up: bool,
}

impl<'a> Resumed<'a> {
    /// Requests the archive with content `content`; `None` if it does not exist.
    pub(crate) fn open(
        site: &'a Site,
        (pkg, version): (&'a PkgName, &'a Version),
        content: &TreeDigest,
        store: &Store,
        meter: &'a Meter,
    ) -> Result<Option<Resumed<'a>>, RegistryError> {
        let (address, name) = (site.address().to_string(), content.to_string());
        let mut kept = match site.is_far() {
            true => store.partial(&address, &name)?,
            false => None,
        };
        let ask =
            |from, same: Option<&str>| site.part(pkg, version, Part::Archive, from, same, meter);
        let before = kept.as_ref().filter(|kept| !kept.is_empty());
        let before = before.map(|kept| (kept.len(), kept.tag().to_owned()));
        let answer = match &before {
            Some((from, tag)) => ask(*from, Some(tag))?,
            None => ask(0, None)?,
        };
        let Some(mut answer) = answer else { return Ok(None) };
        let goes_on = before
            .is_some_and(|(from, tag)| answer.from == from && answer.tag.as_deref() == Some(&tag));
        if !goes_on && answer.from > 0 {
            match ask(0, None)? {
                Some(whole) => answer = whole,
                None => return Ok(None),
            }
        }
        let Bytes { bytes, from, size, tag } = answer;
        let tag = tag.filter(|tag| is_strong(tag));
        let is_small = size.is_some_and(|size| from + size < SMALL);
        if !goes_on {
            drop(kept.take());
            // An archive that cannot be kept is requested again from the start.
            kept = match tag.as_deref().filter(|_| site.is_far() && !is_small) {
                Some(tag) => store.begin_partial(&address, &name, tag).unwrap_or_default(),
                None => None,
            };
        }
        meter.expect(size.map(|size| from + size));
        Ok(Some(Resumed {
            site,
            pkg,
            version,
            meter,
            kept,
            before: from,
            now: bytes,
            at: 0,
            end: size.map(|size| from + size),
            tag,
            breaks: 0,
            broke_at: 0,
            gave_up: false,
        }))
    }

    /// Whether some of its bytes came from an earlier run.
    pub(crate) fn has_old_bytes(&self) -> bool {
        self.before > 0
    }

    /// Whether another request would be futile.
    pub(crate) fn gave_up(&self) -> bool {
        self.gave_up
    }

    /// Discards the bytes kept so far.
    pub(crate) fn drop_kept(&mut self) {
        if let Some(kept) = self.kept.take() {
            kept.drop_it();
        }
    }

    /// Resumes after an interruption; returns the original error if that is not possible.
    fn go_on(&mut self, error: io::Error) -> io::Result<()> {
        if self.at >= self.broke_at + PROGRESS {
            self.breaks = 0;
        }
        (self.breaks, self.broke_at) = (self.breaks + 1, self.at);
        let wait = FIRST_WAIT * 2u32.pow(self.breaks - 1);
        self.gave_up = self.breaks > BREAKS;
        if self.gave_up || self.at == 0 || self.tag.is_none() {
            return Err(error);
        }
        if pause(wait, self.meter).is_err() {
            return Err(error);
        }
        let (from, same) = (self.at, self.tag.as_deref());
        let answer = self.site.part(self.pkg, self.version, Part::Archive, from, same, self.meter);
        match answer {
            Ok(Some(Bytes { bytes, from, tag, .. })) if from == self.at && tag == self.tag => {
                self.now = bytes;
                Ok(())
            }
            Ok(_) => Err(error),
            Err(_) => {
                self.gave_up = true;
                Err(error)
            }
        }
    }
}

impl Read for Resumed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.at < self.before {
            let most =
                buffer.len().min(usize::try_from(self.before - self.at).unwrap_or(usize::MAX));
            let kept = self.kept.as_ref().ok_or(ErrorKind::UnexpectedEof)?;
            let read = kept.read_at(self.at, &mut buffer[..most])?;
            self.at += read as u64;
            return match read {
                0 => Err(ErrorKind::UnexpectedEof.into()),
                read => Ok(read),
            };
        }
        loop {
            let error = match self.now.read(buffer) {
                Ok(0) if self.end.is_some_and(|end| self.at < end) => {
                    ErrorKind::UnexpectedEof.into()
                }
                Ok(read) => {
                    let is_kept = |kept: &mut Partial| kept.add(&buffer[..read]).is_ok();
                    if !self.kept.as_mut().is_none_or(is_kept) {
                        self.drop_kept();
                    }
                    self.at += read as u64;
                    return Ok(read);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
                Err(error) => error,
            };
            self.go_on(error)?;
        }
    }
}

/// Whether an ETag guarantees identical bytes. Source: RFC 9110, 8.8.1.
fn is_strong(tag: &str) -> bool {
    !tag.starts_with("W/")
}
