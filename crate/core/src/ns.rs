//! XML namespaces, each with the document that defines it.

/// RFC 6120: stanzas of a client
pub const CLIENT: &str = "jabber:client";
/// XEP-0004: Data Forms
pub(crate) const DATA_FORMS: &str = "jabber:x:data";
/// XEP-0027: Current Jabber OpenPGP Usage
pub(crate) const LEGACY_OPENPGP: &str = "jabber:x:encrypted";
/// XEP-0060: the `FORM_TYPE` of publish-options
pub(crate) const PUBLISH_OPTIONS: &str = "http://jabber.org/protocol/pubsub#publish-options";
/// XEP-0066: Out of Band Data
pub(crate) const OOB: &str = "jabber:x:oob";
/// XEP-0203: Delayed Delivery
pub(crate) const DELAY: &str = "urn:xmpp:delay";
/// XEP-0308: Last Message Correction
pub(crate) const MESSAGE_CORRECT: &str = "urn:xmpp:message-correct:0";
/// XEP-0334: Message Processing Hints
pub(crate) const HINTS: &str = "urn:xmpp:hints";
/// XEP-0357: Push Notifications
pub(crate) const PUSH: &str = "urn:xmpp:push:0";
/// XEP-0359: Unique and Stable Stanza IDs
pub(crate) const STANZA_ID: &str = "urn:xmpp:sid:0";
/// XEP-0372: References
pub(crate) const REFERENCE: &str = "urn:xmpp:reference:0";
/// XEP-0373: OpenPGP for XMPP
pub(crate) const OPENPGP: &str = "urn:xmpp:openpgp:0";
/// XEP-0380: Explicit Message Encryption
pub(crate) const EME: &str = "urn:xmpp:eme:0";
/// XEP-0384: OMEMO Encryption, as it was before version 0.4
pub(crate) const LEGACY_OMEMO: &str = "eu.siacs.conversations.axolotl";
/// XEP-0384: OMEMO Encryption, every namespace that was ever in use
pub(crate) const OMEMO: [&str; 4] =
    [LEGACY_OMEMO, "urn:xmpp:omemo:0", "urn:xmpp:omemo:1", "urn:xmpp:omemo:2"];
/// XEP-0385: Stateless Inline Media Sharing
pub(crate) const MEDIA_SHARING: &str = "urn:xmpp:sims:1";
/// XEP-0424: Message Retraction
pub(crate) const RETRACT: [&str; 2] = ["urn:xmpp:message-retract:1", "urn:xmpp:message-retract:0"];
/// XEP-0425: Moderated Message Retraction
pub(crate) const MODERATE: [&str; 2] = ["urn:xmpp:message-moderate:1", "urn:xmpp:message-moderate:0"];
/// XEP-0422: Message Fastening, in which early retractions were wrapped
pub(crate) const FASTEN: &str = "urn:xmpp:fasten:0";
/// XEP-0428: Fallback Indication, and as it was in the first version of XEP-0461
pub(crate) const FALLBACK: [&str; 2] = ["urn:xmpp:fallback:0", "urn:xmpp:feature-fallback:0"];
/// XEP-0444: Message Reactions
pub(crate) const REACTIONS: &str = "urn:xmpp:reactions:0";
/// XEP-0447: Stateless file sharing
pub(crate) const FILE_SHARING: &str = "urn:xmpp:sfs:0";
/// XEP-0461: Message Replies
pub(crate) const REPLY: &str = "urn:xmpp:reply:0";
