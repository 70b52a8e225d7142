/**
 * Push notifications for a web client of XMPP, by mod_web_push_app_server. For Converse.js there is a plugin beside this file.
 *
 *	import { subscribe } from "./web_push.js";
 *
 *	button.addEventListener("click", async () => {
 *		const { jid, node, secret } = await subscribe({ appServer: "https://push.example.com/web_push", worker: "/worker.js" });
 *		// <enable xmlns="urn:xmpp:push:0" jid=… node=…/> with the secret in its form (XEP-0357), to each MUC service
 *	});
 *
 * In all of this, `options` are:
 *
 * - appServer: where the app server is asked by HTTP
 * - worker: where the file worker.js is, on the site of this page
 * - page: what a click on a notification opens, where it is not open; the address of this page unless given
 *
 * This file is MIT licensed.
 */

/** Whether this browser has push notifications at all. */
export function isPossible() {
	return "serviceWorker" in navigator && "PushManager" in globalThis && "Notification" in globalThis;
}

/** Whether the user has agreed ("granted"), or has not ("denied"), or has not been asked ("default"). */
export function permission() {
	return isPossible() ? Notification.permission : "denied";
}

/** Waits until the service worker of a registration is at work: Chromium subscribes no other. */
function isActive(registration) {
	const worker = registration.installing ?? registration.waiting;
	if (registration.active || !worker) return registration;
	return new Promise((resolve, reject) => {
		worker.addEventListener("statechange", () => {
			if (registration.active) resolve(registration);
			else if (worker.state === "redundant") reject(new Error("the service worker could not be installed"));
		});
	});
}

async function register({ appServer, worker, page = location.pathname + location.search }) {
	const url = new URL(worker, location.href);
	url.searchParams.set("page", page);
	url.searchParams.set("app_server", new URL(appServer, location.href));
	return isActive(await navigator.serviceWorker.register(url, { updateViaCache: "none" }));
}

function decode(base64url) {
	const binary = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
	return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}

function isSame(buffer, bytes) {
	const others = new Uint8Array(buffer ?? []);
	return others.length === bytes.length && others.every((byte, place) => byte === bytes[place]);
}

async function ask(appServer, request) {
	const response = await fetch(appServer, { cache: "no-store", credentials: "omit", ...request });
	const answer = await response.json().catch(() => ({}));
	if (!response.ok) throw new Error(`the app server has answered ${response.status}: ${answer.text ?? "no reason"}`);
	return answer;
}

/** The browser's subscription for the key of the app server. One for another key is of no use, and ends. */
async function subscriptionFor(key, manager) {
	const subscription = await manager.getSubscription();
	if (subscription && isSame(subscription.options.applicationServerKey, key)) return subscription;
	await subscription?.unsubscribe();
	return manager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
}

/**
 * Subscribes this browser, and gives what a server is asked to push to: { jid, node, secret }. They are the same each time, as long
 * as the subscription is. Asks the user to agree if need be, which browsers allow in a click only.
 */
export async function subscribe(options) {
	if (!isPossible()) throw new Error("this browser has no push notifications");
	if ((await Notification.requestPermission()) !== "granted") throw new Error("the user does not want notifications");
	const { vapid_public_key: key } = await ask(options.appServer);
	const registration = await register(options);
	const subscription = await subscriptionFor(decode(key), registration.pushManager);
	return ask(options.appServer, {
		method: "POST",
		headers: { "Content-Type": "application/json" },
		body: JSON.stringify(subscription),
	});
}

/** Ends the subscription of this browser, and takes away what it shows. */
export async function unsubscribe({ worker }) {
	const registration = await navigator.serviceWorker?.getRegistration(new URL(worker, location.href));
	const subscription = await registration?.pushManager.getSubscription();
	await subscription?.unsubscribe();
	for (const notification of (await registration?.getNotifications()) ?? []) notification.close();
}

/**
 * Calls openRoom(room) when a notification is clicked while the page is open, and renew() when the browser has replaced its
 * subscription: then subscribe() gives another node. Returns what ends it.
 */
export function listen({ openRoom, renew }) {
	const onMessage = ({ data }) => {
		if (data?.webPush === "open") openRoom?.(data.room);
		if (data?.webPush === "changed") renew?.();
	};
	navigator.serviceWorker?.addEventListener("message", onMessage);
	return () => navigator.serviceWorker?.removeEventListener("message", onMessage);
}
