import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { operationsOf } from "../../../cases/lines.ts";
import { fromClient, fromServer, type Side, VIP } from "../../../cases/network.ts";
import { XdpPlane } from "../../../cases/xdp-plane.ts";
import type { Frame } from "../../wire/build.ts";

/** Failed attempts to connect, which make a dest suspect for health checks. */

let plane: XdpPlane;
beforeAll(() => {
  plane = new XdpPlane(64);
});
afterEach(() => plane.reset());
afterAll(() => plane.close());

const S = "10.2.0.11";
const L = "10.2.0.100";
const client = (port: number, flags: string): void => send(fromClient("10.1.0.3", VIP).tcp(port, 80, flags), "client");
const send = (frame: Frame, by: Side): void => void plane.send(frame.bytes(), by);
const failures = () => plane.core.services()[0]?.dests[0]?.failures;

test("of a NAT dest: SYNs that come again before any answer, and those that a RST answers", async () => {
  plane.apply(await operationsOf("-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.11:80 -m"));
  client(1, "S");
  expect(failures()).toEqual({ resets: 0, unanswered: 0 });
  client(1, "S");
  client(1, "S");
  expect(failures()).toEqual({ resets: 0, unanswered: 2 });
  send(fromServer(S, "10.1.0.3").tcp(80, 1, "SA"), "server");
  client(1, "S"); // the answer was lost behind us
  client(1, "A");
  send(fromServer(S, "10.1.0.3").tcp(80, 1, "R"), "server"); // an established conn may end like that
  expect(failures()).toEqual({ resets: 0, unanswered: 2 });
  client(2, "S");
  send(fromServer(S, "10.1.0.3").tcp(80, 2, "RA"), "server");
  expect(failures()).toEqual({ resets: 1, unanswered: 2 });
});

test("of a FullNAT dest, too", async () => {
  const lines = `-A -t 10.1.0.100:80 -s rr \n -P -t 10.1.0.100:80 -z ${L} \n -a -t 10.1.0.100:80 -r 10.2.0.11:80 --fullnat`;
  plane.apply(await operationsOf(lines));
  client(1, "S");
  client(1, "S");
  send(fromServer(S, L).tcp(80, 5000, "RA"), "server");
  expect(failures()).toEqual({ resets: 1, unanswered: 1 });
});

test("of a DR dest are not known: its answers do not pass", async () => {
  plane.apply(await operationsOf("-A -t 10.1.0.100:80 -s rr \n -a -t 10.1.0.100:80 -r 10.2.0.11:80 -g"));
  client(1, "S");
  client(1, "S");
  expect(failures()).toBeUndefined();
});
