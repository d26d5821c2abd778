import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { afterEach, expect, test } from "vitest";
import type { MailConfig } from "./config.ts";
import { openMailer } from "./mailer.ts";

let server: Server | undefined;
const sockets = new Set<Socket>();
afterEach(() => {
  for (const socket of sockets) socket.destroy();
  server?.close();
});

/** A mail server; `refuses` is what it says instead of taking a mail. */
async function mailServer(refuses?: string) {
  const subjects: string[] = [];
  let most = 0;
  server = createServer((socket) => {
    sockets.add(socket);
    most = Math.max(most, sockets.size);
    let isData = false;
    socket.on("close", () => sockets.delete(socket)).on("error", () => {});
    socket.write("220 here\r\n");
    socket.on("data", (bytes) => {
      const text = bytes.toString();
      subjects.push(...(/^Subject: (.*)\r$/m.exec(text)?.slice(1) ?? []));
      if (isData || !text.startsWith("DATA")) socket.write(text.startsWith("RCPT") && refuses ? `${refuses}\r\n` : "250 ok\r\n");
      else socket.write("354 go\r\n");
      isData = text.startsWith("DATA");
    });
  });
  await new Promise<void>((resolve) => server!.listen(0, "127.0.0.1", resolve));
  return { port: (server.address() as AddressInfo).port, subjects, most: () => most };
}

function mailerTo(port: number) {
  const config: MailConfig = {
    ...{ server: { host: "127.0.0.1", port }, helo: "me", from: "k@x", to: ["a@x"], timeout: 1000, routerId: "R1" },
  };
  const told: string[] = [];
  const log = (level: string) => (what: string, values?: object) => void told.push(`${level} ${what} ${JSON.stringify(values)}`);
  const mailer = openMailer(() => config, { info: log("info"), warn: log("warn"), error: log("error"), debug: log("debug") });
  return { mailer, told };
}

test("twenty mails of one moment all arrive, a few at a time, with the router's id in front", async () => {
  const { port, subjects, most } = await mailServer();
  const { mailer, told } = mailerTo(port);
  for (let i = 0; i < 20; i++) mailer.send({ subject: `mail ${i}`, body: "=> x <=" });
  await mailer.settled(5000);
  expect(subjects.length).toBe(20);
  expect(subjects).toContain("[R1] mail 19");
  expect(most()).toBeLessThan(10); // some have not closed yet
  expect(told.every((line) => line.startsWith("info mail sent"))).toBe(true);
});

test("one that is refused, and one to a server that is not there, are told with the reason", async () => {
  const { port } = await mailServer("550 no");
  const refused = mailerTo(port);
  refused.mailer.send({ subject: "x", body: "y" });
  await refused.mailer.settled(2000);
  expect(refused.told).toEqual(['warn mail not sent {"subject":"[R1] x","reason":"the mail server says: 550 no"}']);
  server!.close();
  const nobody = mailerTo(1);
  nobody.mailer.send({ subject: "x", body: "y" });
  await nobody.mailer.settled(2000);
  expect(nobody.told).toEqual(['warn mail not sent {"subject":"[R1] x","reason":"connection refused"}']);
});

test("beyond a thousand that wait, mails are dropped, which is told once", async () => {
  const { port } = await mailServer();
  const { mailer, told } = mailerTo(port);
  for (let i = 0; i < 1100; i++) mailer.send({ subject: String(i), body: "" });
  expect(told).toEqual(['warn mails dropped {"reason":"too many wait"}']);
  await mailer.settled(1);
});
