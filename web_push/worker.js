/**
 * The service worker of web_push.js: shows a notification for each push, also while the page is closed. A newer one of a room takes
 * the place of the older one.
 *
 * A push says, in JSON: { service, count, room, sender, text, stanza_id, important }, of which all but `service` may be missing.
 *
 * This file is MIT licensed.
 */

const parameters = new URL(location.href).searchParams;
const page = new URL(parameters.get("page") ?? "/", location.href);
const appServer = parameters.get("app_server");

function read(data) {
	try {
		return data.json() ?? {};
	} catch {
		return {};
	}
}

function nameOf(room) {
	return room.split("@")[0];
}

function words({ service, count, room, sender, text }) {
	const where = room ? nameOf(room) : service;
	const title = sender && room ? `${sender} in ${where}` : sender ?? where ?? "New message";
	const number = count > 1 ? `${count} new messages` : "New message";
	return { title, body: text || number };
}

async function show(push) {
	const { title, body } = words(push);
	const tag = push.room ?? push.sender ?? push.service ?? "";
	await registration.showNotification(title, { body, tag, renotify: tag !== "", data: push });
}

/** The window that has the page already, the one in front first. */
async function findWindow() {
	const windows = await clients.matchAll({ type: "window", includeUncontrolled: true });
	const ours = windows.filter(({ url }) => new URL(url).pathname === page.pathname);
	return ours.find(({ visibilityState }) => visibilityState === "visible") ?? ours[0];
}

/** Whether an address and whoever reads it leave a JID as it is. */
function isPlain(jid) {
	return /^[\w.@~!$()*,;:+-]+$/.test(jid);
}

async function open({ room }) {
	const found = await findWindow();
	if (found) {
		found.postMessage({ webPush: "open", room });
		return found.focus();
	}
	const target = new URL(page);
	if (room) target.hash = `#converse/room?jid=${isPlain(room) ? room : encodeURIComponent(room)}`;
	return clients.openWindow(target);
}

/** Asks for a new subscription, and tells the page, which alone can make it known. Otherwise it will when it is opened. */
async function renew() {
	const response = await fetch(appServer, { cache: "no-store", credentials: "omit" });
	const { vapid_public_key: applicationServerKey } = await response.json();
	await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey });
	for (const client of await clients.matchAll({ type: "window", includeUncontrolled: true })) {
		client.postMessage({ webPush: "changed" });
	}
}

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(clients.claim()));
self.addEventListener("push", (event) => event.waitUntil(show(read(event.data))));
self.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(renew()));
self.addEventListener("notificationclick", (event) => {
	event.notification.close();
	event.waitUntil(open(event.notification.data ?? {}));
});
