import type { Answer } from "./reference.ts";

/** Where lvsd wants to differ from keepalived 2.2.7, and why. The differential test allows these and no others. */
export interface Difference {
  readonly reason: string;
  readonly ours: "accept" | "refuse";
  matches(text: string, answer: Answer): boolean;
}

export const differences: readonly Difference[] = [
  {
    reason: "2.2.7 skips a word after inet and inet6 in routes and rules",
    ours: "accept",
    matches: (text, { messages }) =>
      /\binet6?\b/.test(text) &&
      /must have a destination|Unknown rule option|Invalid rule action|No action specified/.test(messages),
  },
  {
    reason: "the manual's ip_proto is called ipproto by 2.2.7; both are read",
    ours: "accept",
    matches: (_, { messages }) => messages.includes("Unknown rule option ip_proto"),
  },
  {
    reason: "2.2.7 takes a label of one letter in a domain name for an empty one",
    ours: "accept",
    matches: (_, { messages }) => /DNS_CHECK name '[^']*' has empty label/.test(messages),
  },
  {
    reason: "2.2.7 takes the byte ff at the end of a payload for what is no hex; it is as good a byte as another",
    ours: "accept",
    matches: (text, { messages }) =>
      messages.includes("Invalid hex string for UDP_CHECK payload") && /^\s*payload\s[^\n]*ff\s*$/im.test(text),
  },
  {
    reason: "whether an interface is a VRF is not looked up",
    ours: "accept",
    matches: (_, { messages }) => messages.includes("is not a VRF"),
  },
  {
    reason: "2.2.7 splits a braced name at its braces when a block stands on the same line",
    ours: "accept",
    matches: (text) => /\$\{\w+[^}]*\}[^\n]*\}|\{[^\n]*\$\{/.test(text),
  },
  {
    reason: "a ~LST that is not well formed is a mistake; 2.2.7 drops the line without a word",
    ours: "refuse",
    matches: (text) => /~LST\((\{[^}]*\{|\w*\))/.test(text),
  },
  {
    reason: "2.2.7 returns 0 for all mistakes when net_namespace is none that it can enter",
    ours: "refuse",
    matches: (text, { code }) => code === 0 && /^\s*(@\S+\s+)?net_namespace\s/m.test(text),
  },
  {
    reason: "a definition that contains itself is a mistake; 2.2.7 takes part of it or does not come back",
    ours: "refuse",
    matches: (text) => /\$(\w+)=.*\$\{?\1\b/.test(text),
  },
  {
    reason: "spec 2.1: a backslash keeps # and !; 2.2.7 starts a comment all the same",
    ours: "accept",
    matches: (text) => /\\[#!]/.test(text),
  },
];

/** Where both refuse, and the exit code is another. */
export const codeDifferences: readonly { readonly reason: string; matches(text: string, answer: Answer): boolean }[] = [
  {
    reason: "2.2.7 reads a route no further than an interface that is not there",
    matches: (_, { messages }) => messages.includes("for VROUTE nexthop doesn't exist"),
  },
  {
    reason: "2.2.7 looks for options after the names of garp_group's interfaces",
    matches: (_, { messages }) => /missing a parameter after keyword `\w+' at word position 2|`eth\d`/.test(messages),
  },
  {
    reason: "after a brace too many or too few, what belongs where is a guess on both sides",
    matches: (_, { messages }) => /missing '\}'s or extra|Missing '\{'|Extra '\}'|Unexpected '\{'/.test(messages),
  },
];
