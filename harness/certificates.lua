-- Certificates for the servers of a test process, all issued by one authority that is made for it.

local altname = require "openssl.x509.altname";
local bignum = require "openssl.bignum";
local extension = require "openssl.x509.extension";
local name = require "openssl.x509.name";
local pkey = require "openssl.pkey";
local x509 = require "openssl.x509";

local files = require "harness.files";

local day = 24 * 60 * 60;

local certificates = {};

local authority; -- made when the first one is wanted
local serial = 0;

local function new_certificate(common_name)
	local key = pkey.new { type = "EC", curve = "prime256v1" };
	local certificate = x509.new();
	local now = os.time();
	serial = serial + 1;
	certificate:setVersion(3);
	certificate:setSerial(bignum.new(serial));
	certificate:setSubject(name.new():add("CN", common_name));
	certificate:setLifetime(now - day, now + day);
	certificate:setPublicKey(key);
	return certificate, key;
end

local function new_authority()
	local certificate, key = new_certificate("authority of the harness");
	certificate:setIssuer(certificate:getSubject());
	certificate:addExtension(extension.new("basicConstraints", "critical,CA:TRUE"));
	certificate:sign(key);
	return { certificate = certificate, key = key };
end

-- Writes what a server of some hosts needs into a folder, and returns it as Prosody's option `ssl`.
function certificates.issue(folder, hosts)
	authority = authority or new_authority();
	local certificate, key = new_certificate(hosts[1]);
	certificate:setIssuer(authority.certificate:getSubject());
	local names = altname.new();
	for _, host in ipairs(hosts) do
		names:add("DNS", host);
	end
	certificate:setSubjectAlt(names);
	certificate:sign(authority.key);
	files.write(folder .. "/authority.pem", authority.certificate:toPEM());
	files.write(folder .. "/server.pem", certificate:toPEM());
	files.write(folder .. "/server.key", key:toPEM("private"));
	return {
		cafile = folder .. "/authority.pem";
		certificate = folder .. "/server.pem";
		key = folder .. "/server.key";
	};
end

return certificates;
