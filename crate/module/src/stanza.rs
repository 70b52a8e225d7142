//! Stanzas: Prosody's `util.stanza` tables on one side, minidom's elements on the other.
//!
//! A stanza is a table with `name`, `attr`, the child nodes in its array part and the child elements again
//! in `tags`. Its preserialized form, in which stanzas are stored, is the same without `tags`.

use minidom::{Element, Node};
use mlua::{Lua, Result, Table, Value};
use muc_cloud_notify_core::NS_CLIENT;
use rxml::{Namespace, NcName};

/// How deep a stanza is looked into. What lies deeper means nothing to us; it is left out.
const MAX_DEPTH: usize = 64;

/// How many elements, attributes and texts of a stanza are read: many more than people's clients send, and few enough for
/// nobody to wait for. What comes after them is left out.
const MAX_PARTS: usize = 5000;

/// So many bytes of a namespace count as one more part: it is sent once, and every element has it.
const NAMESPACE_PART: usize = 256;

/// The prefix of `xml:lang` and its like, which Prosody keeps in the attribute's name.
const XML_PREFIX: &str = "xml:";

/// Separates the namespace of an attribute from its name.
const NAMESPACE_SEPARATOR: char = '\u{1}';

/// Which kind of table an element becomes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape<'a> {
    /// A stanza, with this metatable.
    Stanza(&'a Table),
    /// The preserialized form.
    Preserialized,
}

/// Reads a stanza, or one in preserialized form, whose own namespace is `jabber:client` unless it says
/// otherwise. `None` where the table is neither.
pub(crate) fn to_element(stanza: &Table) -> Result<Option<Element>> {
    let mut left = MAX_PARTS;
    element(stanza, NS_CLIENT, 0, &mut left)
}

fn element(table: &Table, parent_ns: &str, depth: usize, left: &mut usize) -> Result<Option<Element>> {
    let (Value::String(name), Value::Table(attr)) = (table.raw_get("name")?, table.raw_get("attr")?) else {
        return Ok(None);
    };
    let own_ns: Option<String> = attr.raw_get("xmlns")?;
    let own_ns = own_ns.as_deref().unwrap_or(parent_ns);
    take(left, own_ns.len() / NAMESPACE_PART);
    let mut element = Element::bare(name.to_string_lossy(), own_ns);
    for pair in attr.pairs::<Value, Value>() {
        let (key, value) = pair?;
        let namespaces =
            if let Value::String(key) = &key { key.as_bytes().len() / NAMESPACE_PART } else { 0 };
        if !take(left, 1 + namespaces) {
            break;
        }
        if let (Value::String(key), Some(value)) = (key, text(&value))
            && let Some((namespace, name)) = attribute_name(&key.to_string_lossy())
        {
            element.set_attr(namespace, name, value);
        }
    }
    if depth < MAX_DEPTH {
        for index in 1..=table.raw_len() {
            if !take(left, 1) {
                break;
            }
            match table.raw_get(index)? {
                Value::Table(child) => {
                    if let Some(child) = self::element(&child, own_ns, depth + 1, left)? {
                        element.append_child(child);
                    }
                }
                value => element.append_text_node(text(&value).unwrap_or_default()),
            }
        }
    }
    Ok(Some(element))
}

/// Takes some parts of a stanza out of those that are left. Returns whether there were so many.
fn take(left: &mut usize, parts: usize) -> bool {
    let after = left.checked_sub(parts);
    *left = after.unwrap_or(0);
    after.is_some()
}

/// Writes an element that stands where `jabber:client` is the default namespace. Every element of another
/// namespace gets its `xmlns`, as Prosody's parser does it: a receiver in this process
/// sees the same as one that parses it.
pub(crate) fn from_element(lua: &Lua, element: &Element, shape: Shape<'_>) -> Result<Table> {
    let table = lua.create_table()?;
    table.raw_set("name", element.name())?;
    table.raw_set("attr", attributes(lua, element)?)?;
    let tags = lua.create_table()?;
    for (index, node) in element.nodes().enumerate() {
        match node {
            Node::Element(child) => {
                let child = from_element(lua, child, shape)?;
                tags.raw_push(&child)?;
                table.raw_seti(index + 1, child)?;
            }
            Node::Text(text) => table.raw_seti(index + 1, text.as_str())?,
        }
    }
    if let Shape::Stanza(metatable) = shape {
        table.raw_set("tags", tags)?;
        table.set_metatable(Some(metatable.clone()))?;
    }
    Ok(table)
}

/// Writes the attributes of an element.
pub(crate) fn attributes(lua: &Lua, element: &Element) -> Result<Table> {
    let attr = lua.create_table()?;
    let own_ns = element.ns();
    if own_ns != NS_CLIENT {
        attr.raw_set("xmlns", own_ns)?;
    }
    for ((namespace, name), value) in element.attrs() {
        attr.raw_set(prosody_name(namespace, name), value.as_str())?;
    }
    Ok(attr)
}

/// The text of a child node or an attribute; modules also put numbers there.
fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.to_string_lossy()),
        Value::Integer(number) => Some(number.to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The name of an attribute in XML's terms; `None` for what cannot be one, and for `xmlns`.
fn attribute_name(key: &str) -> Option<(Namespace<'static>, NcName)> {
    let (namespace, name) = match key.split_once(NAMESPACE_SEPARATOR) {
        Some((namespace, name)) => (Namespace::from(namespace.to_owned()), name),
        None => match key.strip_prefix(XML_PREFIX) {
            Some(name) => (Namespace::XML, name),
            None => (Namespace::NONE, key),
        },
    };
    let name = NcName::try_from(name.to_owned()).ok()?;
    (name.as_str() != "xmlns").then_some((namespace, name))
}

fn prosody_name(namespace: &Namespace<'_>, name: &NcName) -> String {
    if *namespace == Namespace::NONE {
        name.as_str().to_owned()
    } else if *namespace == Namespace::XML {
        format!("{XML_PREFIX}{name}")
    } else {
        format!("{namespace}{NAMESPACE_SEPARATOR}{name}")
    }
}
