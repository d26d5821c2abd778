import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Fault } from "../src/fault.ts";
import type { Host } from "./host.ts";
import type { Lab } from "./lab.ts";
import { until } from "./until.ts";

export interface FtpFile {
  readonly name: string;
  readonly content: string | Uint8Array;
}

/**
 * An FTP server on a host, for anonymous users to read from: it says its name in its banner, has files, tells clients to
 * come to `address` for data, and connects from port 20 when they want it to come.
 */
export async function startVsftpd(lab: Lab<string>, host: Host, address: string, files: readonly FtpFile[]): Promise<void> {
  const directory = join(lab.directory, `vsftpd-${host.name}`);
  const root = join(directory, "files");
  mkdirSync(join(directory, "empty"), { recursive: true });
  mkdirSync(root);
  for (const { name, content } of files) writeFileSync(join(root, name), content);
  const config = join(directory, "vsftpd.conf");
  writeFileSync(config, vsftpdConfig(host.name, directory, address));
  const running = host.spawn(["vsftpd", config]);
  await until(`vsftpd on ${host.name}`, async () => {
    if (!running.isRunning) throw new Fault(`start vsftpd on ${host.name}`, "EXIT", `${running.stdout}${running.stderr}`.trim());
    return (await host.exec(["bash", "-c", `exec 3<>/dev/tcp/${address}/21`])).code === 0;
  });
}

/** isolate: it would put its children into namespaces of their own. */
const vsftpdConfig = (name: string, directory: string, address: string): string => `
listen=YES
listen_address=${address}
background=NO
ftpd_banner=${name}
anonymous_enable=YES
local_enable=NO
no_anon_password=YES
anon_root=${directory}/files
secure_chroot_dir=${directory}/empty
pasv_enable=YES
pasv_address=${address}
pasv_min_port=30000
pasv_max_port=30100
port_enable=YES
connect_from_port_20=YES
isolate=NO
isolate_network=NO
seccomp_sandbox=NO
xferlog_enable=NO
`;
