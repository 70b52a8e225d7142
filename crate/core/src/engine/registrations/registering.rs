//! How a device comes to be registered, and how it ends: the journal takes note of each.

use crate::device::Device;
use crate::devices::Devices;
use crate::ids::{DeviceId, UserId};
use crate::registration::Registration;

/// A device of a user is registered no more. Should it be registered again, nothing is left of what was unread.
pub(super) fn remove(devices: &mut Devices, jid: &str, id: DeviceId) -> Option<Device> {
    let device = devices.remove(id)?;
    note_gone(devices, jid, device.registration());
    Some(device)
}

fn note_gone(devices: &mut Devices, jid: &str, registration: &Registration) {
    let journal = devices.journal_mut();
    if journal.is_on() {
        journal.note_device_gone(journal.key().hash(jid, registration.push_identifier_pieces()));
    }
}

/// A device is registered that was not.
pub(super) fn register(
    devices: &mut Devices,
    owner: UserId,
    registration: Registration,
    is_suspended: bool,
    is_renewed: bool,
) -> DeviceId {
    let id = devices.insert(owner, registration);
    devices.update(id, |device| {
        device.set_suspended(is_suspended);
        if is_renewed {
            device.set_unanswered();
        }
    });
    if is_renewed {
        devices.journal_mut().note_changed((id, None));
    }
    id
}

/// A device is registered that was there. Returns what it is now, and whether it still is the same, but its pushes go elsewhere
/// or with another form.
pub(super) fn register_again(
    devices: &mut Devices,
    jid: &str,
    id: DeviceId,
    registration: Registration,
    is_renewed: bool,
) -> (Option<DeviceId>, bool) {
    if devices.get(id).is_some_and(|device| !device.is_addressed_by(&registration)) {
        // All that is unread is written anew.
        note_gone(devices, jid, &registration);
        return (devices.readdress(id, registration), false);
    }
    if is_renewed {
        devices.update(id, Device::renew);
        devices.journal_mut().note_changed((id, None));
    }
    let is_changed = devices.set_registration(id, registration);
    (Some(id), is_changed)
}
