//! Changes to a text, and the way back from the changed text to the places of the first one.

/// So many changes has a text of which anything is changed, as a rule.
const EXPECTED: usize = 32;

/// What is to be changed about a text.
#[derive(Debug, Default)]
pub(super) struct Edits {
    edits: Vec<Edit>,
    /// What they put, one after the other: nothing has to be allocated for each.
    texts: String,
}

#[derive(Debug)]
struct Edit {
    start: u32,
    end: u32,
    /// Closing before opening where both stand at one place.
    side: Side,
    /// The order of what stands at one place on one side.
    order: i32,
    /// The part of `texts`.
    text: (u32, u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Close,
    Open,
    Replace,
}

/// Names an edit, which may still be changed.
#[derive(Debug, Clone, Copy)]
pub(super) struct EditId(u32);

impl Edits {
    /// Whether nothing is to be changed.
    pub(super) fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Puts `text` for what stands between `start` and `end`.
    pub(super) fn replace(&mut self, start: u32, end: u32, text: &str) {
        self.push(start, end, Side::Replace, text);
    }

    /// Puts `text` before what starts at `at`, and before what was put there by earlier calls.
    pub(super) fn open(&mut self, at: u32, text: &str) -> EditId {
        self.push(at, at, Side::Open, text)
    }

    /// Puts `text` behind what ends at `at`, and behind what was put there by earlier calls.
    pub(super) fn close(&mut self, at: u32, text: &str) -> EditId {
        self.push(at, at, Side::Close, text)
    }

    /// Adds to the text that the last call put.
    pub(super) fn and(&mut self, text: &str) -> &mut Edits {
        self.texts.push_str(text);
        if let Some(last) = self.edits.last_mut() {
            last.text.1 = self.texts.len() as u32;
        }
        self
    }

    /// Changes what an earlier call put.
    pub(super) fn amend(&mut self, EditId(index): EditId, text: &str) {
        self.edits[index as usize].text = self.keep(text);
    }

    fn push(&mut self, start: u32, end: u32, side: Side, text: &str) -> EditId {
        let index = self.edits.len();
        if index == 0 {
            self.edits.reserve(EXPECTED);
            self.texts.reserve(8 * EXPECTED);
        }
        let order = if side == Side::Open { -(index as i32) } else { index as i32 };
        let text = self.keep(text);
        self.edits.push(Edit { start, end, side, order, text });
        EditId(index as u32)
    }

    fn keep(&mut self, text: &str) -> (u32, u32) {
        let start = self.texts.len() as u32;
        self.texts.push_str(text);
        (start, self.texts.len() as u32)
    }

    /// What stands between two offsets, as it is changed so far.
    pub(super) fn changed(&self, text: &str, from: u32, to: u32) -> String {
        let inside = |edit: &&Edit| {
            let starts = edit.start > from || (edit.start == from && edit.side != Side::Close);
            starts && (edit.end < to || (edit.end == to && edit.side != Side::Open))
        };
        let mut edits: Vec<&Edit> = self.edits.iter().filter(inside).collect();
        edits.sort_unstable_by_key(|edit| (edit.start, edit.side, edit.order));
        let mut changed = String::new();
        let mut done = from as usize;
        for edit in edits {
            changed.push_str(&text[done..edit.start as usize]);
            changed.push_str(&self.texts[edit.text.0 as usize..edit.text.1 as usize]);
            done = edit.end as usize;
        }
        changed.push_str(&text[done..to as usize]);
        changed
    }

    /// The changed text, and the way back from it; none if nothing changes.
    pub(super) fn apply(self, text: &str) -> Option<(String, Origins)> {
        let Edits { mut edits, texts } = self;
        if edits.is_empty() {
            return None;
        }
        edits.sort_unstable_by_key(|edit| (edit.start, edit.side, edit.order));
        let mut changed = String::with_capacity(text.len() + texts.len());
        let mut origins = Vec::with_capacity(edits.len());
        let mut done = 0;
        for edit in &edits {
            changed.push_str(&text[done..edit.start as usize]);
            let start = changed.len() as u32;
            changed.push_str(&texts[edit.text.0 as usize..edit.text.1 as usize]);
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
