import { expect, test } from "vitest";
import type { Refusal } from "../../director/director.ts";
import { Fault } from "../../fault.ts";
import { ip } from "../../net/ip.ts";
import { type Client, NoDaemon } from "../client.ts";
import { fakeClient } from "../testing.ts";
import type { Names } from "./names.ts";
import { parseServices, systemNames } from "./names.ts";
import { commandNames, options } from "./options.ts";
import { parseBatch } from "./restore.ts";
import { runStep } from "./running.ts";

/** Names that must not be asked for. */
const noNames: Names = {
  hostAddress: (name) => expect.unreachable(`looked up ${name}`),
  hostName: (address) => expect.unreachable(`looked up ${address}`),
  servicePort: (name) => expect.unreachable(`looked up ${name}`),
  serviceName: (port) => expect.unreachable(`looked up ${port}`),
};

const run = (client: Client, ...args: string[]) => runStep({ words: ["ipvsadm", ...args], stdin: "" }, client, noNames);

const refusing = (refusal: Omit<Refusal, "index">): Client => ({
  ...fakeClient(),
  apply: async () => [{ index: 0, ...refusal }],
});

test("without lvsd ipvsadm ends as without the kernel module, and says which socket it tried", async () => {
  const silent: Client = { ...fakeClient(), info: () => Promise.reject(new NoDaemon("/run/lvsd/7.sock", "ENOENT", undefined)) };
  expect(await run(silent, "-Ln")).toEqual({
    stdout: "",
    stderr:
      "Can't initialize ipvs: No such file or directory\nIs lvsd running in this network namespace? (socket /run/lvsd/7.sock)\n",
    exit: 2,
  });
});

test("what this data path cannot do is said in lvsd's own sentence", async () => {
  const message = "sctp is not balanced by the xdp data path";
  expect(await run(refusing({ code: "EOPNOTSUPP", message }), "-A", "--sctp-service", "10.0.0.1:80")).toEqual({
    stdout: "",
    stderr: `${message}\n`,
    exit: 255,
  });
});

const refusals: [args: string, code: string, text: string][] = [
  ["-A -t 10.0.0.1:80", "EEXIST", "Service already exists"],
  ["-A -t 10.0.0.1:80", "ENOENT", "Scheduler or persistence engine not found"],
  ["-E -t 10.0.0.1:80", "ESRCH", "No such service"],
  ["-D -t 10.0.0.1:80", "ESRCH", "No such service"],
  ["-Z -t 10.0.0.1:80", "ESRCH", "No such service"],
  ["-a -t 10.0.0.1:80 -r 10.0.1.1", "EEXIST", "Destination already exists"],
  ["-e -t 10.0.0.1:80 -r 10.0.1.1", "ENOENT", "No such destination"],
  ["-d -t 10.0.0.1:80 -r 10.0.1.1", "ESRCH", "Service not defined"],
  ["-a -t 10.0.0.1:80 -r 10.0.1.1", "ERANGE", "Numerical result out of range"],
  ["-a -t 10.0.0.1:80 -r 10.0.1.1", "EINVAL", "Invalid operation.  Possibly wrong module version, address not unicast, ..."],
  ["-a -t 10.0.0.1:80 -r 10.0.1.1", "ENOMEM", "Memory allocation problem"],
  ["-C", "EPERM", "Permission denied (you must be root)"],
  ["--start-daemon master", "EEXIST", "Daemon has already run"],
  ["--start-daemon master", "ENODEV", "No such device"],
  ["--stop-daemon master", "ESRCH", "No daemon is running"],
  ["-C", "EXDEV", "the words of the director"],
];
for (const [args, code, text] of refusals) {
  test(`${code} to ${args} is "${text}"`, async () => {
    const outcome = await run(refusing({ code, message: "the words of the director" }), ...args.split(" "));
    expect(outcome).toEqual({ stdout: "", stderr: `${text}\n`, exit: 255 });
  });
}

test("a director that fails in another way is told as it is", async () => {
  const failing: Client = { ...fakeClient(), services: () => Promise.reject(new Fault("GET /v1/services", "EIO", "status 500")) };
  expect(await run(failing, "-Ln")).toEqual({ stdout: "", stderr: "GET /v1/services: status 500\n", exit: 255 });
});

test("numeric commands ask for no name", async () => {
  const client = fakeClient();
  await run(client, "-A", "-t", "10.0.0.1:80", "-p", "-M", "255.255.255.0");
  await run(client, "-a", "-t", "10.0.0.1:80", "-r", "10.0.1.1:8080", "-m");
  for (const list of [["-Ln"], ["-Sn"], ["-Lnc"], ["-G", "-n"]]) expect((await run(client, ...list)).exit).toBe(0);
});

/** What a real kernel listed after a few packets, but for the large numbers. */
test("counters, rates and conns stand in their columns", async () => {
  const client = fakeClient();
  const stdin = "-A -t 10.0.0.1:443 -p 100\n-a -t 10.0.0.1:443 -r 10.0.1.2:443 -m\n";
  await runStep({ words: ["ipvsadm", "-R"], stdin }, client, noNames);
  const counters = { conns: 1, inPackets: 2, outPackets: 3, inBytes: 123_456_789, outBytes: 40 };
  const rates = { cps: 1, inPps: 2, outPps: 3, inBps: 123_456_789, outBps: 4 };
  client.counts.set("tcp 10.0.0.1:443", { counters, rates });
  client.counts.set("10.0.1.2 443", { counters, rates, activeConns: 3, inactiveConns: 12345678901, persistConns: 2 });
  const lines = async (...args: string[]) => (await run(client, "-Ln", ...args)).stdout.split("\n").slice(3, -1);
  expect(await lines()).toEqual([
    "TCP  10.0.0.1:443 wlc persistent 100",
    "  -> 10.0.1.2:443                 Masq    1      3          12345678901",
  ]);
  expect(await lines("--stats")).toEqual([
    "TCP  10.0.0.1:443                        1        2        3  123456K       40",
    "  -> 10.0.1.2:443                        1        2        3  123456K       40",
  ]);
  expect(await lines("--stats", "--exact")).toEqual([
    "TCP  10.0.0.1:443                        1        2        3 123456789       40",
    "  -> 10.0.1.2:443                        1        2        3 123456789       40",
  ]);
  expect(await lines("--rate")).toEqual([
    "TCP  10.0.0.1:443                        1        2        3  123456K        4",
    "  -> 10.0.1.2:443                        1        2        3  123456K        4",
  ]);
  expect(await lines("--persistent-conn")).toEqual([
    "TCP  10.0.0.1:443 wlc persistent 100",
    "  -> 10.0.1.2:443                 1         2           3          12345678901",
  ]);
});

test("a restore is one batch, and that of ipvsadm-restore begins with the flush", async () => {
  const client = fakeClient();
  const stdin = "-A -t 10.0.0.1:80\n-a -t 10.0.0.1:80 -r 10.0.1.1\n";
  for (const words of [["ipvsadm", "-R"], ["ipvsadm-restore"]]) await runStep({ words, stdin }, client, noNames);
  expect(client.batches.map((batch) => batch.map(({ op }) => op))).toEqual([
    ["add-service", "add-dest"],
    ["flush", "add-service", "add-dest"],
  ]);
});

test("what was saved restores to the same table", async () => {
  const client = fakeClient();
  const rules =
    "-A -u 10.0.0.1:53 -s sh -p 60 -M 255.255.0.0 --pe sip -o -b flag-1,flag-2\n-A -f 6 -6 -p 5 -M 64\n-P -f 6 -6 -z fd00::5\n-a -f 6 -6 -r [fd00::9]:5 -i -w 7 --tun-type gue --tun-port 9 --tun-remcsum\n";
  await runStep({ words: ["ipvsadm", "-R"], stdin: rules }, client, noNames);
  const before = await client.services();
  const saved = await run(client, "-S", "-n");
  await runStep({ words: ["ipvsadm-restore"], stdin: saved.stdout }, client, noNames);
  expect(before).toHaveLength(2);
  expect(await client.services()).toEqual(before);
});

test("11 000 lines are read in well under 300 ms of processor time", async () => {
  const rules = Array.from({ length: 1000 }, (_, s) => {
    const service = `-t 10.0.${s >> 8}.${s & 255}:80`;
    const dests = Array.from({ length: 10 }, (_, d) => `-a ${service} -r 10.1.${s >> 8}.${d}:8080 -m -w ${d}\n`);
    return `-A ${service} -s wrr -p 300\n${dests.join("")}`;
  }).join("");
  const started = process.cpuUsage(); // not the clock: the machine may be busy
  const batch = await parseBatch(rules, noNames);
  const { user, system } = process.cpuUsage(started);
  expect("operations" in batch && batch.operations.length).toBe(11_000);
  expect((user + system) / 1000).toBeLessThan(300);
});

test("the help names every option and every command has its line", async () => {
  const { stdout, exit } = await run(fakeClient(), "--help");
  expect(exit).toBe(0);
  for (const { long } of options) if (long !== undefined) expect(stdout).toContain(`--${long}`);
  expect(options.flatMap(({ command }) => command ?? []).sort()).toEqual([...commandNames, "list"].sort());
});

test("services(5): the first line that names a port or a name counts, aliases are names", () => {
  const { ports, names } = parseServices("# remark\nhttp 80/tcp www # web\nhttp\t80/udp\nother 80/tcp\nwww 81/tcp\nbad\n");
  expect([...ports]).toEqual([
    ["http/tcp", 80],
    ["www/tcp", 80],
    ["http/udp", 80],
    ["other/tcp", 80],
  ]);
  expect([...names]).toEqual([
    ["80/tcp", "http"],
    ["80/udp", "http"],
    ["81/tcp", "www"],
  ]);
});

test("the system's own names: localhost both ways, nothing for a name that cannot be", async () => {
  const names = systemNames();
  expect(await names.hostAddress("localhost")).toBe("127.0.0.1");
  expect(await names.hostName(ip("127.0.0.1"))).toMatch(/^localhost/);
  expect(await names.hostAddress("")).toBeUndefined();
  expect(await names.hostAddress("no such host")).toBeUndefined();
  expect(names.servicePort("http", undefined)).toBeUndefined();
});
