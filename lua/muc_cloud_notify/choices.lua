-- What members have chosen in the registration form of a room (XEP-0045, section 7.10): whether they want to be told of messages by
-- their own server while they are not there. The field is Tigase's, which Siskin and Snikket for iOS show and send: 1 is asked, 0 is
-- refused, and most members have said neither.
--
-- The choice is in the affiliation data of the room, which Prosody keeps with it and shows to nobody, under the name that
-- mod_muc_offline_delivery has for it: who has asked that module has asked this one.
--
-- mod_muc looks at a registration only where it brings another nickname, and does not say whether the room could be stored. So
-- its answer passes through here: what it has agreed to is stored by then, or is stored now, or the answer is another one.
--
-- Invariant: a choice is written where its member submits it, and nowhere else. It is in the store before it is confirmed, and before it
-- counts.
--
-- This file is MIT/X11 licensed.

local part = ...;

local jid_bare = require "util.jid".bare; -- COMPAT 0.12: no prosody.* names
local st = require "util.stanza";

local guard = part "shared/guard";
local local_hosts = part "muc_cloud_notify/local_hosts";

local xmlns_register = "jabber:iq:register";
local feature = "http://tigase.org/protocol/muc#offline";
local field_var = "{http://tigase.org/protocol/muc}offline";

-- The key in the affiliation data.
local key = "offline_delivery";

-- A module that offers the same field, and forwards each message to those who have asked.
local other_module = "muc_offline_delivery";

-- Before mod_muc, which has -2, and after what may refuse a request.
local before_muc = -1;

local is_member = { owner = true, admin = true, member = true };

-- XEP-0004, section 3.3
local booleans = { ["1"] = true, ["true"] = true, ["0"] = false, ["false"] = false };

-- Of an error that is passed on.
local function with_traceback(err)
	return type(err) == "string" and debug.traceback(err, 2) or err;
end

local function copy(data)
	local copied = {};
	for name, value in pairs(data or {}) do copied[name] = value; end
	return copied;
end

-- The member's own text in the field; nil where they do not say anything there.
local function submitted_text(form)
	for field in form and form:childtags("field") or function () end do
		if field.attr.var == field_var then return field:get_child_text("value"); end
	end
end

-- Whether a room is stored each time it is saved.
local function is_stored(room)
	return room:get_persistent() and true or false;
end

-- An origin whose answer to one request passes through answer(reply), which returns what is sent.
local function intercepted(origin, answer)
	return setmetatable({ send = function (reply) return origin.send(answer(reply)); end }, { __index = origin, __newindex = origin });
end

-- parts: { muc = the environment of mod_muc; engine; is_forwarding = whether messages are forwarded at all; may_reach_account(bare_jid) =
-- whether a user of this server is pushed to by way of their account, where that has devices and they do not refuse }
local function watch(parts)
	local muc, engine, may_reach_account = parts.muc, parts.engine, parts.may_reach_account;
	local on_change = function () end;
	local field = { name = key, var = field_var, type = "boolean", label = "Tell me of messages while I am not in the room" };
	local is_in_form = false;
	local removing; -- { room, bare_jid } of the request that is being answered, where somebody ends a registration
	local endings = setmetatable({}, { __mode = "k" }); -- event -> what is to be done once mod_muc is done with it

	-- Another module forwards, and would do so as well.
	local function is_left_to_other()
		return prosody.hosts[module.host].modules[other_module] ~= nil;
	end

	local function is_forwarding()
		return parts.is_forwarding and not is_left_to_other();
	end

	-- Whether it makes a difference for a user what they choose.
	local function is_offered_to(bare_jid)
		if is_left_to_other() then return false; end
		if local_hosts.is_local(bare_jid) then return may_reach_account(bare_jid); end
		return parts.is_forwarding;
	end

	-- What the engine is told of a member's choice. Nothing is forwarded to users of this server.
	local function forwarding_in(bare_jid, data)
		local choice = data and data[key];
		if choice == false then return "refused"; end
		return choice == true and is_forwarding() and not local_hosts.is_local(bare_jid) and "asked" or nil;
	end

	-- What the form shows to a user: what they have chosen, or else what happens without a choice.
	local function shown_to(room, bare_jid)
		local choice = room:get_affiliation_data(bare_jid, key);
		if choice == nil then return local_hosts.is_local(bare_jid) and may_reach_account(bare_jid); end
		return choice == true;
	end

	-- The form of mod_muc has the field from now on, or has not.
	local function put_into_form(is_offered)
		if is_offered == is_in_form then return; end
		is_in_form = is_offered;
		if is_offered then
			module:add_item("muc-registration-field", field);
		else
			module:remove_item("muc-registration-field", field);
		end
	end

	local function refuse(event, refusal)
		event.origin.send(st.error_reply(event.stanza, refusal.type, refusal.condition, refusal.text));
		return true;
	end

	-- Writes a choice into the affiliation data of a member, and stores the room. Returns whether that went well; otherwise
	-- nothing has changed.
	local function store(room, bare_jid, choice)
		local before, data = room._affiliation_data[bare_jid], copy(room._affiliation_data[bare_jid]);
		data[key] = choice;
		room._affiliation_data[bare_jid] = data;
		local ok, err = room:save(true);
		if ok or not is_stored(room) then return true; end
		module:log("error", "The room %s could not be stored with the choice of a member: %s", room.jid, err);
		room._affiliation_data[bare_jid] = before;
		return false;
	end

	-- Has mod_muc's saves of a room looked at, for as long as it answers a request. Returns a function that ends that, and returns
	-- whether all of them went well.
	local function watch_saves(room)
		local own, save, is_well, is_over = rawget(room, "save"), room.save, true, false;
		room.save = function (...)
			local ok, err = save(...);
			if not ok and is_stored(room) then is_well = false; end
			return ok, err;
		end;
		return function ()
			if not is_over then rawset(room, "save", own); end
			is_over = true;
			return is_well;
		end;
	end

	-- mod_muc has agreed to a registration. Returns whether the choice is stored.
	local function confirm(room, bare_jid, choice, before, is_well)
		local data = room._affiliation_data[bare_jid];
		if not is_member[room._affiliations[bare_jid]] then return true; end
		if not is_well then
			if data then
				data = copy(data);
				data[key] = before;
				room._affiliation_data[bare_jid] = data;
			end
			return false;
		end
		return data ~= nil and data[key] == choice or store(room, bare_jid, choice);
	end

	local function submit(event, room, bare_jid, choice)
		local stanza = event.stanza;
		local before = room:get_affiliation_data(bare_jid, key);
		local end_watch = watch_saves(room);
		endings[event] = end_watch;
		event.origin = intercepted(event.origin, function (reply)
			local is_well = end_watch();
			if reply.attr.type ~= "result" then return reply; end
			local ok, is_confirmed = guard.attempt("store the choice of a member", confirm, room, bare_jid, choice, before, is_well);
			guard.attempt("take note of a choice", on_change, room, bare_jid);
			if ok and is_confirmed then return reply; end
			return st.error_reply(stanza, "wait", "internal-server-error", "Your registration cannot be stored at the moment");
		end);
	end

	-- Siskin asks for no more messages by ending the registration, which takes only members' affiliation away. Of others it is
	-- known that they mean that where they had asked for messages, or have no nickname that they could give up.
	local function note_end(event, room, bare_jid)
		local data = room:get_affiliation_data(bare_jid) or {};
		if data[key] == nil and data.reserved_nickname then return; end
		removing = { room = room, bare_jid = bare_jid };
		endings[event] = function () removing = nil; end;
	end

	local function on_set(event, room, bare_jid, query)
		if query:get_child("remove") then
			note_end(event, room, bare_jid);
			return nil;
		end
		local form = query:get_child("x", "jabber:x:data");
		if form and form.attr.type == "cancel" then -- XEP-0004, section 3.1: mod_muc takes it for a form that is submitted
			event.origin.send(st.reply(event.stanza));
			return true;
		end
		local text = is_offered_to(bare_jid) and submitted_text(form);
		if not text then return nil; end
		local choice = booleans[text];
		if choice == nil then
			return refuse(event, { type = "modify", condition = "bad-request", text = "The field "..field_var.." is neither 1 nor 0" });
		end
		local is_new = choice and not local_hosts.is_local(bare_jid) and forwarding_in(bare_jid, room:get_affiliation_data(bare_jid)) ~= "asked";
		local refusal = is_new and engine:admit_forwarding(bare_jid);
		if refusal then return refuse(event, refusal); end
		submit(event, room, bare_jid, choice);
		return nil;
	end

	-- mod_muc has one form for everybody, which is put right for who asks.
	module:hook("iq/bare/"..xmlns_register..":query", guard.answer("take note of a registration", function (event)
		local stanza = event.stanza;
		local room = muc.get_room_from_jid(jid_bare(stanza.attr.to));
		if not room then return nil; end
		local bare_jid = jid_bare(stanza.attr.from);
		put_into_form(is_offered_to(bare_jid));
		if stanza.attr.type == "set" then return on_set(event, room, bare_jid, stanza.tags[1]); end
		field.value = shown_to(room, bare_jid);
		return nil;
	end), before_muc);

	-- Whoever has answered, or has failed to: what was prepared for mod_muc's answer ends with the request.
	module:wrap_event("iq/bare/"..xmlns_register..":query", function (handlers, name, event)
		local ok, result = xpcall(handlers, with_traceback, name, event);
		local ending = endings[event];
		if ending then
			endings[event] = nil;
			ending();
		end
		if not ok then error(result, 0); end
		return result;
	end);

	-- Only fired where the nickname is another one.
	module:hook("muc-registration-submitted", guard.watch("take note of a choice", function (event)
		event.affiliation_data[key] = event.submitted_data and event.submitted_data[key];
	end));

	-- Before the affiliation is stored. Whoever sets it with other data says nothing of the member's choice.
	module:hook("muc-pre-set-affiliation", guard.watch("keep the choice of a member", function (event)
		if not is_member[event.affiliation] then return; end
		local data, before = event.data, event.previous_data;
		if removing and removing.room == event.room and removing.bare_jid == event.jid then
			event.data = { [key] = false };
		elseif data and before and data ~= before and data[key] == nil and is_member[event.previous_affiliation] then
			data[key] = before[key];
		end
	end), -900);

	-- The same table may have been given to others, whose choice it is not.
	module:hook("muc-set-affiliation", guard.watch("keep the choice of a member", function (event)
		local data = event.data;
		if data and data[key] ~= nil and event.room._affiliation_data[event.jid] == data then
			event.room._affiliation_data[event.jid] = copy(data);
			data[key] = nil;
		end
	end), 1001);

	module:hook("muc-disco#info", guard.watch("announce the forwarding of messages", function (event)
		if is_forwarding() then
			event.reply:tag("feature", { var = feature }):up();
		end
	end));

	-- The form is right before anybody asks for it: other modules may look at it.
	put_into_form(not is_left_to_other() and parts.is_forwarding);
	if is_left_to_other() then
		module:log("warn", "mod_%s forwards messages to members here, so this module does not: unload that one, and its members are kept", other_module);
	end

	return {
		forwarding_in = forwarding_in;
		-- handler(room, bare_jid): called when a choice may have changed
		on_change = function (handler) on_change = handler; end;
	};
end

return { watch = watch };
