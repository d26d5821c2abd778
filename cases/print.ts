import type { DestSpec, Operation } from "../src/director/director.ts";
import { endpointText } from "../src/director/director.ts";
import { ipFromBytes, ipFromUint32 } from "../src/net/ip.ts";
import { ETH_HEADER } from "../src/wire/eth.ts";
import { Ipv4View } from "../src/wire/ipv4.ts";
import type { Disagreement, Script, Step } from "./script.ts";

/** A script as a packet case: what stands in found.cases.ts. */
export function printScript(script: Script, { at, what }: Disagreement, seed: number): string {
  const lines = script.map((step, i) => `    ${stepText(step)}${i === at ? " // here they part" : ""}`);
  const reason = what.split("\n").map((line) => `  // ${line}`);
  return [...reason, `  {`, `    name: "seed ${seed}",`, `    script: [`, ...lines, `    ],`, `  },`].join("\n");
}

function stepText(step: Step): string {
  switch (step.do) {
    case "wait":
      return `  wait(${step.ms / 1000}),`;
    case "apply":
      return `  run("${operationText(step.operation)}"),`;
    case "send":
      return `  frame("${step.by}", "${Buffer.from(step.frame).toString("hex")}"), // ${describe(step.frame)}`;
  }
}

const METHOD = { nat: "-m", route: "-g", tunnel: "-i", fullnat: "--fullnat" } as const;

/** As ipvsadm would be told; settings as sysctl would. */
export function operationText(operation: Operation): string {
  switch (operation.op) {
    case "add-service":
    case "edit-service": {
      const { key, scheduler, schedFlags, persistSeconds, netmask, onePacket } = operation.service;
      const flags = schedFlags.length > 0 ? ` -b ${schedFlags.map((flag) => `flag-${flag}`).join(",")}` : "";
      const mask = key.fwmark === undefined && key.addr.includes(":") ? netmask : ipFromUint32(netmask);
      const persistence = persistSeconds > 0 ? ` -p ${persistSeconds} -M ${mask}` : "";
      return `${operation.op === "add-service" ? "-A" : "-E"} ${keyText(key)} -s ${scheduler}${flags}${persistence}${onePacket ? " -o" : ""}`;
    }
    case "delete-service":
      return `-D ${keyText(operation.key)}`;
    case "flush":
      return "-C";
    case "add-dest":
    case "edit-dest": {
      const { method, weight, upper, lower, toa, tunnel } = operation.dest;
      const thresholds = `${upper > 0 ? ` -x ${upper}` : ""}${lower > 0 ? ` -y ${lower}` : ""}`;
      const how = `${METHOD[method]}${toa && method === "fullnat" ? " --toa" : ""}${method === "tunnel" ? tunnelText(tunnel) : ""}`;
      return `${operation.op === "add-dest" ? "-a" : "-e"} ${keyText(operation.key)} -r ${endpointText(operation.dest)} ${how} -w ${weight}${thresholds}`;
    }
    case "delete-dest":
      return `-d ${keyText(operation.key)} -r ${endpointText(operation.dest)}`;
    case "add-laddr":
      return `-P ${keyText(operation.key)} -z ${operation.addr}`;
    case "delete-laddr":
      return `-Q ${keyText(operation.key)} -z ${operation.addr}`;
    case "zero":
      return operation.key === undefined ? "-Z" : `-Z ${keyText(operation.key)}`;
    case "set-timeouts":
      return `--set ${operation.timeouts.tcp ?? 0} ${operation.timeouts.tcpFin ?? 0} ${operation.timeouts.udp ?? 0}`;
    case "set-setting":
      return `${operation.name}=${operation.value}`;
    default:
      return JSON.stringify(operation);
  }
}

function keyText(key: Operation extends infer O ? (O extends { key: infer K } ? NonNullable<K> : never) : never): string {
  if (key.fwmark !== undefined) return `-f ${key.fwmark}${key.family === "ipv6" ? " -6" : ""}`;
  return `${{ tcp: "-t", udp: "-u", sctp: "--sctp-service" }[key.protocol]} ${endpointText(key)}`;
}

function tunnelText({ type, port, checksum }: DestSpec["tunnel"]): string {
  if (type === "ipip") return "";
  return ` --tun-type ${type}${type === "gue" ? ` --tun-port ${port}` : ""}${checksum === "csum" ? " --tun-csum" : ""}`;
}

const FLAGS = "FSRPAUEC";

/** "tcp 10.1.0.3:1004 > 10.1.0.100:80 S ttl 64, 40 bytes" */
export function describe(frame: Uint8Array): string {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.length);
  if (frame.length >= 54 && view.getUint16(12) === 0x86dd)
    return `${ipFromBytes(frame.subarray(22, 38))} > ${ipFromBytes(frame.subarray(38, 54))} next header ${frame[20]} hop limit ${frame[21]}`;
  if (frame.length < ETH_HEADER + 20 || view.getUint16(12) !== 0x0800) return `${frame.length} bytes`;
  const ip = new Ipv4View(view, ETH_HEADER);
  const about = `ttl ${ip.ttl}${ip.dontFragment ? " df" : ""}, ${ip.totalLength} bytes`;
  const at = ip.payloadAt;
  if (ip.problem() !== undefined || frame.length < at + 14) return `${ip.src} > ${ip.dst} protocol ${ip.protocol} ${about}`;
  if (ip.protocol === 1) return `icmp ${ip.src} > ${ip.dst} ${view.getUint8(at)}/${view.getUint8(at + 1)} ${about}`;
  const ports = `${ip.src}:${view.getUint16(at)} > ${ip.dst}:${view.getUint16(at + 2)}`;
  if (ip.protocol !== 6) return `protocol ${ip.protocol} ${ports} ${about}`;
  const flags = [...FLAGS].filter((_, bit) => view.getUint8(at + 13) & (1 << bit)).join("");
  return `tcp ${ports} ${flags} ${about}`;
}
