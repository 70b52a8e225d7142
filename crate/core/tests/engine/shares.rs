//! How many users there may be, of a domain and in all; and how many devices of those whom nobody has seen in a room.

use muc_cloud_notify_core::{EnableFacts, Options, Record, RequestError};
use muc_cloud_notify_testing::driver::Driver;
use muc_cloud_notify_testing::names::ORCHARD;
use muc_cloud_notify_testing::service::Service;
use muc_cloud_notify_testing::stanza::enable_iq;

/// Devices of strangers that a domain may have.
const STRANGERS_DEVICES: usize = 100;

fn user(number: usize, domain: &str) -> String {
    format!("user-{number}@{domain}")
}

fn request(service: &mut Service, user: &str, node: &str) -> Result<bool, RequestError> {
    service.request_enable(user, &enable_iq("push.example", node))
}

/// As many users as that register until one is refused.
fn registered(service: &mut Service, domain: &str, users: usize) -> usize {
    (0..users).take_while(|&number| request(service, &user(number, domain), "phone").is_ok()).count()
}

/// The same where each is a member of a room.
fn members_registered(service: &mut Service, domain: &str, users: usize) -> usize {
    let is_registered = |&number: &usize| {
        let user = user(number, domain);
        let is_registered = request(service, &user, "phone").is_ok();
        service.establish(&user);
        is_registered
    };
    (0..users).take_while(is_registered).count()
}

#[test]
fn a_domain_has_so_many_users() {
    let options = Options { max_users_per_domain: 300, ..Options::default() };
    let mut service = Service::new(options);
    assert_eq!(members_registered(&mut service, "many.example", 1000), 300);
    assert_eq!(
        request(&mut service, &user(300, "many.example"), "phone"),
        Err(RequestError::TooManyUsersOfDomain)
    );
    assert_eq!(members_registered(&mut service, "few.example", 10), 10, "another domain");

    let known = user(7, "many.example");
    for node in ["phone", "desk", "watch"] {
        assert!(request(&mut service, &known, node).is_ok(), "who has a device may have another: {node}");
    }
    service.set_registrations(&user(8, "many.example"), Vec::new(), None);
    service.store.remove(&user(8, "many.example"));
    assert!(request(&mut service, &user(300, "many.example"), "phone").is_ok(), "there is a place again");
}

#[test]
fn a_service_has_so_many_users_also_of_its_own_server() {
    let mut service = Service::new(Options { max_users: 55, ..Options::default() });
    for number in 0..50 {
        assert!(request(&mut service, &user(1, &format!("domain-{number}.example")), "phone").is_ok());
    }
    for number in 0..5 {
        let local = format!("user-{number}@home.example");
        let stranger = prepare(&service, "ann@new.example", false, false);
        assert_eq!(stranger, Err(RequestError::TooManyUsers), "a tenth is not for them");
        assert_eq!(prepare(&service, &local, true, false), Ok(()));
        let record = prepared_record(&service, &local);
        service.set_registrations(&local, record.registrations, None);
    }
    for is_local in [false, true] {
        assert_eq!(prepare(&service, "ann@new.example", is_local, false), Err(RequestError::TooManyUsers));
        assert_eq!(
            prepare(&service, &user(1, "domain-7.example"), is_local, false),
            Ok(()),
            "has one already"
        );
    }
}

fn prepared_record(service: &Driver, user: &str) -> Record {
    let facts = EnableFacts { user, app_server: Some("push.example"), is_local: true, is_member: false };
    let iq = enable_iq("push.example", "phone");
    let change = service.prepare_enable_with(&facts, &iq, Record::default());
    change.map(|change| change.record).unwrap_or_default()
}

fn prepare(service: &Driver, user: &str, is_local: bool, is_member: bool) -> Result<(), RequestError> {
    let facts = EnableFacts { user, app_server: Some("push.example"), is_local, is_member };
    let iq = enable_iq("push.example", "another");
    service.prepare_enable_with(&facts, &iq, Record::default()).map(|_| ())
}

#[test]
fn hosts_of_this_server_have_no_share() {
    let options = Options { max_users_per_domain: 10, ..Options::default() };
    let mut service = Service::new(options);
    for number in 0..500 {
        let user = user(number, "home.example");
        assert_eq!(prepare(&service, &user, true, false), Ok(()));
        service.store.insert(user.clone(), Record::default());
        let record = service.prepare_enable_with(
            &EnableFacts { user: &user, app_server: Some("push.example"), is_local: true, is_member: false },
            &enable_iq("push.example", "phone"),
            Record::default(),
        );
        let change = record.unwrap();
        service.set_registrations(&user, change.record.registrations, change.added.as_deref());
    }
    assert_eq!(service.stats().users, 500);
}

#[test]
fn of_strangers_a_domain_has_so_many_devices() {
    let mut service = Service::new(Options::default());
    assert_eq!(registered(&mut service, "strange.example", 1000), STRANGERS_DEVICES);
    let refused = user(STRANGERS_DEVICES, "strange.example");
    let error = request(&mut service, &refused, "phone").unwrap_err();
    assert_eq!((error.error_type().as_str(), error.condition()), ("wait", "resource-constraint"));
    assert_eq!(
        request(&mut service, &user(3, "strange.example"), "desk"),
        Err(RequestError::TooManyStrangers)
    );
    assert_eq!(
        request(&mut service, &user(3, "strange.example"), "phone"),
        Ok(false),
        "a device that is there"
    );
    assert_eq!(registered(&mut service, "other.example", 5), 5, "another domain");

    assert_eq!(
        prepare(&service, &refused, false, true),
        Ok(()),
        "who is known to be a member is no stranger"
    );
    // Strangers are seen as members: of a room that is read, and of one that they become a member of.
    let seen: Vec<String> = (0..10).map(|number| user(number, "strange.example")).collect();
    let seen: Vec<&str> = seen.iter().map(String::as_str).collect();
    service.read(ORCHARD, &seen[..5], &[]);
    for user in &seen[5..] {
        service.affiliation_changed("garden@conference.example", user, true, None);
    }
    let more = (2000..3000)
        .take_while(|&number| request(&mut service, &user(number, "strange.example"), "phone").is_ok());
    assert_eq!(more.count(), 10);
    assert_eq!(request(&mut service, seen[0], "desk"), Ok(false), "a membership seen once is enough");
    service.affiliation_changed(ORCHARD, seen[0], false, None);
    assert_eq!(request(&mut service, seen[0], "watch"), Ok(false), "also when it has ended");
}

#[test]
fn several_devices_of_a_stranger_count_each() {
    let mut service = Service::new(Options::default());
    for number in 0..STRANGERS_DEVICES / 5 {
        for node in ["1", "2", "3", "4", "5"] {
            assert!(request(&mut service, &user(number, "strange.example"), node).is_ok());
        }
    }
    assert_eq!(
        request(&mut service, &user(999, "strange.example"), "1"),
        Err(RequestError::TooManyStrangers)
    );
    assert_eq!(
        request(&mut service, &user(0, "strange.example"), "6"),
        Ok(false),
        "takes the place of the oldest"
    );
}

#[test]
fn who_was_registered_before_a_restart_is_no_stranger() {
    let mut service = Service::new(Options::default());
    assert_eq!(registered(&mut service, "strange.example", 1000), STRANGERS_DEVICES);
    let mut service = Service::restarted(5.0, Options::default(), std::mem::take(&mut service.store));
    assert!(request(&mut service, &user(3, "strange.example"), "desk").is_ok());
    let more = (2000..3000)
        .take_while(|&number| request(&mut service, &user(number, "strange.example"), "phone").is_ok());
    assert_eq!(more.count(), STRANGERS_DEVICES);
}

#[test]
fn what_is_taken_back_is_free_again() {
    let mut service = Service::new(Options::default());
    for _ in 0..3 {
        assert_eq!(registered(&mut service, "strange.example", 1000), STRANGERS_DEVICES);
        for number in 0..STRANGERS_DEVICES {
            let user = user(number, "strange.example");
            service.set_registrations(&user, Vec::new(), None);
            service.store.remove(&user);
        }
    }
}
