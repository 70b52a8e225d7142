//! What has to be true of every push, and of all of them in the end.

use std::collections::BTreeSet;

use super::reference::ReferenceDevice;
use super::simulation::Simulation;
use super::world::user_of;
use crate::driver::Publish;

impl Simulation {
    /// No push is about a room where its user is, or of which they are no member.
    pub(super) fn assert_entitled(&self, user: usize, node: usize) {
        let mut rooms = self.devices[&(user, node)].pending_rooms();
        assert!(rooms.all(|room| self.members[room].contains(&user) && self.is_absent(user, room)));
    }

    /// Everything was pushed, and each device that is owed a push for a message has got one, unless a client of its owner
    /// has got the message.
    pub(super) fn assert_settled(&self) {
        assert!(self.devices.values().all(|device| device.pending_rooms().next().is_none()), "all is pushed");
        assert_eq!(self.service.next_deadline(), None, "nothing is left to be done");
        for (number, message) in self.messages.iter().enumerate() {
            let is_got_by = |user| message.got.iter().any(|&session| user_of(session) == user);
            for owner in message.owed.iter().filter(|(user, _)| !is_got_by(*user)) {
                assert!(
                    self.devices[owner].pushed.contains(&number),
                    "{owner:?} never got a push for {message:?}"
                );
            }
        }
    }
}

impl ReferenceDevice {
    /// A push counts all that is unread, and says the last message that is still to be pushed, unless there was a push
    /// for a later one of that room before.
    pub(super) fn assert_push(&self, push: &Publish, about: &BTreeSet<u32>) {
        assert!(self.in_flight.is_none(), "one publish in flight per device");
        let last = about.last().expect("there is something to say");
        let of_last = &self.unread[last];
        let is_late = self.unread.iter().any(|(at, unread)| at > last && unread.room == of_last.room);
        let text = of_last.text.as_deref().filter(|_| !is_late);
        assert_eq!(push.body(), text.or(Some("New Message!")), "{about:?} of {:?}", self.unread);
        assert_eq!(push.count(), u32::try_from(self.unread.len()).expect("few"), "{:?}", self.unread);
        assert_eq!(push.mentioned, about.iter().any(|at| self.unread[at].is_mention));
    }
}
