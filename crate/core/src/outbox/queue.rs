//! The devices that have something to be pushed: those of an app server domain in lanes, one for each room.

use std::collections::HashMap;

use crate::domains::DomainId;
use crate::ids::{DeviceId, RoomId};

use crate::lists::{List, Lists, Slot};

/// A device that waits for its turn.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    device: DeviceId,
    lane: Slot,
}

/// The devices of a domain that wait because of one room, in the order in which they began to; or those of which none is
/// known, as that another module wants to push to.
#[derive(Debug, Clone, Copy)]
struct Lane {
    room: Option<RoomId>,
    devices: List,
}

/// The lanes of a domain. All of them have devices.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Lanes {
    /// The one whose turn it is comes first.
    lanes: List,
    /// The one that a device was last put into: the next device is very likely there for the same message.
    latest: Option<Slot>,
    /// How many devices are in all of them.
    waiting: u32,
}

impl Lanes {
    /// How many devices wait.
    pub(crate) fn waiting(&self) -> u32 {
        self.waiting
    }
}

/// What the lanes of all domains hold.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: Lists<Waiting>,
    lanes: Lists<Lane>,
    by_room: HashMap<(DomainId, Option<RoomId>), Slot>,
    len: usize,
}

impl Queue {
    /// How many devices wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// A device waits, because of a room if one is known. Returns where, unless no memory can hold any more.
    pub(super) fn push(
        &mut self,
        lanes: &mut Lanes,
        domain: DomainId,
        room: Option<RoomId>,
        device: DeviceId,
    ) -> Option<Slot> {
        let slot = self.lane(lanes, domain, room)?;
        let lane = self.lanes.get_mut(slot)?;
        let place = self.waiting.push(&mut lane.devices, Waiting { device, lane: slot })?;
        lanes.latest = Some(slot);
        lanes.waiting += 1;
        self.len += 1;
        Some(place)
    }

    /// Takes out the device whose turn it is. Then it is the turn of the next lane.
    pub(super) fn pop(&mut self, lanes: &mut Lanes, domain: DomainId) -> Option<DeviceId> {
        let lane = self.lanes.get(lanes.lanes.first()?)?;
        let place = lane.devices.first()?;
        self.lanes.rotate(&mut lanes.lanes);
        self.remove(lanes, domain, place)
    }

    /// Takes out a device, wherever it is.
    pub(super) fn remove(&mut self, lanes: &mut Lanes, domain: DomainId, place: Slot) -> Option<DeviceId> {
        let slot = self.waiting.get(place)?.lane;
        let lane = self.lanes.get_mut(slot)?;
        let Waiting { device, .. } = self.waiting.remove(&mut lane.devices, place)?;
        lanes.waiting = lanes.waiting.saturating_sub(1);
        self.len = self.len.saturating_sub(1);
        if lane.devices.is_empty() {
            let room = lane.room;
            self.lanes.remove(&mut lanes.lanes, slot);
            lanes.latest.take_if(|latest| *latest == slot);
            self.by_room.remove(&(domain, room));
        }
        Some(device)
    }

    fn lane(&mut self, lanes: &mut Lanes, domain: DomainId, room: Option<RoomId>) -> Option<Slot> {
        if let Some(latest) = lanes.latest
            && self.lanes.get(latest).is_some_and(|lane| lane.room == room)
        {
            return Some(latest);
        }
        if let Some(&slot) = self.by_room.get(&(domain, room)) {
            return Some(slot);
        }
        let slot = self.lanes.push(&mut lanes.lanes, Lane { room, devices: List::default() })?;
        self.by_room.insert((domain, room), slot);
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn device(number: u64) -> DeviceId {
        DeviceId::from_number(1 << 32 | number)
    }

    fn rooms() -> [RoomId; 2] {
        let mut rooms = slotmap::SlotMap::with_key();
        [(); 2].map(|()| rooms.insert(()))
    }

    #[test]
    fn each_room_has_its_turn_and_within_one_the_first_is_the_first() {
        let (mut queue, mut lanes, domain) = (Queue::default(), Lanes::default(), DomainId::default());
        let [flood, quiet] = rooms();
        for number in 0..10 {
            queue.push(&mut lanes, domain, Some(flood), device(number));
        }
        queue.push(&mut lanes, domain, Some(quiet), device(100));
        queue.push(&mut lanes, domain, None, device(200));
        let order = std::iter::from_fn(|| queue.pop(&mut lanes, domain)).map(|it| it.number() as u32);
        assert_eq!(order.collect::<Vec<_>>(), [0, 100, 200, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
        assert_eq!((queue.len(), lanes.waiting(), queue.by_room.len()), (0, 0, 0));
    }

    #[test]
    fn who_comes_and_goes_leaves_nothing() {
        let (mut queue, mut lanes, domain) = (Queue::default(), Lanes::default(), DomainId::default());
        let [room, other] = rooms();
        queue.push(&mut lanes, domain, Some(room), device(0));
        for number in 1..1000 {
            let place = queue.push(&mut lanes, domain, Some(other), device(number));
            assert_eq!(queue.remove(&mut lanes, domain, place.unwrap()), Some(device(number)));
        }
        assert_eq!((queue.len(), queue.by_room.len()), (1, 1));
        assert_eq!(queue.pop(&mut lanes, domain), Some(device(0)));
        assert_eq!(queue.pop(&mut lanes, domain), None);
    }
}
