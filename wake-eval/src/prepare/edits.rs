//! Edits of a text, and the mapping of offsets back to the original.

/// The usual number of edits in a text that is edited at all.
const EXPECTED: usize = 32;

/// The edits of a text.
#[derive(Debug, Default)]
pub(super) struct Edits {
    edits: Vec<Edit>,
    /// The inserted texts, one after the other, so that no edit needs an allocation of its own.
    texts: String,
}

#[derive(Debug)]
struct Edit {
    start: u32,
    end: u32,
    /// At the same offset, closing texts come before opening ones.
    side: Side,
    /// The order at the same offset, on the same side.
    order: i32,
    /// The range in `texts`.
    text: (u32, u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Side {
    Close,
    Open,
    Replace,
}

/// Identifies an edit, which can still be amended.
#[derive(Debug, Clone, Copy)]
pub(super) struct EditId(u32);

impl Edits {
    /// Whether there are no edits.
    pub(super) fn is_empty(&self) -> bool {
        self.edits.is_empty()
    }

    /// Replaces the text between `start` and `end` with `text`.
    pub(super) fn replace(&mut self, start: u32, end: u32, text: &str) {
        self.push(start, end, Side::Replace, text);
    }

    /// Inserts `text` before what starts at `at`, and before the texts of earlier calls there.
    pub(super) fn open(&mut self, at: u32, text: &str) -> EditId {
        self.push(at, at, Side::Open, text)
    }

    /// Inserts `text` after what ends at `at`, and after the texts of earlier calls there.
    pub(super) fn close(&mut self, at: u32, text: &str) -> EditId {
        self.push(at, at, Side::Close, text)
    }

    /// Appends to the text of the last call.
    pub(super) fn and(&mut self, text: &str) -> &mut Edits {
        self.texts.push_str(text);
        if let Some(last) = self.edits.last_mut() {
            last.text.1 = self.texts.len() as u32;
        }
        self
    }

    /// Replaces the text of an earlier call.
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

    /// Returns the text between two offsets, with the edits so far.
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

    /// Returns the edited text, and the mapping back; `None` if nothing changes.
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

/// The origin of each part of an edited text.
#[derive(Debug, Default)]
pub(crate) struct Origins(Vec<Origin>);

/// The text from `start` to `end` replaces the original text between `from` and `to`.
#[derive(Debug)]
struct Origin {
    start: u32,
    end: u32,
    from: u32,
    to: u32,
}

impl Origins {
    /// Returns the original offset of an offset in the edited text.
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
