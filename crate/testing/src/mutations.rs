//! Mutations: small changes of a source file, each of which breaks a promise. A test has to fail for each of them.
//!
//! They are in `crate/testing/mutations`, a file a topic, in this form:
//!
//! ```text
//! ## The author of a message is told of it
//! crate/core/src/engine/messages.rs  recipients
//! - if self.sender == Some(*id) || self.present.contains(id) {
//! + if self.present.contains(id) {
//! ```
//!
//! After the heading, which says what is so then, there are the file and where it is known to be caught: the begin of tests'
//! names, or the file of a spec. What is taken out must be in the file once, and need not be whole lines; how it is divided into
//! lines, and where blanks are, does not matter. What stands before the first heading is a comment.

mod switch;

pub use switch::{ASKER, switched};

use std::fmt;
use std::ops::Range;

/// A change of a source file that breaks a promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutation {
    /// What is so then.
    pub title: String,
    /// The file, from the root of the repository.
    pub file: String,
    /// Where it is known to be caught: the begin of tests' names, or the file of a spec.
    pub caught_by: String,
    /// What is taken out.
    before: String,
    /// What stands there instead.
    after: String,
}

/// Why something is no mutation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A text is none.
    Malformed(String),
    /// What is taken out is that often in its file.
    Found(usize),
}

impl fmt::Display for Fault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Malformed(text) => write!(formatter, "this is no mutation: {text}"),
            Fault::Found(times) => {
                write!(formatter, "what it changes is {times} times in its file, not once")
            }
        }
    }
}

/// The mutations of a text.
///
/// # Errors
///
/// [`Fault::Malformed`] where one of them is none.
pub fn read(text: &str) -> Result<Vec<Mutation>, Fault> {
    let text = format!("\n{text}");
    text.split("\n## ").skip(1).map(|one| Mutation::read(one).ok_or(Fault::Malformed(one.into()))).collect()
}

impl Mutation {
    fn read(text: &str) -> Option<Self> {
        let (title, text) = text.split_once('\n')?;
        let (place, text) = text.split_once('\n')?;
        let (file, caught_by) = place.split_once("  ")?;
        let (mut before, mut after) = (Vec::new(), Vec::new());
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let (sign, rest) = line.split_at_checked(1)?;
            match sign {
                "-" if after.is_empty() => before.push(rest),
                "+" => after.push(rest),
                _ => return None,
            }
        }
        let [title, file, caught_by] = [title, file, caught_by].map(|it| it.trim().to_owned());
        let is_whole = !before.is_empty() && [&title, &file, &caught_by].iter().all(|it| !it.is_empty());
        is_whole.then(|| Mutation {
            title,
            file,
            caught_by,
            before: before.join("\n"),
            after: after.join("\n"),
        })
    }

    /// What becomes of its file.
    ///
    /// # Errors
    ///
    /// [`Fault::Found`] where it is not known what is to be changed.
    pub fn apply(&self, source: &str) -> Result<String, Fault> {
        let Range { start, end } = self.place(source)?;
        Ok(format!("{}{}{}", &source[..start], self.after.trim(), &source[end..]))
    }

    /// What it changes.
    fn place(&self, source: &str) -> Result<Range<usize>, Fault> {
        match &find(source, &self.before)[..] {
            [place] => Ok(place.clone()),
            found => Err(Fault::Found(found.len())),
        }
    }
}

/// Where a text is, whatever blanks there are in it.
fn find(source: &str, text: &str) -> Vec<Range<usize>> {
    let dense = |text: &str| -> Vec<(usize, char)> {
        text.char_indices().filter(|(_, c)| !c.is_whitespace()).collect()
    };
    let (source, text) = (dense(source), dense(text));
    let is_it = |some: &&[(usize, char)]| some.iter().map(|(_, c)| c).eq(text.iter().map(|(_, c)| c));
    let found = source.windows(text.len().max(1)).filter(is_it);
    found.filter_map(|some| Some(some.first()?.0..some.last().map(|(at, c)| at + c.len_utf8())?)).collect()
}
