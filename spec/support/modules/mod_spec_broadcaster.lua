-- Sends what a room broadcasts to its occupants itself, and ends the event, as mod_muc_bot does: while module.is_on.

module.is_on = false;

module:hook("muc-broadcast-message", function (event)
	if not module.is_on then return; end
	event.room:broadcast(event.stanza);
	return true;
end, -100);
