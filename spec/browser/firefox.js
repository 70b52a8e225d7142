/** A real Firefox without a screen, which gets its pushes from a push service of ours and reaches nothing but this machine. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import puppeteer from "puppeteer-core";

// Lets a test do what whoever sits in front of the browser does outside of the pages.
const systemAccess = "--remote-allow-system-access";

/** In the browser itself: clicks on the notification that is shown last. Gives whether there is any. */
function clickNotification() {
	const alert = [...Services.wm.getEnumerator("alert:alert")].at(-1);
	alert?.document.getElementById("alertBox").click();
	return Boolean(alert);
}

/** `pushService`: see push_service.js; `options`: those of puppeteer that are not as usual */
export async function launchFirefox(pushService, { args = [], ...options } = {}) {
	const userDataDir = mkdtempSync(join(tmpdir(), "firefox-"));
	const browser = await puppeteer.launch({
		browser: "firefox",
		executablePath: process.env.FIREFOX || "/usr/bin/firefox-esr",
		headless: true,
		userDataDir,
		args: [systemAccess, ...args],
		extraPrefsFirefox: {
			"alerts.useSystemBackend": false,
			"dom.push.connection.enabled": true,
			"dom.push.retryBaseInterval": 100, // milliseconds, until it connects again
			"dom.push.serverURL": pushService.address,
			"dom.push.testing.allowInsecureServerURL": true,
			// A proxy that is none, for all but this machine.
			"network.proxy.type": 1,
			"network.proxy.http": "127.0.0.1",
			"network.proxy.http_port": 9,
			"network.proxy.ssl": "127.0.0.1",
			"network.proxy.ssl_port": 9,
			"network.proxy.no_proxies_on": "127.0.0.1, localhost",
		},
		...options,
	});
	return {
		browser,
		/** Lets the pages of an origin show notifications, as whoever sits in front of it does. Until then they have to ask. */
		agree(origin) {
			return browser.defaultBrowserContext().overridePermissions(origin, ["notifications"]);
		},
		/** Clicks on the notification that is shown. Gives whether there is any. */
		async click() {
			const { connection } = browser;
			const { result: { contexts: [{ context }] } } = await connection.send("browsingContext.getTree", { "moz:scope": "chrome" });
			const expression = `(${clickNotification})()`;
			const { result } = await connection.send("script.evaluate", { expression, target: { context }, awaitPromise: false });
			return result.result.value;
		},
		async close() {
			await browser.close();
			rmSync(userDataDir, { recursive: true, force: true, maxRetries: 5 });
		},
	};
}
