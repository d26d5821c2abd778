import { readFileSync } from "node:fs";
import { type Ip, parseIp } from "../../net/ip.ts";
import type { Client } from "../client.ts";
import { type Fake, fakeClient } from "../testing.ts";
import { type Io, ipvsadm, ipvsadmRestore, ipvsadmSave, type Run } from "./main.ts";
import { type Names, parseServices } from "./names.ts";
import type { Outcome, Step } from "./transcript.ts";
import { transcriptPath } from "./transcript.ts";

/** Runs our commands inside a test. */

const programs: Readonly<Record<string, Run>> = { ipvsadm, "ipvsadm-save": ipvsadmSave, "ipvsadm-restore": ipvsadmRestore };

export async function runStep({ words: [program, ...args], stdin }: Step, client: Client, names: Names): Promise<Outcome> {
  let stdout = "";
  let stderr = "";
  const io: Io = {
    stdin: async () => stdin,
    out(text) {
      stdout += text;
    },
    err(text) {
      stderr += text;
    },
  };
  const exit = await programs[program!]!(args, io, client, names);
  return { stdout, stderr, exit };
}

/** The names of transcripts/hosts and transcripts/services, as a C library without DNS has them. */
export function fileNames(): Names {
  const services = parseServices(readFileSync(transcriptPath("services"), "utf8"));
  const hosts = readFileSync(transcriptPath("hosts"), "utf8")
    .split("\n")
    .map((line) => line.split(/\s+/))
    .flatMap(([address = "", ...names]): [Ip, string[]][] => {
      const ip = parseIp(address);
      return ip === undefined ? [] : [[ip, names]];
    });
  return {
    hostAddress: async (name) => hosts.find(([ip, names]) => !ip.includes(":") && names.includes(name))?.[0],
    hostName: async (address) => hosts.find(([ip]) => ip === address)?.[1][0],
    servicePort: (name, protocol) => (protocol === undefined ? undefined : services.ports.get(`${name}/${protocol}`)),
    serviceName: (port, protocol) => (protocol === undefined ? undefined : services.names.get(`${port}/${protocol}`)),
  };
}

/** A director that holds what the rules say. */
export async function clientWith(rules: string, names: Names): Promise<Fake> {
  const client = fakeClient();
  await runStep({ words: ["ipvsadm", "-R"], stdin: rules }, client, names);
  return client;
}
