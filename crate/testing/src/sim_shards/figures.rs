//! What there was of a run.

use std::fmt;

use super::app_servers::{KINDS, Kind};
use super::simulation::Simulation;

/// What is counted while it runs.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) messages: u64,
    pub(super) pushes: u64,
    pub(super) duplicates: u64,
    /// Kills, take-overs, and stops with a start elsewhere.
    pub(super) ends: [u32; 3],
}

/// What an app server was sent, by all shards together.
#[derive(Debug, Clone)]
pub struct AppServerFigures {
    /// What it is like.
    pub kind: String,
    /// How many devices are registered there.
    pub devices: usize,
    /// How many pushes it has taken.
    pub taken: u64,
    /// How many were sent to it in a second, and how many were on their way at once, at most.
    pub peaks: (u32, u32),
    /// The same of the 30 seconds after each of its returns.
    pub peaks_after_return: (u32, u32),
    /// How many seconds after its return the last of those heard who had waited for it.
    pub told_after: f64,
    /// When somebody heard of something new through it last, in seconds after the last message.
    pub last_told: f64,
}

/// How much there was of a run.
#[derive(Debug, Clone)]
pub struct Figures {
    /// How many devices there are in all.
    pub devices: usize,
    /// How many messages were said.
    pub messages: u64,
    /// How many pushes left, and how many of them told nothing new.
    pub pushes: u64,
    /// Those of them that told nothing new.
    pub duplicates: u64,
    /// How many processes were killed, taken over from, and stopped and started elsewhere.
    pub ends: [u32; 3],
    /// How much time has passed there, in seconds.
    pub seconds: f64,
    /// The app servers.
    pub app_servers: Vec<AppServerFigures>,
}

impl Figures {
    pub(super) fn of(simulation: &Simulation) -> Self {
        let (world, shards) = (&simulation.world, &simulation.shards);
        let mut devices = [0; KINDS.len()];
        for shard in shards {
            (0..shard.devices.len()).for_each(|user| devices[world.app_server_of(shard.number, user)] += 1);
        }
        let app_servers =
            world.app_servers.iter().zip(devices).map(|(app_server, devices)| AppServerFigures {
                kind: format!("{:?}", app_server.kind),
                devices,
                taken: app_server.taken,
                peaks: app_server.peaks(false),
                peaks_after_return: app_server.peaks(true),
                told_after: app_server.told_after,
                last_told: app_server.last_told - world.ends_at,
            });
        let tally = &world.tally;
        Figures {
            devices: devices.iter().sum(),
            messages: tally.messages,
            pushes: tally.pushes,
            duplicates: tally.duplicates,
            ends: tally.ends,
            seconds: simulation.now,
            app_servers: app_servers.collect(),
        }
    }

    /// What an app server that goes away and says so was sent.
    pub fn of_one_that_leaves(&self) -> &AppServerFigures {
        let name = format!("{:?}", Kind::Leaves);
        self.app_servers.iter().find(|it| it.kind == name).expect("there is one")
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures {
            devices, messages, pushes, duplicates, ends: [kills, take_overs, moves], seconds, ..
        } = self;
        writeln!(
            formatter,
            "{devices} devices, {messages} messages, {pushes} pushes, {duplicates} of them again,"
        )?;
        writeln!(formatter, "{kills} kills, {take_overs} take-overs, {moves} moves, in {seconds:.0} s")?;
        writeln!(
            formatter,
            "app server  devices     taken  peak/s  at once  after return: peak/s  at once  told after  the last"
        )?;
        for it in &self.app_servers {
            writeln!(
                formatter,
                "{:10} {:>8}  {:>8}  {:>6}  {:>7}  {:>20}  {:>7}  {:>8.1} s  {:>6.0} s",
                it.kind,
                it.devices,
                it.taken,
                it.peaks.0,
                it.peaks.1,
                it.peaks_after_return.0,
                it.peaks_after_return.1,
                it.told_after,
                it.last_told
            )?;
        }
        Ok(())
    }
}
