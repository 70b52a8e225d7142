//! A room with members, their devices, and nicknames as strangers choose them.

use muc_cloud_notify_core::{DefaultLevel, Options};
use muc_cloud_notify_testing::names::{JULIET, NURSE, ORCHARD};
use muc_cloud_notify_testing::service::Service;

use crate::choices::Choices;

/// The longest resource (RFC 7622, section 3.4).
const NICK_MAX: usize = 1023;

/// A room where two users with a device are members, maybe absent, and maybe many others. Returns how many devices there are.
pub(crate) fn room(choices: &mut Choices<'_>, is_everybody_told: bool) -> (Service, usize) {
    let options = Options {
        with_body: true,
        with_sender: true,
        default_level: if is_everybody_told { DefaultLevel::Always } else { DefaultLevel::Auto },
        ..Options::default()
    };
    let mut service = Service::new(options);
    let mut users = vec![JULIET.to_owned(), NURSE.to_owned()];
    for number in 0..choices.times(64) {
        users.push(format!("user{number}@many.example"));
    }
    for user in &users {
        service.enable(user, "phone");
    }
    let nick = choices.text(NICK_MAX);
    let nicks: Vec<String> = (0..users.len()).map(|number| format!("{nick}{number}")).collect();
    let is_registered = choices.one_in(2);
    let members = users.iter().zip(&nicks);
    service
        .set_members(ORCHARD, members.map(|(user, nick)| (&**user, Some(&**nick).filter(|_| is_registered))));
    let occupant = choices.text(NICK_MAX);
    service.set_occupants(
        ORCHARD,
        [("somebody@elsewhere.example", &*occupant), ("romeo@montague.example", "Romeo")],
    );
    for user in users.iter().take(2) {
        if choices.one_in(2) {
            let nick = choices.text(NICK_MAX);
            service.occupant_present(ORCHARD, user, &nick);
            service.occupant_gone(ORCHARD, user, &nick);
        }
    }
    (service, users.len())
}
