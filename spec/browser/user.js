/** A user with Converse.js in a browser of their own. */

import assert from "node:assert/strict";
import { isDeepStrictEqual } from "node:util";

import { chromium } from "playwright-core";

// Milliseconds. What is waited for comes much sooner, unless the machine has much else to do.
const patience = 30_000;

export function launch() {
	return chromium.launch({
		executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
		args: process.getuid() === 0 ? ["--no-sandbox"] : [], // root, as in a container, gets no sandbox
	});
}

/** Waits until something is there or true, and gives it. */
export async function eventually(what, look) {
	const end = Date.now() + patience;
	for (;;) {
		const found = await look();
		if (found) return found;
		if (Date.now() > end) throw new Error(`not within ${patience} ms: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
}

/** Waits until something looks as expected. */
export async function eventuallyEqual(look, expected) {
	let found;
	try {
		await eventually("it looks as expected", async () => isDeepStrictEqual(found = await look(), expected));
	} catch (error) {
		assert.deepEqual(found, expected);
		throw error;
	}
}

/** Waits until all has come that is opened side by side, so that all of it can be closed where something of it fails. */
export async function together(...opened) {
	const failed = (await Promise.allSettled(opened)).find(({ status }) => status === "rejected");
	if (failed) throw failed.reason;
}

export class User {
	static async create(browser, server, name, nick = name) {
		const password = "only for this test";
		await server.ask("create_account", { name, password });
		return new User(await browser.newContext(), server, name, nick, password);
	}

	constructor(context, server, name, nick, password) {
		this.context = context;
		this.server = server;
		this.jid = `${name}@localhost`;
		this.nick = nick;
		this.node = `phone-of-${name}`;
		this.password = password;
		this.secret = `secret-of-${name}`;
		/** What went over the WebSocket: { isSent, xml } */
		this.frames = [];
	}

	/** Logs in and enters rooms. `settings`: further ones of Converse. */
	async enter(rooms, settings = {}) {
		const all = {
			jid: this.jid,
			password: this.password,
			nickname: this.nick,
			auto_join_rooms: rooms.map((jid) => ({ jid, nick: this.nick })),
			enable_muc_push: true,
			push_app_servers: [{ jid: "push.localhost", node: this.node, secret: this.secret }],
			singleton: rooms.length === 1,
			view_mode: rooms.length === 1 ? "embedded" : "overlayed",
			...settings,
		};
		this.page = await this.context.newPage();
		this.page.on("websocket", (socket) => {
			socket.on("framesent", ({ payload }) => this.frames.push({ isSent: true, xml: String(payload) }));
			socket.on("framereceived", ({ payload }) => this.frames.push({ isSent: false, xml: String(payload) }));
		});
		this.address = `${this.server.origin}/user.html?settings=${encodeURIComponent(JSON.stringify(all))}`;
		await this.page.goto(this.address);
		for (const room of rooms) {
			await this.input(room).waitFor({ timeout: patience });
			await this.receives(`<presence`, `from='${room}/`, "code='110'");
		}
	}

	input(room) {
		return this.page.locator(`converse-muc[jid="${room}"] textarea.chat-textarea`);
	}

	sent(...parts) {
		return this.frames.filter(({ isSent, xml }) => isSent && parts.every((part) => xml.includes(part))).map(({ xml }) => xml);
	}

	received(...parts) {
		return this.frames.filter(({ isSent, xml }) => !isSent && parts.every((part) => xml.includes(part))).map(({ xml }) => xml);
	}

	/** Waits for what has all these parts, and gives the newest. */
	async receives(...parts) {
		const found = await eventually(`received: ${parts.join(" ")}`, () => this.received(...parts).at(-1));
		return found;
	}

	async sends(...parts) {
		return eventually(`sent: ${parts.join(" ")}`, () => this.sent(...parts).at(-1));
	}

	/** The enabling or disabling of pushes ("enable", "disable") that was sent to a service. */
	requests(name, service) {
		return this.sent(`<${name} `, `xmlns="urn:xmpp:push:0"`, `to="${service}"`);
	}

	/** Waits until the registration with a service is confirmed. */
	async isEnabled(service) {
		const request = await this.sends("<enable ", `xmlns="urn:xmpp:push:0"`, `to="${service}"`);
		const [, id] = request.match(/ id="([^"]+)"/);
		return this.receives("<iq", `id='${id}'`, "type='result'");
	}

	/** Writes in a room, and waits until the room has passed it on. Gives the time of writing and the XML that was sent. */
	async say(room, text) {
		const before = this.frames.length;
		await this.input(room).fill(text);
		const at = Date.now();
		await this.input(room).press("Enter");
		const xml = await eventually(`sent: ${text}`, () =>
			this.frames.slice(before).find((frame) => frame.isSent && frame.xml.includes("<body>"))?.xml);
		const [, id] = xml.match(/<message[^>]* id="([^"]+)"/);
		await this.receives("<message", `from='${room}/`, `id='${id}'`);
		return { at, xml };
	}

	/** Logs out, and waits until the server has seen that. */
	async logOut() {
		await this.page.evaluate(() => postMessage({ do: "logout" }, location.origin));
		await this.isSession("none");
		await this.page.close();
	}

	/** Closes the tab's page without logging out, and waits until the server has lost the connection. */
	async vanish() {
		await this.page.goto("about:blank");
		await this.isSession("hibernating");
	}

	/** Restores the tab, and waits until the session is taken up again. */
	async comeBack() {
		await this.page.goto(this.address);
		await this.receives("<resumed", "urn:xmpp:sm:3");
		await this.isSession("connected");
	}

	/** Waits until the server has such a session: "connected", "hibernating", "none". */
	isSession(state) {
		return eventually(`${this.jid}: ${state}`, async () => (await this.server.ask("session", { jid: this.jid })) === state);
	}

	close() {
		return this.context.close();
	}
}
