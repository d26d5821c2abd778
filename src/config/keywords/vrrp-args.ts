import { familyOf, type Ip, parseIp } from "../../net/ip.ts";
import { commandOf, first, isMulticast, readDecimal, readInt, type Script, script } from "../args.ts";
import { type Address, addressEntry } from "../entries/address.ts";
import { Cursor } from "../entries/cursor.ts";
import type { Arg, Entry, Reading } from "../table.ts";
import { splitScript } from "../tokens.ts";

/** Argument readers of instances, groups and trackers. */

/** The family of the instance as its addresses read so far have it. */
export function familySoFar(r: Reading): "ipv4" | "ipv6" | undefined {
  const addresses = r.block.virtualIpaddress as readonly Entry<Address>[] | undefined;
  const first = addresses?.[0];
  if (first !== undefined) return familyOf(first.value.ip);
  for (const field of ["mcastSrcIp", "unicastSrcIp"]) {
    const ip = r.block[field] as Ip | undefined;
    if (ip !== undefined) return familyOf(ip);
  }
  const peer = (r.block.unicastPeer as readonly Entry<UnicastPeer>[] | undefined)?.[0];
  return peer && familyOf(peer.value.ip);
}

/** An address that must be of the family of the instance. */
export const instanceIp: Arg<Ip> = {
  usage: "IP",
  read(r) {
    const word = first(r);
    const ip = word && parseIp(word.text);
    if (word !== undefined && ip === undefined) return r.error(word, `'${word.text}' is not an IP address`);
    const family = familySoFar(r);
    if (ip !== undefined && family !== undefined && familyOf(ip) !== family) {
      return r.error(word, `${ip} is not of the instance's family, ${family}`);
    }
    return ip;
  },
};

export const instanceGroup: Arg<Ip> = {
  usage: "MULTICAST-IP",
  read(r) {
    const ip = instanceIp.read(r);
    return ip === undefined || isMulticast(ip) ? ip : r.error(r.args[0], `${ip} is not a multicast address`);
  },
};

const anyAddress = addressEntry("virtual");

/** An address of virtual_ipaddress: all are of the family of the first. */
export const virtualAddress: Arg<Address> = {
  usage: anyAddress.usage,
  read(r) {
    const family = familySoFar(r);
    const address = anyAddress.read(r);
    if (address === undefined || family === undefined || familyOf(address.ip) === family) return address;
    return r.error(r.args[0], `${address.ip} is not of the instance's family, ${family}; virtual_ipaddress_excluded may mix`);
  },
};

export interface UnicastPeer {
  readonly ip: Ip;
  /** Lowest and highest TTL (hop limit) accepted from it. */
  readonly minTtl?: number;
  readonly maxTtl?: number;
}

export const unicastPeer: Arg<UnicastPeer> = {
  usage: "IP [min_ttl N] [max_ttl N]",
  read(r) {
    const c = new Cursor(r);
    const word = c.next();
    const ip = word && parseIp(word.text);
    if (ip === undefined) return r.error(word, `'${word?.text ?? ""}' is not an IP address`);
    const family = familySoFar(r);
    if (family !== undefined && familyOf(ip) !== family) return r.error(word, `${ip} is not of the instance's family, ${family}`);
    const peer: { ip: Ip; minTtl?: number; maxTtl?: number } = { ip };
    for (let option = c.next(); option !== undefined; option = c.next()) {
      const field = option.text === "min_ttl" ? "minTtl" : option.text === "max_ttl" ? "maxTtl" : undefined;
      if (field === undefined) return r.error(option, `'${option.text}' is not one of min_ttl, max_ttl`) ?? peer;
      const n = c.int(option, 0, 255);
      if (n !== undefined) peer[field] = n;
    }
    if ((peer.minTtl ?? 0) > (peer.maxTtl ?? 255)) r.error(word, "min_ttl is above max_ttl: every packet would be dropped");
    return peer;
  },
};

export interface Vmac {
  readonly name?: string;
  /** Parent interface when it is not the instance's. */
  readonly interface?: string;
  readonly mac?: string;
  readonly group?: string;
  readonly netlinkNotify?: true;
}

const MAC = /^[0-9a-fA-F]{2}(:[0-9a-fA-F]{2})*$/;

/** `use_vmac [NAME] [IF] [MAC] [group G] [netlink_notify_msg]`; 2.2.7 knows a name and a MAC. */
export const vmac: Arg<Vmac> = {
  usage: "[NAME] [IF] [MAC] [group G] [netlink_notify_msg]",
  read(r) {
    const out: { -readonly [K in keyof Vmac]: Vmac[K] } = {};
    for (let i = 0; i < r.args.length; i++) {
      const word = r.args[i]!;
      if (word.text === "netlink_notify_msg") out.netlinkNotify = true;
      else if (word.text === "group" && r.args[i + 1] !== undefined) out.group = r.args[++i]!.text;
      else if (word.text.includes(":")) readMac(r, out, i);
      else if (out.name !== undefined && r.dialect === undefined) out.interface = word.text;
      else if (out.name !== undefined) r.error(word, "use_vmac has one name before keepalived 2.4.4");
      else if (r.facts.interfaces?.has(word.text) && r.facts.macvlans?.has(word.text) === false)
        r.error(word, `interface '${word.text}' is not a macvlan`);
      else if (word.text === "" || word.text.length > 15 || /[/\s]/.test(word.text))
        r.error(word, `'${word.text}' cannot be an interface name`);
      else out.name = word.text;
    }
    return out;
  },
};

function readMac(r: Reading, out: { mac?: string }, i: number): void {
  const word = r.args[i]!;
  const octets = word.text.split(":");
  const multicast = (Number.parseInt(octets[0]!, 16) & 1) === 1;
  if (!MAC.test(word.text) || (octets.length !== 5 && octets.length !== 6)) r.error(word, `'${word.text}' is not a MAC address`);
  else if (multicast) r.error(word, `${word.text} is a multicast MAC address`);
  else if (/^00:00:5e:00:0[12]/i.test(word.text)) r.error(word, `${word.text} belongs to VRRP itself`);
  else out.mac = word.text;
}

export interface Ipvlan {
  readonly name?: string;
  readonly ip?: Ip;
  readonly flags: readonly string[];
}

const IPVLAN_FLAGS = new Set(["bridge", "private", "vepa"]);

export const ipvlan: Arg<Ipvlan> = {
  usage: "[NAME] [IP[/LENGTH]] [bridge|private|vepa]",
  read(r) {
    const out: { name?: string; ip?: Ip; flags: string[] } = { flags: [] };
    for (const word of r.args) {
      const ip = parseIp(word.text.split("/")[0]!);
      if (IPVLAN_FLAGS.has(word.text)) out.flags.push(word.text);
      else if (ip !== undefined) out.ip = ip;
      else if (word.text.length > 15) r.error(word, `'${word.text}' cannot be an interface name`);
      else out.name = word.text;
    }
    return out;
  },
};

/** Version 2 wants whole seconds, version 3 hundredths; that is checked when the version is known. */
export const advertInterval: Arg<number> = {
  usage: "SECONDS (0.01..255)",
  read(r) {
    const word = first(r);
    return word && readDecimal(r, word, 0.01, 255, 6);
  },
};

export const oldChecksum: Arg<"" | "never"> = {
  usage: "[never]",
  read(r) {
    const word = r.args[0];
    return word === undefined ? "" : word.text === "never" ? "never" : r.error(word, `'${word.text}' is not 'never'`);
  },
};

/** `notify_deleted` with or without a script. */
export const optionalScript: Arg<Script> = {
  usage: "[SCRIPT [USER [GROUP]]]",
  read: (r) => (r.args.length === 0 ? { command: [] } : script.read(r)),
};

/** A name and nothing more: keepalived skips the block otherwise. */
export const soleName: Arg<string> = {
  usage: "NAME",
  read(r) {
    const more = r.args[1];
    if (more !== undefined) return r.error(more, `'${more.text}' stands between the name of the ${r.keyword.text} and its block`);
    return first(r)?.text;
  },
};

/** The command of vrrp_script: one quoted text, or words to the end of the line. */
export const command: Arg<readonly string[]> = {
  usage: "COMMAND [ARGUMENT…]",
  read(r) {
    const word = r.args[0];
    if (word === undefined || word.text.trim() === "") return undefined;
    return word.quoted ? commandOf(word) : r.args.flatMap((w) => (w.quoted ? [w.text] : splitScript(w.text)));
  },
};

export const words: Arg<readonly string[]> = {
  usage: "NAME [PARAMETER…]",
  read: (r) => (first(r) === undefined ? undefined : r.args.map((w) => w.text)),
};

export const paramMatch: Arg<"exact" | "initial" | "partial"> = {
  usage: "initial|partial",
  read(r) {
    const word = r.args[0];
    if (word === undefined) return "exact";
    return word.text === "initial" || word.text === "partial"
      ? word.text
      : r.error(word, `'${word.text}' is not one of initial, partial`);
  },
};

export interface InitFile {
  readonly value: number;
  readonly overwrite: boolean;
}

export const initFile: Arg<InitFile> = {
  usage: "[VALUE] [overwrite]",
  read(r) {
    let value = 0;
    let overwrite = false;
    for (const word of r.args) {
      if (word.text === "overwrite") overwrite = true;
      else if (!/^-?\d+$/.test(word.text)) r.error(word, `'${word.text}' is not a number or 'overwrite'`);
      else value = readInt(r, word, -254, 254) ?? 0;
    }
    return { value, overwrite };
  },
};

export interface LinkDelay {
  readonly interface: string;
  /** Seconds. */
  readonly down: number;
  readonly up: number;
}

export const linkDelay: Arg<LinkDelay> = {
  usage: "IF DOWN [UP] (0..255 seconds)",
  read(r) {
    const dev = r.args[0];
    if (dev === undefined) return undefined;
    known(r, dev.text, "spare");
    const down = r.args[1] === undefined ? 0 : readDecimal(r, r.args[1], 0, 255, 6);
    const up = r.args[2] === undefined ? down : readDecimal(r, r.args[2], 0, 255, 6);
    return { interface: dev.text, down: down ?? 0, up: up ?? 0 };
  },
};

function known(r: Reading, name: string, spare?: "spare"): void {
  const interfaces = r.facts.interfaces;
  if (interfaces !== undefined && !interfaces.has(name)) r.absent(r.args[0], name, spare);
}

export interface Linkbeat {
  readonly interface: string;
  readonly by?: "MII" | "ETHTOOL" | "IOCTL";
}

export const linkbeat: Arg<Linkbeat> = {
  usage: "IF [MII|ETHTOOL|IOCTL]",
  read(r) {
    const [dev, by, more] = r.args;
    if (dev === undefined) return undefined;
    known(r, dev.text, "spare");
    if (more !== undefined) r.error(more, `'${more.text}' is one word too many`);
    if (by === undefined) return { interface: dev.text };
    if (by.text === "MII" || by.text === "ETHTOOL" || by.text === "IOCTL") return { interface: dev.text, by: by.text };
    return r.error(by, `'${by.text}' is not one of MII, ETHTOOL, IOCTL`) ?? { interface: dev.text };
  },
};

export const knownInterface: Arg<string> = {
  usage: "INTERFACE",
  read(r) {
    const word = first(r);
    if (word !== undefined) known(r, word.text);
    return word?.text;
  },
};

/** The interface of an instance: it must exist, and the loopback will not do. */
export const instanceInterface: Arg<string> = {
  usage: "INTERFACE",
  read(r) {
    const name = knownInterface.read(r);
    return name === "lo" ? r.error(r.args[0], "VRRP does not work on the loopback interface") : name;
  },
};

export const entryInterface: Arg<string> = { ...knownInterface, usage: "IF" };

/** auth_pass: keepalived keeps the first 8 characters. */
export const password: Arg<string> = {
  usage: "PASSWORD (up to 8 characters)",
  read(r) {
    const word = first(r);
    if (word === undefined) return undefined;
    const size = Buffer.byteLength(word.text);
    if (size > 8) r.error(word, `auth_pass is cut to its first 8 characters, this one has ${size}`);
    return word.text.slice(0, 8);
  },
};

export const seconds32 = (min: number): Arg<number> => ({
  usage: `SECONDS (${min}..2147)`,
  read(r) {
    const word = first(r);
    return word && readDecimal(r, word, min, 2147.483647, 6);
  },
});

/** Seconds of a tracking script: 0 becomes 1 with a problem. */
export const scriptSeconds: Arg<number> = {
  usage: "SECONDS (1..4294)",
  read(r) {
    const word = first(r);
    const n = word && readInt(r, word, 0, 4294);
    if (n === 0) r.error(word, "0 seconds is too often, 1 is used");
    return n === 0 ? 1 : n;
  },
};

export const state: Arg<"MASTER" | "BACKUP"> = {
  usage: "MASTER|BACKUP",
  read(r) {
    const word = first(r);
    if (word?.text === "MASTER" || word?.text === "BACKUP") return word.text;
    return (
      word &&
      r.error(word, `'${word.text}' is not one of MASTER, BACKUP`, word.text.toUpperCase() === "MASTER" ? "MASTER" : "BACKUP")
    );
  },
};
