import { prefixText } from "../dump/entries.ts";
import type { State } from "../dump/facts.ts";
import { deviceOf, type Known, knownInstances } from "../dump/instance.ts";
import { type Stats, statsOf } from "../dump/stats.ts";
import { type Family, labelText, type Sample } from "./text.ts";

/** VRRP: by the names of keepalived-exporter (github.com/mehdy/keepalived-exporter), and what that one has not by ours. */

const COUNTERS: readonly (readonly [field: keyof Stats, name: string, help: string])[] = [
  ["advertRcvd", "advertisements_received", "Advertisements received"],
  ["advertSent", "advertisements_sent", "Advertisements sent"],
  ["becomeMaster", "become_master", "Became master"],
  ["releaseMaster", "release_master", "Released master"],
  ["packetLenErr", "packet_length_errors", "Packet length errors"],
  ["advertIntervalErr", "advertisements_interval_errors", "Advertisement interval errors"],
  ["ipTtlErr", "ip_ttl_errors", "TTL errors"],
  ["invalidTypeRcvd", "invalid_type_received", "Invalid type errors"],
  ["addrListErr", "address_list_errors", "Address list errors"],
  ["invalidAuthtype", "authentication_invalid", "Authentication invalid"],
  ["authtypeMismatch", "authentication_mismatch", "Authentication mismatch"],
  ["authFailure", "authentication_failure", "Authentication failure"],
  ["priZeroRcvd", "priority_zero_received", "Priority zero received"],
  ["priZeroSent", "priority_zero_sent", "Priority zero sent"],
];

const STATES = { INIT: 0, BACKUP: 1, MASTER: 2, FAULT: 3 } as const;
const SCRIPT_STATES = { idle: 0, running: 1, "requested termination": 2 } as const;

export function* vrrpFamilies(state: State): Generator<Family> {
  const isUp = (state.status !== undefined || !state.hasVrrp) && (state.services !== undefined || !state.hasHealth);
  yield { name: "keepalived_up", help: "Status", type: "gauge", samples: [["", Number(isUp)]] };
  if (state.status === undefined) return;
  const known = knownInstances({ ...state, status: state.status });
  const rows = known.map(({ config: c, status }) => ({
    labels: labelText({ iname: c.name, intf: c.vmac ?? c.interface ?? "", vrid: c.vrid, state: status.state }),
    own: { iname: c.name, vrid: c.vrid },
    stats: statsOf(status),
    ...{ config: c, status },
  }));
  for (const [field, name, help] of COUNTERS)
    yield {
      ...family(`keepalived_${name}_total`, "counter", help),
      samples: rows.map(({ labels, stats }) => [labels, stats[field]]),
    };
  yield {
    ...family("keepalived_gratuitous_arp_delay_total", "counter", "Gratuitous ARP delay"), // a setting, whatever its name says
    samples: rows.map(({ labels, config }) => [labels, config.announce.delay / 1000]),
  };
  yield { ...family("keepalived_vrrp_state", "gauge", "State of vrrp"), samples: new Map(known.flatMap(addressSamples)) };
  const scripts = Object.entries(state.status.trackers.scripts);
  yield {
    ...family("keepalived_script_status", "gauge", "Tracker Script Status"),
    samples: scripts.map(([name, { isUp: isGood }]) => [labelText({ name }), Number(isGood)]),
  };
  yield {
    ...family("keepalived_script_state", "gauge", "Tracker Script State"),
    samples: scripts.map(([name, { state: word }]) => [labelText({ name }), SCRIPT_STATES[word]]),
  };
  yield {
    ...family("lvsd_vrrp_last_transition_timestamp_seconds", "gauge", "When an instance entered its state."),
    samples: rows.map(({ own, status }) => [labelText(own), status.lastTransition / 1000]),
  };
  yield {
    ...family("lvsd_vrrp_priority", "gauge", "Effective priority of an instance."),
    samples: rows.map(({ own, status }) => [labelText(own), status.effectivePriority]),
  };
  yield {
    ...family("lvsd_vrrp_adverts_refused_total", "counter", "Adverts that differed from what is expected, by the field."),
    samples: rows.flatMap(({ own, status }) =>
      Object.entries(status.counters.refused).map(([field, n]): Sample => [labelText({ ...own, field }), n]),
    ),
  };
  yield {
    ...family(
      "lvsd_vrrp_trouble",
      "gauge",
      "Adverts of a peer that differ at the moment, or that it goes on with under a master.",
    ),
    samples: rows.flatMap(({ own, status }) =>
      status.troubles.map(({ peer, field, count }): Sample => [labelText({ ...own, peer, field }), count]),
    ),
  };
}

const family = (name: string, type: Family["type"], help: string) => ({ name, type, help });

/** One for each address, as keepalived.data writes it: "10.0.0.1/24". */
function addressSamples({ block, config: c, status }: Known): Sample[] {
  return block.virtualIpaddress.map(({ value }): Sample => {
    const labels = { iname: c.name, intf: value.dev ?? deviceOf(c) ?? "", vrid: c.vrid, ip_address: prefixText(value) };
    return [labelText(labels), STATES[status.state]];
  });
}
