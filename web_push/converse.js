/**
 * A plugin for Converse.js: push notifications for the rooms one is in, also when the page is closed.
 *
 *	import converse from "/converse/converse.min.js";
 *	import { addWebPush } from "https://push.example.com/web_push/converse.js";
 *
 *	addWebPush(converse);
 *	converse.initialize({
 *		whitelisted_plugins: ["web-push"],
 *		web_push_app_server: "https://push.example.com/web_push", // the address of this file without /converse.js, unless given
 *		web_push_worker: "/worker.js", // on the site of the page
 *		…
 *	});
 *
 * Who has not been asked yet sees a button, and whoever says "Not now" sees it again after a month. Who has agreed is subscribed at
 * each log-in, and unsubscribed at log-out. Converse's own setting push_app_servers is not needed, and stays free for other app
 * servers.
 *
 * This file is MIT licensed.
 */

import { isPossible, listen, permission, subscribe, unsubscribe } from "./web_push.js";

const xmlns = "urn:xmpp:push:0";
const formType = "http://jabber.org/protocol/pubsub#publish-options";

/** What is remembered of an account from one visit to the next: { jid, node, secret, domains }, with those that push to the node. */
class Memory {
	constructor(bareJid) {
		this.key = `web-push-${bareJid}`;
	}

	get() {
		try {
			return JSON.parse(localStorage.getItem(this.key));
		} catch {
			return null;
		}
	}

	set(value) {
		if (value) localStorage.setItem(this.key, JSON.stringify(value));
		else localStorage.removeItem(this.key);
	}
}

/** That somebody at this browser wanted no notifications for the time being, whoever was logged in. */
const declined = {
	key: "web-push-declined",
	days: 30,

	isRecent() {
		const at = Number(localStorage.getItem(this.key) ?? 0);
		return Date.now() - at < this.days * 24 * 3600 * 1000;
	},

	note() {
		localStorage.setItem(this.key, Date.now());
	},
};

class WebPush {
	constructor({ _converse, env }) {
		this.converse = _converse;
		this.api = _converse.api;
		this.env = env;
		/** The domains that are asked to push, each with the promise that it was. */
		this.enabled = new Map();
		this.node = null;
	}

	get options() {
		const { api } = this;
		return {
			appServer: api.settings.get("web_push_app_server"),
			worker: api.settings.get("web_push_worker"),
			page: api.settings.get("web_push_page") || undefined,
		};
	}

	domains() {
		const rooms = this.converse.state.chatboxes?.filter((box) => box.get("type") === "chatroom") ?? [];
		return new Set(rooms.map((room) => this.env.Strophe.getDomainFromJid(room.get("jid"))));
	}

	/** Subscribes the browser, and has everybody push to it. */
	async start() {
		const node = await subscribe(this.options);
		const before = this.memory.get();
		if (before && before.node !== node.node) await this.disable(before);
		this.node = node;
		this.enabled.clear();
		// Rooms that are not open now may be of a domain that was asked before.
		const domains = before?.domains ?? [];
		this.memory.set({ ...node, domains });
		await Promise.all([...new Set([...domains, ...this.domains()])].map((domain) => this.enable(domain)));
	}

	/** Has the MUC service of a domain push to this browser. */
	enable(domain) {
		if (!this.node) return;
		if (!this.enabled.has(domain)) {
			const enabled = this.request(domain).catch((error) => {
				this.enabled.delete(domain); // there may be another occasion
				this.env.log?.warn(`No push notifications from ${domain}: ${error?.message ?? error}`);
			});
			this.enabled.set(domain, enabled);
		}
		return this.enabled.get(domain);
	}

	async request(domain) {
		const { stx } = this.env;
		const { jid, node, secret } = this.node;
		if (!(await this.api.disco.supports(xmlns, domain))) throw new Error("it has none");
		await this.api.sendIQ(stx`
			<iq type="set" to="${domain}" xmlns="jabber:client">
				<enable xmlns="${xmlns}" jid="${jid}" node="${node}">
					<x xmlns="jabber:x:data" type="submit">
						<field var="FORM_TYPE" type="hidden"><value>${formType}</value></field>
						<field var="secret"><value>${secret}</value></field>
					</x>
				</enable>
			</iq>`);
		const memory = this.memory.get();
		this.memory.set({ ...memory, domains: [...new Set([...(memory?.domains ?? []), domain])] });
	}

	/** Ends all that pushes to a node. */
	async disable({ jid, node, domains }) {
		const { stx } = this.env;
		await Promise.allSettled((domains ?? []).map((domain) => this.api.sendIQ(stx`
			<iq type="set" to="${domain}" xmlns="jabber:client"><disable xmlns="${xmlns}" jid="${jid}" node="${node}"/></iq>`)));
	}

	/** Nobody who uses this browser from now on sees what is for this account. */
	async stop() {
		const memory = this.memory.get();
		this.node = null;
		this.enabled.clear();
		this.memory.set(null);
		// A service that does not answer keeps nobody from ending the subscription.
		await Promise.all([memory ? this.disable(memory) : undefined, unsubscribe(this.options)]);
	}

	get memory() {
		return new Memory(this.converse.session.get("bare_jid"));
	}
}

/** A button that asks whether notifications are wanted. */
function offer(texts, onAgree, onDecline) {
	const bar = document.createElement("div");
	bar.className = "web-push-offer";
	bar.setAttribute("role", "region");
	bar.setAttribute("aria-label", texts.question);
	bar.style.cssText = "position:fixed;z-index:10000;left:1em;bottom:1em;padding:.75em;border-radius:.5em;display:flex;gap:.5em;"
		+ "align-items:center;background:#fff;color:#222;border:1px solid #888;font:14px sans-serif;max-width:calc(100vw - 2em)";
	const question = document.createElement("span");
	question.textContent = texts.question;
	bar.append(question);
	for (const [text, act] of [[texts.yes, onAgree], [texts.no, onDecline]]) {
		const button = document.createElement("button");
		button.type = "button";
		button.textContent = text;
		button.addEventListener("click", () => {
			bar.remove();
			act();
		});
		bar.append(button);
	}
	document.body.append(bar);
	return bar;
}

/** The room that the address asks for, where its JID had to be encoded: Converse takes it as it is there. Without that it is none. */
function takeEncodedRoom() {
	const [, room] = location.hash.match(/^#converse\/room\?jid=([^=&]*%[^=&]*)$/) ?? [];
	try {
		return room && decodeURIComponent(room);
	} catch {
		return undefined;
	} finally {
		if (room) history.replaceState(history.state, "", location.pathname + location.search);
	}
}

/** Adds the plugin to Converse, before converse.initialize(). */
export function addWebPush(converse) {
	const asked = takeEncodedRoom();
	converse.plugins.add("web-push", {
		initialize() {
			const { _converse } = this;
			const { api } = _converse;
			api.settings.extend({
				web_push_app_server: new URL(".", import.meta.url).href.replace(/\/$/, ""),
				web_push_worker: "/worker.js",
				web_push_page: "",
				web_push_texts: { question: "Notify you of messages when this page is closed?", yes: "Yes, please", no: "Not now" },
			});
			const webPush = new WebPush({ _converse, env: converse.env });
			const report = (error) => converse.env.log?.error(`Web Push: ${error?.message ?? error}`);
			let bar;

			const begin = () => webPush.start().catch(report);

			api.listen.on("chatBoxesInitialized", () => {
				_converse.state.chatboxes.on("add", (box) => {
					if (box.get("type") === "chatroom") webPush.enable(converse.env.Strophe.getDomainFromJid(box.get("jid")));
				});
			});
			api.listen.on("statusInitialized", () => {
				bar?.remove();
				if (!isPossible() || permission() === "denied") return;
				if (permission() === "granted") begin();
				else if (!declined.isRecent()) bar = offer(api.settings.get("web_push_texts"), begin, () => declined.note());
			});
			api.listen.on("beforeLogout", () => {
				bar?.remove();
				return webPush.stop().catch(report);
			});
			const openRoom = (room) => room && api.rooms.open(room, {}, true);
			listen({ openRoom, renew: begin });
			api.waitUntil("roomsAutoJoined").then(() => openRoom(asked));
		},
	});
}
