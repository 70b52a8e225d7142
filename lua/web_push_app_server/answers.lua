-- What the answer of a push service means for whoever has published (RFC 8030, section 5; RFC 6120, section 8.3).
--
-- This file is MIT/X11 licensed.

local gone = { "cancel", "item-not-found", "the subscription has ended", has_ended = true };
local resting = { "wait", "resource-constraint", "the push service wants to be left alone for now" };
local busy = { "wait", "resource-constraint", "too much is on its way to the push service" };
local unreachable = { "wait", "remote-server-timeout", "the push service cannot be reached" };
local refused = { "wait", "internal-server-error", "the push service does not take this from here" };

local by_status = {
	[0] = { "wait", "remote-server-timeout", "the push service has not answered" };
	[401] = refused, [403] = refused, [404] = gone, [410] = gone, [429] = resting;
	resting = resting, busy = busy, unreachable = unreachable;
};

-- status: see push_services.lua. Returns the type, the condition and the text of an error; nil for a result. Then what the operator
-- ought to know, nil for nothing; and whether the subscription has ended.
local function of_status(status)
	local is_number = type(status) == "number";
	if is_number and status >= 200 and status < 300 then return nil; end
	local answer = by_status[status] or is_number and status >= 500 and resting or refused;
	local for_operator;
	if status == 401 or status == 403 then
		for_operator = "does not accept who this is: is the clock right, and are the keys those that browsers have subscribed with?";
	elseif status == "unreachable" then
		for_operator = "has no public address, and is not connected to";
	elseif answer == refused then
		for_operator = "answers in a way that is not expected";
	end
	return answer[1], answer[2], answer[3], for_operator, answer.has_ended;
end

return { of_status = of_status };
