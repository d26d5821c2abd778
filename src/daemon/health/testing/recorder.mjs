/**
 * Servers of all kinds on loopback, for checks of keepalived and of lvsd alike: what each is asked is written down.
 * node recorder.mjs CERT KEY OUTPUT MS: makes OUTPUT.ready, and on SIGTERM (at the latest half a minute after so many ms) writes
 * the records as JSON, by port. CERT "-": no TLS. 9100 is there from a third of the time on to two thirds of it.
 */
import { createSocket } from "node:dgram";
import { readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { createServer as createTls } from "node:tls";

const [, , cert, key, output, time] = process.argv;
const records = {};
const note = (port, text) => {
  records[port] ??= [];
  if (records[port].length < 400) records[port].push(text);
};

/** Writes down a request as it came, and answers. */
const http = (port) => (socket) => {
  let text = "";
  const from = `${socket.remoteAddress} `.replace("127.0.0.1 ", "").replace("::1 ", "");
  socket
    .on("error", () => {})
    .on("data", (bytes) => {
      text += bytes.toString("latin1");
      if (!text.endsWith("\r\n\r\n")) return;
      note(port, from + (socket.servername ? `SNI ${socket.servername} ` : "") + text);
      const body = text.includes("/missing") ? "no" : "hello world";
      socket.end(`HTTP/1.1 ${body === "no" ? "404 Not Found" : "200 OK"}\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
    });
};

/** How a connection without words ends. */
const plain = (port) => (socket) => {
  const from = `${socket.remoteAddress}${port === 9003 ? ` ${socket.remotePort}` : ""}`;
  socket
    .on("data", () => note(port, "data"))
    .on("end", () => note(port, `${from} FIN`))
    .on("error", () => note(port, `${from} RST`));
};

/** A mail server: the whole of what the client says. */
const mail = (port) => (socket) => {
  const lines = [];
  let rest = "";
  let isData = false;
  const say = (text) => socket.write(`${text}\r\n`);
  const answer = (line) => {
    lines.push(line);
    if (isData) {
      if (line !== ".") return;
      isData = false;
      say("250 queued");
    } else if (line === "DATA") {
      isData = true;
      say("354 go on");
    } else if (line === "QUIT") socket.end("221 bye\r\n");
    else say(line.startsWith("HELO") && port === 2525 ? "250-hello\r\n250 you" : "250 ok");
  };
  say(port === 2525 ? "220-mail\r\n220 here" : "220 here"); // keepalived's SMTP_CHECK takes one line only
  socket
    .on("error", () => {})
    .on("data", (bytes) => {
      rest += bytes.toString("latin1");
      const parts = rest.split("\r\n");
      rest = parts.pop();
      for (const line of parts) answer(line);
    });
  socket.on("close", () => note(port, lines.join("\n")));
};

const listen = (server, port, host = "127.0.0.1") => server.on("error", (e) => note(port, String(e))).listen(port, host);
for (const port of [8001, 8002, 8003, 8004, 8005, 8006]) listen(createServer(http(port)), port);
listen(createServer(http("8001 v6")), 8001, "::1");
const secure = cert === "-" ? undefined : { cert: readFileSync(cert), key: readFileSync(key) };
for (const port of secure === undefined ? [] : [8441, 8442, 8443]) {
  const server = createTls(secure, http(port));
  listen(
    server.on("tlsClientError", () => {}),
    port,
  );
}
for (const port of [9001, 9002, 9003]) listen(createServer(plain(port)), port);
listen(createServer(plain("9001 v6")), 9001, "::1");
for (const port of [2501, 2502, 2525]) listen(createServer(mail(port)), port);

const udp = (port, answer) => {
  const socket = createSocket("udp4").on("error", () => {});
  socket.on("message", (bytes, from) => {
    note(port, bytes.toString("hex"));
    const reply = answer(bytes);
    if (reply !== undefined) socket.send(reply, from.port, from.address);
  });
  socket.bind(port, "127.0.0.1");
};
for (const port of [5301, 5302])
  udp(port, (query) => Buffer.concat([query.subarray(0, 2), Buffer.from([0x81, 0x80]), query.subarray(4)]));
udp(5401, () => undefined);
udp(5402, () => Buffer.from("good"));
udp(5403, () => Buffer.from("bad"));

const end = Number(time);
writeFileSync(`${output}.ready`, "");
let flapping;
setTimeout(() => {
  flapping = createServer((socket) => socket.on("error", () => {}).resume()).listen(9100, "127.0.0.1");
}, end / 3);
setTimeout(() => flapping.close(), (end * 2) / 3);
const finish = () => {
  writeFileSync(output, JSON.stringify(records, null, 1));
  process.exit();
};
setTimeout(finish, end + 30_000);
process.on("SIGTERM", finish);
