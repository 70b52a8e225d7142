//! Publish-options forms as stanzas that are kept, and so are made of as little as possible.
//!
//! Each table costs the garbage collector time for as long as it is kept, which is time that everybody waits: what
//! is the same in many forms is shared by them. So none of them may ever be changed.

use minidom::{Element, Node};
use mlua::{Lua, Result, Table};
use parking_lot::Mutex;

use super::stanza;

/// How many different parts of a kind are shared. The forms of most clients need a handful.
const SHARED: usize = 16;

/// Writes forms, and keeps what they share.
pub(crate) struct SharedForms {
    /// The metatable of `util.stanza`'s stanzas.
    metatable: Table,
    /// The child elements of an element that has none.
    no_tags: Table,
    /// `FORM_TYPE` fields.
    form_types: Parts,
    /// Attributes of elements.
    attributes: Parts,
}

/// Elements, and what they, or something of them, were made into: the first ones that were asked for.
#[derive(Default)]
struct Parts(Mutex<Vec<(Element, Table)>>);

impl Parts {
    fn find(&self, is_same: impl Fn(&Element) -> bool) -> Option<Table> {
        self.0.lock().iter().find(|(known, _)| is_same(known)).map(|(_, table)| table.clone())
    }

    fn share(&self, element: &Element, table: &Table) {
        let mut parts = self.0.lock();
        if parts.len() < SHARED {
            parts.push((element.clone(), table.clone()));
        }
    }
}

impl SharedForms {
    /// Nothing to share yet.
    pub(crate) fn new(lua: &Lua, metatable: Table) -> Result<Self> {
        let no_tags = lua.create_table()?;
        Ok(SharedForms { metatable, no_tags, form_types: Parts::default(), attributes: Parts::default() })
    }

    /// Writes a form as a stanza.
    pub(crate) fn write(&self, lua: &Lua, form: &Element) -> Result<Table> {
        if form.attr("var") != Some("FORM_TYPE") {
            return self.write_element(lua, form);
        }
        if let Some(field) = self.form_types.find(|known| known == form) {
            return Ok(field);
        }
        let field = self.write_element(lua, form)?;
        self.form_types.share(form, &field);
        Ok(field)
    }

    fn write_element(&self, lua: &Lua, element: &Element) -> Result<Table> {
        let (nodes, children) = (element.nodes().count(), element.children().count());
        let table = lua.create_table_with_capacity(nodes, 3)?;
        let tags = match children {
            0 => self.no_tags.clone(),
            _ => lua.create_table_with_capacity(children, 0)?,
        };
        table.raw_set("name", element.name())?;
        table.raw_set("attr", self.attributes(lua, element)?)?;
        for (index, node) in element.nodes().enumerate() {
            match node {
                Node::Element(child) => {
                    let child = self.write(lua, child)?;
                    tags.raw_push(&child)?;
                    table.raw_seti(index + 1, child)?;
                }
                Node::Text(text) => table.raw_seti(index + 1, text.as_str())?,
            }
        }
        table.raw_set("tags", tags)?;
        table.set_metatable(Some(self.metatable.clone()))?;
        Ok(table)
    }

    fn attributes(&self, lua: &Lua, element: &Element) -> Result<Table> {
        let known =
            self.attributes.find(|known| known.ns() == element.ns() && known.attrs() == element.attrs());
        if let Some(attributes) = known {
            return Ok(attributes);
        }
        let attributes = stanza::attributes(lua, element)?;
        let mut without_nodes = element.clone();
        without_nodes.take_nodes();
        self.attributes.share(&without_nodes, &attributes);
        Ok(attributes)
    }
}
