import { familyOf, type Ip, ipBytes } from "../net/ip.ts";

/**
 * One virtual router (RFC 3768 section 6.4, RFC 9568 section 6.4; what keepalived adds: spec 3.5, 3.6). Inputs and now in,
 * the next state and effects out. No clock, no socket.
 */

/** Of a clock that does not jump. */
export type Millis = number;

/** When addresses are announced: a block is each address so many times (spec 3.7). */
export interface Announcing {
  /** Until the second block after becoming master; 0: none. */
  readonly delay: Millis;
  readonly repeat: number;
  /** Between refreshing blocks; 0: none. */
  readonly refresh: Millis;
  readonly refreshRepeat: number;
  /** The same after an advert of a lower priority. */
  readonly lowerDelay: Millis;
  readonly lowerRepeat: number;
}

export interface Router {
  readonly version: 2 | 3;
  /** As configured, 1..255; 255 owns the addresses. */
  readonly base: number;
  /** With the weights of trackers, 1..254; an owner's stays 255. */
  readonly priority: number;
  /** `state MASTER`: does not wait for long at start. */
  readonly eager: boolean;
  /** It was master until just now, and starts as if it still were. */
  readonly resumes: boolean;
  readonly advertInterval: Millis;
  readonly preempt: boolean;
  /** From start, or from the first lower advert. */
  readonly preemptDelay: Millis;
  /** The source of its adverts, which decides between equals. */
  readonly address: Ip | undefined;
  /** Adverts to miss before taking over. */
  readonly downTimerAdverts: number;
  /** Do not answer a lower advert at once. */
  readonly lowerPrioNoAdvert: boolean;
  /** One more advert when yielding. */
  readonly higherPrioSendAdvert: boolean;
  /** The highest priority of the peers: yield when we were so late that one of them has taken over. */
  readonly lateBackup: number | undefined;
  /** Member of a sync group: asks before it becomes master. */
  readonly grouped: boolean;
  readonly announce: Announcing;
}

export type State =
  | { readonly name: "init" }
  | { readonly name: "fault" }
  | Backup
  | {
      readonly name: "master";
      readonly advertAt: Millis;
      /** The second block, and how many times. */
      readonly announceAt: Millis | undefined;
      readonly announceRepeat: number;
      readonly refreshAt: Millis | undefined;
    };

export interface Backup {
  readonly name: "backup";
  /** Whom it follows. */
  readonly master: { readonly from: Ip; readonly priority: number } | undefined;
  readonly masterInterval: Millis;
  readonly masterDownAt: Millis;
  /** Before that lower adverts are accepted; undefined: no delay is running. */
  readonly preemptAt: Millis | undefined;
  /** It would be master if its sync group were. */
  readonly asking: boolean;
}

export interface Advert {
  readonly from: Ip;
  readonly priority: number;
  readonly interval: Millis;
}

export type Input =
  /** Nothing tracked is down (any more). */
  | { readonly type: "up" }
  | { readonly type: "down" }
  | { readonly type: "clock" }
  /** One that has been found acceptable. */
  | ({ readonly type: "advert" } & Advert)
  /** The sync group decides. */
  | { readonly type: "promote" }
  | { readonly type: "demote" }
  | { readonly type: "stop" };

export type Notice = "MASTER" | "BACKUP" | "FAULT" | "STOP" | "MASTER_RX_LOWER_PRI";
export type Effect =
  | { readonly type: "advertise"; readonly priority: number }
  | { readonly type: "take-addresses" }
  | { readonly type: "release-addresses" }
  | { readonly type: "announce"; readonly repeat: number }
  | { readonly type: "notify"; readonly notice: Notice }
  /** A line of the log, in keepalived's words. `detail`: with -D only. */
  | { readonly type: "say"; readonly text: string; readonly detail?: true };

export interface Step {
  readonly state: State;
  readonly effects: readonly Effect[];
}

const OWNER = 255;

export function step(r: Router, state: State, input: Input, now: Millis): Step {
  if (input.type === "stop") return stop(state);
  if (input.type === "down") return fail(state);
  switch (state.name) {
    case "init":
      return input.type === "up" ? start(r, now, " (init)") : stay(state);
    case "fault":
      return input.type === "up" ? start(r, now, "") : stay(state);
    case "backup":
      return stepBackup(r, state, input, now);
    case "master":
      return stepMaster(r, state, input, now);
  }
}

/** When `step` next wants a "clock". */
export function deadline(state: State): Millis | undefined {
  if (state.name === "backup") return state.masterDownAt;
  if (state.name !== "master") return undefined;
  return Math.min(state.advertAt, state.announceAt ?? Number.POSITIVE_INFINITY, state.refreshAt ?? Number.POSITIVE_INFINITY);
}

/** RFC 3768 6.1 in seconds, RFC 9568 6.1 in shares of the master's interval. */
export function skew(r: Router, masterInterval: Millis): Millis {
  const priority = r.base === OWNER ? OWNER : r.priority;
  return ((256 - priority) / 256) * (r.version === 2 ? 1000 : masterInterval);
}

export const masterDown = (r: Router, masterInterval: Millis): Millis =>
  r.downTimerAdverts * masterInterval + skew(r, masterInterval);

const stay = (state: State): Step => ({ state, effects: [] });
const say = (text: string): Effect => ({ type: "say", text });
const detail = (text: string): Effect => ({ type: "say", text, detail: true });

/** Always BACKUP first; MASTER comes from its timer. */
function start(r: Router, now: Millis, why: string): Step {
  const wait = r.resumes ? 0 : r.eager ? eagerWait(r) : masterDown(r, r.advertInterval);
  const preemptAt = r.preemptDelay > 0 ? now + r.preemptDelay : undefined;
  return {
    state: { ...backup(r, r.advertInterval, now), masterDownAt: now + wait, preemptAt },
    effects: [say(`Entering BACKUP STATE${why}`), { type: "notify", notice: "BACKUP" }],
  };
}

const eagerWait = (r: Router): Millis =>
  r.base === OWNER ? 0 : r.advertInterval + (r.version === 2 ? 1000 : r.advertInterval) / 256;

const backup = (r: Router, masterInterval: Millis, now: Millis): Backup => ({
  name: "backup",
  master: undefined,
  masterInterval,
  masterDownAt: now + masterDown(r, masterInterval),
  preemptAt: undefined,
  asking: false,
});

/** RFC 9568 6.4.2. */
function stepBackup(r: Router, state: Backup, input: Exclude<Input, { type: "stop" | "down" }>, now: Millis): Step {
  switch (input.type) {
    case "up":
    case "demote":
      return stay(state);
    case "promote":
      return becomeMaster(r, state, now, []);
    case "clock":
      return now < state.masterDownAt ? stay(state) : silence(r, state, now);
    case "advert":
      return backupHears(r, state, input, now);
  }
}

function silence(r: Router, state: Backup, now: Millis): Step {
  const heard = [detail("Receive advertisement timeout")];
  if (!r.grouped) return becomeMaster(r, state, now, heard);
  return { state: { ...state, asking: true, masterDownAt: now + masterDown(r, state.masterInterval) }, effects: heard };
}

function backupHears(r: Router, state: Backup, a: Advert, now: Millis): Step {
  if (a.priority === 0) {
    const masterDownAt = now + skew(r, state.masterInterval);
    return { state: { ...state, masterDownAt }, effects: [say("Backup received priority 0 advertisement")] };
  }
  const isLower = a.priority < r.priority;
  const isDelayed = r.preemptDelay > 0 && (state.preemptAt === undefined || now < state.preemptAt);
  if (isLower && r.preempt && !isDelayed)
    return { state, effects: [say(`received lower priority (${a.priority}) advert from ${a.from} - discarding`)] };
  const delay = preemptDelay(r, state, isLower, now);
  const learnt = learn(r, state.masterInterval, a);
  return { state: { ...follow(r, a, learnt.interval, now), preemptAt: delay.at }, effects: [...delay.says, ...learnt.says] };
}

function preemptDelay(r: Router, state: Backup, isLower: boolean, now: Millis): { at: Millis | undefined; says: Effect[] } {
  if (r.preemptDelay === 0 || !r.preempt) return { at: undefined, says: [] };
  if (!isLower && state.preemptAt !== undefined) return { at: undefined, says: [say("stop preempt delay")] };
  if (!isLower || state.preemptAt !== undefined) return { at: state.preemptAt, says: [] };
  return { at: now + r.preemptDelay, says: [say(`start preempt delay (${(r.preemptDelay / 1000).toFixed(6)})`)] };
}

/** Version 3 goes by the interval of the master. Version 2 has checked that it is the same. */
function learn(r: Router, before: Millis, a: Advert): { interval: Millis; says: Effect[] } {
  if (r.version === 2 || a.interval <= 0) return { interval: r.advertInterval, says: [] };
  const text = `advertisement interval updated from ${before}ms to ${a.interval}ms by master`;
  return { interval: a.interval, says: a.interval === before ? [] : [say(text)] };
}

const follow = (r: Router, a: Advert, interval: Millis, now: Millis): Backup => ({
  ...backup(r, interval, now),
  master: { from: a.from, priority: a.priority },
});

function becomeMaster(r: Router, state: Backup, now: Millis, before: readonly Effect[]): Step {
  const reset = `changing advert interval from ${state.masterInterval}ms to locally configured ${r.advertInterval}ms`;
  return {
    state: {
      name: "master",
      advertAt: now + r.advertInterval,
      announceAt: r.announce.delay > 0 ? now + r.announce.delay : undefined,
      announceRepeat: r.announce.repeat,
      refreshAt: r.announce.refresh > 0 ? now + r.announce.delay + r.announce.refresh : undefined,
    },
    effects: [
      ...before,
      ...(state.masterInterval === r.advertInterval ? [] : [say(reset)]),
      say("Entering MASTER STATE"),
      { type: "advertise", priority: r.priority },
      { type: "take-addresses" },
      { type: "announce", repeat: r.announce.repeat },
      { type: "notify", notice: "MASTER" },
    ],
  };
}

type Master = State & { name: "master" };

/** RFC 9568 6.4.3. */
function stepMaster(r: Router, state: Master, input: Exclude<Input, { type: "stop" | "down" }>, now: Millis): Step {
  switch (input.type) {
    case "up":
    case "promote":
      return stay(state);
    case "demote":
      return yieldTo(backup(r, r.advertInterval, now), []);
    case "clock":
      return masterClock(r, state, now);
    case "advert":
      return masterHears(r, state, input, now);
  }
}

function masterClock(r: Router, state: Master, now: Millis): Step {
  if (isTooLate(r, state, now)) {
    const late = ((now - state.advertAt) / 1000).toFixed(6);
    return yieldTo(backup(r, r.advertInterval, now), [say(`VRRP thread timer expired ${late} seconds ago`)]);
  }
  const effects: Effect[] = [];
  let { advertAt, announceAt, refreshAt } = state;
  if (now >= advertAt) {
    effects.push({ type: "advertise", priority: r.priority });
    // Keep the beat; after a pause of the machine begin a new one.
    advertAt = now - advertAt < r.advertInterval ? advertAt + r.advertInterval : now + r.advertInterval;
  }
  if (announceAt !== undefined && now >= announceAt) {
    effects.push({ type: "announce", repeat: state.announceRepeat });
    announceAt = undefined;
  }
  if (refreshAt !== undefined && now >= refreshAt) {
    effects.push({ type: "announce", repeat: r.announce.refreshRepeat });
    refreshAt = now + r.announce.refresh;
  }
  return { state: { ...state, advertAt, announceAt, refreshAt }, effects };
}

/** So late that a peer of priority `lateBackup` must have taken over meanwhile. */
function isTooLate(r: Router, state: Master, now: Millis): boolean {
  if (r.lateBackup === undefined) return false;
  const peer = { ...r, base: r.lateBackup, priority: r.lateBackup, downTimerAdverts: 3 };
  return now - state.advertAt + r.advertInterval > masterDown(peer, r.advertInterval);
}

function masterHears(r: Router, state: Master, a: Advert, now: Millis): Step {
  if (a.priority === 0) return answer(r, state, now, [say("Master received priority 0 message")]);
  if (a.priority > r.priority) {
    const text = `Master received advert from ${a.from} with higher priority ${a.priority}, ours ${r.priority}`;
    return yieldToAdvert(r, a, now, text);
  }
  if (a.priority < r.priority) return hearLower(r, state, a, now);
  const order = r.address === undefined ? 1 : compare(a.from, r.address);
  if (order < 0) return hearLower(r, state, a, now);
  if (order === 0) {
    return { state, effects: [say("WARNING - equal priority advert received from remote host with our IP address.")] };
  }
  const text = `Master received advert from ${a.from} with same priority ${a.priority} but higher IP address than ours`;
  return yieldToAdvert(r, a, now, text);
}

/** Somebody else is master too and should not be: tell it, and its clients. */
function hearLower(r: Router, state: Master, a: Advert, now: Millis): Step {
  const text = `Received advert from ${a.from} with lower priority ${a.priority}, ours ${r.priority}, forcing new election`;
  const heard: Effect[] = [say(text)];
  const next = r.lowerPrioNoAdvert ? { state, effects: heard } : answer(r, state, now, heard);
  const { lowerRepeat, lowerDelay } = r.announce;
  const announced: Effect[] = lowerRepeat > 0 ? [{ type: "announce", repeat: lowerRepeat }] : [];
  const second = lowerRepeat > 0 && lowerDelay > 0 ? { announceAt: now + lowerDelay, announceRepeat: lowerRepeat } : {};
  return {
    state: { ...(next.state as Master), ...second },
    effects: [...next.effects, ...announced, { type: "notify", notice: "MASTER_RX_LOWER_PRI" }],
  };
}

const answer = (r: Router, state: Master, now: Millis, before: readonly Effect[]): Step => ({
  state: { ...state, advertAt: now + r.advertInterval },
  effects: [...before, { type: "advertise", priority: r.priority }],
});

function yieldToAdvert(r: Router, a: Advert, now: Millis, text: string): Step {
  const learnt = learn(r, r.advertInterval, a);
  const last: Effect[] = r.higherPrioSendAdvert ? [{ type: "advertise", priority: r.priority }] : [];
  return yieldTo(follow(r, a, learnt.interval, now), [say(text), ...learnt.says, ...last]);
}

const yieldTo = (state: Backup, before: readonly Effect[]): Step => ({
  state,
  effects: [...before, say("Entering BACKUP STATE"), { type: "release-addresses" }, { type: "notify", notice: "BACKUP" }],
});

function fail(state: State): Step {
  if (state.name === "fault") return stay(state);
  const leave: Effect[] = state.name === "master" ? [{ type: "advertise", priority: 0 }, { type: "release-addresses" }] : [];
  const why = state.name === "init" ? " (init)" : "";
  return {
    state: { name: "fault" },
    effects: [say(`Entering FAULT STATE${why}`), ...leave, { type: "notify", notice: "FAULT" }],
  };
}

function stop(state: State): Step {
  const leave: Effect[] =
    state.name === "master" ? [{ type: "advertise", priority: 0 }, detail("sent 0 priority"), { type: "release-addresses" }] : [];
  return { state: { name: "init" }, effects: state.name === "init" ? [] : [...leave, { type: "notify", notice: "STOP" }] };
}

/** Byte by byte, as they are on the wire. */
export function compare(a: Ip, b: Ip): number {
  if (familyOf(a) !== familyOf(b)) return familyOf(a) === "ipv4" ? -1 : 1;
  return Buffer.compare(ipBytes(a), ipBytes(b));
}
