import { CTRL_CMD_GETFAMILY, CTRL_CMD_NEWFAMILY, emitFamily, emitGenl, type GenlMessage, parseGenl } from "../../../wire/genl.ts";
import {
  ipvsCommand as command,
  emitConfig,
  emitDaemon,
  emitDest,
  emitInfo,
  emitService,
  type IpvsDaemon,
  type IpvsDest,
  type IpvsService,
  parseConfig,
  parseDaemon,
  parseDest,
  parseService,
  serviceFlag,
} from "../../../wire/ipvs-netlink.ts";
import {
  concat,
  emitMessage,
  littleEndian,
  type NetlinkMessage,
  NLM_F_DUMP,
  NLMSG_DONE,
  NLMSG_ERROR,
  parseMessages,
  viewOf,
} from "../../../wire/netlink.ts";
import type { NetlinkPort } from "../../../wire/netlink-client.ts";

const NLCTRL = 16;
const FAMILY = 0x1c;
const [ENOENT, ESRCH, EEXIST] = [2, 3, 17];

interface Entry {
  service: IpvsService;
  dests: IpvsDest[];
}

/** An IPVS in the kernel's words, as far as tests of what speaks to it need one: netlink in, netlink out, no packets. */
export class FakeKernel implements NetlinkPort {
  readonly services = new Map<string, Entry>();
  daemons: IpvsDaemon[] = [];
  timeouts = { tcp: 900, tcpFin: 120, udp: 300 };
  /** Commands so far, by number. */
  readonly asked: number[] = [];
  /** An errno for a command that is to be refused; 0: let it pass. */
  refuse: (command: number, message: GenlMessage) => number = () => 0;
  #answers: Uint8Array[] = [];

  send(bytes: Uint8Array): void {
    for (const request of parseMessages(bytes)) this.#answers.push(this.#answer(request));
  }

  receive(): Uint8Array {
    const answer = this.#answers.shift();
    if (answer === undefined) throw new Error("nothing was asked");
    return answer;
  }

  #answer(request: NetlinkMessage): Uint8Array {
    const message = parseGenl(request.payload)!;
    const reply = (type: number, payload: Uint8Array) => emitMessage({ ...request, type, flags: 0, payload });
    if (request.type === NLCTRL) {
      const family = emitFamily(CTRL_CMD_NEWFAMILY, { id: FAMILY, name: "IPVS" });
      return message.command === CTRL_CMD_GETFAMILY
        ? concat([reply(NLCTRL, family), reply(NLMSG_ERROR, errorPayload(0))])
        : reply(NLMSG_ERROR, errorPayload(ENOENT));
    }
    this.asked.push(message.command);
    const refused = this.refuse(message.command, message);
    const done = refused > 0 ? refused : this.#run(message);
    if (typeof done === "number") return reply(NLMSG_ERROR, errorPayload(done));
    const isDump = (request.flags & NLM_F_DUMP) !== 0;
    const records = done.map((payload) => reply(FAMILY, payload));
    return concat([...records, reply(isDump ? NLMSG_DONE : NLMSG_ERROR, errorPayload(0))]);
  }

  /** Records, or an errno. */
  #run(message: GenlMessage): number | Uint8Array[] {
    const { attributes } = message;
    const service = parseService(attributes);
    const id = JSON.stringify(service?.key);
    const entry = this.services.get(id);
    switch (message.command) {
      case command.newService:
        if (entry !== undefined) return EEXIST;
        this.services.set(id, { service: service!, dests: [] });
        return [];
      case command.getService:
        if (service === undefined) return [...this.services.values()].map(serviceRecord);
        return entry === undefined ? ESRCH : [serviceRecord(entry)];
      case command.getDest:
        return (entry?.dests ?? []).map((dest) => emitGenl(command.newDest, 1, [emitDest(dest, dest, dest)]));
      case command.flush:
        this.services.clear();
        return [];
      case command.newDaemon:
        this.daemons.push(parseDaemon(attributes)!);
        return [];
      case command.delDaemon: {
        const { state } = parseDaemon(attributes)!;
        const others = this.daemons.filter((daemon) => daemon.state !== state);
        if (others.length === this.daemons.length) return ESRCH;
        this.daemons = others;
        return [];
      }
      case command.getDaemon:
        return this.daemons.map((daemon) => emitGenl(command.newDaemon, 1, [emitDaemon(daemon)]));
      case command.setConfig: {
        const { tcp, tcpFin, udp } = parseConfig(attributes);
        const before = this.timeouts;
        this.timeouts = { tcp: tcp || before.tcp, tcpFin: tcpFin || before.tcpFin, udp: udp || before.udp };
        return [];
      }
      case command.getConfig:
        return [emitGenl(command.setConfig, 1, [emitConfig(this.timeouts)])];
      case command.getInfo:
        return [emitGenl(command.setInfo, 1, [emitInfo({ version: 0x10201, connTableSize: 4096 })])];
      case command.zero:
        return entry === undefined && service !== undefined ? ESRCH : [];
    }
    return entry === undefined ? ESRCH : this.#runOn(entry, id, message);
  }

  #runOn(entry: Entry, id: string, { command: number, attributes }: GenlMessage): number | Uint8Array[] {
    const dest = parseDest(attributes, entry.service.key.family);
    const at = entry.dests.findIndex(({ addr, port }) => addr === dest?.addr && port === dest.port);
    switch (number) {
      case command.setService:
        entry.service = parseService(attributes)!;
        return [];
      case command.delService:
        this.services.delete(id);
        return [];
      case command.newDest:
        if (at >= 0) return EEXIST;
        entry.dests.unshift(dest!);
        return [];
      case command.setDest:
        if (at < 0) return ENOENT;
        entry.dests[at] = dest!;
        return [];
      case command.delDest:
        if (at < 0) return ENOENT;
        entry.dests.splice(at, 1);
        return [];
      default:
        return [];
    }
  }
}

/** The kernel shows a flag of its own. */
const serviceRecord = ({ service }: Entry): Uint8Array =>
  emitGenl(command.newService, 1, [
    emitService(service.key, { ...service, flags: service.flags | serviceFlag.hashed }, service.stats),
  ]);

function errorPayload(errno: number): Uint8Array {
  const bytes = new Uint8Array(20);
  viewOf(bytes).setInt32(0, -errno, littleEndian);
  return bytes;
}
