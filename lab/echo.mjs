// Plain JavaScript, because the lab starts it as a program of its own: node echo.mjs udp|tcp ADDRESS PORT
// udp: every datagram goes back to its sender. tcp: every line comes back with the peer's address in front.
import { createSocket } from "node:dgram";
import { createServer } from "node:net";
import { createInterface } from "node:readline";

const [protocol, address, port] = process.argv.slice(2);
const ready = () => console.log("ready");

if (protocol === "udp") {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  socket.on("message", (datagram, from) => socket.send(datagram, from.port, from.address));
  socket.bind(Number(port), address, ready);
} else {
  const server = createServer((socket) => {
    socket.on("error", () => socket.destroy()); // the client may vanish
    createInterface(socket).on("line", (line) => socket.write(`${socket.remoteAddress} ${line}\n`));
  });
  server.listen(Number(port), address, ready);
}
