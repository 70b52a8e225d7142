-- The contract between the Lua files and the engine, the library written in Rust (crate/module/src/engine.rs).
--
-- The annotations are LuaCATS, for editors; what is loaded of this file is the contract's number. It is raised whenever
-- anything in this file changes, here and in crate/module/src/lib.rs, so that a library of another contract is noticed.
-- A spec holds a digest of this file for each number.
--
-- In all of it
--
-- * users, rooms and occupants are JIDs as Prosody has prepared them, rooms and users bare;
-- * `now` is the time of util.time.monotonic, `unix_time` that of util.time.now, both in seconds;
-- * a method that finds an argument of the wrong type, or a table that is no stanza where one is expected, raises an error
--   and changes nothing; so does one that is called while another one runs. Errors are userdata: tostring() gives the text.
--   A panic inside the engine is such an error too;
-- * a user without a device of the ordinary kind, one that an app server was registered for, may have one of another kind: a *way* by
--   which their own server reaches them. It is in no record. As soon as a device is registered that takes the place of the way, with
--   all that is unread; and the other way round once the last one is gone;
-- * no method calls back into Lua, sends, stores or logs anything;
-- * after every method under "facts" there may be events, and another deadline: see engine.lua, which sees to both.
--
-- This file is MIT/X11 licensed.

---The table that the library returns.
---@class native
---@field contract integer the number of the contract the library was built for
---@field default_options engine_options what the engine uses where the operator has set nothing
local native = {};

---The engine of a MUC service: the one that is there already, which takes over the options, or a new one with nobody
---registered.
---@param host string the MUC service
---@param options engine_options
---@param stanza_mt table the metatable of util.stanza, for the stanzas that the engine makes
---@return engine engine
---@return boolean is_new
function native.open(host, options, stanza_mt) end

---Lets go of the engine of a MUC service, with all that it knows.
---@param host string
function native.close(host) end

---What the operator has set; docs/operators.md has the options' names and meanings. Durations are in seconds.
---@class engine_options
---@field with_body boolean
---@field with_sender boolean
---@field important_body string empty for none
---@field max_body_bytes integer the longest text that is told
---@field max_errors integer
---@field max_devices integer
---@field max_users_per_domain integer
---@field max_users integer
---@field lease number
---@field default_level "auto"|"always"|"on-mention"|"never"
---@field push_interval number
---@field way_interval number the time between two pushes by a way to the same user, whatever they are about
---@field app_servers string[]? as Prosody prepares them; nil: any
---@field max_in_flight integer how many publishes may be on their way to one app server domain
---@field reply_timeout number
---@field retry_delay number
---@field max_retry_delay number
---@field time_to_live number
---@field give_up_after number
---@field journal boolean whether what is new waits until it is in the store, see poll_batch(). Where it is set in the course of a run,
---what waits by then is in no batch: a snapshot is to be taken

---How a user without a device of the ordinary kind is reached by their own server: it pushes to the devices of their account, where
---that is one of this Prosody ("account"); or messages are forwarded to the bare JID of their account elsewhere ("forward").
---@alias way "account"|"forward"

---What a member of a room has said of messages being forwarded to their account: nothing is forwarded, nor handed to the account on this
---server, where it is "refused"; where nothing was said (nil) only the latter is.
---@alias forwarding "asked"|"refused"

---A stanza of util.stanza, or its preserialized form.
---@class stanza: table

---A user's registrations as they are stored: by push identifier, in the format of mod_cloud_notify.
---The addresses of app servers in it are as Prosody prepares them.
---@alias record table<string, table>

---@class engine
local engine = {};

---------------------------------------------------------------------------------------------------
-- Requests: what they make of a user's record. Nothing changes before set_registrations().
---------------------------------------------------------------------------------------------------

---What is to be stored before a request is answered.
---@class change
---@field record record? nil: nothing is left to store
---@field added string? the push identifier of the registration that was added
---@field removed integer how many registrations were removed, other than by replacement

---Why a request is refused: the stanza error it is answered with (RFC 6120, section 8.3).
---@class refusal
---@field type "auth"|"cancel"|"modify"|"wait"
---@field condition string
---@field text string
---@field unless_member boolean whether it would be followed if the user were known to be a member of a room

---The facts about a request to enable pushes.
---@class enable_facts
---@field user string the bare JID of the user who asks
---@field app_server string? the `jid` attribute as Prosody prepares it; nil: it is no JID, or not there
---@field is_local boolean whether the user has an account on this server
---@field is_member boolean whether the user is known to be a member of a room

---An IQ with `<enable/>` (XEP-0357, section 5).
---@param facts enable_facts
---@param iq stanza
---@param record record? nil: nothing is stored
---@param unix_time number
---@return change? change
---@return refusal? refusal
function engine:prepare_enable(facts, iq, record, unix_time) end

---An IQ with `<disable/>` (XEP-0357, section 6).
---@param iq stanza
---@param app_server string? the `jid` attribute as Prosody prepares it; nil: it is no JID, or not there
---@param record record?
---@return change? change
---@return refusal? refusal
function engine:prepare_disable(iq, app_server, record) end

---A record without one of its registrations.
---@param record record?
---@param push_identifier string
---@return record? record nil: nothing is left to store
---@return boolean was_there
function engine:without_registration(record, push_identifier) end

---Whether messages can be forwarded to one more user, as a member of a room asks for.
---@param user string
---@return refusal? refusal nil: they can. Where nobody asks, there is no room, and nothing is forwarded
function engine:admit_forwarding(user) end

---------------------------------------------------------------------------------------------------
-- Facts: what has happened.
---------------------------------------------------------------------------------------------------

---A user's record is in the store: from now on it counts.
---@param user string
---@param record record?
---@param renewed string? the push identifier of the registration that the user has just asked for
---@return boolean is_first_device the user had no device before, and so is in the index of no room
function engine:set_registrations(user, record, renewed) end

---Something is stored of a user, but it cannot be read so far. Until set_registrations() says what it is, the user counts as one
---with a device: nothing is pushed to it, but what counts meanwhile, and what the last run has left, is handed to the devices that
---they turn out to have. It is no device in stats(). Nothing changes where the user has a device.
---@param user string
---@return boolean is_first_device as from set_registrations()
function engine:await_registrations(user) end

---Whether the account of a user of this server has devices of its own (mod_cloud_notify): then that is a way to reach them. To be told
---before restore(), for those of which it is known by then.
---@param user string
---@param has_devices boolean
---@return boolean is_first_device as from set_registrations()
function engine:set_account(user, has_devices) end

---Which accounts of a host of this server have devices of their own cannot be said at the moment. To be told before restore(): that takes
---the accounts of the host to have some which the last run has told, or was to tell, until set_account() says whether they do; see
---presumed_account(). Nothing is lost of what it has left for them, but whether they have any is to be known before one is pushed to.
---@param host string
function engine:await_accounts(host) end

---A user with a device is no stranger: they have an account on this server, or are a member of a room. The engine itself sees
---who is a member of the rooms that it is told of.
---@param user string
function engine:establish(user) end

---The account of a user was disabled, or enabled again. While it is disabled nothing is pushed to the user's devices, but
---everything is counted and kept.
---@param user string
---@param is_suspended boolean
function engine:set_suspended(user, is_suspended) end

---What a user with a device has blocked of this service (XEP-0191): of that nothing is pushed, nor does it count as unread, and what
---waits of it is dropped. It stands in the place of what was said of the user before, and is forgotten with their last device.
---@param user string
---@param jids string[]? the service's own JID, those of rooms, and of occupants; nil: nothing
function engine:set_blocked(user, jids) end

---The members of a room are about to be read.
---@param room string
function engine:begin_members(room) end

---Some of the members of a room, as they are: of everybody with an affiliation of member or above. Members without a device may
---be left out; of those that are not only the nickname is of interest, as others can be inside of it.
---@param room string
---@param members table<string, string|false> registered nicknames by bare JID; false: none
---@param without_consent string[]? the bare JIDs of those of them who have not consented to their membership; nil: none. Of a
---message that mentions them they get a push without words, and not often
---@param forwarding table<string, forwarding>? what those of them have said of it who have, by bare JID. Who has asked is not to be left
---out, with a device or without
function engine:add_members(room, members, without_consent, forwarding) end

---The members of a room are read: from now on they are known, and who was not among them is a member no more.
---@param room string
---@return boolean is_done false: there are more to be looked at, by another call
function engine:end_members(room) end

---The occupants of a room, as they are at `now`. Members who are there have read everything.
---@param room string
---@param occupants table<string, string> bare JIDs by nickname
---@param now number
function engine:set_occupants(room, occupants, now) end

---What is known of a room may be wrong, as after it was restored from storage: it has to be read again.
---@param room string
function engine:forget_room(room) end

---The same for all rooms.
function engine:forget_rooms() end

---A room is gone, and with it all that is unread in it.
---@param room string
function engine:room_destroyed(room) end

---An affiliation or a registered nickname has changed.
---@param room string
---@param bare_jid string
---@param is_member boolean whether the affiliation now is member or above
---@param nick string? the registered nickname
---@param lacks_consent boolean? whether a member has not consented to the membership. Who is seen in the room has
---@param forwarding forwarding? what a member has said of it. Who asks, and is not reached otherwise, is a user with a device from now on
function engine:affiliation_changed(room, bare_jid, is_member, nick, lacks_consent, forwarding) end

---An occupant, one or more sessions of a user under one nickname, is there.
---@param room string
---@param bare_jid string
---@param nick string
function engine:occupant_present(room, bare_jid, nick) end

---The last session of an occupant is gone.
---@param room string
---@param bare_jid string
---@param nick string
---@param now number
function engine:occupant_gone(room, bare_jid, nick, now) end

---The facts about a message.
---@class message_facts
---@field room string
---@field sender string? the bare JID of the author; nil: the room itself, or not known
---@field members_only boolean whether only members may enter
---@field public boolean whether the room is listed
---@field keep_original boolean whether another module wants to see the message with each push
---@field reply_author string? the bare JID of the author of the message that this one replies to (XEP-0461: the id counts); nil: it
---replies to none, or that is not known, and the `to` of the reply counts
---@field present string[]? the bare JIDs of those who were there when it was sent; nil: it was sent just now

---A room broadcasts a groupchat message (XEP-0045, section 7.4). One that corrects, retracts or moderates an earlier message
---is not pushed, but changes what waits of that message.
---@param facts message_facts
---@param message stanza as the room sends it, from an occupant JID
---@param now number
---@return integer devices how many devices are to be pushed to, so far: in a large room the message comes to the others
---with handle_timeout(); 0 where the coverage of the room is not complete
function engine:handle_message(facts, message, now) end

---Messages that a room has broadcast, and of which nothing else is kept. They count as unread, and are told without words, where a
---message counts that mentions nobody.
---@param facts message_facts of which only `room`, `sender`, `members_only`, `public` and `present` matter
---@param messages integer how many there were
---@param now number
---@return integer devices as from handle_message()
function engine:handle_forgotten(facts, messages, now) end

---The facts about a message that bounced from a session it was sent to.
---@class bounce_facts
---@field room string
---@field user string the bare JID of the recipient
---@field gone_nick string? the nickname of the recipient's occupant that goes with the session; nil: it is gone already, or
---has another session that is there
---@field sender string? the bare JID of the author; nil: not known
---@field reply_author string? the bare JID of the author of the message that this one replies to (XEP-0461: the id counts); nil: it
---replies to none, or that is not known, and the `to` of the reply counts
---@field message_key string tells the message from all others of the room
---@field sent number? when it was sent, on the clock of `now`; nil: not known
---@field members_only boolean whether only members may enter
---@field public boolean whether the room is listed
---@field keep_original boolean whether another module wants to see the message with each push

---A message bounced: it counts as if its recipient had been absent when it was sent.
---@param facts bounce_facts
---@param message stanza? the message as it was sent; nil: not known any more
---@param now number
---@return integer devices how many devices are to be pushed to
function engine:handle_bounce(facts, message, now) end

---Another module wants every device of a user to be pushed to, without a message.
---@param user string
---@return integer devices how many devices the user has
function engine:handle_ping(user) end

---A result came from an app server.
---@param id string the `id` of the IQ
---@param from string its `from`
---@param now number
---@return boolean is_ours whether it answers a publish that was sent there
function engine:handle_result(id, from, now) end

---A push that was polled, and goes by a way, was handed over: nobody answers it, and it is done. Of a message that is forwarded that is
---known once nothing has come back for a while; what does come back before is for handle_error(), which forwards it again where the domain
---of the user is out of reach.
---@param id string
---@param now number
function engine:handed_over(id, now) end

---A push that was polled, and goes by a way, cannot be handed over at the moment: it is due again after so many seconds, or up to half as
---many more, with what has come up meanwhile. Of the store nothing has to change for that.
---@param id string
---@param now number
---@param seconds number
function engine:put_off(id, now, seconds) end

---An error came from an app server, or in its name. Or from the bare JID of a user elsewhere, to a message that was forwarded: it says
---whether the domain was reached, and nothing else.
---@param id string the `id` of the IQ
---@param from string its `from`
---@param error_type string? the `type` of the error
---@param condition string? its defined condition
---@param now number
---@return boolean is_ours whether it answers a publish that was sent there, and waited for
function engine:handle_error(id, from, error_type, condition, now) end

---An app server in this very process says that what it pushes to has ended: the device is not registered any more.
---@param id string the `id` of the IQ
---@param from string its `from`
---@param now number
---@return boolean is_ours whether it answers a publish that was sent there, and waited for
function engine:handle_ended(id, from, now) end

---A push that was polled could not be sent: it is tried again later, as if the app server had not answered.
---@param id string
---@param now number
function engine:handle_send_failure(id, now) end

---A push that was polled is not sent, as it has become pointless. What it was about still counts as unread.
---@param id string
function engine:withdraw(id) end

---A push that was polled is not sent, as another module has stopped it. What it was about does not count as unread.
---@param id string
function engine:suppress(id) end

---A push that was polled leaves from another host than the MUC service.
---@param id string
---@param host string
function engine:set_publisher(id, host) end

---The server has lost its link to the domain of an app server: answers to what is on its way there are not to be expected. It is due
---again, at once or when the link is there again. Nothing for a domain that no device has its app server at, or that has never taken a
---publish.
---@param domain string
---@param now number
---@param host string? whose link it was: what is on its way from other hosts of this server is not lost; nil: that of all of them
function engine:link_lost(domain, now, host) end

---The server has a link to the domain of an app server, as far as it can tell: whoever waits for that need not wait any longer. Nothing
---for the same domains.
---@param domain string
---@param now number
function engine:link_restored(domain, now) end

---Does what is due at `now`: publishes without an answer, retries, and what has not come to all members of a large room. Where
---much is due it does a part of it, and the next deadline is past.
---@param now number
function engine:handle_timeout(now) end

---Goes on with what has happened in large rooms, and has not come to all of their members: before a stop, as none of that is in
---a snapshot.
---@return boolean is_anything_left true: there is more, for another call
function engine:spread() end

---Makes ready to take up a part of a snapshot: where it names devices by hashes, all users are hashed, some at each call. For
---parts that follow on each other this takes long but once. restore() does it too, all at once.
---@param part snapshot_part
---@return boolean is_done false: there are more to be hashed, by another call with this part
function engine:prepare_restore(part) end

---Takes up a part of a snapshot, for the devices that are registered. A part with a key belongs to a journal: it stands in the
---place of what the parts before it have said, which is why they are taken up in the order in which they were made, and before
---anything is told. A part without one adds to what is known by now. Nothing that waits in a room is pushed before that was read,
---see awaited_room(); which rooms that are is known when all parts are taken up.
---@param part snapshot_part
---@param now number ages in it are as of then
---@return integer passed_over how many entries cannot be read, or make no sense
function engine:restore(part, now) end

---Whether what is said, and by whom, is kept from now on also where app servers in general may not know it: for push_words(). It is
---not until this says so.
---@param is_asked_for boolean
function engine:keep_words(is_asked_for) end

---The batch that poll_batch() or finish_batch() has returned is in the store: what has waited for that is pushed from now on.
---@param now number
---@param seconds number how long it took to write it: the store is left alone for ten times as long, but for no more than 2.5 seconds, or
---twice as long as it took if that is more
function engine:batch_stored(now, seconds) end

---That batch could not be stored. What it holds is in another one, some time later; until one is stored, pushes wait for none.
---@param now number
function engine:batch_failed(now) end

---What bequest() has returned is in the store, and so is the record, of which the engine knows.
---@param user string
---@param added string? as for bequest()
function engine:bequest_stored(user, added) end

---------------------------------------------------------------------------------------------------
-- Decisions: what is to be done.
---------------------------------------------------------------------------------------------------

---The next batch of the journal, where one is due: to be stored as it is, under a name that comes after those of all earlier batches
---and parts of snapshots. There is no other one before batch_stored() or batch_failed() was called. It is not to be asked for before
---all that the last run has left is taken up. Nothing where none is due, or there is no journal.
---@param now number
---@return snapshot_part? batch
---@return integer bytes the length of its texts
function engine:poll_batch(now) end

---The same before a stop: all that is not in the store, whatever the pace; batch by batch until there is none. What is still on its
---way through large rooms is in them as far as it has come: see spread(). Nicknames and domains are in the last ones.
---@param now number
---@return snapshot_part? batch nil: all is stored, or there is no journal
---@return integer bytes
function engine:finish_batch(now) end

---Where a registered device takes the place of the way by which a user was reached, or the other way round: what has to be in the journal
---before the record is stored in which that is so. To be stored as it is, under a name that comes after those of all earlier batches and parts
---of snapshots; after it the record, then set_registrations(), then bequest_stored(), with nothing else in between. Where this cannot be stored,
---the record is stored all the same, without bequest_stored(). Where the record cannot be, nothing else has to be called. Must not be called
---before all that the last run has left is taken up.
---@param user string
---@param record record? as it will be stored
---@param added string? the push identifier of the registration that the user has just asked for
---@param now number
---@return snapshot_part? part nil: nothing takes the place of anything else, or there is no journal
---@return integer bytes the length of its texts
function engine:bequest(user, record, added, now) end

---The next push, which counts as sent from now on. Nothing where there is none at the moment. It makes no events.
---@param now number
---@param scope "all-rooms"|"one-room" whether a push may be about more than one room. Modules that look at pushes judge each
---by a message of its room, and what they stop must not take other rooms with it
---@return string? id the `id` of the IQ
---@return integer? device see addressee()
---@return integer? summary see summary()
function engine:poll_push(now, scope) end

---@class device_disabled
---@field type "device-disabled" a device is not pushed to any more: it has to be removed from the store
---@field user string
---@field push_identifier string
---@field app_server string
---@field errors integer? this many persistent errors in a row; nil: it was not for that
---@field has_ended boolean? true: its app server says that what it pushes to has ended; nil: it was not for that. Where there is neither, it
---could not be reached for too long

---@class device_answered
---@field type "device-answered" a device that next_aged_devices() has returned had a result since: that is to be stored
---@field user string
---@field push_identifier string

---@class addressee_changed
---@field type "addressee-changed" what addressee() has said of this device holds no more
---@field device integer

---The next event. Nothing where there is none.
---@return device_disabled|device_answered|addressee_changed|nil event
function engine:poll_event() end

---The next account of a host that was only taken to have devices, see await_accounts(). Each is named once: it is to be found out whether it
---has any, for set_account().
---@param host string
---@return string? user nil: there is none, and from now on none of the host is taken to have any
function engine:presumed_account(host) end

---Begins to look at the leases of all devices. A lease begins when a device is registered, or with the `last_sign` of life that
---stands in its registration.
function engine:begin_lease_check() end

---A device of which there was no sign of life for a tenth of a lease, or more.
---@class aged_device
---@field user string
---@field push_identifier string
---@field app_server string
---@field is_over boolean whether its lease is over

---Looks at the leases of some more devices.
---@param unix_time number
---@param since number no lease has begun before
---@return aged_device[]? devices nil: all were looked at
function engine:next_aged_devices(unix_time, since) end

---When handle_timeout(), poll_batch() and poll_push() are to be called next; a time that is past means at once, nil not before something
---happens. The reason is for people.
---@return number? time on the clock of `now`
---@return "push waiting"|"message spreading"|"answer overdue"|"retry due"|"batch due"|nil reason
function engine:next_deadline() end

---------------------------------------------------------------------------------------------------
-- What the numbers mean, and a look inside.
---------------------------------------------------------------------------------------------------

---Where the pushes of a device go. Nothing where the device is gone.
---@param device integer as from poll_push()
---@return string? user
---@return string? app_server
---@return string? node
---@return stanza? form the publish-options form: it shares parts with others, and must not be changed
---@return way? way how the user is reached, where it is not by an app server: then there is no node and no form, and `app_server` is
---the bare JID of the user who messages are forwarded to; empty for an account of this server
function engine:addressee(device) end

---What a push says: the fields of the summary form (XEP-0357, section 7). Nothing where it is too long ago: the 64 newest are
---known. A number never means anything else.
---@param summary integer as from poll_push()
---@return table<string, string>? fields "message-count", "last-message-sender", "last-message-body"
function engine:summary(summary) end

---What other modules want to know of a push.
---@class push_details
---@field push_info table the registration, as it is stored
---@field mentioned boolean whether one of the messages it is about mentions the user
---@field room string? the room of the message that it is to be judged by; nil: there is none, another module has asked for it
---@field original stanza? that message, where it was kept: with those of its children that fit into 500 elements and 64 kB.
---The stanza and its attributes are nobody else's, but its children are shared, and must not be changed

---@param id string a push that was polled
---@return push_details? details nil: it is not wanted any more
function engine:push_details(id) end

---What was said in the newest message that a push is about, whatever app servers in general may know of it: for one that what is
---said does not leave the server by, or that goes by a way. Nothing where the push is not on its way. Nothing of it outlives a restart,
---unless app servers in general may know it.
---@param id string a push that was polled
---@return boolean? is_mention whether one of the messages that it stands for mentions the user
---@return string? sender the occupant JID of the author; nil: it was not kept, or may be told to nobody
---@return string? body the text; nil: as for the sender, or there is none that anybody could read
---@return string? room the bare JID of its room; nil: another module has asked for a push without a message
function engine:push_words(id) end

---Whether a push that was polled still is to be sent: its device may be gone, or its user be back.
---@param id string
---@return boolean
function engine:is_wanted(id) end

---@param user string
---@return boolean
function engine:is_registered(user) end

---Whether a message counts as unread for members who are absent, and want to hear of all messages.
---@param room string
---@param sender string? the bare JID of the author; nil: the room itself, or not known
---@param message stanza as the room sends it, from an occupant JID
---@return boolean
function engine:is_important(room, sender, message) end

---How much is known of a room: nothing, its members, or also which of them are there.
---@param room string
---@return "nothing"|"members"|"complete" coverage
---@return boolean is_anybody_absent whether any member with a device is absent, as far as that is known
---@return boolean has_devices whether any member has a device, as far as that is known
function engine:coverage(room) end

---The members with a device who are absent.
---@param room string
---@return string[] bare_jids
function engine:absent_members(room) end

---@class stats
---@field users integer users with a device
---@field devices integer
---@field accounts integer users of this server who are reached by their account. They are not among the users, nor their ways among the
---devices
---@field forwarded integer users elsewhere whom messages are forwarded to, if there are any; the same goes for them
---@field queued integer devices whose push waits to be sent
---@field parked integer those of them that wait for their app server's domain
---@field in_flight integer publishes without an answer
---@field spreading integer messages, and other things that happened in rooms, that have not come to all members
---@field unstored integer changes of what is unread or waits, for a device in a room each, that have yet to be written into the journal
---@field next_deadline string? the reason of the next deadline

---@return stats
function engine:stats() end

---The next room that is to be read, as something waits there since the last run: what mentions somebody comes first. What
---waits is pushed once it was read, or dropped once it is destroyed.
---@return string? room nil: there is none
function engine:awaited_room() end

---A part of what outlives a stop: what is unread, what is still to be pushed, failures, and the nicknames that members have
---last used, and what is known of the domains of app servers. A list is a text with an entry in JSON on each line, or a table of
---entries, as earlier versions have made them.
---Each entry is read on its own.
---@class snapshot_part
---@field devices string|table[]|nil
---@field messages string|table[]|nil which the devices of this part refer to by their places
---@field nicknames string|table[]|nil
---@field domains string|table[]|nil
---@field accounts string|nil the accounts of this server whose names are among those hashes: see await_accounts()
---@field unread string|nil what is unread in a room for many devices, by hashes of their names; or that a room or devices are gone
---@field key string? what those hashes were made with. A part that has a key belongs to a journal: see restore()

---What of a snapshot was not handed out yet, userdata: first what mentions somebody, then what else is still to be pushed,
---then what only counts, then nicknames.
---@class snapshot_plan

---@param plan snapshot_plan? one that is not done; nil: a new one
---@return snapshot_plan plan
---@return integer? devices how many devices it holds; nil: there are more to be looked at, by another call with it. next_part() does that
---too, all at once
function engine:plan_snapshot(plan) end

---The next part of a snapshot, of what is there at `now`.
---@param plan snapshot_plan
---@param now number
---@param devices integer how many devices at most
---@param detail "words"|"counts" whether it holds what pushes say, and what takes messages back, or only that there is something
---to be pushed, and how much
---@return snapshot_part? part nil: nothing is left
---@return integer bytes the length of its texts
---@return integer left how many devices are left after it
function engine:next_part(plan, now, devices, detail) end

return { contract = 6 };
