//! The facts that a driver tells its engine.

use muc_cloud_notify_core::{Bounce, Broadcast, Forgotten, Forwarding, Membership, Registration, Snapshot};

use super::{Disabled, Driver, Handling, Outcome};

impl Driver {
    /// A user's record is in the store. Returns whether they had no device before.
    pub fn set_registrations(
        &mut self,
        user: &str,
        registrations: Vec<Registration>,
        renewed: Option<&str>,
    ) -> bool {
        self.engine.set_registrations(user, registrations, renewed)
    }

    /// The record of a user cannot be read so far. Returns whether they had no device before.
    pub fn await_registrations(&mut self, user: &str) -> bool {
        self.engine.await_registrations(user)
    }

    /// The account of a user on this server has devices, or has none. Returns whether they had no device before.
    pub fn set_account(&mut self, user: &str, has_devices: bool) -> bool {
        self.engine.set_account(user, has_devices)
    }

    /// Which accounts of a host have devices cannot be said at the moment.
    pub fn await_accounts(&mut self, host: &str) {
        self.engine.await_accounts(host);
    }

    /// The next account of such a host that was taken to have devices.
    pub fn presumed_account(&mut self, host: &str) -> Option<String> {
        self.engine.presumed_account(host).map(str::to_owned)
    }

    /// A push by a way cannot be handed over for so many seconds.
    pub fn put_off(&mut self, id: &str, seconds: f64) {
        self.engine.put_off(id, self.instant(), seconds);
    }

    /// A member of a room has said whether messages are to be forwarded to them.
    pub fn set_forwarding(&mut self, room: &str, user: &str, forwarding: Forwarding) {
        self.engine.affiliation_changed(room, user, Membership::Consented, None, forwarding);
    }

    /// A room's members are read, with what they have said of messages being forwarded.
    pub fn set_members_with_forwarding(&mut self, room: &str, members: &[(&str, Forwarding)]) {
        self.engine.begin_members(room);
        let names = members.iter().map(|(jid, _)| (*jid, None));
        self.engine.add_members(room, names, [], members.iter().copied());
        while !self.engine.end_members(room) {}
    }

    /// A push by a way was handed over.
    pub fn handed_over(&mut self, id: &str) {
        self.engine.handed_over(id, self.instant());
    }

    /// A user with a device is no stranger.
    pub fn establish(&mut self, user: &str) {
        self.engine.establish(user);
    }

    /// The account of a user is disabled, or enabled again.
    pub fn set_suspended(&mut self, user: &str, is_suspended: bool) {
        self.engine.set_suspended(user, is_suspended);
    }

    /// What a user has blocked of the service.
    pub fn set_blocked(&mut self, user: &str, jids: &[&str]) {
        self.engine.set_blocked(user, jids.iter().copied());
    }

    /// A room's members are read: bare JIDs, with registered nicknames.
    pub fn set_members<'a>(
        &mut self,
        room: &str,
        members: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
    ) {
        self.set_members_without_consent(room, members, []);
    }

    /// As [`Driver::set_members`], where some of them have not consented to their membership.
    pub fn set_members_without_consent<'a>(
        &mut self,
        room: &str,
        members: impl IntoIterator<Item = (&'a str, Option<&'a str>)>,
        without_consent: impl IntoIterator<Item = &'a str>,
    ) {
        self.engine.begin_members(room);
        self.engine.add_members(room, members, without_consent, []);
        while !self.engine.end_members(room) {}
    }

    /// A room's occupants are read: bare JIDs, with nicknames.
    pub fn set_occupants<'a>(&mut self, room: &str, occupants: impl IntoIterator<Item = (&'a str, &'a str)>) {
        self.engine.set_occupants(room, occupants, self.instant());
    }

    /// What was known of a room may be wrong.
    pub fn forget_room(&mut self, room: &str) {
        self.engine.forget_room(room);
    }

    /// What was known of all rooms may be wrong.
    pub fn forget_rooms(&mut self) {
        self.engine.forget_rooms();
    }

    /// A room is gone.
    pub fn room_destroyed(&mut self, room: &str) {
        self.engine.room_destroyed(room);
    }

    /// An affiliation, or a registered nickname, has changed.
    pub fn affiliation_changed(&mut self, room: &str, user: &str, is_member: bool, nick: Option<&str>) {
        let membership = if is_member { Membership::Consented } else { Membership::None };
        self.engine.affiliation_changed(room, user, membership, nick, Forwarding::Unset);
    }

    /// Somebody else has made a user a member.
    pub fn made_member(&mut self, room: &str, user: &str) {
        self.engine.affiliation_changed(room, user, Membership::WithoutConsent, None, Forwarding::Unset);
    }

    /// An occupant is there.
    pub fn occupant_present(&mut self, room: &str, user: &str, nick: &str) {
        self.engine.occupant_present(room, user, nick);
    }

    /// An occupant has left, or its sessions hibernate.
    pub fn occupant_gone(&mut self, room: &str, user: &str, nick: &str) {
        self.engine.occupant_gone(room, user, nick, self.instant());
    }

    /// A room broadcasts a message. Returns how many devices get a push for it, so far.
    pub fn handle_message(&mut self, message: Broadcast<'_>) -> usize {
        self.engine.handle_message(message, self.instant())
    }

    /// A room has broadcast messages of which nothing else is kept. Returns how many devices get a push for them, so far.
    pub fn handle_forgotten(&mut self, messages: Forgotten<'_>) -> usize {
        self.engine.handle_forgotten(messages, self.instant())
    }

    /// A message bounces. Returns how many devices get a push for it.
    pub fn handle_bounce(&mut self, bounce: Bounce<'_>) -> usize {
        self.engine.handle_bounce(bounce, self.instant())
    }

    /// Another module asks for a push without a message. Returns how many devices get one.
    pub fn handle_ping(&mut self, user: &str) -> usize {
        self.engine.handle_ping(user)
    }

    /// An answer to a publish comes in: its id, and the JID it is from.
    pub fn handle_reply(&mut self, id: &str, from: &str, outcome: Outcome) -> Handling {
        let now = self.instant();
        let is_ours = match outcome {
            Outcome::Delivered => self.engine.handle_result(id, from, now),
            Outcome::Transient => self.engine.handle_error(id, from, Some("wait"), None, now),
            Outcome::Silent => {
                self.engine.handle_error(id, from, Some("cancel"), Some("remote-server-not-found"), now)
            }
            Outcome::Rejected => self.engine.handle_error(id, from, Some("cancel"), None, now),
        };
        self.handling(is_ours)
    }

    /// An answer to a publish comes in, by which an app server in this process says that what it pushes to has ended.
    pub fn handle_ended(&mut self, id: &str, from: &str) -> Handling {
        let is_ours = self.engine.handle_ended(id, from, self.instant());
        self.handling(is_ours)
    }

    fn handling(&mut self, is_ours: bool) -> Handling {
        match self.drain_events().pop() {
            Some(disabled) => Handling::Disabled(disabled),
            None if is_ours => Handling::Taken,
            None => Handling::Unknown,
        }
    }

    /// A publish could not be sent. Returns the device if that was one failure too many.
    pub fn handle_send_failure(&mut self, id: &str) -> Option<Disabled> {
        self.engine.handle_send_failure(id, self.instant());
        self.drain_events().pop()
    }

    /// A publish is not sent after all, for a reason that has nothing to do with what it says.
    pub fn withdraw(&mut self, id: &str) {
        self.engine.withdraw(id);
    }

    /// Another module has stopped a publish: what it says does not count.
    pub fn suppress(&mut self, id: &str) {
        self.engine.suppress(id);
    }

    /// The link to a domain is lost.
    pub fn link_lost(&mut self, domain: &str) {
        self.engine.link_lost(domain, self.instant());
    }

    /// A publish is from this host.
    pub fn set_publisher(&mut self, id: &str, host: &str) {
        self.engine.set_publisher(id, host);
    }

    /// One host of the server has lost its link to a domain.
    pub fn link_of_host_lost(&mut self, host: &str, domain: &str) {
        self.engine.link_of_host_lost(host, domain, self.instant());
    }

    /// The link to a domain is there again.
    pub fn link_restored(&mut self, domain: &str) {
        self.engine.link_restored(domain, self.instant());
    }

    /// What has happened comes to more members. Returns whether there are others that it has yet to come to.
    pub fn spread(&mut self) -> bool {
        self.engine.spread()
    }

    /// Takes up what outlived a restart. Returns the rooms that wait to be read.
    pub fn restore(&mut self, snapshot: &Snapshot) -> Vec<String> {
        self.engine.restore(snapshot, self.instant());
        self.awaited_rooms()
    }

    /// Takes up a part of what outlived a restart. Returns how many entries made no sense.
    pub fn restore_part(&mut self, part: &Snapshot) -> usize {
        self.engine.restore(part, self.instant())
    }

    /// The batch that was polled is in the store, which took so many seconds.
    pub fn batch_stored(&mut self, seconds: f64) {
        self.engine.batch_stored(self.instant(), seconds);
    }

    /// What is to be in the store before the record of a user is, where something takes the place of something else by it.
    pub fn bequest(
        &mut self,
        user: &str,
        registrations: &[Registration],
        added: Option<&str>,
    ) -> Option<Snapshot> {
        self.engine.bequest(user, registrations, added, self.instant())
    }

    /// That is stored, and so is the record, of which the engine knows.
    pub fn bequest_stored(&mut self, user: &str, added: Option<&str>) {
        self.engine.bequest_stored(user, added);
    }

    /// The batch that was polled could not be stored.
    pub fn batch_failed(&mut self) {
        self.engine.batch_failed(self.instant());
    }

    /// Makes ready to take up parts with this key. Returns whether that is done.
    pub fn prepare_restore(&mut self, key: &str) -> bool {
        self.engine.prepare_restore(key)
    }
}
