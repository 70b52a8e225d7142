//! Single calls of the engine, for simulations where something can happen between any two of them.

use minidom::Element;
use muc_cloud_notify_core::{
    Change, Deadline, EnableFacts, Event, Forwarding, Membership, Push, Record, RequestError, Scope,
    Snapshot, SnapshotPlan, UnixTime,
};

use super::{Detail, Driver};

impl Driver {
    /// What an IQ with `<enable/>` makes of a user's record, at a time of day of the caller's.
    ///
    /// # Errors
    ///
    /// The error to answer with.
    pub fn prepare_enable_at(
        &self,
        now: UnixTime,
        facts: &EnableFacts<'_>,
        iq: &Element,
        record: Record,
    ) -> Result<Change, RequestError> {
        self.engine.prepare_enable(facts, iq, record, now)
    }

    /// Sees to what is due, or to a part of it.
    pub fn handle_timeout(&mut self) {
        self.engine.handle_timeout(self.instant());
    }

    /// The next push.
    pub fn poll_push(&mut self, scope: Scope) -> Option<Push> {
        self.engine.poll_push(self.instant(), scope)
    }

    /// Whose push it is, to which app server it goes, and how many messages it says are unread: what is asked of very many.
    pub fn push_facts(&self, push: &Push) -> (&str, &str, u32) {
        let (user, registration) = self.engine.addressee(push.id.device()).expect("its device is there");
        let summary = self.engine.summary(push.summary).expect("it is a new one");
        (user, registration.app_server.as_str(), summary.message_count)
    }

    /// What has come up for the caller to carry out.
    pub fn take_events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.engine.poll_event()).collect()
    }

    /// Whether pushes wait to be sent at once.
    pub fn is_push_waiting(&self) -> bool {
        self.engine.next_deadline() == Some(Deadline::PushWaiting)
    }

    /// The members of a room are about to be read.
    pub fn begin_members(&mut self, room: &str) {
        self.engine.begin_members(room);
    }

    /// Some of them are read, of whom these have not consented, and these have said something of messages being forwarded.
    pub fn add_members<'a>(
        &mut self,
        room: &str,
        members: &[&'a str],
        without_consent: &[&'a str],
        forwarding: &[(&'a str, Forwarding)],
    ) {
        let members = members.iter().map(|member| (*member, None));
        let without_consent = without_consent.iter().copied();
        self.engine.add_members(room, members, without_consent, forwarding.iter().copied());
    }

    /// All of them are read. Returns whether those who are none any more were seen to.
    pub fn end_members(&mut self, room: &str) -> bool {
        self.engine.end_members(room)
    }

    /// An affiliation has changed to what it is now, or what a member says of messages being forwarded.
    pub fn membership_changed(
        &mut self,
        room: &str,
        user: &str,
        membership: Membership,
        forwarding: Forwarding,
    ) {
        self.engine.affiliation_changed(room, user, membership, None, forwarding);
    }

    /// The first room that is to be read, as something waits there since before a restart.
    pub fn awaited_room(&self) -> Option<String> {
        self.engine.awaited_rooms().next().map(str::to_owned)
    }

    /// A look at all leases begins.
    pub fn begin_lease_check(&mut self) {
        self.engine.begin_lease_check();
    }

    /// It goes on. Returns whether there was anything left.
    pub fn go_on_with_leases(&mut self) -> bool {
        let now = UnixTime::from_seconds(self.now);
        self.engine.next_aged_devices(now, now).is_some()
    }

    /// What outlives a stop.
    pub fn plan_snapshot(&self) -> SnapshotPlan {
        self.engine.plan_snapshot()
    }

    /// Looks at some more devices for it. Returns whether all were looked at.
    pub fn go_on_with_plan(&self, plan: &mut SnapshotPlan) -> bool {
        self.engine.go_on_with_plan(plan)
    }

    /// The next part of it.
    pub fn next_part(&self, plan: &mut SnapshotPlan, devices: usize, detail: Detail) -> Option<Snapshot> {
        self.engine.next_part(plan, devices, detail, self.instant())
    }
}
