//! What messages say, some of which get another text, or are taken back.

use std::collections::BTreeMap;

/// The texts of the messages that were changed.
#[derive(Debug, Default)]
pub(super) struct Texts(BTreeMap<u32, Text>);

/// What was made of a message. Each change of it makes another version.
#[derive(Debug, Default)]
struct Text {
    version: u32,
    /// With this one it was taken back.
    gone: Option<u32>,
    /// What comes before this one is told no more.
    least: u32,
    /// The one that is in the batch that is being written, and the one that is in the store.
    in_batch: u32,
    stored: u32,
}

/// The text of a message in a version.
pub(super) fn text_of(number: u32, version: u32) -> String {
    if version == 0 { format!("m{number}") } else { format!("m{number}v{version}") }
}

/// Which message has this text, and in which version; nothing for the text that stands for all that is not told.
pub(super) fn read_text(text: &str) -> Option<(u32, u32)> {
    let text = text.strip_prefix('m')?;
    let (number, version) = text.split_once('v').unwrap_or((text, "0"));
    Some((number.parse().ok()?, version.parse().ok()?))
}

impl Texts {
    /// The version of a message after the next change.
    pub(super) fn next_version(&self, number: u32) -> u32 {
        self.0.get(&number).map_or(0, |text| text.version) + 1
    }

    /// A message is changed.
    pub(super) fn revise(&mut self, number: u32, is_taken_back: bool) {
        let text = self.0.entry(number).or_default();
        text.version += 1;
        text.least = text.version;
        if is_taken_back {
            text.gone = text.gone.or(Some(text.version));
        }
    }

    /// A push tells a text. Panics where that is not the one of the message.
    pub(super) fn assert_told(&self, number: u32, version: u32) {
        let Some(text) = self.0.get(&number) else {
            assert_eq!(version, 0, "nobody has changed {number}");
            return;
        };
        let is_told = version >= text.least && version <= text.version;
        let is_gone = text.gone.is_some_and(|gone| version >= gone);
        assert!(is_told && !is_gone, "version {version} of {number} is told: {text:?}");
    }

    pub(super) fn begin_batch(&mut self) {
        self.0.values_mut().for_each(|text| text.in_batch = text.version);
    }

    pub(super) fn batch_stored(&mut self) {
        self.0.values_mut().for_each(|text| text.stored = text.in_batch);
    }

    /// All is in the store.
    pub(super) fn keep(&mut self) {
        self.0.values_mut().for_each(|text| text.stored = text.version);
    }

    /// The store may have nothing of it.
    pub(super) fn lose(&mut self) {
        self.0.values_mut().for_each(|text| (text.stored, text.least) = (0, 0));
    }

    /// There is a new process, which knows what is in the store.
    pub(super) fn restart(&mut self) {
        self.0.values_mut().for_each(|text| text.least = text.least.min(text.stored));
    }
}
