/** The demo and its page in a real Firefox, with a push service of ours. */

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { launchFirefox } from "./firefox.js";
import { PushService } from "./push_service.js";
import { start, stop } from "./server.js";
import { eventually } from "./user.js";

export class DemoPage {
	/** `options`: those of puppeteer */
	static async open(options) {
		const demo = new DemoPage();
		demo.folder = await mkdtemp(join(tmpdir(), "push-service-"));
		demo.pushService = await PushService.start();
		const env = { DEMO: "page", PUSH_SERVICE: `${demo.folder} ${demo.pushService.port}` };
		[demo.process, demo.firefox] = await Promise.all([start("tools/demo", [], env), launchFirefox(demo.pushService, options)]);
		demo.pushService.present({ certificate: join(demo.folder, "server.pem"), key: join(demo.folder, "server.key") });
		demo.page = (await demo.firefox.browser.pages())[0] ?? await demo.firefox.browser.newPage();
		await demo.page.goto(demo.process.line);
		return demo;
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

	isOnline(...names) {
		return eventually(`${names} are online`, async () => {
			const states = await Promise.all(names.map((name) => this.textOf(`#${name} .status`)));
			return states.every((state) => state === "in the room");
		});
	}

	/** Writes as somebody, in the room. */
	async say(name, text) {
		const frame = await (await this.page.$(`#${name} iframe`)).contentFrame();
		const input = await frame.waitForSelector("textarea.chat-textarea");
		await input.type(text);
		await input.press("Enter");
	}

	/** Waits until the page says of a device that its owner is somewhere. */
	isDevice(node, whereabouts) {
		return this.page.waitForFunction((...wanted) =>
			[...document.querySelectorAll("#devices tr")].some((row) => wanted.every((text) => row.textContent.includes(text))),
		{}, node, whereabouts);
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
		await rm(this.folder, { recursive: true });
	}
}
