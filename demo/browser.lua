-- What a browser does about Web Push (RFC 8291, RFC 8188): the keys of a subscription, and the reading of what comes for it. By the
-- functions of Prosody 13.0, so not by those of the app server, which are in Rust.

local base64 = require "util.encodings".base64;
local crypto = require "util.crypto";
local hashes = require "util.hashes";
local json = require "util.json";
local random = require "util.random";

local hkdf = hashes.hkdf_hmac_sha256;

local browser = {};

local browser_methods = {};
local browser_mt = { __index = browser_methods };

local function base64url(bytes)
	return (base64.encode(bytes):gsub("[+/=]", { ["+"] = "-", ["/"] = "_", ["="] = "" }));
end

-- A subscription at an endpoint, as PushSubscription.toJSON() gives it, in `subscription`.
function browser.subscribe(endpoint)
	local key, auth = crypto.generate_p256_keypair(), random.bytes(16);
	return setmetatable({
		auth = auth;
		key = key;
		subscription = { endpoint = endpoint, keys = { p256dh = base64url(key:public_raw()), auth = base64url(auth) } };
	}, browser_mt);
end

-- What a push says, from the body that has come for the subscription; nil for what is no such thing.
function browser_methods:read(body)
	local salt, sender, sealed = body:sub(1, 16), string.unpack(">s1", body, 21);
	sealed = body:sub(sealed);
	local shared = self.key:derive(crypto.import_public_ec_raw(sender, "P-256"));
	local secret = hkdf(32, shared, self.auth, "WebPush: info\0" .. self.key:public_raw() .. sender);
	local key, nonce = hkdf(16, secret, salt, "Content-Encoding: aes128gcm\0"), hkdf(12, secret, salt, "Content-Encoding: nonce\0");
	local padded = crypto.aes_128_gcm_decrypt(key, nonce, sealed);
	local text = padded and padded:match("^(.*)\2%z*$");
	return text and json.decode(text);
end

return browser;
