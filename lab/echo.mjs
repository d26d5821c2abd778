// Plain JavaScript, because the lab starts it as a program of its own: node echo.mjs udp|tcp ADDRESS PORT
// udp: every datagram goes back to its sender. tcp: every line comes back with the peer's address in front.
// node echo.mjs ask ADDRESS PORT BYTES TIMES: so many datagrams of so many bytes, each from a port of its own; how many came back whole.

import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

const [protocol, address, port, bytes, times] = process.argv.slice(2);
const ready = () => console.log("ready");
const family = address.includes(":") ? "udp6" : "udp4";

if (protocol === "ask") {
  let whole = 0;
  for (let i = 0; i < Number(times); i++) {
    const question = Buffer.from(Array.from({ length: Number(bytes) }, (_, at) => (at * 31 + (at >> 8) + i) & 255));
    const socket = createSocket(family);
    socket.send(question, Number(port), address);
    const [answer] = await once(socket, "message", { signal: AbortSignal.timeout(2000) }).catch(() => [Buffer.alloc(0)]);
    if (question.equals(answer)) whole++;
    socket.close();
  }
  console.log(whole);
} else if (protocol === "udp") {
  const socket = createSocket(family);
  socket.on("message", (datagram, from) => socket.send(datagram, from.port, from.address));
  socket.bind(Number(port), address, ready);
} else {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy()); // the client may vanish
    createInterface(socket).on("line", (line) => socket.write(`${socket.remoteAddress} ${line}\n`));
  });
  server.listen(Number(port), address, ready);
}
