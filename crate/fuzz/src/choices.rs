//! Bytes as a course of choices.

/// Reads choices from bytes. Where these are used up, each choice is the first one, so that everything comes to an end.
#[derive(Debug)]
pub struct Choices<'a> {
    bytes: &'a [u8],
    /// How much may still be made of them, in bytes: a few of them could make anything.
    room: usize,
}

/// Parts of texts that have been hard for somebody: separators, what folding changes, what takes part in no word, what is
/// joined, and names.
const FRAGMENTS: [&str; 64] = [
    "",
    " ",
    "a",
    "b",
    ",",
    ".",
    ":",
    "/",
    "@",
    "<",
    "&",
    "'",
    "\"",
    "?",
    "=",
    "#",
    "\\",
    "[",
    "]",
    "(",
    ")",
    "*",
    "_",
    "-",
    "\n",
    "\t",
    "0",
    "1",
    "ann",
    "bob",
    "Bob",
    "ann b",
    "bob c",
    "juliet@capulet.example",
    "push.example",
    "conference.example",
    "orchard@conference.example",
    "xmpp:",
    "http://a",
    "www.a.b",
    "a.b/c",
    "a@b.c",
    "?a=b&",
    "\u{301}",
    "\u{316}",
    "\u{200D}",
    "\u{200B}",
    "\u{AD}",
    "\u{FEFF}",
    "é",
    "ß",
    "İ",
    "Σ",
    "ﷺ",
    "，",
    "：",
    "中",
    "한",
    "\u{1112}\u{1161}",
    "🎉",
    "🇩",
    "👩\u{200D}👧",
    "\u{1F3FD}",
    "xn--a",
];

impl<'a> Choices<'a> {
    /// The choices that these bytes are.
    pub fn new(bytes: &'a [u8]) -> Self {
        Choices { bytes, room: 0 }
    }

    /// Whether any are left.
    pub fn are_left(&self) -> bool {
        !self.bytes.is_empty()
    }

    /// From now on so many bytes may be made.
    pub fn set_room(&mut self, room: usize) {
        self.room = room;
    }

    /// How many more copies may be made of something of `size` bytes, up to a number that is chosen; they are taken to be made.
    pub fn copies(&mut self, limit: usize, size: usize) -> usize {
        let copies = self.times(limit).min(self.room / size.max(1));
        self.room -= copies * size;
        copies
    }

    /// A byte.
    pub fn byte(&mut self) -> u8 {
        let Some((&first, rest)) = self.bytes.split_first() else { return 0 };
        self.bytes = rest;
        first
    }

    /// A number below `limit`, which is at least 1.
    pub fn below(&mut self, limit: usize) -> usize {
        let number = if limit <= 256 {
            usize::from(self.byte())
        } else {
            usize::from(self.byte()) << 8 | usize::from(self.byte())
        };
        number % limit.max(1)
    }

    /// Whether something is so that is so once in `count` times.
    pub fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == count - 1
    }

    /// One of several.
    pub fn pick<'t, T: ?Sized>(&mut self, several: &[&'t T]) -> &'t T {
        let place = self.below(several.len());
        several.get(place).copied().expect("there are some")
    }

    /// How often something is repeated: most often once, sometimes up to `limit` times.
    pub fn times(&mut self, limit: usize) -> usize {
        match self.byte() {
            0..=191 => 1,
            byte => (1_usize << ((byte - 192) / 4)).min(limit),
        }
    }

    /// A text of at most `limit` bytes, in which a part may be repeated.
    pub fn text(&mut self, limit: usize) -> String {
        let limit = limit.min(self.room.max(1024));
        let mut text = String::new();
        for _ in 0..self.below(8) {
            let part = if self.one_in(8) {
                let length = self.below(12).min(self.bytes.len());
                let (raw, rest) = self.bytes.split_at(length);
                self.bytes = rest;
                // Also what cannot be in XML: a damaged store may hold it, and so may the stanza of another module.
                String::from_utf8_lossy(raw).into_owned()
            } else {
                let count = 1 + self.below(3);
                (0..count).map(|_| self.pick(&FRAGMENTS)).collect()
            };
            let times = self.times(limit);
            let room = limit.saturating_sub(text.len()) / part.len().max(1);
            text.push_str(&part.repeat(times.min(room)));
        }
        self.room = self.room.saturating_sub(text.len());
        text
    }

    /// A number as somebody may write it.
    pub fn number(&mut self) -> String {
        match self.below(8) {
            0 => "-1".to_owned(),
            1 => u64::MAX.to_string(),
            2 => self.text(8),
            3 => self.below(65536).to_string(),
            _ => self.below(40).to_string(),
        }
    }

    /// A number of any kind.
    pub fn float(&mut self) -> f64 {
        match self.below(12) {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => f64::NEG_INFINITY,
            3 => -1.0,
            4 => 1e300,
            5 => f64::MIN_POSITIVE,
            _ => self.below(65536) as f64 / 16.0,
        }
    }
}
