import type { Weight } from "../../config/args.ts";
import type { Tracked } from "../../config/entries/track.ts";
import type { KeepalivedConfig, VrrpInstance, VrrpSyncGroup } from "../../config/keywords.ts";
import type { Entry } from "../../config/table.ts";
import type { TrackBfd, VrrpConfig } from "../../vrrp/config.ts";
import type { Facts } from "./facts.ts";
import { commandText, fixed6, identityText, item, listed, title, weightText } from "./words.ts";

/** What is tracked: in an instance or a group, and the sections of scripts, files and processes. */

type Blocks = Pick<
  VrrpInstance | VrrpSyncGroup,
  "header" | "trackInterface" | "trackScript" | "trackFile" | "trackProcess" | "trackBfd"
>;
const NO_WEIGHT: Weight = { weight: 0, reverse: false };

/** @param own an instance's own interface is not told of */
export function trackedLines(block: Blocks, facts: Facts, own?: string): string[] {
  const { config } = facts;
  const of = (refs: readonly Entry<Tracked>[], things: readonly Thing[], comma: string): string[] =>
    first(refs).map(({ name, weight }) => {
      const usual = things.find((thing) => thing.header === name)?.weight ?? NO_WEIGHT;
      return `${name}${comma} weight ${weightText(weight ?? usual)}`;
    });
  const interfaces = block.trackInterface.filter(({ value }) => value.name !== own);
  return [
    ...listed("Tracked interfaces :", of(interfaces, [], "")),
    ...listed("Tracked scripts :", of(block.trackScript, config.vrrpScript, "")),
    ...listed("Tracked files :", of(block.trackFile, config.trackFile, ",")),
    ...listed("Tracked processes :", of(block.trackProcess, config.vrrpTrackProcess, ",")),
    ...listed("Tracked BFDs :", of(heeded(block, facts), config.bfdInstance, ":")),
  ];
}

/** Of the sessions that it tracks those that count. */
function heeded({ header, trackBfd }: Blocks, { vrrp }: Facts): readonly Entry<Tracked>[] {
  const resolved = [...vrrp.instances, ...vrrp.groups].find(({ name }) => name === header);
  return trackBfd.filter(({ value }) => resolved?.track.bfds.some(({ name }) => name === value.name));
}

interface Thing {
  readonly header: string;
  readonly weight: Weight;
}

/** Of those that are there twice the first counts. */
const first = (refs: readonly Entry<Tracked>[]): readonly Tracked[] =>
  refs.map(({ value }) => value).filter((ref, i, all) => all.findIndex(({ name }) => name === ref.name) === i);

type Kind = "trackScript" | "trackFile" | "trackProcess";

/** The instances that track it, with the weight it has there; those of a group too. */
function trackers(config: KeepalivedConfig, kind: Kind, thing: Thing): string[] {
  return config.vrrpInstance.flatMap((instance) => {
    const group = config.vrrpSyncGroup.find((g) => g.group.some(({ value }) => value.includes(instance.header)));
    const ref = [...instance[kind], ...(group?.[kind] ?? [])].find(({ value }) => value.name === thing.header);
    return ref === undefined ? [] : [item(`${instance.header}, weight ${weightText(ref.value.weight ?? thing.weight)}`)];
  });
}

function tracking(config: KeepalivedConfig, kind: Kind, thing: Thing): string[] {
  const lines = trackers(config, kind, thing);
  return lines.length === 0 ? [] : ["   Tracking instances :", ...lines];
}

/** Scripts that nobody tracks are not run and not told of. */
export function scriptLines(facts: Facts): string[] {
  const { config, status } = facts;
  const used = config.vrrpScript.filter((script) => trackers(config, "trackScript", script).length > 0);
  const lines = used.flatMap((script) => {
    const now = status.trackers.scripts[script.header];
    return [
      ` VRRP Script = ${script.header}`,
      `   Command = ${commandText(script.script ?? [], facts)}`,
      `   Interval = ${script.interval} sec`,
      `   Timeout = ${script.timeout ?? 0} sec`,
      `   Weight = ${weightText(script.weight)}`,
      `   Rise = ${script.rise}`,
      `   Fall = ${script.fall}`,
      `   Result = ${now?.result ?? 0}`,
      `   Insecure = ${now === undefined ? "yes" : "no"}`, // one that must not run has no state
      `   Init state = ${now?.isKnown ? "unknown" : "INIT"}`,
      `   Status = ${now?.isUp ? "GOOD" : "BAD"}`,
      `   Script uid:gid = ${identityText(script.user ?? {}, facts)}`,
      "   VRRP instances :",
      ...tracking(config, "trackScript", script),
      `   State = ${now?.state ?? "idle"}`,
    ];
  });
  return lines.length === 0 ? [] : [title("VRRP Scripts"), ...lines];
}

export function fileLines({ config, status }: Facts): string[] {
  const lines = config.trackFile.flatMap((file) => [
    ` Track file = ${file.header}`,
    `   File = ${file.file ?? ""}`,
    `   Status = ${status.trackers.files[file.header] ?? 0}`,
    `   Weight = ${weightText(file.weight)}`,
    ...tracking(config, "trackFile", file),
  ]);
  return lines.length === 0 ? [] : [title("VRRP Track files"), ...lines];
}

export function processLines({ config, status }: Facts): string[] {
  const lines = config.vrrpTrackProcess.flatMap((p) => {
    const now = status.trackers.processes[p.header];
    const [name = "", ...parameters] = p.process ?? [];
    const isMatching = parameters.length > 0 || p.origins.paramMatch !== undefined;
    return [
      ` VRRP Track process = ${p.header}`,
      `   Process = ${name}`,
      ...(parameters.length === 0 ? [] : [`   Parameters = ${parameters.join(" ")}`]),
      ...(isMatching ? [`   Param match${p.paramMatch === "exact" ? "" : ` = ${p.paramMatch}`}`] : []),
      `   Min processes = ${p.quorum}`,
      ...(p.quorumMax === undefined ? [] : [`   Max processes = ${p.quorumMax}`]),
      `   Current processes = ${now?.count ?? 0}`,
      `   Have quorum = ${now?.hasQuorum ?? false}`,
      `   Weight = ${weightText(p.weight)}`,
      `   Terminate delay = ${fixed6(p.terminateDelay ?? p.delay ?? 0)}s`,
      `   Fork delay = ${fixed6(p.forkDelay ?? p.delay ?? 0)}s`,
      "   Fork delay timer not running",
      "   Terminate delay timer not running",
      `   Full command = ${p.fullCommand || isMatching}`,
      ...tracking(config, "trackProcess", p),
    ];
  });
  return lines.length === 0 ? [] : [title("VRRP Track processes"), ...lines];
}

export function bfdLines({ vrrp, sessions }: Facts): string[] {
  const lines = vrrp.bfds.flatMap((bfd) => [
    ` VRRP Track BFD = ${bfd.name}`,
    `   Weight = ${weightText(bfd.weight)}`,
    `   Bfd is ${sessions.some(({ name, state }) => name === bfd.name && state === "Up") ? "up" : "down"}`,
    "   Tracking VRRP instances :",
    ...bfdTrackers(vrrp, bfd),
  ]);
  return lines.length === 0 ? [] : [title("VRRP Track BFDs"), ...lines];
}

function bfdTrackers({ instances, groups }: VrrpConfig, bfd: TrackBfd): string[] {
  const lines = instances.flatMap(({ name, track }) => {
    const group = groups.find(({ members }) => members.includes(name));
    const ref = [...track.bfds, ...(group?.track.bfds ?? [])].find((each) => each.name === bfd.name);
    return ref === undefined ? [] : [item(`${name}, weight ${weightText(ref.weight ?? bfd.weight)}`)];
  });
  return lines.length === 0 ? [] : ["   Tracking instances :", ...lines];
}
