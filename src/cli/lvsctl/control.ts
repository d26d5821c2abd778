import type { Refusal } from "../../director/director.ts";
import type { MarkRule } from "../../director/marks.ts";
import type { Outcome, Plan } from "../../director/plan.ts";
import type { ExplainQuery, Explanation, ServiceRates, Status } from "../../director/status.ts";
import { ask, askText, type Client, connect, socketPath } from "../client.ts";
import type { BfdSession } from "./bfd.ts";
import type { CheckedService } from "./checks.ts";
import type { VrrpInstance } from "./vrrp.ts";

/** The lvsd of this network namespace, with what only lvsctl asks. */
export interface Control extends Client {
  status(): Promise<Status>;
  rates(): Promise<readonly ServiceRates[]>;
  explain(query: ExplainQuery): Promise<Explanation>;
  vrrp(): Promise<readonly VrrpInstance[]>;
  checks(): Promise<readonly CheckedService[]>;
  /** @param file lvsd's own if absent */
  plan(file?: string): Promise<Plan>;
  applyFile(file?: string, confirmSeconds?: number): Promise<Outcome>;
  reload(): Promise<Outcome>;
  confirm(): Promise<Outcome>;
  revert(): Promise<Outcome>;
  bfd(): Promise<readonly BfdSession[]>;
  /** In keepalived's format: data, stats, json, checks or parent. */
  dump(name: string): Promise<string>;
  /** The stats as they were; VRRP counts from zero from then on. */
  clearStats(): Promise<string>;
  marks(): Promise<readonly MarkRule[]>;
  /** All anew, or none and why not. */
  setMarks(rules: readonly MarkRule[]): Promise<readonly Refusal[]>;
}

const order = <T>(path: string, word: string, about: object = {}): Promise<T> =>
  ask(path, { method: "POST", path: `/v1/${word}` }, JSON.stringify(about));

export function connectControl(path: string = socketPath()): Control {
  return {
    ...connect(path),
    status: () => ask(path, { method: "GET", path: "/v1/status" }),
    rates: () => ask(path, { method: "GET", path: "/v1/rates" }),
    explain: (query) => ask(path, { method: "POST", path: "/v1/explain" }, JSON.stringify(query)),
    vrrp: () => ask(path, { method: "GET", path: "/v1/vrrp" }),
    checks: () => ask(path, { method: "GET", path: "/v1/checks" }),
    plan: (file) => order(path, "plan", { file }),
    applyFile: (file, confirmSeconds) => order(path, "apply", { file, confirmSeconds }),
    reload: () => order(path, "reload"),
    confirm: () => order(path, "confirm"),
    revert: () => order(path, "revert"),
    bfd: () => ask(path, { method: "GET", path: "/v1/bfd" }),
    dump: (name) => askText(path, { method: "GET", path: `/v1/dump/${name}` }),
    clearStats: () => askText(path, { method: "POST", path: "/v1/dump/stats-clear" }),
    marks: () => ask(path, { method: "GET", path: "/v1/marks" }),
    async setMarks(rules) {
      const body = JSON.stringify({ rules });
      const { refusals } = await ask<{ refusals: readonly Refusal[] }>(path, { method: "PUT", path: "/v1/marks" }, body);
      return refusals;
    },
  };
}
