/** Takes a picture of the demo with a real notification of Firefox: node picture.js FILE. See tools/picture. */

import { execFileSync, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { createInterface } from "node:readline";

import { DemoPage } from "./demo_page.js";
import { eventually } from "./user.js";

const [width, height] = [1280, 900];
const most = 60_000; // bytes

const [file] = process.argv.slice(2);

/** A screen that is not there. Gives its process, and its name. */
async function openScreen() {
	const child = spawn("Xvfb", ["-displayfd", "1", "-screen", "0", `${width}x${height}x24`, "-nolisten", "tcp"],
		{ stdio: ["ignore", "pipe", "ignore"] });
	const number = await new Promise((resolve) => createInterface({ input: child.stdout }).once("line", resolve));
	return [child, `:${number}`];
}

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

const [screen, display] = await openScreen();
let demo;
try {
	demo = await DemoPage.open({
		headless: false, env: { ...process.env, DISPLAY: display }, args: ["--width", String(width), "--height", String(height)],
		defaultViewport: null,
	});
	await demo.isOnline("alice", "bob");
	await demo.agree();
	await demo.isOnline("alice", "bob");
	await demo.say("alice", "Shall we meet at eight?");
	await demo.say("bob", "I have to go, write to me!");
	await demo.press("bob", "close");
	await demo.isDevice("bobs-browser", "away");
	await demo.say("alice", "At eight, then");
	await eventually("a notification", async () => (await demo.notifications("bob")).length === 1);
	await demo.page.waitForSelector("#bob .notifications.real li");
	await pause(1500); // until it stands still
	const picture = execFileSync("import", ["-display", display, "-window", "root", "png:-"], { maxBuffer: 1e8 });
	const small = execFileSync("pngquant", ["--speed", "1", "--nofs", "64", "-"], { input: picture, maxBuffer: 1e8 });
	if (small.length > most) throw new Error(`${small.length} bytes are too many for a picture`);
	writeFileSync(file, small);
} finally {
	await demo?.close();
	screen.kill();
}
