/** The users of the page, each in a frame with their own Converse.js. */

const states = {
	connecting: { status: "connecting", off: "" },
	online: { status: "in the room", off: "" },
	"logging out": { status: "logging out", off: "" },
	"logged out": { status: "logged out", off: "has logged out and left the room. What is written there now is pushed." },
	cut: {
		status: "connection cut",
		off: "is cut off, without having said goodbye. The server keeps the place in the room, in case the connection comes back.",
	},
};

export class User {
	/**
	 * @param {HTMLElement} place where to show them
	 * @param {object} person their account and device, from the setup
	 * @param {object} setup
	 * @param {(at: number) => void} onSent called with the time when they have sent a message
	 */
	constructor(place, person, setup, onSent) {
		this.place = place;
		this.person = person;
		this.setup = setup;
		this.onSent = onSent;
		place.append(document.querySelector("#user").content.cloneNode(true));
		place.querySelector("h2").textContent = person.name;
		this.frame = place.querySelector("iframe");
		this.frame.title = `Converse.js of ${person.name}`;
		for (const button of place.querySelectorAll("button")) {
			button.setAttribute("aria-label", `${button.textContent}: ${person.name}`);
		}
		this.button("log-out").addEventListener("click", () => this.logOut());
		this.button("cut").addEventListener("click", () => this.cut());
		this.button("log-in").addEventListener("click", () => this.connect());
		this.button("reconnect").addEventListener("click", () => this.connect());
		addEventListener("message", (message) => {
			if (message.source === this.frame.contentWindow && message.origin === location.origin) this.hear(message.data);
		});
		this.connect();
	}

	button(name) {
		return this.place.querySelector(`[data-do="${name}"]`);
	}

	/** Shows a state; the keyboard goes to the button that takes over, if one is named. */
	show(state, focus) {
		const isOff = states[state].off !== "";
		this.state = state;
		this.place.dataset.state = state;
		this.place.querySelector(".status").textContent = states[state].status;
		this.button("log-out").hidden = this.button("cut").hidden = isOff;
		this.button("log-out").disabled = this.button("cut").disabled = state === "logging out";
		this.button("log-in").hidden = state !== "logged out";
		this.button("reconnect").hidden = state !== "cut";
		this.frame.hidden = isOff;
		this.place.querySelector(".off").hidden = !isOff;
		this.place.querySelector(".off").textContent = `${this.person.name} ${states[state].off}`;
		if (focus) this.button(focus).focus();
	}

	/** Connects, or goes on with a connection that was cut: Converse keeps what it needs for that in the session's storage. */
	connect() {
		const { person, setup } = this;
		const settings = {
			jid: person.jid,
			password: person.password,
			nickname: person.name,
			auto_join_rooms: [{ jid: setup.room, nick: person.name }],
			enable_muc_push: true,
			push_app_servers: [{ jid: setup.app_server, node: person.node, secret: person.secret }],
		};
		this.frame.src = `user.html?settings=${encodeURIComponent(JSON.stringify(settings))}`;
		this.show("connecting");
	}

	logOut() {
		this.show("logging out");
		this.frame.contentWindow.postMessage({ do: "logout" }, location.origin);
	}

	/** Takes the page of Converse away, as when its tab is closed: the connection ends without a word. */
	cut() {
		this.frame.src = "about:blank";
		this.show("cut", "reconnect");
	}

	hear({ event, at }) {
		if (event === "joined" && this.state === "connecting") {
			this.show("online");
		} else if (event === "logged out" && this.state === "logging out") {
			this.frame.src = "about:blank";
			this.show("logged out", "log-in");
		} else if (event === "sent") {
			this.onSent(at);
		}
	}
}
