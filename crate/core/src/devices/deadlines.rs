//! When something is due with devices, and what.

use crate::device::{Device, Due, InFlight};
use crate::domains::{Concern, Landing};
use crate::ids::DeviceId;
use crate::time::Instant;

use super::Devices;

/// How many deadlines are looked at in one go. Most are of devices that go on after a pause, which takes no time.
const DUE_AT_ONCE: usize = 100;

/// When the engine is to be asked again, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// At once: a push waits to be sent.
    PushWaiting,
    /// At once: something that has happened in a room has not come to all of its members.
    MessageSpreading,
    /// At this time a publish should have been answered.
    AnswerOverdue(Instant),
    /// At this time the back-off of a device, or of an app server domain, ends.
    RetryDue(Instant),
    /// At this time a batch of the journal is to be written.
    BatchDue(Instant),
}

impl Devices {
    /// Sees to what is due at `now`, or a part of it: back-offs end, and end() is told of each publish that was not answered in
    /// time, of at most so many. Returns what it says of them.
    pub(crate) fn handle_due<T>(
        &mut self,
        at_most: usize,
        silence: &Landing<'_>,
        mut end: impl FnMut(&mut Device, &mut InFlight, Concern) -> T,
    ) -> Vec<(DeviceId, T)> {
        let now = silence.now;
        let mut ended = Vec::new();
        for _ in 0..DUE_AT_ONCE {
            if ended.len() >= at_most {
                break;
            }
            let Some((id, at)) = self.outbox.pop_deadline(now) else { break };
            while let Some(orphan) = self.outbox.take_overdue_orphan(id, now) {
                self.outbox.end_overdue(&orphan, silence);
            }
            let Some(device) = self.devices.get_mut(id) else { continue };
            if !device.disarm(at) {
                continue;
            }
            match device.delivery().due().filter(|(time, _)| *time <= now) {
                Some((_, Due::Retry)) => {
                    self.outbox.end_back_off(device);
                    device.end_pace();
                }
                Some((_, Due::AnswerOverdue(push))) => {
                    let result = self.end_push(push, Some(silence), &mut end);
                    ended.extend(result.map(|result| (id, result)));
                    continue;
                }
                // It was put off meanwhile.
                None => {}
            }
            self.outbox.update(id, device);
        }
        self.outbox.domains_mut().handle_due(now);
        ended
    }

    /// When something is to be done next. What is due may have become pointless by then.
    pub(crate) fn next_deadline(&self) -> Option<Deadline> {
        if self.outbox.domains().is_any_ready() {
            return Some(Deadline::PushWaiting);
        }
        let batch = self.journal.due();
        let other = self.next_other_deadline();
        match batch.filter(|at| other.is_none_or(|(_, other)| *at <= other)) {
            Some(at) => Some(Deadline::BatchDue(at)),
            None => other.map(|(deadline, _)| deadline),
        }
    }

    fn next_other_deadline(&self) -> Option<(Deadline, Instant)> {
        let of_domains = self.outbox.domains().next_deadline();
        let of_devices =
            self.outbox.next_deadline().filter(|(_, at)| of_domains.is_none_or(|other| *at < other));
        let Some((id, at)) = of_devices else { return of_domains.map(|at| (Deadline::RetryDue(at), at)) };
        let due = self.devices.get(id).and_then(|device| device.delivery().due());
        let deadline = match due {
            Some((_, Due::Retry)) => Deadline::RetryDue(at),
            _ => Deadline::AnswerOverdue(at),
        };
        Some((deadline, at))
    }
}
