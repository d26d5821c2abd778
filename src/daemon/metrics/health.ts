import type { SessionStatus } from "../bfd/status.ts";
import type { CheckStatus, ServiceStatus } from "../health/status.ts";
import { type Family, labelText, type Sample } from "./text.ts";

/** Health checks and BFD sessions. */

interface Row {
  readonly labels: Readonly<Record<string, string | number>>;
  readonly text: string;
  readonly check: CheckStatus;
}

export function* healthFamilies(services: readonly ServiceStatus[]): Generator<Family> {
  const servers = services.flatMap((service) =>
    service.servers.map((server) => ({ server, labels: labelText({ service: service.name, server: server.name }) })),
  );
  const rows = services.flatMap(rowsOf);
  yield gauge(
    "lvsd_virtual_server_quorum_up",
    "Whether a virtual server has its quorum.",
    services.map((s) => [labelText({ service: s.name }), Number(s.hasQuorum)]),
  );
  yield gauge(
    "lvsd_real_server_up",
    "Whether all checks of a real server are good.",
    servers.map(({ labels, server }) => [labels, Number(server.isAlive)]),
  );
  yield gauge(
    "lvsd_real_server_weight",
    "The weight that a real server has at the moment.",
    servers.map(({ labels, server }) => [labels, server.weightNow]),
  );
  yield gauge(
    "lvsd_check_up",
    "Whether a check is good.",
    rows.map(({ text, check }) => [text, Number(check.isUp)]),
  );
  yield {
    ...{ name: "lvsd_check_results_total", type: "counter", help: "Tries of a check by their result." },
    samples: rows.flatMap(({ labels, check }) =>
      Object.entries(check.tries).map(([result, n]): Sample => [labelText({ ...labels, result }), n]),
    ),
  };
  yield gauge(
    "lvsd_check_duration_seconds",
    "How long the last try of a check took.",
    rows.flatMap(({ text, check }): Sample[] => (check.took === undefined ? [] : [[text, check.took / 1000]])),
  );
}

export function* bfdFamilies(sessions: readonly SessionStatus[]): Generator<Family> {
  yield gauge(
    "lvsd_bfd_session_up",
    "Whether a BFD session is up.",
    sessions.map(({ name, neighbour, state }) => [labelText({ name, neighbour }), Number(state === "Up")]),
  );
}

/** Checks of one server are told apart by their place in the file. */
const rowsOf = (service: ServiceStatus): Row[] =>
  service.servers.flatMap((server) =>
    server.checks.map((check, index) => {
      const labels = { service: service.name, server: server.name, check: check.type, index };
      return { labels, text: labelText(labels), check };
    }),
  );

const gauge = (name: string, help: string, samples: readonly Sample[]): Family => ({ name, help, type: "gauge", samples });
