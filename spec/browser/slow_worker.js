/** The service worker, which takes its time until it is at work, and counts what it has shown: `displayed`. */

importScripts("/web_push/worker.js");

self.displayed = 0;
const display = registration.showNotification.bind(registration);
registration.showNotification = async (...notification) => {
	await display(...notification);
	self.displayed += 1;
};

self.addEventListener("install", (event) => event.waitUntil(new Promise((resolve) => { setTimeout(resolve, 200); })));
