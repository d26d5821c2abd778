// Plain JavaScript, because the lab starts it as a program of its own: node pulse.mjs ADDRESS PORT EVERY_MS PATIENCE_MS SECONDS
// A short connection every so often (GET / by HTTP/1.0), none waiting for the one before, until SIGTERM or the time is up.
// Then a line for each: [begun, ended, answer or null, error or null], times in ms since 1970 with fractions.

import { connect } from "node:net";

const [address, port, every, patience, seconds] = process.argv.slice(2);
const now = () => performance.timeOrigin + performance.now();
const tries = [];
let open = 0;
let isEnding = false;

function ask() {
  const one = [now(), 0, null, null];
  tries.push(one);
  open++;
  let text = "";
  const socket = connect({ host: address, port: Number(port) }, () => socket.write("GET / HTTP/1.0\r\n\r\n"));
  const over = (error) => {
    if (one[1] !== 0) return;
    clearTimeout(timer);
    one[1] = now();
    const answer = /\r\n\r\n(\S+)\n$/.exec(text)?.[1];
    if (answer === undefined) one[3] = error ?? "cut";
    else one[2] = answer;
    socket.destroy();
    open--;
    if (isEnding && open === 0) tell();
  };
  const timer = setTimeout(() => over("timeout"), Number(patience));
  socket.setEncoding("utf8").on("data", (part) => (text += part));
  socket
    .on("error", (error) => over(error.code))
    .on("end", () => over())
    .on("close", () => over());
}

function end() {
  if (isEnding) return;
  isEnding = true;
  clearInterval(clock);
  clearTimeout(limit);
  if (open === 0) tell();
}

function tell() {
  process.stdout.write(tries.map((one) => `${JSON.stringify(one)}\n`).join(""), () => process.exit(0));
}

const clock = setInterval(ask, Number(every));
const limit = setTimeout(end, Number(seconds) * 1000);
process.on("SIGTERM", end);
console.log("ready");
