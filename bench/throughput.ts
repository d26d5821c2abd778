import { type Lab, startLab } from "../lab/lab.ts";
import { runScript, startLvsd } from "../lab/lvsd.ts";
import { topology } from "../lab/topology.ts";
import { until } from "../lab/until.ts";
import type { Hook } from "./wrapper.ts";

/** Bulk TCP through a NAT director, compared with plain routing through the same namespaces. */

export interface Throughput {
  readonly hook: Hook;
  /** Gbit/s, means. */
  readonly routed: number;
  readonly balanced: number;
  /** balanced / routed */
  readonly ratio: number;
}

type Machine = "client" | "director" | "server";

const SECONDS = 3; // a transfer
const VIP = "10.1.0.100";
const PORT = 5201;

/** For XDP packets have to be plain, for tc they are as large as the client's stack makes them. */
const twoCables = (offload: boolean) =>
  topology({
    hosts: {
      client: { routes: ["default via 10.1.0.1"] },
      director: { forward: true, director: !offload },
      server: { routes: ["default via 10.2.0.1"] },
    },
    segments: {
      outside: { subnet: "10.1.0.0/24", hosts: { client: 2, director: [1, 100] }, offload },
      inside: { subnet: "10.2.0.0/24", hosts: { director: 1, server: 2 }, offload },
    },
  });

/** @param rounds each is a transfer that is routed, with no lvsd there, and one that is balanced */
export async function measureThroughput(hook: Hook, rounds: number): Promise<Throughput> {
  const lab = await startLab(twoCables(hook === "tc"));
  try {
    const server = lab.hosts.server.address();
    lab.hosts.server.spawn(["iperf3", "--server", "--port", String(PORT)]);
    await until("iperf3", async () => (await lab.hosts.server.exec(["ss", "-Hltn", `sport = :${PORT}`])).stdout !== "", 5_000);
    let routed = 0;
    let balanced = 0;
    for (let round = 0; round < rounds; round++) {
      routed += (await transfer(lab, server)) / rounds;
      const lvsd = await startLvsd(lab.hosts.director, { hook, xdpMode: hook === "xdp" ? "native" : "auto" });
      await runScript(
        lab.hosts.director,
        `ipvsadm -A -t ${VIP}:${PORT} -s rr; ipvsadm -a -t ${VIP}:${PORT} -r ${server}:${PORT} -m`,
      );
      balanced += (await transfer(lab, VIP)) / rounds;
      await lvsd.stop();
    }
    return { hook, routed, balanced, ratio: balanced / routed };
  } finally {
    await lab.close();
  }
}

/** Gbit/s from the client to an address. */
async function transfer(lab: Lab<Machine>, to: string): Promise<number> {
  const line = `iperf3 --json --time ${SECONDS} --omit 1 --port ${PORT} --client ${to}`;
  const report = JSON.parse(await lab.hosts.client.run(line, { timeout: (SECONDS + 20) * 1000 })) as {
    end: { sum_received: { bits_per_second: number } };
  };
  return report.end.sum_received.bits_per_second / 1e9;
}
