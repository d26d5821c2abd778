import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { parseText } from "../../config/parse.ts";
import type { Result } from "../../health/checker.ts";
import { fromConfig } from "./from-config.ts";
import { startProbe, type TriedProbe } from "./probe.ts";
import { type Nginx, startNginx } from "./testing/nginx.ts";

/** SSL_GET's certificates, from the words of a file to a real nginx: verified only where tls_verify says so. */

let dir: string;
let nginx: Nginx | undefined;
let ports: Record<"good" | "old" | "stranger", number>;

const openssl = (args: string): void => void execFileSync("openssl", args.split(" "), { cwd: dir, stdio: "ignore" });
const KEY = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

function certificate(name: string, authority: string, days: number): void {
  const names = "subjectAltName=DNS:www.example,IP:127.0.0.1";
  openssl(`req -new ${KEY} -subj /CN=www.example -addext ${names} -keyout ${name}.key -out ${name}.csr`);
  openssl(
    `x509 -req -in ${name}.csr -CA ${authority}.crt -CAkey ${authority}.key -days ${days} -copy_extensions copy -out ${name}.crt`,
  );
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), `lvsd-tls-${process.pid}-`));
  for (const authority of ["ca", "other"])
    openssl(`req -x509 ${KEY} -days 100 -subj /CN=${authority} -keyout ${authority}.key -out ${authority}.crt`);
  certificate("good", "ca", 20);
  certificate("old", "ca", -1);
  certificate("stranger", "other", 20);
  ports = { good: await freePort(), old: await freePort(), stranger: await freePort() };
  const server = ([name, port]: [string, number]): string =>
    `server { listen 127.0.0.1:${port} ssl; ssl_certificate ${dir}/${name}.crt; ssl_certificate_key ${dir}/${name}.key; return 200 hello; }`;
  nginx = await startNginx(Object.entries(ports).map(server).join("\n"), ports.good);
});
afterAll(async () => {
  await nginx?.stop();
  rmSync(dir, { recursive: true });
});

/** The result of one SSL_GET with these words in it. */
async function get(which: keyof typeof ports, words: string, before = ""): Promise<string> {
  const { health } = fromConfig(
    parseText(`${before}
virtual_server 192.0.2.1 443 {
 protocol TCP
 lb_algo rr
 lb_kind NAT
 real_server 127.0.0.1 ${ports[which]} {
  SSL_GET {
   url {
    path /
   }
   ${words.replaceAll(";", "\n")}
  }
 }
}`).config,
  );
  const { probe } = health.services[0]!.servers[0]!.checks[0]!;
  const result = await new Promise<Result>((resolve) => startProbe(probe as TriedProbe, 0, health.tls, resolve));
  return result.type === "ok" ? (result.warning ?? "ok") : `${result.type}: ${result.reason}`;
}

const CA = (): string => `tls_verify; tls_ca ${dir}/ca.crt`;

describe("SSL_GET", () => {
  test("takes any certificate without tls_verify, as keepalived does", async () => {
    expect([await get("good", ""), await get("old", ""), await get("stranger", "")]).toEqual(["ok", "ok", "ok"]);
  });

  test("with tls_verify wants an authority that it trusts, of tls_ca or of the SSL block, and dates that are good", async () => {
    expect(await get("good", CA())).toBe("ok");
    expect(await get("good", "tls_verify", `SSL {\n ca ${dir}/ca.crt\n}\n`)).toBe("ok");
    expect(await get("good", "tls_verify")).toMatch(/^failed: unable to .*certificate/);
    expect(await get("stranger", CA())).toMatch(/^failed: unable to .*certificate/);
    expect(await get("old", CA())).toMatch(/^failed: certificate has expired/);
    expect(await get("good", `tls_verify; tls_ca ${dir}/none`)).toMatch(/^unknown: ENOENT/);
  });

  test("with tls_verify wants the name that is asked for: tls_name, the SNI, the host, else the address", async () => {
    expect(await get("good", `${CA()}; virtualhost www.example:443`)).toBe("ok");
    expect(await get("good", `${CA()}; virtualhost mail.example`)).toMatch(/^failed: Hostname\/IP does not match/);
    expect(await get("good", `${CA()}; virtualhost mail.example; tls_name www.example`)).toBe("ok");
    expect(await get("good", `${CA()}; virtualhost mail.example; enable_sni; sni_name www.example`)).toBe("ok");
    expect(await get("good", `${CA()}; tls_name other.example`)).toMatch(/^failed: Hostname/);
  });

  test("tells of a certificate that has few days left, verified or not", async () => {
    expect(await get("good", "tls_expiry_days 10")).toBe("ok");
    expect(await get("good", `${CA()}; tls_expiry_days 30`)).toBe("the certificate expires in 19 days");
    expect(await get("old", "tls_expiry_days 30")).toBe("the certificate has expired");
  });
});
