//! Changes to a text, and the way back from the changed text to the places of the first one.

use std::borrow::Cow;

/// What is to be changed about a text.
#[derive(Debug, Default)]
pub(super) struct Edits(Vec<Edit>);

#[derive(Debug)]
struct Edit {
    start: u32,
    end: u32,
    /// Closing before opening where both stand at one place.
    side: Side,
    text: Cow<'static, str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Close,
    Open,
    Replace,
}

/// Names an edit, which may still be changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct EditId(usize);

impl Edits {
    /// Puts `text` for what stands between `start` and `end`.
    pub(super) fn replace(&mut self, start: usize, end: usize, text: impl Into<Cow<'static, str>>) {
        self.push(start as u32, end as u32, Side::Replace, text.into());
    }

    /// Puts `text` before what starts at `at`, and before what was put there by earlier calls.
    pub(super) fn open(&mut self, at: u32, text: impl Into<Cow<'static, str>>) -> EditId {
        self.push(at, at, Side::Open, text.into())
    }

    /// Puts `text` behind what ends at `at`, and behind what was put there by earlier calls.
    pub(super) fn close(&mut self, at: u32, text: impl Into<Cow<'static, str>>) -> EditId {
        self.push(at, at, Side::Close, text.into())
    }

    /// Changes what an earlier call put.
    pub(super) fn amend(&mut self, EditId(index): EditId, text: &'static str) {
        self.0[index].text = Cow::Borrowed(text);
    }

    fn push(&mut self, start: u32, end: u32, side: Side, text: Cow<'static, str>) -> EditId {
        self.0.push(Edit { start, end, side, text });
        EditId(self.0.len() - 1)
    }

    /// The changed text, and the way back from it; none if nothing changes.
    pub(super) fn apply(self, text: &str) -> Option<(String, Origins)> {
        if self.0.is_empty() {
            return None;
        }
        let mut edits: Vec<(usize, Edit)> = self.0.into_iter().enumerate().collect();
        edits.sort_unstable_by_key(|(index, edit)| {
            let order = *index as i64;
            (edit.start, edit.side, if edit.side == Side::Open { -order } else { order })
        });
        let grown: usize = edits.iter().map(|(_, edit)| edit.text.len()).sum();
        let mut changed = String::with_capacity(text.len() + grown);
        let mut origins = Vec::with_capacity(edits.len());
        let mut done = 0;
        for (_, edit) in &edits {
            changed.push_str(&text[done..edit.start as usize]);
            let start = changed.len() as u32;
            changed.push_str(&edit.text);
            origins.push(Origin {
                start,
                end: changed.len() as u32,
                from: edit.start,
                to: edit.end,
            });
            done = edit.end as usize;
        }
        changed.push_str(&text[done..]);
        Some((changed, Origins(origins)))
    }
}

/// Where each part of a changed text comes from.
#[derive(Debug, Default)]
pub(crate) struct Origins(Vec<Origin>);

/// What stands from `start` to `end` replaces what stood between `from` and `to`.
#[derive(Debug)]
struct Origin {
    start: u32,
    end: u32,
    from: u32,
    to: u32,
}

impl Origins {
    /// The place in the first text of an offset in the changed one.
    pub(crate) fn of(&self, offset: usize) -> usize {
        let later = self.0.partition_point(|origin| origin.start as usize <= offset);
        let Some(origin) = later.checked_sub(1).map(|before| &self.0[before]) else {
            return offset;
        };
        if offset < origin.end as usize {
            origin.from as usize
        } else {
            origin.to as usize + (offset - origin.end as usize)
        }
    }
}
