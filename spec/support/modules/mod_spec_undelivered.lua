-- Keeps the events muc-undelivered-message for a spec to look at: module.seen, as plain values.
--
-- module.behave, if a spec sets it, is called with each event.

module.seen = {};

module:hook("muc-undelivered-message", function (event)
	local room, message = event.room, event.message;
	table.insert(module.seen, {
		room = room.jid;
		nick = event.occupant and event.occupant.nick;
		real_jid = event.real_jid;
		bare_jid = event.bare_jid;
		elsewhere = table.concat(event.elsewhere, " ");
		from = message and message.attr.from;
		to = message and message.attr.to;
		id = message and message.attr.id;
		body = message and message:get_child_text("body");
		xml = message and tostring(message);
		sender = event.sender;
		stanza_id = event.stanza_id;
		condition = event.condition;
		bounce_id = event.bounce.attr.id;
		was_present = room:get_occupant_jid(event.real_jid) ~= nil;
	});
	if module.behave then
		module.behave(event);
	end
end);
