-- Stands in for the community's module of that name: it has the same field, and nothing else.

module:add_item("muc-registration-field", {
	name = "offline_delivery", var = "{http://tigase.org/protocol/muc}offline", type = "boolean", label = "Offline", value = false;
});
