import { writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import type { Host } from "./host.ts";
import type { Lab } from "./lab.ts";
import { ROOT } from "./needs.ts";
import type { Running } from "./running.ts";

/** keepalived.conf for the labs' directors, and Debian's keepalived to carry out its VRRP. */

export interface Instance {
  readonly name: string;
  readonly vrid: number;
  readonly priority: number;
  readonly vip: string;
  /** Seconds between two advertisements. */
  readonly advert?: number;
}

/** Times in seconds, as the file has them. */
export interface Checked {
  readonly vip: string;
  readonly servers: readonly { readonly address: string; readonly weight: number }[];
  readonly scheduler?: string;
  readonly sorry?: string;
  /** A program; it is told the quorum's word and the VIP. */
  readonly quorumScript?: string;
}

/** Between two advertisements unless a test says otherwise, s. */
export const ADVERT = 0.2;
/** What a check's verdict may take: DELAY between two, RETRIES more after PAUSE, CONNECT for each; s. */
export const DELAY = 0.5;
export const RETRIES = 2;
export const PAUSE = 0.2;
export const CONNECT = 1;

/** Silence after which a backup takes over (RFC 9568, 6.1), ms. */
export const masterDown = (priority: number, advert = ADVERT): number => 3000 * advert + skew(priority, advert);

/** How long it still waits for a master that has said farewell, ms. */
export const skew = (priority: number, advert = ADVERT): number => ((256 - priority) / 256) * advert * 1000;

export const GLOBALS = `global_defs {
  vrrp_version 3
  vrrp_garp_master_delay 1
  script_user root
}
`;

/** A VIP stands for itself alone. */
export const prefixOf = (vip: string): number => (vip.includes(":") ? 128 : 32);

export const instanceText = ({ name, vrid, priority, vip, advert = ADVERT }: Instance): string => `
vrrp_instance ${name} {
  interface front
  virtual_router_id ${vrid}
  priority ${priority}
  advert_int ${advert}
  virtual_ipaddress {
    ${vip}/${prefixOf(vip)} dev front
  }
}
`;

export const serviceText = ({ vip, servers, scheduler = "wrr", sorry, quorumScript }: Checked): string => `
virtual_server ${vip} 80 {
  delay_loop ${DELAY}
  lb_algo ${scheduler}
  lb_kind DR
  protocol TCP
${quorumScript === undefined ? "" : `  quorum_up "${quorumScript} up ${vip}"\n  quorum_down "${quorumScript} down ${vip}"\n`}${
  sorry === undefined ? "" : `  sorry_server ${sorry} 80\n`
}${servers.map(serverText).join("")}}
`;

const serverText = ({ address, weight }: Checked["servers"][number]): string => `
  real_server ${address} 80 {
    weight ${weight}
    HTTP_GET {
      url {
        path /fast
        status_code 200
      }
      connect_timeout ${CONNECT}
      retry ${RETRIES}
      delay_before_retry ${PAUSE}
    }
  }
`;

/** Debian's keepalived on a host; it carries out the file's VRRP only, because its checkers want the kernel's ip_vs. */
export const startDebianVrrp = (lab: Lab<string>, host: Host, conf: string): Running =>
  startKeepalived("keepalived", lab, host, conf, ["-P"]);

/** Ours under keepalived's name and command line: all that the file asks for. */
export async function startOurKeepalived(lab: Lab<string>, host: Host, conf: string): Promise<Running> {
  const running = startKeepalived(`${ROOT}bin/keepalived`, lab, host, conf, []);
  await running.hear(/Startup complete/, START_TIMEOUT);
  return running;
}

const START_TIMEOUT = 30_000; // ms

function startKeepalived(program: string, lab: Lab<string>, host: Host, conf: string, flags: readonly string[]): Running {
  const path = (name: string): string => join(lab.directory, `${host.name}-${basename(program)}-${flags.join("")}${name}`);
  writeFileSync(path("conf"), conf);
  const pids = ["-p", path("pid"), "-r", path("vrrp.pid"), "-c", path("checkers.pid")];
  return host.spawn([program, "-n", "-l", "-D", ...flags, "-f", path("conf"), ...pids]);
}
