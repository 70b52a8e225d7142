//! The data form that a client hands over for its app server (XEP-0357, section 5).

mod compact;

use minidom::{Element, Node};

use crate::error::RequestError;
use crate::ns;

/// The largest form that is accepted, in bytes as it would be sent.
pub const MAX_FORM_SIZE: usize = 8192;

/// The most elements that are accepted, the form itself included: each one costs more than its bytes, wherever it is kept.
pub const MAX_FORM_ELEMENTS: usize = 64;

/// The most attributes that are accepted, of all elements together.
pub const MAX_FORM_ATTRIBUTES: usize = 128;

/// The deepest nesting that is accepted: a plain field's value is at level 2.
pub const MAX_FORM_DEPTH: usize = 8;

/// A publish-options form, as it came. There is one for every device, so it is kept small.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishOptions(Box<[u8]>);

impl From<&Element> for PublishOptions {
    fn from(form: &Element) -> Self {
        PublishOptions(compact::write(form))
    }
}

impl PublishOptions {
    /// The form, as it came.
    pub fn element(&self) -> Element {
        // What was written can be read; an empty form is the worst that could come of it.
        compact::read(&self.0).unwrap_or_else(|| Element::bare("x", ns::DATA_FORMS))
    }
}

/// Finds the publish-options form among the children of `<enable/>`; none is fine.
///
/// # Errors
///
/// [`RequestError::NotPublishOptions`] where there is a data form, but none that is a submitted
/// publish-options form; [`RequestError::LargeForm`], [`RequestError::ManyElements`],
/// [`RequestError::ManyAttributes`] and [`RequestError::DeepForm`] beyond the limits.
pub(crate) fn read(enable: &Element) -> Result<Option<PublishOptions>, RequestError> {
    let mut forms = enable.children().filter(|child| child.is("x", ns::DATA_FORMS)).peekable();
    if forms.peek().is_none() {
        return Ok(None);
    }
    let form = forms.find(|form| is_publish_options(form)).ok_or(RequestError::NotPublishOptions)?;
    check_size(form)?;
    Ok(Some(form.into()))
}

/// Whether a form is a submitted publish-options form. `FORM_TYPE` is found by its `var`: it may stand
/// anywhere, and clients leave out its `type='hidden'`.
fn is_publish_options(form: &Element) -> bool {
    form.attr("type") == Some("submit")
        && form
            .children()
            .find(|child| child.is("field", ns::DATA_FORMS) && child.attr("var") == Some("FORM_TYPE"))
            .and_then(|field| field.get_child("value", ns::DATA_FORMS))
            .is_some_and(|value| value.text().trim() == ns::PUBLISH_OPTIONS)
}

/// Walks the form without recursion, so that its nesting cannot exhaust the stack either, and no further than the limits.
fn check_size(form: &Element) -> Result<(), RequestError> {
    let (mut size, mut elements, mut attributes) = (attribute_size("xmlns", ns::DATA_FORMS), 0, 0);
    let mut open = vec![(form, 0)];
    while let Some((element, depth)) = open.pop() {
        elements += 1;
        attributes += element.attrs().iter().count();
        size += tags_size(element);
        if depth > MAX_FORM_DEPTH {
            return Err(RequestError::DeepForm(MAX_FORM_DEPTH));
        }
        let namespace = element.ns();
        for node in element.nodes() {
            match node {
                Node::Element(child) => {
                    // A namespace is written where it changes.
                    if !child.has_ns(&*namespace) {
                        size += attribute_size("xmlns", &child.ns());
                    }
                    open.push((child, depth + 1));
                }
                Node::Text(text) => size += escaped_size(text),
            }
            if elements + open.len() > MAX_FORM_ELEMENTS {
                return Err(RequestError::ManyElements(MAX_FORM_ELEMENTS));
            }
        }
        if attributes > MAX_FORM_ATTRIBUTES {
            return Err(RequestError::ManyAttributes(MAX_FORM_ATTRIBUTES));
        }
        if size > MAX_FORM_SIZE {
            return Err(RequestError::LargeForm(MAX_FORM_SIZE));
        }
    }
    Ok(())
}

/// What the tags of an element take: `<name attributes></name>`.
fn tags_size(element: &Element) -> usize {
    let attributes = element.attrs().iter();
    let attributes =
        attributes.map(|((ns, name), value)| ns.len() + attribute_size(name, value)).sum::<usize>();
    2 * element.name().len() + "<></>".len() + attributes
}

fn attribute_size(name: &str, value: &str) -> usize {
    name.len() + " =''".len() + escaped_size(value)
}

/// What a text takes once it is escaped.
fn escaped_size(text: &str) -> usize {
    let escaped = text.bytes().map(|byte| match byte {
        b'<' | b'>' => "&lt;".len(),
        b'&' => "&amp;".len(),
        b'"' | b'\'' => "&quot;".len(),
        _ => 1,
    });
    escaped.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_of_a_form_is_no_more_than_twice_what_was_sent() {
        for fields in
            [String::new(), "<a/>".repeat(MAX_FORM_ELEMENTS - 1), format!("<a>{}</a>", "v".repeat(8000))]
        {
            let sent = format!("<x xmlns='jabber:x:data' type='submit'>{fields}</x>");
            let form: Element = sent.parse().unwrap();
            assert_eq!(check_size(&form), Ok(()));
            let kept = PublishOptions::from(&form).0.len();
            assert!(kept <= 2 * sent.len(), "{kept} bytes of {}", sent.len());
        }
    }
}
