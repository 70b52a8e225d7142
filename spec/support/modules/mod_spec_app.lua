-- An app server inside the server: it is called, and does what it does, while a push is being sent.
--
-- It answers with a result, unless a spec gives it something else to do: a function of the event in module.behave.

local st = require "util.stanza";

module.pushes = 0;

module:hook("iq-set/host/http://jabber.org/protocol/pubsub:pubsub", function (event)
	module.pushes = module.pushes + 1;
	if module.behave then
		return module.behave(event);
	end
	event.origin.send(st.reply(event.stanza));
	return true;
end);
