import { Fault } from "../../fault.ts";
import type { GenlFamily } from "../../wire/genl.ts";
import {
  ipvsCommand as command,
  emitConfig,
  emitDaemon,
  emitDest,
  emitService,
  type IpvsInfo,
  parseConfig,
  parseDaemon,
  parseDest,
  parseInfo,
  parseService,
} from "../../wire/ipvs-netlink.ts";
import {
  type Dest,
  endpointText,
  familyOfService,
  type Operation,
  type Service,
  type ServiceKey,
  type SyncDaemon,
  serviceId,
  type Timeouts,
} from "../director.ts";
import type { Sysctls } from "./sysctls.ts";
import { fromKernelDest, fromKernelKey, fromKernelService, toKernelDest, toKernelKey, toKernelService } from "./values.ts";

/** The kernel's IPVS of this network namespace: each method is a question or a command. All throw a Fault with its errno. */
export class KernelIpvs {
  readonly #family: GenlFamily;
  readonly #sysctls: Sysctls;

  constructor(family: GenlFamily, sysctls: Sysctls) {
    this.#family = family;
    this.#sysctls = sysctls;
  }

  info(): IpvsInfo {
    return parseInfo(this.#only("ask for IPVS's version", command.getInfo));
  }

  timeouts(): Timeouts {
    return parseConfig(this.#only("ask for timeouts", command.getConfig));
  }

  settings(): Readonly<Record<string, string>> {
    return this.#sysctls.all();
  }

  syncDaemons(): readonly SyncDaemon[] {
    const records = this.#family.dump("list sync daemons", command.getDaemon);
    return records.map(({ attributes }) => parseDaemon(attributes)).filter((daemon) => daemon !== undefined);
  }

  /** In the order of the kernel's tables; those of a protocol that has no name here are left out. */
  services(): readonly Service[] {
    const records = this.#family.dump("list services", command.getService);
    return records.map(({ attributes }) => this.#service(attributes)).filter((service) => service !== undefined);
  }

  service(key: ServiceKey): Service | undefined {
    const op = `look up service ${serviceId(key)}`;
    try {
      const [found] = this.#family.request(op, command.getService, emitService(toKernelKey(key)));
      return found && this.#service(found.attributes);
    } catch (error) {
      if (error instanceof Fault && error.code === "ESRCH") return undefined;
      throw error;
    }
  }

  #service(attributes: Parameters<typeof parseService>[0]): Service | undefined {
    const found = parseService(attributes);
    const key = found && fromKernelKey(found.key);
    return key && fromKernelService(key, found, this.#dests(key));
  }

  /** Newest first. */
  #dests(key: ServiceKey): readonly Dest[] {
    const records = this.#family.dump(`list dests of ${serviceId(key)}`, command.getDest, emitService(toKernelKey(key)));
    return records
      .map(({ attributes }) => parseDest(attributes, familyOfService(key)))
      .filter((dest) => dest !== undefined)
      .map(fromKernelDest);
  }

  /** One operation: the kernel does it or refuses it. */
  carryOut(operation: Operation): void {
    const op = operationText(operation);
    const ask = (number: number, ...attributes: readonly Uint8Array[]) => this.#family.request(op, number, ...attributes);
    switch (operation.op) {
      case "add-service":
      case "edit-service": {
        const number = operation.op === "add-service" ? command.newService : command.setService;
        ask(number, emitService(toKernelKey(operation.service.key), toKernelService(operation.service)));
        return;
      }
      case "delete-service":
        ask(command.delService, emitService(toKernelKey(operation.key)));
        return;
      case "flush":
        ask(command.flush);
        return;
      case "add-dest":
      case "edit-dest": {
        const number = operation.op === "add-dest" ? command.newDest : command.setDest;
        ask(number, emitService(toKernelKey(operation.key)), emitDest(operation.dest, toKernelDest(operation.dest)));
        return;
      }
      case "delete-dest":
        ask(command.delDest, emitService(toKernelKey(operation.key)), emitDest(operation.dest));
        return;
      case "zero":
        ask(command.zero, ...(operation.key === undefined ? [] : [emitService(toKernelKey(operation.key))]));
        return;
      case "set-timeouts":
        ask(command.setConfig, emitConfig(operation.timeouts));
        return;
      case "set-setting":
        this.#sysctls.set(operation.name, operation.value);
        return;
      case "start-daemon":
        ask(command.newDaemon, emitDaemon(operation.daemon));
        return;
      case "stop-daemon":
        ask(command.delDaemon, emitDaemon({ state: operation.state }));
        return;
      default:
        throw new Fault(op, "EOPNOTSUPP", "the kernel's IPVS knows no such thing");
    }
  }

  #only(op: string, number: number): Parameters<typeof parseInfo>[0] {
    const [answer] = this.#family.request(op, number);
    if (answer === undefined) throw new Fault(op, "EIO", "the kernel answered nothing");
    return answer.attributes;
  }
}

/** "add dest 10.0.0.11:80 of tcp 10.0.0.1:80" */
export function operationText(operation: Operation): string {
  const words = operation.op.replace("-", " ");
  switch (operation.op) {
    case "add-service":
    case "edit-service":
      return `${words} ${serviceId(operation.service.key)}`;
    case "add-dest":
    case "edit-dest":
    case "delete-dest":
      return `${words} ${endpointText(operation.dest)} of ${serviceId(operation.key)}`;
    case "add-laddr":
    case "delete-laddr":
      return `${words} ${operation.addr} of ${serviceId(operation.key)}`;
    case "delete-service":
      return `${words} ${serviceId(operation.key)}`;
    case "zero":
      return operation.key === undefined ? words : `${words} ${serviceId(operation.key)}`;
    case "set-setting":
      return `${words} ${operation.name} to ${JSON.stringify(operation.value)}`;
    case "start-daemon":
      return `${words} ${operation.daemon.state}`;
    case "stop-daemon":
      return `${words} ${operation.state}`;
    default:
      return words;
  }
}
