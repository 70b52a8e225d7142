//! Entries in the order of the ids of their rooms: most devices have few, and some have very many.

use crate::ids::RoomId;

/// So many are looked through one after the other, which for the processor is less to guess.
const FEW: usize = 16;

/// Where the entry of a room is, or would have to be.
pub(super) fn find<T>(entries: &[T], room: RoomId, of: impl Fn(&T) -> RoomId) -> Result<usize, usize> {
    if entries.len() > FEW {
        return entries.binary_search_by_key(&room, of);
    }
    let place = entries.iter().filter(|entry| of(entry) < room).count();
    let is_there = entries.get(place).is_some_and(|entry| of(entry) == room);
    if is_there { Ok(place) } else { Err(place) }
}
