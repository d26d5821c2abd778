import { expect, test } from "vitest";
import { eth, ipv4 } from "../../wire/build.ts";
import { addDest, addService, CLIENT, CLIENT_MAC, DIRECTOR_MAC1, Lab, syn, VIP, web } from "./testing.ts";

const OWN = "10.2.0.1"; // the director's
const out = () => eth(DIRECTOR_MAC1, CLIENT_MAC);

test("the director's own answers as a NAT dest leave as the service's, and move its conn", () => {
  const lab = new Lab([addService(web), addDest(web, OWN, { port: 8080 })]);
  const request = lab.in(syn());
  expect([request.verdict, request.reason]).toEqual(["pass", "local"]);
  expect(request.frame?.slice(14)).toEqual(ipv4(CLIENT, OWN).tcp(1004, 8080, "S").bytes());
  const answer = lab.model.send(out().ipv4(OWN, CLIENT).tcp(8080, 1004, "SA").bytes(), { ifindex: 1, now: lab.now });
  expect(answer).toEqual({ verdict: "pass", reason: "local-reply", frame: out().ipv4(VIP, CLIENT).tcp(80, 1004, "SA").bytes() });
  expect(lab.model.service(web)?.dests[0]?.counters).toMatchObject({ inPackets: 1, outPackets: 1 });
  expect(lab.model.exits()["local-reply"]).toBe(1);
});

test("what else the director sends is not looked at, and not counted", () => {
  const lab = new Lab([addService(web), addDest(web, OWN, { port: 8080 }), addDest(web, "10.2.0.11", { port: 8080 })]);
  lab.in(syn());
  lab.in(syn(1005));
  const send = (frame: Uint8Array) => lab.model.send(frame, { ifindex: 1, now: lab.now });
  expect(send(out().ipv4(OWN, CLIENT).tcp(8081, 1004, "SA").bytes())).toBeUndefined();
  expect(send(out().ipv4(OWN, CLIENT).icmp(0, 0).bytes())).toBeUndefined();
  expect(send(out().ipv4("10.2.0.11", CLIENT).tcp(8080, 1004, "SA").bytes())).toBeUndefined();
  expect(send(Uint8Array.of(1, 2, 3))).toBeUndefined();
  expect(lab.model.exits()["local-reply"]).toBeUndefined();
});
