import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { startTcpEcho, startUdpEcho } from "./echo.ts";
import { type Lab, startLab } from "./lab.ts";
import { missing } from "./needs.ts";
import { makeBigFile, type Nginx, startNginx } from "./nginx.ts";
import { topology } from "./topology.ts";
import { countEach, curlEach, download, load, parseWrk, sha256Of } from "./traffic.ts";

const pair = topology({
  hosts: { client: {}, rs1: {} },
  segments: { lan: { subnet: "10.0.0.0/24", subnet6: "fd00::/64", hosts: { client: 2, rs1: 11 } } },
});

describe.skipIf(missing() !== undefined)(`servers and traffic (${missing() ?? "here"})`, () => {
  let lab: Lab<"client" | "rs1">;
  let nginx: Nginx;
  beforeAll(async () => {
    lab = await startLab(pair);
    nginx = await startNginx(lab, lab.hosts.rs1, ["10.0.0.11:8080", "[fd00::11]:80"]);
  });
  afterAll(() => lab?.close());

  test("nginx answers with its name over both families", async () => {
    const { client } = lab.hosts;
    expect(await client.run("curl -s http://10.0.0.11:8080/")).toBe("rs1\n");
    expect(await client.run("curl -s -g http://[fd00::11]/")).toBe("rs1\n");
  });

  test("nginx tells the client its address and writes it down", async () => {
    expect(await lab.hosts.client.run("curl -s http://10.0.0.11:8080/echo")).toBe("10.0.0.2\n");
    expect(nginx.clients().at(-1)).toBe("10.0.0.2");
  });

  test("curlEach gives the answers in order, and countEach their number", async () => {
    const answers = await curlEach(lab.hosts.client, "http://10.0.0.11:8080/", 5);
    expect(answers).toEqual(["rs1", "rs1", "rs1", "rs1", "rs1"]);
    expect([...countEach(answers)]).toEqual([["rs1", 5]]);
  });

  test("a download of a big file arrives to the byte, and a shorter file has another sum", async () => {
    const { client, rs1 } = lab.hosts;
    const { path, url } = makeBigFile(lab, 20_000_000);
    const got = await download(client, `http://10.0.0.11:8080${url}`);
    expect(got).toEqual({ bytes: 20_000_000, sha256: await sha256Of(rs1, path) });
    expect(await sha256Of(rs1, makeBigFile(lab, 19_999_999).path)).not.toBe(got.sha256);
  });

  test("a download that fails is a fault, not a short file", async () => {
    await expect(download(lab.hosts.client, "http://10.0.0.11:1/")).rejects.toThrow("Couldn't connect");
  });

  test("wrk loads the server without errors", async () => {
    const { requests, requestsPerSecond, errors } = await load(lab.hosts.client, "http://10.0.0.11:8080/fast", 1, 4);
    expect(requests).toBeGreaterThan(100);
    expect(requestsPerSecond).toBeGreaterThan(100);
    expect(errors).toBe(0);
  });

  test("the UDP server sends datagrams back", async () => {
    await startUdpEcho(lab.hosts.rs1, "10.0.0.11", 5000);
    expect(await lab.hosts.client.run("exec 3<>/dev/udp/10.0.0.11/5000; echo hello >&3; head -1 <&3", { shell: "bash" })).toBe(
      "hello\n",
    );
  });

  test("the TCP server sends lines back with the client's address", async () => {
    await startTcpEcho(lab.hosts.rs1, "10.0.0.11", 5001);
    const say = "exec 3<>/dev/tcp/10.0.0.11/5001; echo hello >&3; head -1 <&3";
    expect(await lab.hosts.client.run(say, { shell: "bash" })).toBe("10.0.0.2 hello\n");
  });
});

test("wrk's report becomes numbers", () => {
  const report = `Running 3s test @ http://10.0.0.11/
  1 threads and 32 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.02ms  413.00us   9.90ms   78.90%
    Req/Sec    31.30k     2.38k   35.70k    66.67%
  93432 requests in 3.00s, 17.64MB read
  Socket errors: connect 0, read 1, write 0, timeout 2
Requests/sec:  31138.62
Transfer/sec:      5.88MB
`;
  expect(parseWrk(report)).toEqual({ requestsPerSecond: 31138.62, requests: 93432, errors: 3, latency: "1.02ms" });
});
