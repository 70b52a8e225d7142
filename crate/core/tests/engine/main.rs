//! What the engine does, a module a topic.

#![expect(clippy::expect_used, reason = "what the helpers of a test are given, the test has written")]

mod any_input;
mod bounce;
mod bounce_order;
mod circuit_breaker;
mod consent;
mod enable;
mod fan_out;
mod first_contact;
mod journal;
mod journal_chain;
mod journal_fan_out;
mod journal_pace;
mod leases;
mod longest_nickname;
mod many_rooms;
mod mention;
mod message_count;
mod message_kinds;
mod nickname_restart;
mod originals;
mod outbox;
mod outcome;
mod pace;
mod publish_options;
mod push_details;
mod push_text;
mod reading;
mod recipients;
mod registration;
mod retry;
mod revision;
mod shares;
mod simulation;
mod snapshot;
mod snapshot_parts;
mod summary;
mod suspended;
mod turns;
mod words_off;
