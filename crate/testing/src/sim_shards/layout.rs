//! How large the service is, and who is where. All of it follows from numbers, and is the same in each shard.

use minidom::Element;
use muc_cloud_notify_core::{AppServer, PublishOptions, Registration, UnixTime};
use rxml::xml_ncname;

use crate::sim_random::scatter;

const DATA_FORMS: &str = "jabber:x:data";
const PUBLISH_OPTIONS: &str = "http://jabber.org/protocol/pubsub#publish-options";

/// How large a service is, and for how long things happen there.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// How many shards there are.
    pub shards: usize,
    /// How many devices each of them has, one for each user: a multiple of the members of a room.
    pub devices: usize,
    /// How many members a large room has.
    pub hall: usize,
    /// How many members a small one has.
    pub den: usize,
    /// How long things are said, and go wrong.
    pub minutes: f64,
}

impl Size {
    /// A service that is simulated in seconds.
    pub const SMALL: Size = Size { shards: 10, devices: 1000, hall: 250, den: 20, minutes: 20.0 };

    /// A service with rooms as large as they are.
    pub fn with_shards(shards: usize, devices: usize) -> Self {
        let hall = if devices.is_multiple_of(5000) { 5000 } else { devices };
        Size { shards, devices, hall, den: 50, minutes: 20.0 }
    }
}

/// Each user is a member of two rooms, a large one and a small one.
pub(super) const SLOTS: usize = 2;

/// Who is in which room.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) size: Size,
    /// The users in the order in which the small rooms have them, and the place of each in it.
    order: Vec<u32>,
    places: Vec<u32>,
}

impl Layout {
    pub(super) fn new(size: Size) -> Self {
        assert!(size.devices.is_multiple_of(size.hall) && size.devices.is_multiple_of(size.den), "{size:?}");
        let mut order: Vec<u32> = (0..size.devices as u32).collect();
        order.sort_by_key(|user| scatter(u64::from(*user)));
        let mut places = vec![0; size.devices];
        for (place, user) in order.iter().enumerate() {
            places[*user as usize] = place as u32;
        }
        Layout { size, order, places }
    }

    pub(super) fn halls(&self) -> usize {
        self.size.devices / self.size.hall
    }

    pub(super) fn rooms(&self) -> usize {
        self.halls() + self.size.devices / self.size.den
    }

    /// The room of a user in one of the slots.
    pub(super) fn room(&self, user: usize, slot: usize) -> usize {
        match slot {
            0 => user / self.size.hall,
            _ => self.halls() + self.places[user] as usize / self.size.den,
        }
    }

    /// Which of their rooms a room is to its members.
    pub(super) fn slot(&self, room: usize) -> usize {
        usize::from(room >= self.halls())
    }

    /// The members of a room.
    pub(super) fn members(&self, room: usize) -> impl Iterator<Item = usize> {
        let (hall, den) = (self.size.hall, self.size.den);
        let is_hall = room < self.halls();
        let first = if is_hall { room * hall } else { (room - self.halls()) * den };
        let places = first..first + if is_hall { hall } else { den };
        places.map(move |place| if is_hall { place } else { self.order[place] as usize })
    }
}

pub(super) fn host(shard: usize) -> String {
    format!("s{shard:03}.rooms.example")
}

pub(super) fn user_jid(user: usize) -> String {
    format!("user{user:07}@capulet.example")
}

/// The number of the user with this JID.
pub(super) fn user_of(jid: &str) -> usize {
    jid.get(4..11).and_then(|digits| digits.parse().ok()).expect("one of the users")
}

pub(super) fn room_jid(shard: usize, room: usize) -> String {
    format!("room{room:06}@{}", host(shard))
}

/// What a user has registered: a node of 64 characters, and a form with a secret of 32.
pub(super) fn registration(shard: usize, user: usize, app_server: &str) -> Registration {
    let key = (shard << 24 | user) as u64;
    let digits = |words: std::ops::Range<u64>| -> String {
        words.map(|word| format!("{:016x}", scatter(key << 3 | word))).collect()
    };
    let form = Element::builder("x", DATA_FORMS)
        .attr(xml_ncname!("type").into(), "submit")
        .append(field("FORM_TYPE", PUBLISH_OPTIONS))
        .append(field("secret", &digits(4..6)))
        .build();
    let node = digits(0..4);
    Registration::stored(
        &format!("{app_server}<{node}"),
        AppServer::prepared(app_server),
        Some(node.into()),
        Some(PublishOptions::from(&form)),
        UnixTime::from_seconds(0.0),
    )
}

fn field(var: &str, value: &str) -> Element {
    let value = Element::builder("value", DATA_FORMS).append(value.to_owned());
    Element::builder("field", DATA_FORMS).attr(xml_ncname!("var").into(), var).append(value).build()
}
