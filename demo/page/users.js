/** The users of the page, each in a frame with their own Converse.js. */

const states = {
	connecting: { status: "connecting", off: "" },
	online: { status: "in the room", off: "" },
	"logging out": { status: "logging out", off: "" },
	"logged out": {
		status: "logged out",
		off: "has logged out and left the room. What is written there now is pushed to the phone, and no more to the browser.",
	},
	closed: {
		status: "tab closed",
		off: "has closed the tab, without having said goodbye. The server keeps the place in the room, in case the connection comes back."
			+ " What is written there now is pushed, also to the browser.",
	},
};

const interval = 500; // milliseconds

/** A notification, as browsers show it. */
function card(notification, onClick) {
	const item = document.createElement("li");
	const button = document.createElement("button");
	const title = document.createElement("b");
	const body = document.createElement("span");
	button.type = "button";
	title.textContent = notification.title;
	body.textContent = notification.body;
	button.append(title, body);
	button.addEventListener("click", onClick);
	item.append(button);
	return item;
}

export class User {
	/**
	 * @param {HTMLElement} place where to show them
	 * @param {object} person their account and device, from the setup
	 * @param {object} setup
	 * @param {Notifications} notifications
	 * @param {(at: number) => void} onSent called with the time when they have sent a message
	 */
	constructor(place, person, setup, notifications, onSent) {
		this.place = place;
		this.person = person;
		this.setup = setup;
		this.notifications = notifications;
		this.onSent = onSent;
		place.append(document.querySelector("#user").content.cloneNode(true));
		place.querySelector("h2").textContent = person.name;
		this.screen = place.querySelector(".screen");
		this.frame = null;
		for (const button of place.querySelectorAll("button")) {
			button.setAttribute("aria-label", `${button.textContent}: ${person.name}`);
		}
		this.button("log-out").addEventListener("click", () => this.logOut());
		this.button("close").addEventListener("click", () => this.close());
		this.button("log-in").addEventListener("click", () => this.connect());
		this.button("open").addEventListener("click", () => this.connect());
		addEventListener("message", (message) => {
			if (message.source === this.frame?.contentWindow && message.origin === location.origin) this.hear(message.data);
		});
		this.connect();
		setInterval(() => this.isOff && this.showNotifications(), interval);
	}

	/** Whether Converse is not there. */
	get isOff() {
		return states[this.state].off !== "";
	}

	button(name) {
		return this.place.querySelector(`[data-do="${name}"]`);
	}

	/** Shows a state; the keyboard goes to the button that takes over, if one is named. */
	show(state, focus) {
		this.state = state;
		const { isOff } = this;
		this.place.dataset.state = state;
		this.place.querySelector(".status").textContent = states[state].status;
		this.button("log-out").hidden = this.button("close").hidden = isOff;
		this.button("log-out").disabled = this.button("close").disabled = state === "logging out";
		this.button("log-in").hidden = state !== "logged out";
		this.button("open").hidden = state !== "closed";
		this.place.querySelector(".away").hidden = !isOff;
		this.place.querySelector(".off").textContent = `${this.person.name} ${states[state].off}`;
		if (focus) this.button(focus).focus();
	}

	/** Shows what the browser shows of this user, or would show. */
	async showNotifications() {
		const { isReal } = this.notifications;
		const worker = await this.notifications.workerFor(this.person);
		const shown = await worker.notifications();
		const key = JSON.stringify([isReal, ...shown.map(({ title, body }) => [title, body])]);
		if (key === this.shownKey) return; // a card that is replaced cannot be clicked
		this.shownKey = key;
		const list = this.place.querySelector(".notifications");
		list.replaceChildren(...shown.map((notification) => card(notification, () => {
			if (isReal) {
				notification.close();
				this.open();
			} else {
				worker.click(notification);
			}
		})));
		list.classList.toggle("real", isReal);
		const browser = `${this.person.name}’s browser`;
		this.place.querySelector(".by").textContent = shown.length === 0 ? ""
			: isReal ? "This is what your browser shows." : `This is what ${browser} would show.`;
	}

	/** Something was pushed to the browser that is not there. */
	async take(push) {
		if (this.notifications.isReal) return;
		await (await this.notifications.workerFor(this.person)).push(push);
		if (this.isOff) await this.showNotifications();
	}

	/** The browser has notifications from now on. */
	renew() {
		if (!this.isOff) this.connect();
	}

	/** After a click on a notification. */
	open() {
		if (this.isOff) this.connect();
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
			...this.notifications.settingsFor(person),
		};
		this.shownKey = "";
		this.place.querySelector(".notifications").replaceChildren();
		this.place.querySelector(".by").textContent = "";
		this.removeFrame();
		this.frame = document.createElement("iframe");
		this.frame.title = `Converse.js of ${person.name}`;
		this.frame.src = `user.html?settings=${encodeURIComponent(JSON.stringify(settings))}`;
		this.screen.prepend(this.frame);
		this.show("connecting");
	}

	/** The connection goes with it. Firefox would keep that for a while if another page were shown in the frame instead. */
	removeFrame() {
		this.frame?.remove();
		this.frame = null;
	}

	logOut() {
		this.show("logging out");
		this.frame.contentWindow.postMessage({ do: "logout" }, location.origin);
	}

	/** Takes the page of Converse away, as when its tab is closed: the connection ends without a word. */
	close() {
		this.removeFrame();
		this.show("closed", "open");
	}

	hear({ event, at }) {
		if (event === "joined" && this.state === "connecting") {
			this.show("online");
		} else if (event === "logged out" && this.state === "logging out") {
			this.removeFrame();
			this.show("logged out", "log-in");
		} else if (event === "sent") {
			this.onSent(at);
		}
	}
}
