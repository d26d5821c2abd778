import type { KeepalivedConfig, VrrpSyncGroup } from "./keywords.ts";
import type { Entry } from "./table.ts";

/** What is left of a configuration with findings that keepalived runs with: of two things with one name the first counts. */
export function settled(config: KeepalivedConfig): KeepalivedConfig {
  const instances = firsts(config.vrrpInstance);
  const names = new Set(instances.map((instance) => instance.header));
  return {
    ...config,
    vrrpInstance: instances,
    vrrpScript: firsts(config.vrrpScript),
    vrrpTrackProcess: firsts(config.vrrpTrackProcess),
    trackFile: firsts(config.trackFile),
    vrrpSyncGroup: groupsOf(firsts(config.vrrpSyncGroup), names),
  };
}

function firsts<T extends { readonly header: string }>(blocks: readonly T[]): T[] {
  const seen = new Set<string>();
  return blocks.filter(({ header }) => header !== undefined && !seen.has(header) && seen.add(header));
}

/** Members that are not there or belong to a group before are left out, and groups without members (spec 2.12). */
function groupsOf(groups: readonly VrrpSyncGroup[], instances: ReadonlySet<string>): VrrpSyncGroup[] {
  const taken = new Set<string>();
  const isFree = (name: string): boolean => instances.has(name) && !taken.has(name) && taken.add(name) !== undefined;
  return groups.flatMap((group) => {
    const members: Entry<readonly string[]>[] = group.group.map(({ value, origin }) => ({ value: value.filter(isFree), origin }));
    return members.some(({ value }) => value.length > 0) ? [{ ...group, group: members }] : [];
  });
}
