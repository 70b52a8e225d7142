/** A real Firefox without a screen, which gets its pushes from a push service of ours and reaches nothing but this machine. */

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import puppeteer from "puppeteer-core";

/** `pushService`: see push_service.js; `options`: those of puppeteer that are not as usual */
export async function launchFirefox(pushService, options = {}) {
	const userDataDir = mkdtempSync(join(tmpdir(), "firefox-"));
	const browser = await puppeteer.launch({
		browser: "firefox",
		executablePath: process.env.FIREFOX || "/usr/bin/firefox-esr",
		headless: true,
		userDataDir,
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
		async close() {
			await browser.close();
			rmSync(userDataDir, { recursive: true, force: true, maxRetries: 5 });
		},
	};
}
