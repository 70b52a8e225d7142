//! A service with a journal, and the store that this is written into: it can be killed at any time.

use std::ops::{Deref, DerefMut};

use muc_cloud_notify_core::{Options, Snapshot};

use crate::driver::{Outcome, Publish};
use crate::service::Service;

/// More batches than are ever due at once in a test.
const ALL: usize = 1000;

/// How long the store takes for a batch, in seconds.
const WRITING: f64 = 0.001;

/// A service whose batches are stored, one after the other.
#[derive(Debug)]
pub struct Journaled {
    service: Service,
    options: Options,
    /// What is in the store, in the order in which it was written.
    pub stored: Vec<Snapshot>,
}

impl Deref for Journaled {
    type Target = Service;

    fn deref(&self) -> &Service {
        &self.service
    }
}

impl DerefMut for Journaled {
    fn deref_mut(&mut self) -> &mut Service {
        &mut self.service
    }
}

impl Journaled {
    /// A service that has had no journal so far.
    pub fn new(mut service: Service, options: Options) -> Self {
        let options = Options { journal: true, ..options };
        service.configure_journal(options.clone());
        Journaled { service, options, stored: Vec::new() }
    }

    /// The same in which Juliet has a device, see [`Service::with_juliet`].
    pub fn with_juliet(options: Options) -> Self {
        Journaled::new(Service::with_juliet(options.clone()), options)
    }

    /// Writes the batch that is due, if any is. Returns whether one was.
    pub fn write(&mut self) -> bool {
        self.store_bequests();
        let batch = self.poll_batch();
        if batch.is_some() {
            self.batch_stored(WRITING);
        }
        self.stored.extend(batch.clone());
        batch.is_some()
    }

    /// What was to be written before records were, was.
    fn store_bequests(&mut self) {
        let bequests = std::mem::take(&mut self.bequests);
        self.stored.extend(bequests);
    }

    /// Writes all that is ever to be written, which takes a while, and lets go of all that has waited for that.
    pub fn write_all(&mut self) {
        for _ in 0..ALL {
            while self.spread() {}
            if self.write() {
                self.wait(1.0);
            } else if self.stats().unstored == 0 {
                return;
            } else {
                // What has become less is written after two seconds, what could not be written once the store was left alone.
                self.wait(2.5);
            }
        }
        panic!("batches are due all the time");
    }

    /// All pushes that leave once all is written.
    pub fn pushes_written(&mut self) -> Vec<Publish> {
        self.write_all();
        self.pushes()
    }

    /// The one push that leaves once all is written.
    pub fn push_written(&mut self) -> Publish {
        self.write_all();
        self.push()
    }

    /// A push is taken by its app server, and all is written.
    pub fn deliver(&mut self, push: &Publish) {
        self.reply(push, Outcome::Delivered);
        self.write_all();
    }

    /// All that is in the memory is lost, and what is in the store is taken up. No room is read.
    pub fn killed(&self) -> Self {
        self.killed_with_unreadable(&[])
    }

    /// The same, where something else is known before that is taken up.
    pub fn killed_after(&self, begin: impl FnOnce(&mut Service)) -> Self {
        self.killed_into(&[], begin)
    }

    /// The same, where the records of these users cannot be read.
    pub fn killed_with_unreadable(&self, unreadable: &[&str]) -> Self {
        self.killed_into(unreadable, |_| ())
    }

    fn killed_into(&self, unreadable: &[&str], begin: impl FnOnce(&mut Service)) -> Self {
        let mut readable = self.store.clone();
        readable.retain(|user, _| !unreadable.contains(&&**user));
        let mut service = Service::restarted(5.0, self.options.clone(), readable);
        service.configure_journal(self.options.clone());
        unreadable.iter().for_each(|user| _ = service.await_registrations(user));
        service.store.clone_from(&self.store);
        begin(&mut service);
        let stored: Vec<Snapshot> = self.stored.iter().chain(&self.bequests).cloned().collect();
        for part in &stored {
            assert_eq!(service.restore_part(part), 0, "all of it makes sense");
        }
        Journaled { service, options: self.options.clone(), stored }
    }

    /// The same, with all rooms read in which something waits: these are the members, who are absent.
    pub fn killed_and_read(&self, members: &[&str]) -> Self {
        let mut killed = self.killed();
        for room in killed.awaited_rooms() {
            killed.read(&room, members, &[]);
        }
        while killed.spread() {}
        killed
    }

    /// The record of a user, which could not be read, can be.
    pub fn mend(&mut self, user: &str) {
        let record = self.store.get(user).cloned().unwrap_or_default();
        self.set_registrations(user, record.registrations, None);
    }

    /// A stop that takes its time: what is not in the store is written.
    pub fn finish(&mut self) {
        self.store_bequests();
        while let Some(batch) = self.finish_batch() {
            self.stored.push(batch);
            self.batch_stored(WRITING);
        }
    }

    /// As [`Journaled::compact`], where nothing is to be written.
    pub fn compact_when_written(&mut self) {
        self.write_all();
        self.compact();
    }

    /// What is in the store is replaced by what is known.
    pub fn compact(&mut self) {
        self.bequests.clear();
        self.stored = self.snapshot_parts(500, crate::driver::Detail::Words);
    }
}
