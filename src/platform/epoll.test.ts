import { afterEach, expect, test } from "vitest";
import { onceWritable } from "./epoll.ts";
import { closeFd } from "./process.ts";
import { AF_INET, openSocket, SOCK_DGRAM } from "./socket.ts";

const open: number[] = [];
afterEach(() => open.splice(0).forEach(closeFd));

/** A socket that can be written at once. */
function writable(): number {
  const fd = openSocket(AF_INET, SOCK_DGRAM, 0);
  open.push(fd);
  return fd;
}
const soon = () => new Promise((resolve) => setTimeout(resolve, 50));

test("every one of a thousand descriptors is called back once", async () => {
  const calls: number[] = [];
  const fds = Array.from({ length: 1000 }, writable);
  for (const fd of fds) onceWritable(fd, () => calls.push(fd));
  await soon();
  await soon();
  expect(calls.sort((a, b) => a - b)).toEqual([...fds].sort((a, b) => a - b));
});

test("one that was given up is not called, though it was ready, nor is the one that has its number now", async () => {
  const calls: string[] = [];
  const [a, b] = [writable(), writable()];
  const giveUp = new Map<number, () => boolean>();
  const other = (fd: number): number => (fd === a ? b : a);
  /** Whichever comes first closes the other and has its number taken by a third. */
  const call = (fd: number) => (): void => {
    calls.push("first");
    expect(giveUp.get(other(fd))!()).toBe(true);
    open.splice(open.indexOf(other(fd)), 1);
    closeFd(other(fd));
    const third = writable();
    expect(third).toBe(other(fd));
    onceWritable(third, () => calls.push("third"));
    expect(calls).toEqual(["first"]);
  };
  giveUp.set(a, onceWritable(a, call(a)));
  giveUp.set(b, onceWritable(b, call(b)));
  await soon();
  expect(calls).toEqual(["first", "third"]);
  expect(giveUp.get(a)!() || giveUp.get(b)!()).toBe(false);
});
