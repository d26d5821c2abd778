// Plain JavaScript, because the lab starts it as a program of its own: node lasting.mjs ADDRESS PORT COUNT SECONDS
// Connections that last, each with a request ten times a second. A line for each that ends before it is asked to: "ended WHY".

import { connect } from "node:net";

const [address, port, count, seconds] = process.argv.slice(2);
const REQUEST = "GET /fast HTTP/1.1\r\nHost: lab\r\n\r\n";
const EVERY = 100; // ms
let answered = 0;

for (let i = 0; i < Number(count); i++) {
  const socket = connect({ host: address, port: Number(port) });
  const clock = setInterval(() => socket.write(REQUEST), EVERY);
  let isOver = false;
  const over = (why) => {
    clearInterval(clock);
    if (!isOver) console.log(`ended ${why}`);
    isOver = true;
  };
  socket.once("data", () => ++answered === Number(count) && console.log("ready"));
  socket
    .on("data", () => {})
    .on("error", (error) => over(error.code))
    .on("close", () => over("cut"));
}
setTimeout(() => process.exit(0), Number(seconds) * 1000);
process.on("SIGTERM", () => process.exit(0));
