//! Messages that other modules see with each push: each is made into a stanza once, for all pushes that are about it.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use minidom::Element;
use mlua::{Lua, Result, Table, Value};
use parking_lot::Mutex;

use super::stanza::{self, Shape};

/// How many of them are kept: most pushes that follow one another are about the same few messages.
const KEPT: usize = 16;

/// Writes messages, and keeps the newest.
pub(crate) struct SharedOriginals {
    /// The metatable of `util.stanza`'s stanzas.
    metatable: Table,
    kept: Mutex<VecDeque<(Weak<Element>, Table)>>,
}

impl SharedOriginals {
    /// Nothing to share yet.
    pub(crate) fn new(metatable: Table) -> Self {
        SharedOriginals { metatable, kept: Mutex::default() }
    }

    /// Writes a message as a stanza. Its children are shared, so they must not be changed; itself and its attributes are
    /// nobody else's.
    pub(crate) fn write(&self, lua: &Lua, message: &Arc<Element>) -> Result<Table> {
        let stanza = match self.find(message) {
            Some(stanza) => stanza,
            None => {
                let stanza = stanza::from_element(lua, message, Shape::Stanza(&self.metatable))?;
                self.keep(message, &stanza);
                stanza
            }
        };
        self.own(lua, &stanza)
    }

    fn find(&self, message: &Arc<Element>) -> Option<Table> {
        let kept = self.kept.lock();
        // The address of a message that is gone is not used again while there is a reference to it.
        let found = kept.iter().find(|(known, _)| known.as_ptr() == Arc::as_ptr(message));
        found.map(|(_, stanza)| stanza.clone())
    }

    fn keep(&self, message: &Arc<Element>, stanza: &Table) {
        let mut kept = self.kept.lock();
        kept.retain(|(known, _)| known.strong_count() > 0);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back((Arc::downgrade(message), stanza.clone()));
    }

    /// A stanza with the same children.
    fn own(&self, lua: &Lua, stanza: &Table) -> Result<Table> {
        let own = copy(lua, stanza)?;
        own.raw_set("attr", copy(lua, &stanza.raw_get("attr")?)?)?;
        own.raw_set("tags", copy(lua, &stanza.raw_get("tags")?)?)?;
        own.set_metatable(Some(self.metatable.clone()))?;
        Ok(own)
    }
}

fn copy(lua: &Lua, table: &Table) -> Result<Table> {
    let copy = lua.create_table_with_capacity(table.raw_len(), 4)?;
    table.for_each(|key: Value, value: Value| copy.raw_set(key, value))?;
    Ok(copy)
}
