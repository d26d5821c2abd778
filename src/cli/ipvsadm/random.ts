import type { Step } from "./transcript.ts";

/** Command lines by chance, for the comparison with the original. The same seed gives the same lines. */

export type Random = (below: number) => number;

/** A linear congruential generator: whole numbers from 0. */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const words = (text: string): string[] => text.trim().split(/ +/);
const step = (line: string): Step => ({ words: ["ipvsadm", ...words(line)], stdin: "" });
const list = (text: string): string[] => text.trim().split(/ *\| */);

const commands = list(
  "-A|-E|-D|-C|-S|-a|-e|-d|-L|-l|-Z|--set|--start-daemon|--stop-daemon=backup|--start-daemon=backup|-Ln|-Sn|--add-service|--list|--save|--zero|--edit-server|-An|-at",
);
const services = list(
  "-t 10.0.0.1:80|-u 10.0.0.1:80|-f 5|-f 5 -6|-t [fd00::1]:80|-t 10.0.0.1|-t x|--sctp-service 10.0.0.2:5|--udp-service=10.0.0.1:0|-t",
);
const servers = list("-r 10.0.1.1|-r 10.0.1.1:80|-r [fd00::9]:80|-r 10.0.1.2:9");
const options = list(`
  -s rr|-s sh|-s|-p|-p 5|-p=5|-pn|-M 255.0.0.0|-M 64|-M x|-o|--pe sip|--pe=|-b flag-1|-b sh-port|-b x|-r 10.0.1.1|-r [fd00::9]:80
  |-r fd00::9|-r x|-r 10.0.1.1:http|-g|-i|-m|-w 3|-w x|-w -1|-x 5|-y 5|-y 6|--tun-type gue|--tun-type gre|--tun-type ipip
  |--tun-type x|--tun-port 3|--tun-port x|--tun-nocsum|--tun-csum|--tun-remcsum|-n|-c|-X|-nX|-nc|--timeout|--daemon|--stats|--rate
  |--thresholds|--persistent-conn|--tun-info|--nosort|--sort|--mcast-interface lo|--syncid 3|--syncid x|--mcast-group 224.0.0.5
  |--mcast-group ff02::1|--mcast-ttl 3|--sync-maxlen 3|-q|extra|1|--|-|1 2 3|-6|-L`);

/** A command with options that mostly do not belong to it. */
export function oddStep(random: Random): Step {
  const pick = (of: readonly string[]): string => of[random(of.length)]!;
  const parts = [pick(commands)];
  if (random(10) < 7) parts.push(pick(services));
  if (/^(-[ade]$|--edit-s)/.test(parts[0]!) && random(10) < 7) parts.push(pick(servers));
  for (let left = random(4); left > 0; left--) parts.push(pick(options));
  if (random(8) === 0) parts.reverse();
  return step(parts.join(" "));
}

const known = list(
  "-t 10.0.0.1:80|-u 10.0.0.1:53|-f 5|-f 5 -6|-t [fd00::1]:80|--sctp-service 10.0.0.2:5|-t vip:http|-u 10.0.0.7:0",
);
const hosts = list("10.0.1.1|10.0.1.2:8080|[fd00::9]:81|rs2:80|127.0.0.1|10.0.1.1:80|fd00::9");
const schedulers = list("rr|sh|mh|wrr|lc|foo|none");
const flags = list("flag-1|flag-2,flag-3|sh-port|mh-fallback");
const tunnels = list("--tun-type gue --tun-port 7 --tun-csum|--tun-type gre|--tun-type ipip");
const zeroOrSet = list("-Z|-Z -t 10.0.0.1:80|--set 5 6 7|--set 0 0 1");
const queries = list(
  "-Ln|-Sn|-S|-L|-Ln --tun-info|-Ln --thresholds|-Ln --stats|-Ln --persistent-conn|-L --timeout|-L --rate -f 5",
);

/** A command that changes or lists a small table. */
export function usualStep(random: Random): Step {
  const pick = (of: readonly string[]): string => of[random(of.length)]!;
  const maybe = (text: string, oneIn = 3): string => (random(oneIn) === 0 ? ` ${text}` : "");
  const kind = random(12);
  if (kind < 3) {
    const persistence = maybe(`-p ${pick(["", "5", "360"])}`, 2) + maybe(`-M ${pick(["255.255.0.0", "64"])}`);
    return step(
      `-A ${pick(known)}${maybe(`-s ${pick(schedulers)}`, 2)}${persistence}${maybe("-o")}${maybe("--pe sip")}${maybe(`-b ${pick(flags)}`)}`,
    );
  }
  if (kind === 3) return step(`-E ${pick(known)} -s ${pick(["rr", "mh"])}${maybe("-p 9", 2)}${maybe("-b flag-1", 2)}`);
  if (kind === 4) return step(`-D ${pick(known)}`);
  if (kind < 9) {
    const limits = maybe(`-w ${random(200)}`, 2) + maybe(`-x ${random(9)} -y ${random(9)}`);
    return step(
      `${pick(["-a", "-a", "-e"])} ${pick(known)} -r ${pick(hosts)} ${pick(["-m", "-g", "-i"])}${limits}${maybe(pick(tunnels))}`,
    );
  }
  if (kind === 9) return step(`-d ${pick(known)} -r ${pick(hosts)}`);
  return step(pick(kind === 10 ? zeroOrSet : queries));
}
