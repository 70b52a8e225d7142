//! Elements in few bytes: for what there is one of for every device.
//!
//! An element is its name, its namespace, its attributes and its nodes, one after the other. A string is its
//! number in `COMMON`, or its length and itself; so is a count. Nothing here leaves the process.

use minidom::{Element, Node};
use rxml::{Namespace, NcName};

use crate::ns;

/// The strings that the forms of real clients consist of.
const COMMON: [&str; 18] = [
    "",
    "x",
    "field",
    "value",
    "type",
    "var",
    "submit",
    "hidden",
    "text-single",
    "FORM_TYPE",
    "secret",
    "pushModule",
    "label",
    "option",
    ns::DATA_FORMS,
    ns::PUBLISH_OPTIONS,
    "service",
    "device_id",
];

/// What follows a string's place, when it is not one of the common ones: see [`write_text`].
const LITERAL: usize = COMMON.len();

/// A node that is text; the other kind is an element.
const TEXT: u8 = 0;
const ELEMENT: u8 = 1;

/// Writes an element.
pub(super) fn write(element: &Element) -> Box<[u8]> {
    let mut bytes = Vec::new();
    write_element(&mut bytes, element);
    bytes.into()
}

/// Reads what [`write()`] has written; `None` for anything else.
pub(super) fn read(bytes: &[u8]) -> Option<Element> {
    let mut rest = bytes;
    read_element(&mut rest).filter(|_| rest.is_empty())
}

fn write_element(bytes: &mut Vec<u8>, element: &Element) {
    write_text(bytes, element.name());
    write_text(bytes, &element.ns());
    write_number(bytes, element.attrs().iter().count());
    for ((namespace, name), value) in element.attrs() {
        write_text(bytes, namespace);
        write_text(bytes, name);
        write_text(bytes, value);
    }
    write_number(bytes, element.nodes().count());
    for node in element.nodes() {
        match node {
            Node::Text(text) => {
                bytes.push(TEXT);
                write_text(bytes, text);
            }
            Node::Element(child) => {
                bytes.push(ELEMENT);
                write_element(bytes, child);
            }
        }
    }
}

fn write_text(bytes: &mut Vec<u8>, text: &str) {
    match COMMON.iter().position(|common| *common == text) {
        Some(place) => write_number(bytes, place),
        None => {
            write_number(bytes, LITERAL + text.len());
            bytes.extend_from_slice(text.as_bytes());
        }
    }
}

/// Seven bits a byte, the lowest first; the eighth says that more follow.
fn write_number(bytes: &mut Vec<u8>, mut number: usize) {
    while number > 0x7F {
        bytes.push((number & 0x7F) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn read_element(bytes: &mut &[u8]) -> Option<Element> {
    let name = read_text(bytes)?;
    let mut element = Element::bare(name, read_text(bytes)?);
    for _ in 0..read_number(bytes)? {
        let namespace = Namespace::from(read_text(bytes)?.to_owned());
        let name = NcName::try_from(read_text(bytes)?.to_owned()).ok()?;
        element.set_attr(namespace, name, read_text(bytes)?);
    }
    for _ in 0..read_number(bytes)? {
        match take(bytes, 1)? {
            [TEXT] => element.append_text_node(read_text(bytes)?),
            _ => {
                let child = read_element(bytes)?;
                element.append_child(child);
            }
        }
    }
    Some(element)
}

fn read_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a str> {
    let number = read_number(bytes)?;
    match COMMON.get(number) {
        Some(common) => Some(common),
        None => std::str::from_utf8(take(bytes, number - LITERAL)?).ok(),
    }
}

fn read_number(bytes: &mut &[u8]) -> Option<usize> {
    let mut number: usize = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let byte = *take(bytes, 1)?.first()?;
        number |= usize::from(byte & 0x7F).checked_shl(shift)?;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

fn take<'a>(bytes: &mut &'a [u8], count: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(count)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_form_as_clients_send_it_takes_little_more_than_its_secret() {
        let secret = "s".repeat(32);
        let form = format!(
            "<x xmlns='jabber:x:data' type='submit'><field var='FORM_TYPE'>\
             <value>http://jabber.org/protocol/pubsub#publish-options</value></field>\
             <field var='secret'><value>{secret}</value></field></x>"
        );
        let form: Element = form.parse().unwrap();
        let bytes = write(&form);
        assert_eq!(read(&bytes), Some(form));
        assert!(bytes.len() < 32 + 48, "{} bytes", bytes.len());
    }

    #[test]
    fn anything_may_be_in_it() {
        let form: Element =
            "<x xmlns='jabber:x:data' xmlns:o='urn:o' o:a='1' xml:lang='de' b=''>text<y xmlns='urn:y'>\
             <z xmlns=''/></y>\u{1d11e}<field label='a &amp; b'/></x>"
                .parse()
                .unwrap();
        assert_eq!(read(&write(&form)), Some(form));
    }

    #[test]
    fn long_text_and_many_fields_are_counted_right() {
        let mut form = Element::bare("x", ns::DATA_FORMS);
        for length in [0, 1, 109, 110, 111, 127, 128, 129, 16383, 16384, 100_000] {
            let mut field = Element::bare("field", ns::DATA_FORMS);
            field.append_text_node("\u{e9}".repeat(length));
            form.append_child(field);
        }
        assert_eq!(read(&write(&form)), Some(form));
    }

    proptest! {
        #[test]
        fn other_bytes_are_nothing_or_something_but_no_panic(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }
}
