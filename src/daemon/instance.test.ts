import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { claimNamespace, listenPrivately, placesOf } from "./instance.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "lvsd-instance-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

test("the places are named for the network namespace, and LVSD_SOCKET moves the socket alone", () => {
  const inode = statSync("/proc/self/ns/net").ino;
  expect(placesOf({})).toEqual({
    socket: `/run/lvsd/${inode}.sock`,
    pid: `/run/lvsd/${inode}.pid`,
    owned: `/run/lvsd/${inode}.owned`,
    totals: `/run/lvsd/${inode}.totals`,
  });
  expect(placesOf({ LVSD_SOCKET: "/tmp/s" })).toEqual({
    socket: "/tmp/s",
    pid: `/run/lvsd/${inode}.pid`,
    owned: `/run/lvsd/${inode}.owned`,
    totals: `/run/lvsd/${inode}.totals`,
  });
});

describe("a namespace", () => {
  const pidFile = () => join(folder, "deep", "er", "1.pid");

  test("is held by one process, whose pid the other is told", () => {
    const claim = claimNamespace(pidFile());
    expect(readFileSync(pidFile(), "utf8")).toBe(`${process.pid}\n`);
    expect(() => claimNamespace(pidFile())).toThrow(`with pid ${process.pid}`);
    claim.release();
  });

  test("is free again after a release, which may come twice", () => {
    const claim = claimNamespace(pidFile());
    claim.release();
    claim.release();
    expect(existsSync(pidFile())).toBe(false);
    claimNamespace(pidFile()).release();
  });

  test("is free when only the file of a dead process is there", () => {
    claimNamespace(pidFile()).release();
    writeFileSync(pidFile(), "123456789 and more\n");
    const claim = claimNamespace(pidFile());
    expect(readFileSync(pidFile(), "utf8")).toBe(`${process.pid}\n`);
    claim.release();
  });

  test("whose folder cannot be made is a Fault", () => {
    writeFileSync(join(folder, "file"), "");
    expect(() => claimNamespace(join(folder, "file", "1.pid"))).toThrow(
      expect.objectContaining({ name: "Fault", code: "EEXIST" }),
    );
  });
});

describe("the control socket", () => {
  const path = () => join(folder, "run", "sock");
  const listening = async (at: string) => {
    const server = createServer();
    await listenPrivately(server, at);
    return server;
  };

  test("is for its owner only", async () => {
    const before = process.umask();
    const server = await listening(path());
    expect(statSync(path()).mode & 0o777).toBe(0o600);
    expect(process.umask()).toBe(before);
    server.close();
  });

  test("goes with the server", async () => {
    const server = await listening(path());
    await new Promise((resolve) => server.close(resolve));
    expect(existsSync(path())).toBe(false);
  });

  test("that answers is not taken from its owner", async () => {
    const server = await listening(path());
    await expect(listening(path())).rejects.toThrow(`another program answers at ${path()}`);
    server.close();
  });

  test("does not replace a file", async () => {
    writeFileSync(join(folder, "file"), "mine");
    await expect(listening(join(folder, "file"))).rejects.toThrow("is there and not a socket");
    expect(readFileSync(join(folder, "file"), "utf8")).toBe("mine");
  });

  test("with a path too long is a Fault", async () => {
    await expect(listening(join(folder, "x".repeat(200)))).rejects.toMatchObject({ name: "Fault" });
  });
});
