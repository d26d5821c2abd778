import { describe, expect, test } from "vitest";
import { parseText } from "../../config/parse.ts";
import { fromConfig } from "./from-config.ts";

const read = (text: string) => fromConfig(parseText(text).config);
const service = (text: string) => read(text).health.services[0]!;
const vs = (inside: string, head = "192.0.2.1 80") =>
  `virtual_server ${head} {\n lb_algo wrr\n lb_kind NAT\n protocol TCP\n ${inside}\n}\n`;
const rs = (inside: string, head = "10.0.0.11 8080") => `real_server ${head} {\n ${inside}\n}\n`;
const checkOf = (inside: string, more = "") => service(vs(`${more}\n${rs(inside)}`)).servers[0]!.checks[0]!;

describe("a virtual server", () => {
  test("has keepalived's defaults", () => {
    const s = service(vs(rs("TCP_CHECK {\n}")));
    expect(s).toMatchObject({ name: "[192.0.2.1]:tcp:80", quorum: 1, hysteresis: 0, omega: false, sorry: undefined });
    expect(s.specs).toEqual([
      {
        key: { protocol: "tcp", addr: "192.0.2.1", port: 80 },
        ...{ scheduler: "wrr", schedFlags: [], persistSeconds: 0, netmask: 0xffffffff, onePacket: false, pe: "" },
      },
    ]);
    expect(s.servers[0]).toMatchObject({ name: "[10.0.0.11]:tcp:8080", inhibit: false, notifyUp: undefined });
    expect(s.servers[0]?.dest).toMatchObject({ addr: "10.0.0.11", port: 8080, method: "nat", weight: 1, upper: 0 });
    expect(s.servers[0]?.checks[0]).toMatchObject({
      ...{ type: "TCP_CHECK", retry: 1, delayBeforeRetry: 1000, delayLoop: 60_000, warmup: 60_000, alpha: false, pages: 1 },
      probe: { type: "TCP_CHECK", to: { ip: "10.0.0.11", port: 8080, timeout: 5000, fwmark: 0 } },
    });
  });

  const names: [head: string, extra: string, name: string][] = [
    ["2001:db8::1 443", "", "[2001:db8::1]:tcp:443"],
    ["fwmark 5", "", "FWM 5"],
    ["group web", "virtual_server_group web {\n 192.0.2.1-3 80\n fwmark 7\n}\n", "[web]:0"],
  ];
  for (const [head, extra, name] of names) {
    test(`for ${head} is called ${name}`, () =>
      expect(service(extra + vs(rs("", head.includes("::") ? "2001:db8::11 80" : "10.0.0.11 80"), head)).name).toBe(name));
  }

  test("for a group is all of the group's services", () => {
    const { specs } = service(`virtual_server_group web {\n 192.0.2.254-192.0.3.1 80\n fwmark 7\n}\n${vs(rs(""), "group web")}`);
    const keys = specs.map(({ key }) =>
      key.fwmark === undefined ? `${key.addr} ${key.port}` : `mark ${key.fwmark} ${key.family}`,
    );
    expect(keys).toEqual(["192.0.2.254 80", "192.0.2.255 80", "192.0.3.0 80", "192.0.3.1 80", "mark 7 ipv4"]);
  });

  test("of FullNAT has the pool of its group, once each, and tells servers of clients over TCP and IPv4", () => {
    const group = "local_address_group out {\n 10.0.0.51-53 eth0\n 10.0.0.52\n 10.0.0.60\n}\n";
    const text = `${group}${vs(`laddr_group_name out\n ${rs("")}`).replace("NAT", "FNAT")}`;
    expect(parseText(text).problems.map(({ message }) => message)).toEqual([]);
    const s = service(text);
    expect(s.localAddresses).toEqual(["10.0.0.51", "10.0.0.52", "10.0.0.53", "10.0.0.60"]);
    expect(s.servers[0]?.dest).toMatchObject({ method: "fullnat", port: 8080, toa: true });
    expect(service(text.replace("protocol TCP", "protocol UDP")).servers[0]?.dest.toa).toBe(false);
    expect(service(vs(rs(""))).localAddresses).toBeUndefined();
  });

  test("for a group checks servers without a port at the group's", () => {
    const text = `virtual_server_group web {\n fwmark 7\n 192.0.2.1 8443\n}\n${vs(rs("TCP_CHECK {\n}", "10.0.0.11"), "group web")}`;
    expect(service(text).servers[0]?.checks[0]?.probe).toMatchObject({ to: { ip: "10.0.0.11", port: 8443 } });
    expect(service(text).servers[0]?.dest.port).toBe(0);
  });

  test("has persistence, flags and a mask of its own", () => {
    const [spec] = service(vs(`persistence_timeout 600\n persistence_granularity 255.255.255.0\n ${rs("")}`)).specs;
    expect(spec).toMatchObject({ persistSeconds: 600, netmask: 0xffffff00 });
    const [hashed] = service(
      `virtual_server 192.0.2.1 80 {\n lb_algo sh\n sh-port\n sh-fallback\n lb_kind NAT\n protocol TCP\n ${rs("")}\n}`,
    ).specs;
    expect(hashed).toMatchObject({ scheduler: "sh", schedFlags: [1, 2] });
  });

  test("routes to its own port, and a server without a port has that of the service", () => {
    const routed = service(
      `virtual_server 192.0.2.1 80 {\n lb_algo rr\n lb_kind DR\n protocol TCP\n ${rs("", "10.0.0.11 80")}\n}`,
    );
    expect(routed.servers[0]?.dest).toMatchObject({ method: "route", port: 80 });
    expect(service(vs(rs("", "10.0.0.11"))).servers[0]?.dest.port).toBe(80);
  });

  test("has no more quorum than weights, and less hysteresis than quorum", () => {
    const s = service(vs(`quorum 9\n hysteresis 9\n ${rs("weight 2")} ${rs("weight 3", "10.0.0.12 80")}`));
    expect([s.quorum, s.hysteresis]).toEqual([5, 4]);
  });

  test("takes a sorry server that is a real server for what that one is", () => {
    const s = service(vs(`sorry_server 10.0.0.11 8080\n ${rs("inhibit_on_failure")}`));
    expect(s.sorry).toMatchObject({ name: "[10.0.0.11]:tcp:8080", inhibit: true });
  });

  test("that is there twice counts once", () => {
    const { health, notes } = read(vs(rs("weight 1")) + vs(rs("weight 2")));
    expect(health.services.map((s) => s.servers[0]?.dest.weight)).toEqual([1]);
    expect(notes).toEqual(["virtual server [192.0.2.1]:tcp:80 is there twice - the first one counts"]);
  });

  test("leaves out doubles, strangers and checks that lack something, and says so", () => {
    const { health, notes } = read(vs(`${rs("HTTP_GET {\n}")} ${rs("")} ${rs("", "2001:db8::1 80")}`));
    expect(health.services[0]?.servers.map((s) => s.checks.length)).toEqual([0]);
    expect(notes).toEqual([
      "HTTP_GET of 10.0.0.11 is left out: it has no url with a path",
      "real server [10.0.0.11]:tcp:8080 is duplicated - removing second rs",
      "real server [2001:db8::1]:tcp:80 is left out: it is not of the service's family",
    ]);
  });
});

describe("a check", () => {
  test("inherits from its real server and then from the virtual server", () => {
    const above = "delay_loop 7\n retry 5\n warmup 4\n connect_timeout 2\n alpha";
    expect(checkOf("TCP_CHECK {\n}", above)).toMatchObject({
      delayLoop: 7000,
      retry: 5,
      warmup: 4000,
      alpha: true,
      probe: { to: { timeout: 2000 } },
    });
    expect(checkOf("delay_loop 3\n retry 2\n alpha no\n TCP_CHECK {\n}", above)).toMatchObject({
      delayLoop: 3000,
      retry: 2,
      alpha: false,
    });
    expect(checkOf("retry 2\n TCP_CHECK {\n retry 0\n delay_before_retry 0.5\n}", above)).toMatchObject({
      retry: 0,
      delayBeforeRetry: 500,
    });
  });

  const defaults: [check: string, retry: number, delayBeforeRetry: number][] = [
    ["HTTP_GET {\n url {\n path /\n}\n}", 1, 3000],
    ["SSL_GET {\n url {\n path /\n}\n}", 1, 3000],
    ["SMTP_CHECK {\n}", 1, 1000],
    ["DNS_CHECK {\n}", 3, 60_000],
    ["MISC_CHECK {\n misc_path /bin/true\n}", 0, 1000],
    ["UDP_CHECK {\n}", 1, 1000],
    ["PING_CHECK {\n}", 1, 1000],
  ];
  for (const [check, retry, delayBeforeRetry] of defaults) {
    test(`${check.split(" ")[0]} has ${retry} retries`, () => expect(checkOf(check)).toMatchObject({ retry, delayBeforeRetry }));
  }

  test("of HTTP asks for the nearest virtualhost, and for the address without any", () => {
    const hosts = (inside: string, more = "") => {
      const { probe } = checkOf(`HTTP_GET {\n ${inside}\n}`, more);
      return probe.type === "HTTP_GET" ? probe.pages.map((page) => page.host) : [];
    };
    const url = "url {\n path /\n}\n";
    expect(hosts(url)).toEqual(["10.0.0.11:8080"]);
    expect(hosts(url, "virtualhost all")).toEqual(["all"]);
    expect(hosts(`virtualhost one\n${url} url {\n path /x\n virtualhost two\n}\n`, "virtualhost all")).toEqual(["one", "two"]);
  });

  test("of HTTP wants 200 to 299 unless it is told what else", () => {
    const page = (inside: string) => {
      const { probe } = checkOf(`HTTP_GET {\n url {\n path /\n ${inside}\n}\n}`);
      return probe.type === "HTTP_GET" ? probe.pages[0] : undefined;
    };
    expect(page("")?.statuses).toEqual([[200, 299]]);
    expect(page("status_code 200 301-302")?.statuses).toEqual([
      [200, 200],
      [301, 302],
    ]);
    expect(page(`digest ${"a".repeat(32)}`)).toMatchObject({ statuses: [[0, 999]], digests: ["a".repeat(32)] });
    expect(page("regex ^ok$\n regex_options caseless multiline\n regex_min_offset 3")?.regex).toMatchObject({
      source: "^ok$",
      flags: "im",
      not: false,
      minOffset: 3,
    });
    expect(page("regex (?i)ok")?.regex).toMatchObject({ source: "ok", flags: "i" });
    expect(page("regex bad\n regex_no_match")?.regex).toMatchObject({ not: true });
  });

  test("of MISC may take as long as delay_loop and knows the weight", () => {
    expect(checkOf('weight 4\n MISC_CHECK {\n misc_path "/bin/check a b"\n misc_dynamic\n}', "delay_loop 9").probe).toEqual({
      ...{ type: "MISC_CHECK", timeout: 9000, dynamic: true, weight: 4 },
      script: { command: ["/bin/check", "a", "b"], user: undefined, group: undefined },
    });
  });
});

describe("words of lvsd's own", () => {
  const TCP = "TCP_CHECK {\n}";
  test("are off when they are not there", () => {
    const s = service(vs(rs(TCP)));
    expect(s).toMatchObject({ passive: undefined });
    expect(s.servers[0]).toMatchObject({ slowStart: 0, checks: [{ rise: 1, retry: 1, flap: undefined }] });
  });

  test("fall is retry and one more; the nearest word counts, of whichever kind", () => {
    expect(checkOf("TCP_CHECK {\n fall 4\n rise 2\n}").retry).toBe(3);
    expect(checkOf("TCP_CHECK {\n retry 2\n}", "fall 9").retry).toBe(2);
    expect(checkOf(`retry 2\n ${TCP}`, "fall 9").retry).toBe(2);
    expect(checkOf(TCP, "fall 9\n rise 3")).toMatchObject({ retry: 8, rise: 3 });
  });

  test("flap_limit, with its times, comes from the virtual server or nearer", () => {
    expect(checkOf(TCP, "flap_limit 3").flap).toEqual({ limit: 3, window: 300_000, hold: 60_000 });
    expect(checkOf("flap_hold 5\n TCP_CHECK {\n flap_window 7\n}", "flap_limit 3").flap).toEqual({
      limit: 3,
      window: 7000,
      hold: 5000,
    });
    expect(checkOf("TCP_CHECK {\n flap_limit 0\n}", "flap_limit 3").flap).toBeUndefined();
  });

  test("slow_start is the server's or the service's; passive_check alone means a single failure", () => {
    expect(service(vs(`slow_start 30\n passive_check\n ${rs(TCP)}`))).toMatchObject({
      passive: 1,
      servers: [{ slowStart: 30_000 }],
    });
    expect(service(vs(`slow_start 30\n passive_check 7\n ${rs("slow_start 0.5")}`))).toMatchObject({
      ...{ passive: 7, servers: [{ slowStart: 500 }] },
    });
  });
});
