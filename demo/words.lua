-- What has come, in words for those who watch. What is not as it should be is raised as { expected =, came = }.

local words = {};

-- Raises what was expected, and what has come, unless that is right. Returns what is right.
function words.check(ok, expected, came)
	if not ok then
		error({ expected = expected, came = came }, 0);
	end
	return ok;
end

-- What a push says. Without a summary it says nothing.
function words.describe(push)
	local summary = push.summary or {};
	local count = summary["message-count"];
	local parts = { string.format("node %q: %s %s missed", push.node or "", count or "?", count == "1" and "message" or "messages") };
	if summary["last-message-sender"] then
		table.insert(parts, "from " .. summary["last-message-sender"]);
	end
	if summary["last-message-body"] then
		table.insert(parts, "\"" .. summary["last-message-body"] .. "\"");
	end
	return table.concat(parts, ", ");
end

-- What an answer to a request says.
function words.describe_reply(reply)
	if reply.attr.type ~= "error" then return reply.attr.type; end
	local error_type, condition, text = reply:get_error();
	return string.format("an error, %s/%s%s", error_type, condition, text and ": " .. text or "");
end

return words;
