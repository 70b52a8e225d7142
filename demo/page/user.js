/**
 * One user's Converse.js, with the settings that come in the query: ?settings=<JSON>. Of these, `stand_in` is a
 * subscription for a browser without push notifications, and all others are Converse's.
 *
 * The page around it says { do: "logout" } and hears { event: "joined" | "sent" | "logged out" | "disconnected" }.
 */

import converse from "/converse/converse.min.js";

const { stand_in: standIn, ...settings } = JSON.parse(new URLSearchParams(location.search).get("settings"));

/** Tells the page around us. */
function tell(event, details = {}) {
	parent.postMessage({ event, ...details }, location.origin);
}

// Converse completes nicknames with Tab, also where there is nothing to complete: nobody without a mouse would get away.
addEventListener("keydown", (event) => {
	if (event.key === "Tab" && event.target.value === "") event.stopImmediatePropagation();
}, { capture: true });

converse.plugins.add("demo", {
	initialize() {
		const { api } = this._converse;
		addEventListener("message", (message) => {
			if (message.origin === location.origin && message.data.do === "logout") api.user.logout();
		});
		api.listen.on("logout", () => tell("logged out"));
		api.listen.on("disconnected", () => tell("disconnected"));
		const joined = (room) => tell("joined", { room: room.get("jid") });
		api.listen.on("enteredNewRoom", joined);
		// A resumed session is in its rooms already.
		api.listen.on("chatRoomInitialized", (room) => {
			if (room.isEntered()) joined(room);
		});
		api.listen.on("sendMessage", () => tell("sent", { at: Date.now() }));
	},
});

// Push notifications, where there is an app server for browsers; and not by the browser itself where it has none.
if (standIn) {
	const { standInForPush } = await import("./stand-in.js");
	standInForPush(standIn);
}
if (settings.web_push_app_server) {
	const { addWebPush } = await import(`${settings.web_push_app_server}/converse.js`);
	addWebPush(converse);
}

converse.initialize({
	assets_path: "/converse/",
	authentication: "login",
	auto_login: true,
	auto_reconnect: true,
	blacklisted_plugins: ["converse-omemo"], // which asks for a file outside of its folder
	discover_connection_methods: false,
	i18n: "en",
	loglevel: "info",
	hide_muc_participants: true,
	singleton: true,
	auto_focus: false,
	show_desktop_notifications: false,
	persistent_store: "localStorage", // two instances of one origin close IndexedDB on each other
	play_sounds: false,
	view_mode: "embedded",
	websocket_url: `${location.origin.replace("http", "ws")}/xmpp-websocket`,
	whitelisted_plugins: ["demo", "web-push"],
	...settings,
});
