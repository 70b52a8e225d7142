-- The contract between the Lua files and the library, which is written in Rust (crate/web_push_module/src/app_server.rs).
--
-- The annotations are LuaCATS, for editors; what is loaded of this file is the contract's number. It is raised whenever
-- anything in this file changes, here and in crate/web_push_module/src/lib.rs, so that a library of another contract is noticed.
-- A spec holds a digest of this file for each number.
--
-- A function that finds an argument of the wrong type raises an error. Errors are userdata: tostring() gives the text. Nothing
-- calls back into Lua, sends, stores or logs anything.
--
-- This file is MIT/X11 licensed.

---The table that the library returns.
---@class push_library
---@field contract integer the number of the contract the library was built for
local push_library = {};

---An app server's keys, as they are stored. Whoever has them can read all nodes, and push in the app server's name.
---@class push_keys
---@field vapid string the private key that says who the app server is (RFC 8292), in base64url
---@field node string what nodes are sealed with, in base64url

---New keys.
---@return push_keys keys
function push_library.new_keys() end

---@class push_options
---@field services string[] the push services that may be sent to, see is_push_service()
---@field contact string a URI at which the operator can be reached
---@field content "full"|"sender"|"none" how much of a message a notification shows
---@field time_to_live integer for how many seconds a push service keeps what it cannot deliver

---An app server.
---@param keys push_keys
---@param options push_options
---@return push_app_server? app_server nil: the keys are none
---@return string? err
function push_library.open(keys, options) end

---Whether a text names push services: a host, or `*.` and a domain, for all hosts in it; and a port, if it is not that of
---https.
---@param entry string
---@return boolean
function push_library.is_push_service(entry) end

---Whether an IP address is one of the public internet.
---@param address string
---@return boolean
function push_library.is_public_address(address) end

---@class push_app_server
local push_app_server = {};

---The key that browsers subscribe with (`applicationServerKey`), in base64url.
---@return string
function push_app_server:public_key() end

---The node for a subscription: always the same for the same one.
---@param endpoint string
---@param p256dh string
---@param auth string
---@return string? node nil: there is none
---@return string secret_or_reason what the node is published to with; or "malformed", "not-allowed" or "too-long"
---@return string? text why there is no node, for people
function push_app_server:subscribe(endpoint, p256dh, auth) end

---The same for what PushSubscription.toJSON() gives.
---@param json string
---@return string? node
---@return string secret_or_reason
---@return string? text
function push_app_server:subscribe_json(json) end

---A subscription that may be pushed to, userdata.
---@class push_subscription

---The subscription of a node that is published to.
---@param node string
---@param secret string?
---@return push_subscription? subscription nil: it may not be pushed to
---@return string host_or_reason the host of its push service; or "not-found", "forbidden" or "not-allowed"
---@return string? origin of its push service, as a URL
---@return boolean? is_anywhere whether the push service may have any address, as the operator wants it there
function push_app_server:find(node, secret) end

---What a publish says. Texts that are too long for a push are cut, or left out.
---@class push_notification
---@field service string who has published
---@field count integer? how many messages are unread, from 0 to 4294967295
---@field room string? the bare JID of the room of the newest one
---@field sender string? the nickname of its author
---@field text string?
---@field stanza_id string?
---@field important boolean? whether it mentions the user

---The request that brings a notification to a browser (RFC 8030, section 5), which is a POST. No two are the same.
---@param subscription push_subscription
---@param notification push_notification
---@param unix_time number
---@return string url
---@return table<string, string> headers
---@return string body
function push_app_server:request(subscription, notification, unix_time) end

---A push service has not liked what it was told of who this is: it is told anew next time.
---@param origin string
function push_app_server:forget_authorization(origin) end

return { contract = 1 };
