//! What outlives a clean stop: what was missed, what was not told yet, and what went wrong.
//!
//! Registrations are not in it: they are in the store all the time.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::device::{Content, Device, Missed, Pending, Trouble};
use crate::engine::Engine;

/// The state of every device that has any. Times are ages: seconds before the snapshot was taken.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The devices.
    pub devices: Vec<DeviceState>,
}

/// The state of a device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct DeviceState {
    /// The bare JID of its owner.
    pub user: String,
    /// Its push identifier.
    pub key: String,
    /// Persistent errors in a row.
    pub errors: u32,
    /// Transient errors in a row.
    pub attempts: u32,
    /// How long it has had nothing but transient errors.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing_for: Option<f64>,
    /// Whether a push without a message was asked for.
    pub pinged: bool,
    /// What was missed, room by room; the newest last.
    pub missed: Vec<MissedState>,
}

/// What was missed in one room.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct MissedState {
    /// The room's bare JID.
    pub room: String,
    /// How many messages.
    pub count: u32,
    /// What is still to be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending: Option<PendingState>,
}

/// What is still to be told of a room.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct PendingState {
    /// The occupant JID of who wrote the newest message, where the app server may know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sender: Option<String>,
    /// What it says, where the app server may know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Whether the owner is mentioned.
    pub mentioned: bool,
    /// How many messages it stands for.
    pub messages: u32,
    /// How old the newest message is.
    pub age: f64,
}

impl DeviceState {
    fn trouble(&self, now: f64) -> Option<Trouble> {
        let is_any = self.errors > 0 || self.attempts > 0 || self.failing_for.is_some();
        is_any.then(|| Trouble {
            errors: self.errors,
            attempts: self.attempts,
            failing_since: self.failing_for.map(|age| now - age),
        })
    }
}

impl Engine {
    /// Takes a snapshot at `now`. A publish that was not answered yet is in it as if it had not been sent:
    /// better told twice than never.
    pub fn snapshot(&self, now: f64) -> Snapshot {
        let states = self.devices.values().map(|device| self.device_state(device, now));
        Snapshot { devices: states.flatten().collect() }
    }

    /// Takes up what a snapshot holds of the devices that are still registered. Returns the rooms in which
    /// something was missed: nothing of it is told before their members and occupants were read.
    pub fn restore(&mut self, snapshot: &Snapshot, now: f64) -> Vec<String> {
        let mut rooms = Vec::new();
        for state in &snapshot.devices {
            let user = self.user_ids.get(&*state.user).and_then(|&id| Some((id, self.users.get(id)?)));
            let Some((user_id, user)) = user else { continue };
            let id = user.devices.iter().copied().find(|&id| {
                self.devices.get(id).is_some_and(|device| device.registration.key() == state.key)
            });
            let Some(id) = id else { continue };
            for missed in &state.missed {
                let room = self.room_id(&missed.room);
                if let Some(room) = self.rooms.get_mut(room) {
                    room.presume_member(user_id);
                }
                let pending =
                    missed.pending.as_ref().map(|pending| self.restore_pending(&missed.room, pending, now));
                if let Some(device) = self.devices.get_mut(id) {
                    device.missed.push(Missed { room, count: missed.count });
                    device.pending.extend(pending.map(|pending| (room, pending)));
                }
            }
            if let Some(device) = self.devices.get_mut(id) {
                device.trouble = state.trouble(now).map(Box::new);
                device.pinged = state.pinged;
                self.outbox.announce(id, device);
            }
            rooms.extend(state.missed.iter().map(|missed| missed.room.clone()));
        }
        rooms.sort_unstable();
        rooms.dedup();
        rooms
    }

    fn device_state(&self, device: &Device, now: f64) -> Option<DeviceState> {
        let in_flight = device.in_flight();
        let told = in_flight.map_or(&[][..], |in_flight| &*in_flight.told);
        let mut missed: Vec<(Option<u64>, MissedState)> = device
            .missed
            .iter()
            .filter_map(|missed| {
                let told = told.iter().find(|(room, _)| *room == missed.room).map(|(_, pending)| pending);
                let untold = device.pending_in(missed.room);
                let pending = untold.or(told);
                let state = MissedState {
                    room: self.rooms.get(missed.room)?.jid.to_string(),
                    count: missed.count,
                    pending: pending.map(|pending| PendingState {
                        sender: pending.content.sender.as_deref().map(str::to_owned),
                        body: pending.content.body.as_deref().map(str::to_owned),
                        mentioned: pending.mention.is_some()
                            || told.is_some_and(|told| told.mention.is_some()),
                        messages: untold.map_or(0, |untold| untold.messages)
                            + told.map_or(0, |told| told.messages),
                        age: now - pending.content.since,
                    }),
                };
                Some((pending.map(|pending| pending.content.order), state))
            })
            .collect();
        missed.sort_by_key(|(order, _)| *order);
        let missed: Vec<MissedState> = missed.into_iter().map(|(_, state)| state).collect();
        let pinged = device.pinged || in_flight.is_some_and(|in_flight| in_flight.pinged);
        let has_state = !missed.is_empty() || device.trouble.is_some() || pinged;
        let trouble = device.trouble.as_deref().copied().unwrap_or_default();
        has_state.then(|| DeviceState {
            user: self.users.get(device.user).map_or_else(String::new, |user| user.jid.to_string()),
            key: device.registration.key().into_owned(),
            errors: trouble.errors,
            attempts: trouble.attempts,
            failing_for: trouble.failing_since.map(|since| now - since),
            pinged,
            missed,
        })
    }

    fn restore_pending(&mut self, room: &str, state: &PendingState, now: f64) -> Pending {
        self.messages += 1;
        let content = Arc::new(Content {
            room: room.into(),
            sender: state.sender.as_deref().map(Into::into),
            body: state.body.as_deref().map(Into::into),
            original: None,
            since: now - state.age,
            order: self.messages,
        });
        Pending { mention: state.mentioned.then(|| content.clone()), messages: state.messages, content }
    }
}
