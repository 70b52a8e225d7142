/**
 * The second check of the page's side: the service worker in Chromium. Its push service cannot be had without the internet, so the
 * subscription is one of the test's own, and what comes for it is decrypted by a library that is not ours, and handed to the service
 * worker.
 */

import assert from "node:assert/strict";
import { createECDH, randomBytes } from "node:crypto";
import { after, before, describe, it } from "node:test";

import ece from "http_ece";

import { PushService } from "./push_service.js";
import { Server } from "./server.js";
import { eventually, eventuallyEqual, launch, together } from "./user.js";

const service = "conference.localhost";
const version = (process.env.PROSODY_VERSIONS || "13.0").split(/[\s,]+/).at(-1);

/** In the page: a subscription of a push service that is not there, for a service worker that is at work, as Chromium wants it. */
function subscribeTo({ endpoint, p256dh, auth }) {
	const subscription = {
		options: {},
		toJSON: () => ({ endpoint, expirationTime: null, keys: { p256dh, auth } }),
		unsubscribe: async () => true,
	};
	PushManager.prototype.subscribe = async ({ applicationServerKey }) => {
		const registration = await navigator.serviceWorker.getRegistration("/browser/");
		if (!registration.active) throw new DOMException("Subscription failed - no active Service Worker", "AbortError");
		subscription.options.applicationServerKey = applicationServerKey;
		return subscription;
	};
}

describe(`Chromium, Converse.js and Prosody ${version}`, () => {
	const receiver = createECDH("prime256v1");
	const auth = randomBytes(16);
	let pushService, server, browser, context, page, worker, devtools, address;
	const room = `den@${service}`;

	before(async () => {
		pushService = await PushService.start();
		await together(
			launch().then((it) => { browser = it; }),
			Server.start(version, pushService.port).then((it) => { server = it; }),
		);
		pushService.present(server.pushService);
		receiver.generateKeys();
		await server.ask("create_account", { name: "carol", password: "only for this test" });
		await server.ask("create_room", { room, members: [{ jid: "carol@localhost", nick: "Carol" }], members_only: true });
		context = await browser.newContext();
		await context.grantPermissions(["notifications"], { origin: server.origin });
		await context.addInitScript(subscribeTo, {
			endpoint: `${pushService.origin}/push/1`,
			p256dh: receiver.getPublicKey("base64url"),
			auth: auth.toString("base64url"),
		});
		page = await context.newPage();
		const settings = {
			jid: "carol@localhost", password: "only for this test", nickname: "Carol",
			singleton: false, view_mode: "overlayed", auto_join_rooms: [{ jid: room, nick: "Carol" }],
			web_push_app_server: "/web_push", web_push_worker: "/browser/slow_worker.js",
		};
		address = `${server.origin}/user.html?settings=${encodeURIComponent(JSON.stringify(settings))}`;
		await page.goto(address);
		await eventually("carol is registered", async () => (await server.ask("registrations", { jid: "carol@localhost" }))[0]);
		worker = context.serviceWorkers()[0] ?? await context.waitForEvent("serviceworker");
		devtools = await context.newCDPSession(page);
	});

	after(async () => {
		await browser?.close();
		await server?.stop();
		await pushService?.stop();
	});

	function decrypt({ body }) {
		return ece.decrypt(body, { version: "aes128gcm", privateKey: receiver, authSecret: auth }).toString();
	}

	/**
	 * Hands a text to the service worker, as a push, and waits until that is shown: Chromium forgets a notification that it is asked
	 * for between writing it down and showing it.
	 */
	async function deliver(data) {
		const before = await worker.evaluate(() => self.displayed);
		const registered = new Promise((resolve) => {
			devtools.on("ServiceWorker.workerRegistrationUpdated", ({ registrations }) => registrations[0] && resolve(registrations[0]));
		});
		await devtools.send("ServiceWorker.enable");
		const { registrationId } = await registered;
		await devtools.send("ServiceWorker.deliverPushMessage", { origin: server.origin, registrationId, data });
		await devtools.send("ServiceWorker.disable");
		await eventually("the push is shown", () => worker.evaluate((count) => self.displayed > count, before));
	}

	function shown() {
		return worker.evaluate(async () => (await registration.getNotifications()).map(({ title, body, tag }) => ({ title, body, tag })));
	}

	/** Chromium closes a notification later, and by its tag: the next one should have another. */
	async function clear() {
		await worker.evaluate(async () => (await registration.getNotifications()).forEach((notification) => notification.close()));
		await eventuallyEqual(shown, []);
	}

	it("shows what the push says", async () => {
		// There is no such channel at the push service, but it keeps what it was sent.
		await page.goto("about:blank");
		await eventually("the session hibernates", async () => (await server.ask("session", { jid: "carol@localhost" })) === "hibernating");
		await server.ask("say", { room, text: "See you at eight 😀" });
		const push = await eventually("a push", () => pushService.pushes[0]);
		const text = decrypt(push);
		assert.deepEqual(JSON.parse(text), { service, count: 1, room, sender: "owner", text: "See you at eight 😀" });
		await page.goto(`${server.origin}/user.css`);
		devtools = await context.newCDPSession(page);
		await deliver(text);
		assert.deepEqual(await shown(), [{ title: "owner in den", body: "See you at eight 😀", tag: room }]);
		await clear();
	});

	it("shows what there is to show, and always something", async () => {
		for (const [push, title, body] of [
			[{ service, count: 4, room: `hall@${service}` }, "hall", "4 new messages"],
			[{ service, count: 4, room: `cellar@${service}`, sender: "Alice" }, "Alice in cellar", "4 new messages"],
			[{ service, count: 1 }, service, "New message"],
			[{ service: "localhost", sender: "bob@localhost", text: "hi" }, "bob@localhost", "hi"],
			["this is no JSON", "New message", "New message"],
			["null", "New message", "New message"],
			["", "New message", "New message"],
		]) {
			await deliver(typeof push === "string" ? push : JSON.stringify(push));
			assert.deepEqual((await shown()).map((notification) => [notification.title, notification.body]), [[title, body]]);
			await clear();
		}
	});

	/** A click, which the browser lets no test do: as the service worker sees it. Gives the address that it opens, if it does. */
	async function click() {
		return worker.evaluate(async () => {
			const opened = new Promise((resolve) => {
				clients.openWindow = async (url) => resolve(String(url));
				WindowClient.prototype.focus = async () => resolve(null);
			});
			const [notification] = await registration.getNotifications();
			dispatchEvent(new NotificationEvent("notificationclick", { notification }));
			return opened;
		});
	}

	it("opens Converse at the room by a click", async () => {
		await page.goto("about:blank");
		await page.goto(`${server.origin}/user.css`);
		devtools = await context.newCDPSession(page);
		await deliver(JSON.stringify({ service, count: 1, room }));
		const opened = await click();
		assert.equal(opened, `${address}#converse/room?jid=${room}`);
		await eventuallyEqual(shown, []);
		// And the room is there in what that opens.
		await page.goto(opened);
		await page.locator(`converse-muc[jid="${room}"] textarea.chat-textarea`).waitFor();
	});

	it("opens a room with any name", async () => {
		const other = `münchen=100%_süd@${service}`;
		await server.ask("create_room", { room: other, members: [{ jid: "carol@localhost", nick: "Carol" }], members_only: true });
		await page.goto("about:blank");
		await page.goto(`${server.origin}/user.css`);
		devtools = await context.newCDPSession(page);
		await deliver(JSON.stringify({ service, count: 1, room: other }));
		await page.goto(await click());
		await page.locator(`converse-muc[jid="${other}"] textarea.chat-textarea`).waitFor();
	});

	it("goes to the room where Converse is open already", async () => {
		const other = `attic@${service}`;
		await server.ask("create_room", { room: other, members: [{ jid: "carol@localhost", nick: "Carol" }], members_only: true });
		devtools = await context.newCDPSession(page);
		await deliver(JSON.stringify({ service, count: 1, room: other }));
		assert.equal(await click(), null);
		await page.locator(`converse-muc[jid="${other}"] textarea.chat-textarea`).waitFor();
	});
});
