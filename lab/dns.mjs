// Plain JavaScript, because the lab starts it as a program of its own.
// node dns.mjs serve ADDRESS PORT ANSWER: a name server whose one answer to every A query is that address.
// node dns.mjs ask ADDRESS PORT TIMES [one]: so many queries, each from a port of its own one after the other, or all at once from one
// port; the answers in the order of the queries, one a line, or what went wrong, as when none came within 5 s. Nothing is asked twice.

import { createSocket } from "node:dgram";
import { Resolver } from "node:dns/promises";
import { isIPv6 } from "node:net";

const [role, address, port, third, sockets] = process.argv.slice(2);
const HEADER = 12;
const TTL = 0;

if (role === "serve") {
  const socket = createSocket(isIPv6(address) ? "udp6" : "udp4");
  socket.on("message", (query, from) => socket.send(answerTo(query, third), from.port, from.address));
  socket.bind(Number(port), address, () => console.log("ready"));
} else {
  const ask = (resolver, i) =>
    resolver.resolve4(`n${i}.test`).then(
      ([answer]) => answer,
      (error) => `${error.code} at ${i}`,
    );
  const queries = Array.from({ length: Number(third) }, (_, i) => i);
  if (sockets === "one") {
    const resolver = newResolver();
    for (const answer of await Promise.all(queries.map((i) => ask(resolver, i)))) console.log(answer);
  } else {
    for (const i of queries) console.log(await ask(newResolver(), i));
  }
}

function newResolver() {
  const made = new Resolver({ timeout: 5000, tries: 1 });
  made.setServers([isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`]);
  return made;
}

/** RFC 1035 section 4: the question again, and one record of it. */
function answerTo(query, ip) {
  let end = HEADER;
  while (query[end] !== 0) end += query[end] + 1;
  const question = query.subarray(HEADER, end + 5); // its name's end, type and class
  const header = Buffer.from([query[0], query[1], 0x84, 0, 0, 1, 0, 1, 0, 0, 0, 0]); // an answer with authority: one question, one record
  const record = Buffer.from([0xc0, HEADER, 0, 1, 0, 1, 0, 0, 0, TTL, 0, 4, ...ip.split(".").map(Number)]); // 0xc0: the name is there
  return Buffer.concat([header, question, record]);
}
