import { isDeepStrictEqual } from "node:util";
import type { HealthConfig, Service } from "./config.ts";

/** What one configuration has that another had not, for a process that knows the first: of 500 services mostly one changes. */
export interface HealthChange {
  /** All but the services. */
  readonly common: Omit<HealthConfig, "services">;
  /** All of them, in order. */
  readonly names: readonly string[];
  /** Those that are new or differ. */
  readonly services: readonly Service[];
}

export function changeOf(before: HealthConfig, after: HealthConfig): HealthChange {
  const { services, ...common } = after;
  const old = byName(before);
  return {
    common,
    names: services.map(({ name }) => name),
    services: services.filter((service) => !isSame(old.get(service.name), service)),
  };
}

/** What is the same stays the same value. */
export function changed(before: HealthConfig, { common, names, services }: HealthChange): HealthConfig {
  const all = byName(before);
  for (const service of services) all.set(service.name, service);
  return { ...common, services: names.flatMap((name) => all.get(name) ?? []) };
}

const byName = ({ services }: HealthConfig): Map<string, Service> => new Map(services.map((service) => [service.name, service]));
const isSame = (a: Service | undefined, b: Service): boolean => a === b || isDeepStrictEqual(a, b);
