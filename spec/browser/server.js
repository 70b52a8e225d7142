/** A server for the tests: see server.lua, which runs in a process of its own. */

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export const root = fileURLToPath(new URL("../..", import.meta.url));

/** Starts a command, and gives its process with its first line of output. */
export async function start(command, args, env = {}) {
	const child = spawn(command, args, { cwd: root, env: { ...process.env, ...env }, stdio: ["pipe", "pipe", "inherit"] });
	const lines = createInterface({ input: child.stdout });
	const line = await new Promise((resolve, reject) => {
		lines.once("line", resolve);
		child.once("error", reject);
		child.once("exit", (status) => reject(new Error(`${command} has ended with status ${status}`)));
	});
	return { child, line };
}

/** Ends a process, and waits until it has ended. */
export async function stop(child, signal) {
	if (child.exitCode !== null || child.signalCode !== null) return;
	const ended = new Promise((resolve) => child.once("exit", resolve));
	if (signal) child.kill(signal);
	else child.stdin.end();
	await ended;
}

export class Server {
	/** `pushServicePort`: of a push service for browsers, if there is to be an app server for them. */
	static async start(version, pushServicePort) {
		const port = pushServicePort ? [String(pushServicePort)] : [];
		const { child, line } = await start("tools/browser", ["--server", version, ...port]);
		return new Server(child, JSON.parse(line));
	}

	constructor(child, { origin, requests, plain_service, push_service }) {
		this.child = child;
		this.origin = origin;
		this.requests = requests;
		this.plainService = plain_service;
		this.pushService = push_service;
	}

	/** Asks for something: see the verbs of server.lua. */
	async ask(verb, options = {}) {
		const response = await fetch(`${this.requests}/${verb}`, { method: "POST", body: JSON.stringify(options) });
		const result = await response.json();
		if (!response.ok) throw new Error(`${verb}: ${result}`);
		return result;
	}

	stop() {
		return stop(this.child);
	}
}
