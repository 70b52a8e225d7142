/**
 * Decrypts pushes as a browser does, with a library that is not ours: node decrypt.js, with a line of JSON for each push on standard
 * input: { body, key, auth }, all in base64url. Prints what each of them says, as a line of JSON.
 */

import { createECDH } from "node:crypto";
import { createInterface } from "node:readline";

import ece from "http_ece";

const bytes = (text) => Buffer.from(text, "base64url");

for await (const line of createInterface({ input: process.stdin })) {
	const { body, key, auth } = JSON.parse(line);
	const receiver = createECDH("prime256v1");
	receiver.setPrivateKey(bytes(key));
	const plain = ece.decrypt(bytes(body), { version: "aes128gcm", privateKey: receiver, authSecret: bytes(auth) });
	console.log(JSON.stringify({ text: plain.toString("utf8"), length: plain.length }));
}
