//! The messages that other modules want to see with each push.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use minidom::{Element, Node};

/// How much of a message is kept: so many elements, and so many bytes of text, names and attributes.
const MAX_ELEMENTS: usize = 500;
const MAX_BYTES: usize = 64 * 1024;

/// How much all messages that are kept may weigh, and what is left when that was too much.
const MAX_WEIGHT: usize = 8 * 1024 * 1024;
const WEIGHT_LEFT: usize = MAX_WEIGHT / 4 * 3;

/// What an element weighs, besides its texts.
const ELEMENT_WEIGHT: usize = 256;

/// A message that was kept; it may be gone by now.
pub(crate) type Original = Weak<Element>;

/// What is kept of messages, for as long as somebody needs it: it is here, and everybody else only refers to it. Where there
/// is too much of it, the oldest is given up.
#[derive(Debug, Default)]
pub(crate) struct Originals {
    kept: VecDeque<Kept>,
    /// What they weigh together.
    weight: usize,
}

#[derive(Debug)]
struct Kept {
    element: Arc<Element>,
    weight: usize,
}

impl Kept {
    fn is_needed(&self) -> bool {
        Arc::weak_count(&self.element) > 0
    }
}

impl Originals {
    /// Keeps a message, or of a large one as many of its children as may be.
    pub(crate) fn keep(&mut self, message: &Element) -> Original {
        while let Some(oldest) = self.kept.pop_front_if(|oldest| !oldest.is_needed()) {
            self.weight -= oldest.weight;
        }
        let mut rest = Budget { elements: MAX_ELEMENTS, bytes: MAX_BYTES };
        let element = Arc::new(within(message, &mut rest));
        let original = Arc::downgrade(&element);
        let weight = rest.spent();
        self.kept.push_back(Kept { element, weight });
        self.weight += weight;
        if self.weight > MAX_WEIGHT {
            self.give_up();
        }
        original
    }

    /// Gives up what nobody needs any more, and the oldest of the others. The newest stays.
    fn give_up(&mut self) {
        self.kept.retain(Kept::is_needed);
        self.weight = self.kept.iter().map(|kept| kept.weight).sum();
        while self.weight > WEIGHT_LEFT && self.kept.len() > 1 {
            self.weight -= self.kept.pop_front().map_or(0, |oldest| oldest.weight);
        }
    }
}

/// How much more may be kept of a message.
#[derive(Debug, Clone, Copy)]
struct Budget {
    elements: usize,
    bytes: usize,
}

impl Budget {
    /// Takes an element with all that is inside. `None` where it does not fit.
    fn take(&mut self, element: &Element) -> Option<()> {
        self.take_head(element)?;
        element.nodes().try_for_each(|node| match node {
            Node::Element(child) => self.take(child),
            Node::Text(text) => self.take_bytes(text.len()),
        })
    }

    /// Takes an element without what is inside.
    fn take_head(&mut self, element: &Element) -> Option<()> {
        self.elements = self.elements.checked_sub(1)?;
        self.take_bytes(element.name().len() + element.ns().len())?;
        element.attrs().iter().try_for_each(|((_, name), value)| self.take_bytes(name.len() + value.len()))
    }

    fn take_bytes(&mut self, bytes: usize) -> Option<()> {
        self.bytes = self.bytes.checked_sub(bytes)?;
        Some(())
    }

    /// What was taken weighs so much.
    fn spent(&self) -> usize {
        (MAX_ELEMENTS - self.elements) * ELEMENT_WEIGHT + MAX_BYTES - self.bytes
    }
}

/// A message with those of its children that fit.
fn within(message: &Element, rest: &mut Budget) -> Element {
    let mut kept = Element::bare(message.name(), message.ns());
    if rest.take_head(message).is_some() {
        for ((namespace, name), value) in message.attrs() {
            kept.set_attr(namespace.clone(), name.clone(), value.clone());
        }
    }
    for node in message.nodes() {
        let mut after = *rest;
        match node {
            Node::Element(child) if after.take(child).is_some() => {
                kept.append_child(child.clone());
                *rest = after;
            }
            Node::Text(text) if after.take_bytes(text.len()).is_some() => {
                kept.append_text_node(text);
                *rest = after;
            }
            _ => {}
        }
    }
    kept
}
