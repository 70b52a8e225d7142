/** The demo and its page in a real Firefox, with a push service of ours. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { launchFirefox } from "./firefox.js";
import { PushService } from "./push_service.js";
import { start, stop } from "./server.js";
import { eventually, together } from "./user.js";

export class DemoPage {
	/** `options`: those of puppeteer */
	static async open(options) {
		const demo = new DemoPage();
		try {
			await demo.#open(options);
		} catch (error) {
			await demo.close();
			throw error;
		}
		return demo;
	}

	async #open(options) {
		this.folder = await mkdtemp(join(tmpdir(), "push-service-"));
		this.pushService = await PushService.start();
		const env = { DEMO: "page", PUSH_SERVICE: `${this.folder} ${this.pushService.port}` };
		await together(
			start("tools/demo", [], env).then((it) => { this.process = it; }),
			launchFirefox(this.pushService, options).then((it) => { this.firefox = it; }),
		);
		this.pushService.present({ certificate: join(this.folder, "server.pem"), key: join(this.folder, "server.key") });
		this.page = (await this.firefox.browser.pages())[0] ?? await this.firefox.browser.newPage();
		await this.page.goto(this.process.line);
	}

	get origin() {
		return new URL(this.process.line).origin;
	}

	textOf(selector) {
		return this.page.$eval(selector, (element) => element.textContent);
	}

	/** Presses a button of a user. */
	press(name, what) {
		return this.page.click(`#${name} [data-do="${what}"]`);
	}

	async isOnline(...names) {
		for (const name of names) await this.isState(name, "in the room");
	}

	isState(name, state) {
		return eventually(`${name} is ${state}`, () => this.page.$$eval(`#${name} .status`, ([status], wanted) =>
			status?.textContent === wanted, state));
	}

	/** Writes as somebody, and waits until the room has passed it on. Without the keyboard, which Firefox loses to other frames. */
	async say(name, text) {
		const frame = await (await this.page.$(`#${name} iframe`)).contentFrame();
		await frame.waitForSelector("textarea.chat-textarea");
		await frame.$eval("textarea.chat-textarea", (field, written) => {
			field.value = written;
			field.dispatchEvent(new KeyboardEvent("keydown", { key: "Enter", bubbles: true, cancelable: true }));
		}, text);
		await eventually(`the room has passed on ${text}`, () =>
			frame.$$eval(".chat-msg__text", (all, wanted) => all.some((one) => one.textContent.includes(wanted)), text));
	}

	/** Waits until the page says of a device that its owner is somewhere. */
	isDevice(node, whereabouts) {
		return eventually(`${node} is ${whereabouts}`, () => this.page.$$eval("#devices tr", (rows, ...wanted) =>
			rows.some((row) => wanted.every((text) => row.textContent.includes(text))), node, whereabouts));
	}

	/** The cards in place of somebody's closed tab: { by, cards }, who shows them, and each one's title and text. */
	cards(name) {
		return this.page.$eval(`#${name} .away`, (away) => ({
			by: away.querySelector(".by").textContent,
			cards: [...away.querySelectorAll(".notifications button")].map((card) => [...card.children].map((part) => part.textContent)),
		}));
	}

	/** Lets the browser show notifications, and asks for them. */
	async agree() {
		await this.firefox.agree(this.origin);
		await this.page.click("#remedy");
		await eventually("the page says how that went", async () => !(await this.textOf("#notifications")).startsWith("asking"));
	}

	/** What the browser itself shows of somebody. */
	notifications(name) {
		return this.page.evaluate(async (scope) => {
			const registration = await navigator.serviceWorker.getRegistration(scope);
			return (await registration.getNotifications()).map(({ title, body }) => ({ title, body }));
		}, `/${name}/`);
	}

	end() {
		return stop(this.process.child, "SIGINT");
	}

	async close() {
		await this.firefox?.close();
		if (this.process) await this.end();
		await this.pushService?.stop();
		if (this.folder) await rm(this.folder, { recursive: true });
	}
}
