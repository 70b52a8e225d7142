/** From a message in a room to a notification that a real browser shows, with its page closed. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { launchFirefox } from "./firefox.js";
import { PushService } from "./push_service.js";
import { Server } from "./server.js";
import { eventually, eventuallyEqual } from "./user.js";

const versions = (process.env.PROSODY_VERSIONS || "0.12 13.0").split(/[\s,]+/);
const service = "conference.localhost";
const password = "only for this test";
const appServer = "web-push.localhost";
const secondService = "second.localhost";

let pushService, firefox;

before(async () => {
	pushService = await PushService.start();
	firefox = await launchFirefox(pushService);
});

after(async () => {
	await firefox?.close();
	await pushService?.stop();
});

for (const version of versions) {
	describe(`Firefox, Converse.js and Prosody ${version}`, () => {
		let server;
		let number = 0;

		before(async () => {
			server = await Server.start(version, pushService.port);
			pushService.present(server.pushService);
		});

		after(async () => {
			pushService.expire(); // those of this server
			await server?.stop();
		});

		/** A room, and a member of it with Converse in a tab. */
		async function enter() {
			number += 1;
			const name = `carol-${number}`;
			const user = { jid: `${name}@localhost`, roomName: `den-${number}`, room: `den-${number}@${service}` };
			await server.ask("create_account", { name, password });
			await server.ask("create_room", { room: user.room, members: [{ jid: user.jid, nick: "Carol" }], members_only: true });
			const settings = {
				jid: user.jid, password, nickname: "Carol",
				auto_join_rooms: [{ jid: user.room, nick: "Carol" }],
				singleton: false, view_mode: "overlayed",
				web_push_app_server: "/web_push", web_push_worker: "/web_push/worker.js",
			};
			user.address = `${server.origin}/user.html?settings=${encodeURIComponent(JSON.stringify(settings))}`;
			await openTab(user);
			return user;
		}

		async function openTab(user) {
			user.page = await firefox.browser.newPage();
			await user.page.goto(user.address);
		}

		function session(user, state) {
			return eventually(`the session is ${state}`, async () => (await server.ask("session", { jid: user.jid })) === state);
		}

		/** Closes the tab. The session stays for a while, and hibernates. */
		async function closeTab(user) {
			await user.page.close();
			await session(user, "hibernating");
		}

		function registrations(user) {
			return server.ask("registrations", { jid: user.jid });
		}

		function isRegistered(user) {
			return eventually(`${user.jid} is registered`, async () => (await registrations(user))[0]);
		}

		function isNotRegistered(user) {
			return eventually(`${user.jid} is not registered`, async () => (await registrations(user)).length === 0);
		}

		/** The owner writes in the room. Gives the push that comes of it. */
		async function say(user, text) {
			const place = pushService.pushes.length;
			await server.ask("say", { room: user.room, text });
			return eventually(`a push for "${text}"`, () => pushService.pushes[place]);
		}

		/** The browser has decrypted a push and shown what it says. */
		async function isShown(push) {
			assert.equal(push.status, 201);
			await eventually("the browser has got it", () => push.acknowledged !== undefined);
			assert.equal(push.acknowledged, 100);
		}

		/** What the browser shows, as a page of the same site sees it. */
		async function notifications() {
			const page = await firefox.browser.newPage();
			try {
				await page.goto(`${server.origin}/user.css`);
				return await page.evaluate(async () => {
					const registration = await navigator.serviceWorker.getRegistration("/web_push/");
					const shown = await registration.getNotifications();
					return shown.map(({ title, body, tag }) => ({ title, body, tag }));
				});
			} finally {
				await page.close();
			}
		}

		// A matter of the browser and the page: one Prosody is enough.
		if (version === versions.at(-1)) it("does not ask again whoever does not want that now", async () => {
			const user = await enter();
			const [, notNow] = await eventually("both buttons", async () => {
				const buttons = await user.page.$$(".web-push-offer button");
				return buttons.length === 2 && buttons;
			});
			await notNow.click();
			assert.equal(await user.page.$(".web-push-offer"), null);
			await closeTab(user);
			await openTab(user);
			await user.page.waitForSelector("converse-muc textarea.chat-textarea");
			assert.equal(await user.page.$(".web-push-offer"), null);
			// A month later.
			await user.page.evaluate(() => localStorage.setItem("web-push-declined", Date.now() - 31 * 24 * 3600 * 1000));
			await closeTab(user);
			await openTab(user);
			await user.page.waitForSelector(".web-push-offer button");
			await user.page.close();
		});

		it("shows what is written while the page is closed, once the user has agreed, and opens the room by a click", async () => {
			const user = await enter();
			const button = await user.page.waitForSelector(".web-push-offer button");
			await session(user, "connected");
			assert.deepEqual(await registrations(user), []);
			assert.equal(pushService.channels.size, 0);
			await firefox.agree(server.origin);
			await button.click();
			const { jid, node, since } = await isRegistered(user);
			assert.equal(jid, appServer);
			assert.ok(node.length <= 1024);

			// Whoever is there needs none.
			const before = pushService.pushes.length;
			await server.ask("say", { room: user.room, text: "Everybody is here" });
			await eventually("it is read", () => user.page.$$eval(".chat-msg__text", (all) =>
				all.some((one) => one.textContent.includes("Everybody is here"))));
			await closeTab(user);

			await isShown(await say(user, "See you at eight"));
			assert.equal(pushService.pushes.length, before + 1);
			const title = `owner in ${user.roomName}`;
			await eventuallyEqual(notifications, [{ title, body: "See you at eight", tag: user.room }]);
			// A second one takes the place of the first.
			await isShown(await say(user, "or at nine"));
			await eventuallyEqual(notifications, [{ title, body: "or at nine", tag: user.room }]);

			// A click opens the room. Who comes back is the same device, and is not asked again.
			await eventually("a click", () => firefox.click());
			user.page = await eventually("a page is opened", async () =>
				(await firefox.browser.pages()).find((page) => page.url().startsWith(user.address)));
			assert.equal(user.page.url(), `${user.address}#converse/room?jid=${user.room}`);
			await user.page.waitForSelector(`converse-muc[jid="${user.room}"] textarea.chat-textarea`);
			await eventuallyEqual(notifications, []);
			await eventually("it is registered anew", async () => (await registrations(user))[0].since > since);
			assert.equal(await user.page.$(".web-push-offer"), null);
			assert.deepEqual((await registrations(user)).map((device) => device.node), [node]);
			assert.equal(pushService.channels.size, 1);

			// A subscription that has ended ends the registration.
			await closeTab(user);
			pushService.expire();
			assert.equal((await say(user, "is anybody there?")).status, 410);
			await isNotRegistered(user);
		});

		// A matter of the browser and the page: one Prosody is enough.
		if (version === versions.at(-1)) it("goes on with another subscription where the push service drops the first", async () => {
			await firefox.agree(server.origin);
			const user = await enter();
			const { node } = await isRegistered(user);
			pushService.forget();
			const isAnother = (devices) => devices.length === 1 && devices[0].node !== node && devices[0];
			const other = await eventually("another one is registered", async () => isAnother(await registrations(user)));
			assert.equal(pushService.channels.size, 1);
			await closeTab(user);
			await isShown(await say(user, "See you at eight"));

			// With the page closed, the service worker subscribes, and the page makes it known when it is opened.
			pushService.forget();
			await eventually("the browser has subscribed", () => pushService.channels.size === 1);
			assert.equal((await say(user, "is anybody there?")).status, 410);
			await isNotRegistered(user);
			await openTab(user);
			assert.notEqual((await isRegistered(user)).node, other.node);
			await closeTab(user);
			await isShown(await say(user, "or at nine"));
		});

		// A matter of the page: one Prosody is enough.
		if (version === versions.at(-1)) it("has the services of rooms that are not open push to another subscription too", async () => {
			await firefox.agree(server.origin);
			const user = await enter();
			const { node } = await isRegistered(user);
			const elsewhere = () => server.ask("registrations", { jid: user.jid, service: secondService });
			assert.deepEqual(await elsewhere(), []);
			const room = `den-${number}@${secondService}`;
			await server.ask("create_room", { room, members: [{ jid: user.jid, nick: "Carol" }], members_only: true });
			await user.page.evaluate((jid) => { location.hash = `#converse/room?jid=${jid}`; }, room);
			await eventually("the second service knows", async () => (await elsewhere())[0]?.node === node);
			await user.page.evaluate((jid) => document.querySelector(`converse-muc[jid="${jid}"] .close-chatbox-button`).click(), room);
			await (await user.page.waitForSelector("converse-confirm-modal button[type=submit]", { visible: true })).click();
			await user.page.waitForSelector(`converse-muc[jid="${room}"]`, { hidden: true });
			await closeTab(user);

			pushService.forget();
			await openTab(user);
			const isAnother = ([device]) => device && device.node !== node && device;
			const other = await eventually("another one is registered", async () => isAnother(await registrations(user)));
			await eventually("with the second one too", async () => (await elsewhere())[0]?.node === other.node);
			assert.equal((await elsewhere()).length, 1);
			await user.page.close();
		});

		it("shows nothing to whoever has logged out", async () => {
			await firefox.agree(server.origin);
			const user = await enter();
			await isRegistered(user);
			await user.page.evaluate(() => postMessage({ do: "logout" }, location.origin));
			await session(user, "none");
			await isNotRegistered(user);
			await eventually("the subscription has ended", () => pushService.channels.size === 0);
			const before = pushService.pushes.length;
			await server.ask("say", { room: user.room, text: "nobody shall see this" });
			// What is said later to somebody else has come, and nothing before.
			const other = await enter();
			await isRegistered(other);
			await closeTab(other);
			await isShown(await say(other, "somebody shall see this"));
			assert.equal(pushService.pushes.length, before + 1);
			await eventuallyEqual(async () => (await notifications()).map(({ tag }) => tag), [other.room]);
			await user.page.close();
		});
	});
}
