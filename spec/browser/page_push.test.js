/** The demo's page in a real Firefox: notifications are real where the browser and Prosody reach its push service. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { DemoPage } from "./demo_page.js";
import { eventually, eventuallyEqual } from "./user.js";

describe("The page of the demo, in Firefox", () => {
	let demo, page, pushService;

	before(async () => {
		demo = await DemoPage.open();
		({ page, pushService } = demo);
		await demo.isOnline("alice", "bob");
	});

	after(() => demo?.close());

	/** The browser has shown a push to somebody. */
	async function isShown(name, title, body) {
		await eventuallyEqual(() => demo.notifications(name), [{ title, body }]);
		await eventually("it is acknowledged", () => pushService.pushes.at(-1).acknowledged !== undefined);
		assert.deepEqual(pushService.pushes.at(-1).status, 201);
		assert.deepEqual(pushService.pushes.at(-1).acknowledged, 100);
	}

	const hasCards = (shown) => shown.cards.length > 0 && shown;

	it("shows no notification before it was asked for", async () => {
		assert.match(await demo.textOf("#notifications"), /^not shown: you have not been asked/);
		assert.equal(await demo.textOf("#remedy"), "Show them");
		assert.equal(pushService.channels.size, 0);
	});

	it("shows a real one once it was, and says which way that goes", async () => {
		await demo.agree();
		assert.equal(await demo.textOf("#notifications"), `shown, by way of 127.0.0.1:${pushService.port}.`);
		await isShown("alice", "Host in den", "This is what notifications look like.");
		await demo.isOnline("alice", "bob");
		assert.equal(pushService.channels.size, 2);
	});

	it("shows what is written while the tab is closed", async () => {
		await demo.press("bob", "close");
		await demo.isDevice("bobs-browser", "away");
		await demo.say("alice", "See you at eight");
		await isShown("bob", "Alice in den", "See you at eight");
		const { by, cards } = await eventually("a card", async () => hasCards(await demo.cards("bob")));
		assert.deepEqual([by, cards], ["This is what your browser shows.", [["Alice in den", "See you at eight"]]]);
		await page.click("#bob .notifications button");
		await demo.isOnline("bob");
		assert.deepEqual(await demo.notifications("bob"), []);
	});

	it("ends the notifications of whoever logs out, and those alone", async () => {
		await demo.press("bob", "log-out");
		await demo.isState("bob", "logged out");
		await eventually("one subscription is left", () => pushService.channels.size === 1);
	});

	it("says so where Prosody does not reach the push service, and shows what would come", async () => {
		await pushService.refuse();
		await page.evaluate(() => sessionStorage.removeItem("notifications-work"));
		await page.reload();
		await eventually("it says so", async () => (await demo.textOf("#notifications")).startsWith("not shown"));
		assert.match(await demo.textOf("#notifications"), /^not shown: Prosody cannot reach this browser’s push service, 127\.0\.0\.1:\d+ \(/);
		await demo.isOnline("alice", "bob");
		await demo.press("bob", "close");
		await demo.say("alice", "Or at nine, Bob");
		const { by, cards } = await eventually("a card", async () => hasCards(await demo.cards("bob")));
		assert.deepEqual([by, cards], ["This is what Bob’s browser would show.", [["Alice in den", "Or at nine, Bob"]]]);
	});

	it("leaves nothing behind in the browser", async () => {
		await demo.end();
		await eventually("the service workers are gone", () => page.evaluate(async () =>
			(await navigator.serviceWorker.getRegistrations()).length === 0));
	});
});
