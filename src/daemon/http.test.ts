import { EventEmitter } from "node:events";
import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { jsonArray, jsonLines, sendPieces } from "./http.ts";

/** A client that takes `limit` chunks, each at once or after a turn, and then hangs up. */
class Client extends EventEmitter {
  text = "";
  destroyed = false;
  ended = false;
  largest = 0;
  readonly #atOnce: boolean;
  #limit: number;

  constructor(atOnce: boolean, limit = Number.POSITIVE_INFINITY) {
    super();
    this.#atOnce = atOnce;
    this.#limit = limit;
  }

  writeHead(): void {}

  write(text: string): boolean {
    this.text += text;
    this.largest = Math.max(this.largest, text.length);
    const next = () => {
      if (--this.#limit > 0) return this.emit("drain");
      this.destroyed = true;
      return this.emit("close");
    };
    if (this.#atOnce) process.nextTick(next);
    else setImmediate(next);
    return false;
  }

  end(text: string): void {
    this.text += text;
    this.ended = true;
  }

  receive = (pieces: Iterable<string>) => sendPieces(this as unknown as ServerResponse, "text/plain", pieces);
}

function* numbers(upTo: number, onEnd = () => {}): Generator<number> {
  try {
    for (let n = 0; n < upTo; n++) yield n;
  } finally {
    onEnd();
  }
}

test("a long answer arrives whole, in chunks of a modest size", async () => {
  for (const client of [new Client(true), new Client(false)]) {
    await client.receive(jsonLines(numbers(200_000)));
    expect(client.ended).toBe(true);
    expect(client.text).toBe(`${[...numbers(200_000)].join("\n")}\n`);
    expect(client.largest).toBeLessThan(70_000);
  }
});

test("others have their turn, however fast the client reads", async () => {
  let turns = 0;
  let running = true;
  const others = () => {
    turns++;
    if (running) setImmediate(others);
  };
  setImmediate(others);
  await new Client(true).receive(jsonLines(numbers(200_000)));
  running = false;
  expect(turns).toBeGreaterThan(10);
});

test("pieces that are slow to come are sent in small chunks", async () => {
  const client = new Client(true);
  const slow = function* () {
    for (let n = 0; n < 256; n++) {
      const until = performance.now() + 0.5;
      while (performance.now() < until);
      yield "x";
    }
  };
  await client.receive(slow());
  expect(client.text.length).toBe(256);
  expect(client.largest).toBeLessThanOrEqual(64);
});

test("a client that hangs up ends the answer and closes where it came from", async () => {
  const client = new Client(false, 3);
  let closed = false;
  await client.receive(
    jsonLines(
      numbers(1e9, () => {
        closed = true;
      }),
    ),
  );
  expect([client.ended, closed]).toEqual([false, true]);
});

test("an array of any length is JSON", () => {
  for (const length of [0, 1, 2, 5]) {
    const values = [...numbers(length)];
    expect(JSON.parse([...jsonArray(values)].join(""))).toEqual(values);
  }
});
