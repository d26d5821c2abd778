import { spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { type BuildOptions, build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/**
 * `lvsd --engine kernel` on a kernel with ip_vs: that of Debian's user-mode-linux package, which runs as a process and sees this
 * machine's files. It is booted once. The original ipvsadm works on network namespace a, ours, through lvsd, on b, and what they
 * print must be the same; listings of b are also asked of the original.
 */

const UML = "/usr/bin/linux.uml";
const MODULES = "/usr/lib/uml/modules";
const IPVSADM = "/usr/sbin/ipvsadm";
const missing = [UML, MODULES, IPVSADM].find((path) => !existsSync(path));
const BOOT_MS = 900_000; // a program of Node takes a second to start there

const modules = [
  ...["ip_vs", "ip_vs_pe_sip", "veth"],
  ..."rr wrr lc wlc fo ovf lblc lblcr dh sh mh sed nq".split(" ").map((name) => `ip_vs_${name}`),
];

const T = "-t 10.1.0.100:80";
const SIX = "-t [fd00::100]:80";

/** Done with the original in a, with ours in b: both must answer the same. */
const commands = [
  "-A -t 10.1.0.100:80 -s wrr",
  "-A -t 10.1.0.100:80",
  "-A -t 10.1.0.100:81 -s nosuch",
  "-A -t 10.1.0.100:81 -s twos",
  "-A -t 10.1.0.100:81 -p --pe nosuch",
  "-A -t 10.1.0.100:443 -s mh -b mh-port,mh-fallback",
  "-A -t 10.1.0.100:21 -s rr -p 600 -M 255.255.255.0",
  "-A -u 10.1.0.100:53 -s sh -o -b sh-port",
  "-A -u 10.1.0.100:5060 -s wlc -p 60 --pe sip",
  "-A --sctp-service 10.1.0.100:132 -s nq",
  "-A -u 10.1.0.101:99 -s lc -p 50",
  "-A -t [fd00::100]:80 -s lblcr",
  "-A -t [fd00::100]:81 -s sed -p 360 -M 64",
  "-A -f 7 -s ovf -p 100 -M 255.255.0.0",
  "-A -f 7 -6 -s fo",
  "-A -f 4294967295",
  "-E -t 10.1.0.100:443 -s dh -p 20",
  "-E -t 10.9.9.9:80 -s rr",
  `-E ${T} -s nosuch`,
  `-a ${T} -r 10.2.0.11:8080 -m -w 3 -x 100 -y 50`,
  `-a ${T} -r 10.2.0.11:8080 -m`,
  `-a ${T} -r 10.2.0.12 -g -w 0`,
  `-a ${T} -r 10.2.0.13 -i --tun-type gue --tun-port 6080 --tun-remcsum`,
  `-a ${T} -r 10.2.0.14 -i --tun-type gre --tun-csum -w 2147483647`,
  `-a ${T} -r 10.2.0.15 -i`,
  `-a ${T} -r 224.0.0.1:80 -m`,
  `-a ${T} -r 0.0.0.0:80 -m`,
  `-a ${T} -r 10.2.0.16:80 -m -x 1 -y 2`,
  `-a ${T} -r 10.2.0.16:80 -m -x 2147483647`,
  "-a -t 10.9.9.9:80 -r 10.2.0.11:80 -m",
  "-a -u 10.1.0.100:53 -r 10.2.0.11:53 -m",
  "-a -u 10.1.0.101:99 -r 10.2.0.11:99 -m -w 5",
  "-a -u 10.1.0.100:5060 -r 10.2.0.11:5060 -m",
  "-a -f 7 -r 10.2.0.11 -m",
  `-a ${SIX} -r [fd00::11]:8080 -m`,
  `-a ${SIX} -r [fd00::12]:80 -g -w 7`,
  `-a ${SIX} -r [fe80::1]:80 -m`,
  `-a ${SIX} -r [ff02::1]:80 -m`,
  `-a ${SIX} -r 10.2.0.21:80 -i`,
  "--start-daemon master --mcast-interface d0 --syncid 9",
  `-d ${SIX} -r 10.2.0.21:80`,
  `-e ${T} -r 10.2.0.12 -g -w 9 -x 8`,
  `-e ${T} -r 10.2.0.99 -g`,
  `-e ${T} -r 10.2.0.12 -g -x 1 -y 2`,
  "-e -t 10.9.9.9:80 -r 10.2.0.11:80 -m",
  `-d ${T} -r 10.2.0.15`,
  `-d ${T} -r 10.2.0.15`,
  "-d -t 10.9.9.9:80 -r 10.2.0.11:80",
  "-D -u 10.1.0.100:53",
  "-D -u 10.1.0.100:53",
  "-Z -t 10.1.0.100:80",
  "-Z -t 10.9.9.9:80",
  "-Z",
  "-Ln -t 10.9.9.9:80",
  "--set 600 60 0",
  "--set 0 0 250",
  "--stop-daemon master",
  "--start-daemon master --mcast-interface d0 --syncid 9 --mcast-group 224.0.1.2 --mcast-port 9000 --mcast-ttl 3 --sync-maxlen 1200",
  "--start-daemon master --mcast-interface d0",
  "--start-daemon backup --mcast-interface nosuch0",
  "--start-daemon backup --mcast-interface d0 --syncid 9 --mcast-group ff05::1:3",
  "--stop-daemon backup",
  `-a ${SIX} -r 10.2.0.21:80 -i`,
];

const listings = ["-Ln", "-Sn", "-Ln --stats --exact", "-Ln --rate", "-Ln --thresholds", "-Ln --persistent-conn"].concat(
  ...["-Ln --tun-info", "-Ln --timeout", "-Ln --daemon", "-Lnc", "-Lnc --persistent-conn", "-Ln -t 10.1.0.100:80", "-Ln -f 7 -6"],
);

/** The kernel has no twos, which lvsd cannot know; what was done before must be undone. */
const refusedBatch = `-C
-A -t 10.5.0.1:80 -s rr
-a -t 10.5.0.1:80 -r 10.2.0.11:80 -m
-E -t 10.5.0.1:80 -s wrr
-d -t 10.5.0.1:80 -r 10.2.0.11:80
-A -t 10.5.0.2:80 -s twos
`;

/** Refused on the table, all of it at once. */
const wrongBatch = "-A -t 10.5.0.1:80 -s rr\n-A -t 10.5.0.1:80 -s rr\n-d -t 10.1.0.100:80 -r 10.9.9.9:80\n";

const perl = (code: string): string => `perl -MSocket=:all -e '${code}'`;
/** From the director itself to its services; nobody answers, and with 2048 (SOCK_NONBLOCK) nobody waits. */
const traffic = [
  ...[1, 2, 3].map(() => perl('socket(S,PF_INET,SOCK_STREAM|2048,0); connect(S,sockaddr_in(80,inet_aton("10.1.0.100")))')),
  perl('socket(S,PF_INET,SOCK_DGRAM,0); send(S,"x" x 100,0,sockaddr_in(99,inet_aton("10.1.0.101"))) for 1..4'),
  perl('socket(S,PF_INET6,SOCK_STREAM|2048,0); connect(S,sockaddr_in6(80,inet_pton(PF_INET6,"fd00::100")))'),
  perl(
    'socket(S,PF_INET,SOCK_DGRAM,0); setsockopt(S,SOL_SOCKET,36,pack("I",7)); send(S,"x",0,sockaddr_in(5,inet_aton("10.1.0.100")))',
  ),
  perl(
    'socket(S,PF_INET,SOCK_DGRAM,0); send(S,join("\\r\\n","OPTIONS sip:a SIP/2.0","Call-ID: 12\\@x","",""),0,sockaddr_in(5060,inet_aton("10.1.0.100")))',
  ),
];

const quoted = (args: string): string =>
  args
    .split(" ")
    .map((word) => `'${word}'`)
    .join(" ");

/** What the first process of the other kernel does. */
function initScript(io: string): string {
  const both = (name: string, args: string) => `o a ${name}.a ${quoted(args)}\nu ipvsadm ${name}.b ${quoted(args)}`;
  const listed = (name: string, args: string) => `o b ${name}.ab ${quoted(args)}\nu ipvsadm ${name}.b ${quoted(args)}`;
  return `#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc; mount -t sysfs sysfs /sys; mount -t tmpfs tmpfs /run
mkdir /run/io; mount -t hostfs none /run/io -o ${io}
cd /run/io; exec >log 2>&1
program() { p=$1; shift; ${process.execPath} ${io}/$p.mjs "$@"; }
told() { f=$1; shift; "$@" >$f 2>&1; echo "exit $?" >>$f; }
o() { n=$1; f=$2; shift 2; told $f nsenter --net=/run/netns/$n ${IPVSADM} "$@"; }
u() { p=$1; f=$2; shift 2; told $f nsenter --net=/run/netns/b ${process.execPath} ${io}/$p.mjs "$@"; }

ip link set lo up
told without program lvsd --engine kernel
for m in ${modules.join(" ")}; do modprobe -d ${io}/root $m; done
for n in a b; do
  ip netns add $n
  ip -n $n link set lo up
  ip -n $n link add d0 type veth peer name d1
  for d in d0 d1; do ip -n $n link set $d up; done
  for x in 10.1.0.100 10.1.0.101 10.2.0.11; do ip -n $n addr add $x/32 dev lo; done
  for x in fd00::100 fd00::11; do ip -n $n addr add $x/128 dev lo nodad; done
done
nsenter --net=/run/netns/b ${process.execPath} ${io}/lvsd.mjs --engine kernel 2>lvsd.log &
lvsd=$!
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do grep -q ready lvsd.log && break; sleep 1; done

${commands.map((args, i) => both(`command.${i}`, args)).join("\n")}
${listings
  .slice(0, 2)
  .map((args, i) => `${both(`same.${i}`, args)}`)
  .join("\n")}
${both("same.2", "-Ln --daemon")}
${both("same.3", "-Ln --timeout")}

o b undo.before -Sn
o b undo.before.order -Ln --thresholds --nosort
u ipvsadm undo.told.b -R <refused
u ipvsadm wrong.told.b -R <wrong
o b undo.after -Sn
o b undo.after.order -Ln --thresholds --nosort

cat >traffic.sh <<'END'
${traffic.join("\n")}
END
nsenter --net=/run/netns/b sh traffic.sh
sleep 5
u lvsctl lvsctl.set.b set run_estimation 0
u lvsctl lvsctl.nosuch.b set nosuch 1
u lvsctl lvsctl.wrong.b set drop_entry 9
cat >proc.sh <<'END'
cd /proc/sys/net/ipv4/vs; grep -s "" *
END
told proc nsenter --net=/run/netns/b sh proc.sh
u lvsctl lvsctl.settings.b settings --json
${listings.map((args, i) => listed(`list.${i}`, args)).join("\n")}
u lvsctl lvsctl.status.b status --json
u lvsctl lvsctl.conns.b conns --json
u lvsctl lvsctl.explain.b explain 10.9.0.1:1000 10.1.0.100:80
u ipvsadm fullnat.b -a -t 10.1.0.100:80 -r 10.2.0.17:80 --fullnat
u lvsctl mark.b mark add --set 5 --dport 80

u ipvsadm unsavable.b -D -f 4294967295
o b kept.before -Sn
u ipvsadm clear.b -C
u ipvsadm-restore restore.b <kept.before.rules
o b kept.after -Sn
kill $lvsd; wait $lvsd
o b kept.stopped -Sn
touch done; sync
echo o >/proc/sysrq-trigger
sleep 10
`.replace("u ipvsadm clear.b", "grep -v ^exit kept.before >kept.before.rules\nu ipvsadm clear.b");
}

let folder = "";
let log = "";

beforeAll(async () => {
  if (missing !== undefined) return;
  mkdirSync("build", { recursive: true });
  folder = mkdtempSync(resolve("build/test-kernel-")); // inside the repository, so that koffi is found
  const require = `import { createRequire as make } from "node:module"; const require = make(import.meta.url);`;
  const shape: BuildOptions = { bundle: true, platform: "node", format: "esm", external: ["koffi"], banner: { js: require } };
  const entries = ["daemon/entry/lvsd", "daemon/entry/lvsctl", "cli/entry/ipvsadm", "cli/entry/ipvsadm-restore"];
  await Promise.all(
    entries.map((entry) =>
      build({
        ...shape,
        entryPoints: [`src/${entry}.ts`],
        outfile: `${folder}/${entry.split("/").at(-1)}.mjs`,
        logLevel: "error",
      }),
    ),
  );
  mkdirSync(join(folder, "root", "lib"), { recursive: true });
  symlinkSync(MODULES, join(folder, "root", "lib", "modules"));
  writeFileSync(join(folder, "refused"), refusedBatch);
  writeFileSync(join(folder, "wrong"), wrongBatch);
  writeFileSync(join(folder, "init"), initScript(folder), { mode: 0o755 });
  await boot();
  log = `${readFileSync(join(folder, "log"), "utf8")}\n${readFileSync(join(folder, "lvsd.log"), "utf8")}`;
  if (!existsSync(join(folder, "done"))) throw new Error(`the other kernel did not get to the end:\n${log}`);
}, BOOT_MS);

afterAll(() => {
  if (folder !== "" && process.env.KEEP === undefined) rmSync(folder, { recursive: true, force: true });
});

/** UML's own processes share its process group, which is made for it. */
function boot(): Promise<void> {
  const words = `mem=512M rootfstype=hostfs rootflags=/ ro con=null con0=null,fd:1 quiet init=${folder}/init`.split(" ");
  const child = spawn(UML, words, { stdio: "ignore", detached: true, env: { ...process.env, TMPDIR: folder } });
  const timer = setTimeout(() => process.kill(-child.pid!, "SIGKILL"), BOOT_MS - 10_000);
  return new Promise((done, failed) => {
    child.once("error", failed);
    child.once("close", () => {
      clearTimeout(timer);
      done();
    });
  });
}

const said = (name: string): string => readFileSync(join(folder, name), "utf8");
const body = (name: string): string => said(name).replace(/exit \d+\n$/, "");
const json = (name: string): unknown => JSON.parse(body(name));
/** Services in the order of the kernel's hash table, which does not matter, each with its dests in the order that does. */
const dests = (text: string): string[] => text.split(/\n(?=\w)/).sort();
/** Time goes on between two listings. */
const timeless = (text: string): string => text.replace(/^(\w+ +)\d\d:\d\d/gm, "$1--:--");

if (process.env.CI !== undefined)
  test("where everything is to be tested, user-mode-linux is there", () => {
    expect(missing).toBeUndefined();
  });

describe.skipIf(missing !== undefined)(`the kernel's IPVS (${missing === undefined ? "here" : `${missing} is missing`})`, () => {
  for (const [i, args] of commands.entries()) {
    test(`ipvsadm ${args} (${i}) answers as the original`, () => {
      expect(said(`command.${i}.b`), log).toBe(said(`command.${i}.a`));
    });
  }

  test("both kinds of ends were met: commands done and commands refused", () => {
    const ends = commands.map((_, i) => /exit (\d+)\n$/.exec(said(`command.${i}.a`))?.[1]);
    expect(ends.filter((end) => end === "0").length).toBeGreaterThan(25);
    expect(ends.filter((end) => end === "255").length).toBeGreaterThan(20);
  });

  for (const [i, args] of ["-Ln", "-Sn", "-Ln --daemon", "-Ln --timeout"].entries()) {
    test(`after the same commands, ipvsadm ${args} shows the same`, () => {
      expect(said(`same.${i}.b`)).toBe(said(`same.${i}.a`));
    });
  }

  for (const [i, args] of listings.entries()) {
    test(`of the same table, ipvsadm ${args} prints what the original prints`, () => {
      expect(timeless(said(`list.${i}.b`))).toBe(timeless(said(`list.${i}.ab`)));
    });
  }

  test("there was traffic to be listed", () => {
    expect(body(`list.${listings.indexOf("-Ln --stats --exact")}.ab`)).toMatch(/10\.1\.0\.100:80 +3 /);
    const conns = body(`list.${listings.indexOf("-Lnc --persistent-conn")}.ab`);
    for (const part of ["10.1.0.100:80 ", "[fd00::100]:80 ", "0.0.0.7:0", "sip"]) expect(conns).toContain(part);
  });

  test("a list that the kernel refuses in the middle is undone, and the refusal names its line", () => {
    expect(said("undo.told.b")).toBe("ipvsadm: line 6: Scheduler or persistence engine not found\nexit 255\n");
    expect(said("undo.before").length).toBeGreaterThan(500);
    expect(said("undo.after")).toBe(said("undo.before"));
    expect(dests(said("undo.after.order"))).toEqual(dests(said("undo.before.order")));
    expect(log).not.toContain("not undone");
  });

  test("a list that is wrong is refused beforehand, with all that is wrong", () => {
    expect(said("wrong.told.b")).toBe(
      "ipvsadm: line 2: Service already exists\nipvsadm: line 3: No such destination\nexit 255\n",
    );
  });

  test("settings are the kernel's", () => {
    const lines = body("proc").trim().split("\n");
    const kernel = Object.fromEntries(
      lines.map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 1).replaceAll("\t", " ")]),
    );
    expect(json("lvsctl.settings.b")).toEqual(kernel);
    expect(kernel).toMatchObject({ run_estimation: "0", sync_threshold: "3 50" });
    expect(said("lvsctl.nosuch.b")).toMatch(/no such setting[\s\S]*exit [^0]/);
    expect(said("lvsctl.wrong.b")).toMatch(/drop_entry[\s\S]*exit [^0]/);
  });

  test("lvsctl knows the engine, its conns and what would become of a packet", () => {
    expect(json("lvsctl.status.b")).toMatchObject({ engine: "kernel", attachments: [], exits: {}, table: { capacity: 0 } });
    const conns: unknown[] = body("lvsctl.conns.b")
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(conns).toContainEqual(expect.objectContaining({ fwmark: 7, template: true, protocol: "ip", method: "nat" }));
    expect(conns).toContainEqual(expect.objectContaining({ protocol: "tcp", state: "SYN_RECV", active: true, template: false }));
    expect(said("lvsctl.explain.b")).toMatch(/service +tcp 10\.1\.0\.100:80[\s\S]*wrr picks one of \d dests[\s\S]*exit 0/);
  });

  test("what the kernel has not is refused with a sentence", () => {
    expect(said("fullnat.b")).toBe("the kernel's IPVS has no FullNAT: lvsd --engine xdp has\nexit 255\n");
    expect(said("mark.b")).toMatch(/marks of nftables and iptables[\s\S]*exit [^0]/);
  });

  test("what ipvsadm-restore takes is what was saved, and a stop of lvsd leaves it in place", () => {
    expect(said("restore.b")).toBe("exit 0\n");
    expect(said("kept.after")).toBe(said("kept.before"));
    expect(said("kept.stopped")).toBe(said("kept.before"));
    expect(log).toMatch(/stopped forwarding=true/);
  });

  test("without ip_vs lvsd says so and ends", () => {
    expect(said("without")).toMatch(
      /^.*loading module.*\nlvsd: open the kernel's IPVS: this kernel has none: modprobe ip_vs was tried .*\nexit 69\n$/,
    );
  });
});
