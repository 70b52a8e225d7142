/** The service worker, which takes its time until it is at work. */

importScripts("/web_push/worker.js");

self.addEventListener("install", (event) => event.waitUntil(new Promise((resolve) => { setTimeout(resolve, 200); })));
