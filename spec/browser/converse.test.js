/** Converse.js in a real browser, with the module in a real Prosody. */

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { Server } from "./server.js";
import { eventually, launch, together, User } from "./user.js";

const versions = (process.env.PROSODY_VERSIONS || "0.12 13.0").split(/[\s,]+/);
const service = "conference.localhost";
const promptness = 5000; // milliseconds from a message to its push: less than until anything is tried again

let number = 0;

for (const version of versions) {
	describe(`Converse.js and Prosody ${version}`, () => {
		let browser;
		let server;
		let users = [];

		before(async () => {
			await together(
				launch().then((it) => { browser = it; }),
				Server.start(version).then((it) => { server = it; }),
			);
		});

		after(async () => {
			await browser?.close();
			await server?.stop();
		});

		/** A name for a room, and users with fresh accounts for it. */
		async function roomAndUsers(nicks, host = service) {
			number += 1;
			users = [];
			for (const nick of nicks) {
				const name = `${nick.toLowerCase().replace(/[^a-z]+/g, "-")}-${number}`;
				users.push(await User.create(browser, server, name, nick));
			}
			return [`room-${number}@${host}`, ...users];
		}

		/** A test whose browsers are closed at its end. */
		function itWithUsers(title, act) {
			it(title, async () => {
				try {
					await act();
				} finally {
					await Promise.all(users.map((user) => user.close()));
				}
			});
		}

		function membership(room, user) {
			return server.ask("membership", { room, jid: user.jid });
		}

		/** Waits until somebody has become a member by registering their nickname, as Converse does by itself. */
		function isMember(room, user) {
			return eventually(`${user.jid} is a member`, async () => {
				const { affiliation, nick } = await membership(room, user);
				return affiliation !== "none" && nick === user.nick;
			});
		}

		/** Enters a room, and waits until pushes are enabled and the nickname is registered. */
		async function settle(room, user, settings) {
			await user.enter([room], settings);
			await user.isEnabled(service);
			await isMember(room, user);
		}

		/** A message leads to one push for somebody, and to no other. */
		async function pushes(user, { at }) {
			const push = await server.ask("next_push", { node: user.node });
			assert.ok(push, `a push to ${user.node}`);
			assert.equal(push.secret, user.secret);
			assert.ok(push.at - at < promptness, `the push took ${push.at - at} ms`);
			assert.deepEqual(await server.ask("rest_of_pushes"), []);
			return push;
		}

		async function pushesNobody() {
			assert.deepEqual(await server.ask("rest_of_pushes"), []);
		}

		itWithUsers("enables pushes with the service of the room, and registers the nickname", async () => {
			const [room, alice, bob] = await roomAndUsers(["alice", "bob"]);
			await server.ask("create_room", { room });
			await Promise.all([alice.enter([room]), bob.enter([room])]);
			for (const user of [alice, bob]) {
				await user.isEnabled(service);
				const registrations = await server.ask("registrations", { jid: user.jid });
				assert.deepEqual(registrations.map(({ jid, node }) => ({ jid, node })), [{ jid: "push.localhost", node: user.node }]);
				await isMember(room, user);
				assert.deepEqual(await membership(room, user), { affiliation: "member", nick: user.nick });
			}
		});

		itWithUsers("is pushed to when mentioned in a public room, after a log-out", async () => {
			const [room, alice, bob] = await roomAndUsers(["alice", "bob"]);
			await server.ask("create_room", { room });
			await Promise.all([settle(room, alice), settle(room, bob)]);
			await alice.say(room, "@bob as you are here, this is no reason for a push");
			await pushesNobody();
			await bob.logOut();
			await alice.say(room, "Nobody is meant by this");
			await pushesNobody();
			const push = await pushes(bob, await alice.say(room, "Hello @bob, can you look at this?"));
			assert.equal(push.from, service);
		});

		itWithUsers("is pushed to for every message in a members-only room", async () => {
			const [room, alice, bob] = await roomAndUsers(["alice", "bob"]);
			await server.ask("create_room", { room, members_only: true, members: [alice, bob].map(({ jid, nick }) => ({ jid, nick })) });
			await Promise.all([settle(room, alice), settle(room, bob)]);
			await alice.say(room, "Everybody is here");
			await pushesNobody();
			await bob.logOut();
			await pushes(bob, await alice.say(room, "Nobody is meant by this"));
		});

		itWithUsers("is found by the nickname where the mention has no reference", async () => {
			const [room, alice, bob] = await roomAndUsers(["alice", "bob"]);
			await server.ask("create_room", { room });
			await settle(room, bob);
			await bob.logOut();
			await settle(room, alice);
			assert.equal((await membership(room, alice)).affiliation, "member");
			const message = await alice.say(room, "Hello @bob, we have not met");
			assert.doesNotMatch(message.xml, /urn:xmpp:reference:0/);
			await pushes(bob, message);
			await alice.say(room, "Hello @bobby, this is no reason for a push");
			await pushesNobody();
		});

		itWithUsers("is found by the URI where the range is off", async () => {
			const [room, alice, bob, zoe] = await roomAndUsers(["alice", "bob", "zoe"]);
			await server.ask("create_room", { room, members: [{ jid: alice.jid, nick: "alice", affiliation: "owner" }] });
			await Promise.all([alice, bob, zoe].map((user) => settle(room, user)));
			await Promise.all([bob.logOut(), zoe.logOut()]);
			const message = await alice.say(room, "😀😀 :smile: hi @bob, nobody else is meant");
			assert.match(message.xml, /uri="xmpp:[^"]+\/bob"/);
			const [, body] = message.xml.match(/<body>(.*?)<\/body>/);
			const [, begin, end] = message.xml.match(/<reference begin="(\d+)" end="(\d+)"/);
			assert.notEqual([...body].slice(begin, end).join(""), "bob");
			await pushes(bob, message);
		});

		itWithUsers("is found by a URI that is percent-encoded", async () => {
			const [room, alice, bob] = await roomAndUsers(["alice", "Bob Ö"]);
			await server.ask("create_room", { room, members: [{ jid: alice.jid, nick: "alice", affiliation: "owner" }] });
			await Promise.all([settle(room, alice), settle(room, bob)]);
			await bob.logOut();
			const message = await alice.say(room, "Hello @Bob Ö, can you look at this?");
			assert.match(message.xml, new RegExp(`uri="xmpp:${room}/Bob%20%C3%96"`));
			await pushes(bob, message);
		});

		itWithUsers("gets pushes while its session hibernates, once the tab is gone and until it is back", async () => {
			const [room, alice, bob] = await roomAndUsers(["alice", "bob"]);
			await server.ask("create_room", { room });
			await Promise.all([settle(room, alice), settle(room, bob)]);
			await bob.vanish();
			await alice.say(room, "Nobody is meant by this");
			await pushesNobody();
			await pushes(bob, await alice.say(room, "Hello @bob, can you look at this?"));
			await bob.comeBack();
			await alice.say(room, "@bob as you are back, this is no reason for a push");
			await pushesNobody();
		});

		itWithUsers("is not pushed to any more once the app server is disabled in the settings", async () => {
			const [room, alice, bob] = await roomAndUsers(["alice", "bob"]);
			await server.ask("create_room", { room });
			await Promise.all([settle(room, alice), settle(room, bob)]);
			await bob.logOut();
			await pushes(bob, await alice.say(room, "Hello @bob, this is a reason for a push"));
			await bob.enter([room], { push_app_servers: [{ jid: "push.localhost", node: bob.node, disable: true }] });
			await eventually("the device is gone", async () => (await server.ask("registrations", { jid: bob.jid })).length === 0);
			assert.equal(bob.requests("disable", service).length, 1);
			await bob.logOut();
			await alice.say(room, "Hello @bob, this is none any more");
			await pushesNobody();
		});

		itWithUsers("has one device, though two rooms are entered at once", async () => {
			const [room, alice, bob] = await roomAndUsers(["alice", "bob"]);
			const second = `second-${room}`;
			await server.ask("create_room", { room });
			await server.ask("create_room", { room: second });
			await settle(room, alice);
			await bob.enter([room, second]);
			await bob.isEnabled(service);
			await isMember(room, bob);
			await isMember(second, bob);
			assert.equal(bob.requests("enable", service).length, 2);
			await eventually("both are confirmed", () => bob.requests("enable", service).every((request) =>
				bob.received("<iq", `id='${request.match(/ id="([^"]+)"/)[1]}'`, "type='result'").length === 1));
			assert.equal((await server.ask("registrations", { jid: bob.jid })).length, 1);
			await bob.logOut();
			await pushes(bob, await alice.say(room, "Hello @bob, can you look at this?"));
		});

		itWithUsers("does not enable pushes with a service without the module", async () => {
			const [room, alice] = await roomAndUsers(["alice"]);
			const plain = `plain@${server.plainService}`;
			await server.ask("create_room", { room });
			await server.ask("create_room", { room: plain });
			await alice.enter([room, plain]);
			await alice.isEnabled(service);
			await alice.receives("<iq", `from='${server.plainService}'`, "http://jabber.org/protocol/disco#info");
			// What follows from that answer goes out before anything that is written later.
			await alice.say(plain, "Hello");
			assert.deepEqual(alice.requests("enable", server.plainService), []);
			assert.notDeepEqual(alice.requests("enable", service), []);
		});
	});
}
