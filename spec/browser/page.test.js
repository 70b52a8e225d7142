/** The demo's page, as it looks after `make demo`. */

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, describe, it } from "node:test";

import { root, start, stop } from "./server.js";
import { eventually, eventuallyEqual, launch, together } from "./user.js";

const pictures = `${root}.test/pictures`;

describe("The page of the demo", () => {
	let demo;
	let browser;
	let page;
	const failed = [];

	before(async () => {
		await together(
			launch().then((it) => { browser = it; }),
			start("tools/demo", [], { DEMO: "page" }).then((it) => { demo = it; }),
		);
		await mkdir(pictures, { recursive: true });
		page = await browser.newPage({ viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
		// What the page itself no longer wants, when it is left, has not failed.
		page.on("requestfailed", (request) => request.failure().errorText === "net::ERR_ABORTED" || failed.push(request.url()));
		page.on("response", (response) => response.status() < 400 || failed.push(response.url()));
		page.on("request", (request) => new URL(request.url()).hostname === "127.0.0.1" || failed.push(request.url()));
	});

	after(async () => {
		await browser?.close();
		if (demo) await stop(demo.child, "SIGINT");
	});

	const button = (name) => page.getByRole("button", { name, exact: true });
	const status = (name) => page.locator(`#${name} .status`).textContent();
	const pushes = () => page.locator("#pushes li");
	const newest = () => pushes().first();
	const device = (node) => page.locator("#devices tr", { hasText: node });

	async function isOnline(name) {
		await eventually(`${name} is online`, async () => (await status(name)) === "in the room");
	}

	/** Writes as somebody, and waits until the room has passed it on. */
	async function say(name, text) {
		const frame = page.frameLocator(`#${name} iframe`);
		await frame.locator("textarea.chat-textarea").fill(text);
		await frame.locator("textarea.chat-textarea").press("Enter");
		await frame.locator(".chat-msg__text", { hasText: text }).waitFor();
	}

	/** What a push that comes while something is done looks like. */
	async function pushAfter(act) {
		const before = await pushes().count();
		await act();
		await eventually("a push", async () => (await pushes().count()) === before + 1);
		return newest().innerText();
	}

	/** The notifications that stand in place of somebody's closed tab: title and text. */
	function cards(name) {
		return page.locator(`#${name} .notifications li`).evaluateAll((items) =>
			items.map((item) => ["b", "span"].map((part) => item.querySelector(part).textContent)));
	}

	/** There is one notification of somebody, which says this. */
	async function isNotified(name, ...says) {
		await eventuallyEqual(() => cards(name), [says]);
	}

	async function choose(answer) {
		await button(answer).click();
		await page.locator(`[data-answer="${answer}"][aria-pressed="true"]`).waitFor();
	}

	async function tick(name, isTicked) {
		await page.getByLabel(name).click();
		await page.getByLabel(name).and(page.locator(`${isTicked ? ":checked" : ":not(:checked)"}:not([aria-busy])`)).waitFor();
	}

	it("is at the one address that is printed, and logs both users in", async () => {
		assert.match(demo.line, /^http:\/\/127\.0\.0\.1:\d+\/$/);
		await page.goto(demo.line);
		await Promise.all([isOnline("alice"), isOnline("bob")]);
		for (const node of ["alices-phone", "bobs-phone"]) {
			await device(node).getByText("in the room").waitFor();
		}
		assert.equal(await pushes().count(), 0);
	});

	it("can be left with the keyboard, from either user", async () => {
		for (const [name, next] of [["alice", button("Log out: Bob")], ["bob", button("success")]]) {
			await page.frameLocator(`#${name} iframe`).locator("textarea.chat-textarea").press("Tab");
			await next.and(page.locator(":focus")).waitFor();
		}
	});

	it("takes up a connection that is cut, and all of them when it is loaded again", async () => {
		await button("Close tab: Bob").click();
		await device("bobs-phone").getByText("away").waitFor();
		await button("Open tab: Bob").click();
		await isOnline("bob");
		await page.reload();
		await Promise.all([isOnline("alice"), isOnline("bob")]);
		for (const node of ["alices-phone", "bobs-phone"]) {
			await device(node).getByText("in the room").waitFor();
		}
	});

	it("shows no push while both are there, and one after a log-out", async () => {
		await say("alice", "Hello Bob");
		await button("Log out: Bob").click();
		await button("Log in: Bob").and(page.locator(":focus")).waitFor();
		await device("bobs-phone").getByText("away").waitFor();
		const text = await pushAfter(() => say("alice", "Are you there?"));
		assert.match(text, /bobs-phone\s+1 message missed/);
		assert.match(text, /no sender “New Message!”/);
		assert.match(text, /\d m?s after the message · answered with success/);
		assert.equal(await pushes().count(), 1);
	});

	it("shows the text and the sender where that is ticked", async () => {
		await tick("the text and the sender", true);
		const text = await pushAfter(() => say("alice", "Dinner is ready"));
		assert.match(text, /2 messages missed/);
		assert.match(text, /den@rooms\.localhost\/Alice “Dinner is ready”/);
	});

	it("shows pushes for mentions alone where the room is not for members only", async () => {
		await tick("members only", false);
		const before = await pushes().count();
		await say("alice", "Nobody is meant by this");
		assert.match(await pushAfter(() => say("alice", "But Bob is meant by this")), /Alice “But Bob is meant by this”/);
		assert.equal(await pushes().count(), before + 1);
		await tick("members only", true);
	});

	for (const [answer, text] of [["wait", "error, wait"], ["silence", "not answered"]]) {
		it(`shows the push again after ${answer}`, async () => {
			await choose(answer);
			assert.match(await pushAfter(() => say("alice", `Until ${answer} is over`)), new RegExp(`“Until ${answer} is over”[^]*${text}`));
			await choose("success");
			await newest().getByText("answered with success").waitFor();
			assert.match(await newest().innerText(), new RegExp(`“Until ${answer} is over”`));
			assert.match(await device("bobs-phone").innerText(), /0 of 3/);
		});
	}

	it("removes a device that the app server refuses, in the end", async () => {
		await choose("cancel");
		for (const errors of [1, 2, 3]) {
			const text = await pushAfter(() => say("alice", `Refusal ${errors}`));
			assert.match(text, new RegExp(`error, cancel \\(${errors} in a row\\)`));
		}
		await device("bobs-phone").getByText("not registered").waitFor();
		await choose("success");
	});

	it("is kept as a picture, wide and narrow", async () => {
		await page.screenshot({ path: `${pictures}/demo-1280x800.png` });
		const hasRoom = () => page.evaluate(() => document.documentElement.scrollWidth <= innerWidth);
		assert.ok(await hasRoom(), "1280 pixels are enough");
		await page.setViewportSize({ width: 390, height: 844 });
		await page.screenshot({ path: `${pictures}/demo-390.png`, fullPage: true });
		assert.ok(await hasRoom(), "390 pixels are enough");
		await page.setViewportSize({ width: 1280, height: 800 });
	});

	it("notifies nobody who has logged out", async () => {
		assert.deepEqual(await cards("bob"), []);
		await device("bobs-browser").getByText("not registered").waitFor();
	});

	it("registers the device again when its owner logs in again", async () => {
		await button("Log in: Bob").press("Enter");
		await isOnline("bob");
		await device("bobs-phone").getByText("in the room").waitFor();
	});

	it("shows a push while the connection is cut, and none once the session is resumed", async () => {
		await button("Close tab: Bob").click();
		assert.equal(await status("bob"), "tab closed");
		await device("bobs-phone").getByText("away").waitFor();
		assert.match(await pushAfter(() => say("alice", "Are you still there?")), /bobs-phone/);
		await button("Open tab: Bob").click();
		await isOnline("bob");
		await device("bobs-phone").getByText("in the room").waitFor();
	});

	it("shows what a browser would show while the tab is closed, and opens it by a click", async () => {
		await button("Close tab: Bob").click();
		await device("bobs-browser").getByText("away").waitFor();
		await say("alice", "See you at eight");
		await isNotified("bob", "Alice in den", "See you at eight");
		await say("alice", "or at nine, Bob");
		await isNotified("bob", "Alice in den", "or at nine, Bob");
		assert.equal(await page.locator("#bob .by").textContent(), "This is what Bob’s browser would show.");
		await page.locator("#bob .notifications button").click();
		await isOnline("bob");
		await button("Close tab: Bob").click();
		assert.deepEqual(await cards("bob"), []);
		await button("Open tab: Bob").click();
		await isOnline("bob");
	});

	/** What the page says of notifications in a browser that is like this. */
	async function saysOfNotifications(prepare, { permissions = [] } = {}) {
		const context = await browser.newContext();
		try {
			await context.grantPermissions(permissions, { origin: new URL(demo.line).origin });
			await context.addInitScript(prepare);
			await context.route("**/user.html*", (route) => route.abort()); // no Converse is needed for that
			const other = await context.newPage();
			await other.goto(demo.line);
			await other.locator("#notifications", { hasText: "shown" }).waitFor();
			return [await other.locator("#notifications").textContent(), await other.locator("#remedy:visible").allTextContents()];
		} finally {
			await context.close();
		}
	}

	const would = "What it would show appears in place of a closed tab.";
	for (const [what, prepare, says, remedies, options] of [
		["comes from an insecure place", () => Object.defineProperty(globalThis, "isSecureContext", { value: false }),
			"browsers have push notifications only on pages that come by https, or from this very machine", []],
		["is in a browser without service workers", () => delete Navigator.prototype.serviceWorker,
			"this browser has no service workers here (private windows may have none)", []],
		["is in a browser without a Push API", () => delete globalThis.PushManager, "this browser has no Push API", []],
		["may not", () => Object.defineProperty(Notification, "permission", { value: "denied" }),
			"this browser has been told not to, see its settings for this page", []],
		["has not been allowed to yet", () => Object.defineProperty(Notification, "permission", { value: "default" }),
			"you have not been asked yet", ["Show them"]],
		["cannot reach the push service", () => { PushManager.prototype.subscribe = async () => { throw new Error("it is not there"); }; },
			"this browser gets no subscription from its push service (it is not there)", ["Try again"], { permissions: ["notifications"] }],
	]) {
		it(`says why there are no notifications where it ${what}`, async () => {
			assert.deepEqual(await saysOfNotifications(prepare, options), [`not shown: ${says}. ${would}`, remedies]);
		});
	}

	it("asks nobody but this machine, and all there is was found", () => {
		assert.deepEqual(failed, []);
	});
});
