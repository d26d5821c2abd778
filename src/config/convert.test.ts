import { describe, expect, test } from "vitest";
import { convertLdirectord } from "./convert.ts";
import { parseLdirectord } from "./ldirectord.ts";
import { parseText } from "./parse.ts";
import { describe as line } from "./source.ts";

const ports = (name: string): number | undefined => ({ http: 80, https: 443 })[name];

function convert(text: string) {
  const { config, problems } = parseLdirectord(text);
  expect(problems).toEqual([]);
  return convertLdirectord(config, ports);
}

const FARM = `checktimeout = 3
checkinterval = 5
failurecount = 3
quiescent = yes
emailalert = "admin@example.com"
logfile = "local0"
virtual = 192.0.2.1:http
    real = 10.0.0.1->10.0.0.2:80 gate 5
    real = 10.0.0.9:8080 masq 1 "alive.html", "all good\\." l:5 u:9
    service = http
    request = "index.html"
    receive = "Test Page"
    virtualhost = www.example.com
    scheduler = wlc
    persistent = 600
    netmask = 255.255.255.0
    protocol = tcp
    fallback = 127.0.0.1:80 gate
`;

describe("ldirectord.cf becomes a keepalived.conf", () => {
  test("with the same services, servers and checks", () => {
    expect(convert(FARM).text).toMatchInlineSnapshot(`
      "# logfile is ldirectord's own and left out
      global_defs {
          notification_email {
              admin@example.com
          }
          smtp_server 127.0.0.1
          smtp_alert_checker
      }

      virtual_server 192.0.2.1 80 {
          protocol TCP
          lb_algo wlc
          lb_kind DR
          delay_loop 5
          retry 2
          delay_before_retry 5
          connect_timeout 3
          persistence_timeout 600
          persistence_granularity 255.255.255.0
          inhibit_on_failure
          sorry_server 127.0.0.1 80
          real_server 10.0.0.1 80 {
              weight 5
              HTTP_GET {
                  virtualhost www.example.com
                  url {
                      path /index.html
                      regex "Test Page"
                  }
                  connect_port 80
              }
          }
          real_server 10.0.0.2 80 {
              weight 5
              HTTP_GET {
                  virtualhost www.example.com
                  url {
                      path /index.html
                      regex "Test Page"
                  }
                  connect_port 80
              }
          }
          real_server 10.0.0.9 8080 {
              lvs_method NAT
              weight 1
              uthreshold 9
              lthreshold 5
              HTTP_GET {
                  virtualhost www.example.com
                  url {
                      path /alive.html
                      regex "all good\\\\."
                  }
                  connect_port 8080
              }
          }
      }
      "
    `);
  });

  /** A virtual block, and what must come of it. */
  const rows: [what: string, block: string, words: string[]][] = [
    [
      "connect",
      "virtual = 192.0.2.1:80\n    real = 10.0.0.1:80 masq\n    checktype = connect\n    checkport = 81",
      ["TCP_CHECK {", "connect_port 81"],
    ],
    [
      "connect over UDP",
      "virtual = 192.0.2.1:514\n    real = 10.0.0.1:514 gate\n    protocol = udp\n    checktype = connect",
      ["protocol UDP", "PING_CHECK {"],
    ],
    [
      "https",
      "virtual = 192.0.2.1:443\n    real = 10.0.0.1:443 gate\n    virtualhost = a.example",
      ["SSL_GET {", "enable_sni", "virtualhost a.example"],
    ],
    ["smtp", "virtual = 192.0.2.1:25\n    real = 10.0.0.1:25 gate", ["SMTP_CHECK {"]],
    [
      "dns",
      'virtual = 192.0.2.1:53\n    real = 10.0.0.1:53 gate\n    request = "www.example.com"',
      ["protocol UDP", "type A", "name www.example.com"],
    ],
    [
      "an own program",
      "virtual = 192.0.2.1:9\n    real = 10.0.0.1:90 masq\n    checktype = external\n    checkcommand = /usr/local/bin/probe",
      ['misc_path "/usr/local/bin/probe 192.0.2.1 9 10.0.0.1 90"'],
    ],
    ["nothing", "virtual = 192.0.2.1:80\n    real = 10.0.0.1:80 ipip\n    checktype = off", ["lb_kind TUN"]],
    [
      "a mark",
      "virtual6 = 7\n    real6 = [2001:db8::2] gate 3",
      ["virtual_server fwmark 7 {", "ip_family inet6", "real_server 2001:db8::2 {"],
    ],
    [
      "a command for the worst",
      "virtual = 192.0.2.1:80\n    real = 10.0.0.1:80 gate\n    fallbackcommand = /usr/bin/fb",
      ['quorum_down "/usr/bin/fb start 192.0.2.1:80 tcp"'],
    ],
    [
      "flags",
      "virtual = 192.0.2.1:80\n    real = 10.0.0.1:80 gate\n    scheduler = sh\n    schedflags = sh-port,sh-fallback",
      ["lb_algo sh", "sh-port", "sh-fallback"],
    ],
  ];

  test.each(rows)("that keepalived takes: %s", (_, block, words) => {
    const { text } = convert(`${block}\n`);
    for (const word of words) expect(text.split("\n").map((l) => l.trim())).toContain(word);
    expect(parseText(text, { dialect: "2.2.7" }).problems.map(line)).toEqual([]);
  });

  test("as a whole without a complaint", () => {
    expect(parseText(convert(FARM).text, { dialect: "2.2.7" }).problems.map(line)).toEqual([]);
  });

  test("and says what it could not say in keepalived's words", () => {
    const { text, notes } = convert(
      'virtual = www.example.com:80\n    real = 10.0.0.1:80 gate\nvirtual = 192.0.2.1:3306\n    real = 10.0.0.1:3306 gate\n    real = db2:3306 gate\n    login = "u"\nvirtual = 192.0.2.2:odd\n    real = 10.0.0.1 gate\n',
    );
    expect(notes.map(({ origin, message }) => `${origin.line} ${message}`)).toEqual([
      "1 virtual www.example.com: keepalived resolves no names, write its address",
      "3 the check of mysql becomes a TCP_CHECK; a MISC_CHECK with a script can do more",
      "5 real db2: keepalived resolves no names, write its address",
      "7 virtual 192.0.2.2: the port 'odd' is not in /etc/services",
    ]);
    expect(text).toContain("# real db2: keepalived resolves no names, write its address\n");
  });
});
