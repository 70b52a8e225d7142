/** A push service for Firefox (RFC 8030, and Mozilla's protocol towards the browser), on loopback. */

import { createPublicKey, randomBytes, verify } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:https";

import { WebSocketServer } from "ws";

const maxBody = 4096;

function newId() {
	return randomBytes(16).toString("hex");
}

function isSigned(authorization, origin) {
	const [, token, key] = authorization?.match(/^vapid t=([\w.-]+), k=([\w-]+)$/) ?? [];
	if (!token) return false;
	const [head, claims, signature] = token.split(".");
	const point = Buffer.from(key, "base64url");
	const [x, y] = [point.subarray(1, 33), point.subarray(33)].map((half) => half.toString("base64url"));
	const publicKey = createPublicKey({ format: "jwk", key: { kty: "EC", crv: "P-256", x, y } });
	const { aud, exp } = JSON.parse(Buffer.from(claims, "base64url"));
	return aud === origin && exp > Date.now() / 1000 && exp <= Date.now() / 1000 + 86400
		&& verify("sha256", `${head}.${claims}`, { key: publicKey, dsaEncoding: "ieee-p1363" }, Buffer.from(signature, "base64url"))
		&& key;
}

export class PushService {
	static async start() {
		const service = new PushService();
		await Promise.all([
			new Promise((resolve) => service.https.listen(0, "127.0.0.1", resolve)),
			new Promise((resolve) => service.sockets.once("listening", resolve)),
		]);
		service.port = service.https.address().port;
		return service;
	}

	constructor() {
		/** By what the browser is known here. */
		this.userAgent = newId();
		/** Channels by their ids: { key, socket }. A channel that has ended is not there. */
		this.channels = new Map();
		/** Each push with its status, and with the code of its acknowledgement once the browser has sent one. */
		this.pushes = [];
		this.https = createServer((request, response) => this.#take(request, response));
		this.sockets = new WebSocketServer({ host: "127.0.0.1", port: 0, handleProtocols: () => "push-notification" });
		this.sockets.on("connection", (socket) => socket.on("message", (data) => this.#hear(socket, JSON.parse(data))));
	}

	/** Where the app server finds it. */
	get origin() {
		return `https://127.0.0.1:${this.port}`;
	}

	/** Where the browser does. */
	get address() {
		return `ws://127.0.0.1:${this.sockets.address().port}/`;
	}

	/** It could not listen without a port, nor have a certificate before that was known. */
	present({ certificate, key }) {
		this.https.setSecureContext({ cert: readFileSync(certificate), key: readFileSync(key) });
	}

	/** Ends all subscriptions. */
	expire() {
		this.channels.clear();
	}

	/** Knows the browser no more, as a push service that has lost what it had stored. The browser learns it when it connects again. */
	forget() {
		this.userAgent = newId();
		this.expire();
		for (const socket of this.sockets.clients) socket.terminate();
	}

	/** Can be reached by no app server any more. */
	async refuse() {
		this.https.closeAllConnections();
		await new Promise((resolve) => this.https.close(resolve));
	}

	async stop() {
		for (const socket of this.sockets.clients) socket.terminate();
		await Promise.all([this.refuse(), new Promise((resolve) => this.sockets.close(resolve))]);
	}

	#hear(socket, message) {
		const answer = (more) => socket.send(JSON.stringify({ messageType: message.messageType, status: 200, ...more }));
		const { channelID } = message;
		switch (message.messageType) {
			case "hello":
				return answer({ uaid: this.userAgent, use_webpush: true, broadcasts: {} });
			case "register":
				this.channels.set(channelID, { key: message.key?.replace(/=+$/, ""), socket });
				return answer({ channelID, pushEndpoint: `${this.origin}/push/${channelID}` });
			case "unregister":
				this.channels.delete(channelID);
				return answer({ channelID });
			case "ack":
				for (const { channelID: id, version, code } of message.updates) {
					const push = this.pushes.find((other) => other.channelID === id && other.version === version);
					if (push) push.acknowledged = code;
				}
				return undefined;
			case undefined:
				return socket.send("{}");
			default:
				return undefined;
		}
	}

	async #take(request, response) {
		const parts = [];
		for await (const part of request) parts.push(part);
		const body = Buffer.concat(parts);
		const push = { channelID: request.url.split("/").at(-1), version: String(this.pushes.length), headers: request.headers, body };
		push.status = this.#judge(push);
		this.pushes.push(push);
		response.writeHead(push.status).end();
		if (push.status !== 201) return;
		this.channels.get(push.channelID).socket.send(JSON.stringify({
			messageType: "notification",
			channelID: push.channelID,
			version: push.version,
			ttl: Number(request.headers.ttl),
			data: body.toString("base64url"),
			headers: { encoding: request.headers["content-encoding"] },
		}));
	}

	#judge({ channelID, headers, body }) {
		const channel = this.channels.get(channelID);
		if (!channel) return 410;
		if (!/^\d+$/.test(headers.ttl)) return 400;
		if (body.length > maxBody) return 413;
		const key = isSigned(headers.authorization, this.origin);
		return key && (!channel.key || channel.key === key) ? 201 : 403;
	}
}
