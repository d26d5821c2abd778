import { spawn } from "node:child_process";
import { existsSync, readFileSync, rmSync, statSync } from "node:fs";
import { Fault } from "../src/fault.ts";

/** A machine that exists in a process only: QEMU without hardware support, so that it runs anywhere, slowly. */

const QEMU = "/usr/bin/qemu-system-x86_64";

export interface Limits {
  /** s for all of it */
  readonly total: number;
  /** s without a word from it */
  readonly silence: number;
}

export interface Ran {
  /** What the machine wrote to its second serial port, which the kernel leaves alone. */
  readonly said: string;
  /** How it ended, with the console's last lines when it was not by itself. */
  readonly ended: string;
}

/** Boots, waits for the end, kills the machine when it takes too long. @param place a path that names of files can begin with */
export async function boot(image: string, initramfs: string, place: string, limits: Limits): Promise<Ran> {
  if (!existsSync(QEMU)) throw new Fault("boot", "ENOENT", "no QEMU: apt-get install --no-install-recommends qemu-system-x86");
  const [console, words] = [`${place}.console`, `${place}.events`];
  for (const path of [console, words]) rmSync(path, { force: true });
  const machine = spawn(
    QEMU,
    [
      ...["-accel", "tcg", "-cpu", "max", "-m", "1024", "-smp", "2", "-nodefaults", "-display", "none", "-no-reboot"],
      ...["-serial", `file:${console}`, "-serial", `file:${words}`, "-kernel", image, "-initrd", initramfs],
      ...["-append", "console=ttyS0 quiet panic=-1"],
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
  const ended = await endOf(machine, words, limits);
  return { said: text(words), ended: `${ended}; its console's last lines:\n${text(console).split("\n").slice(-20).join("\n")}` };
}

const text = (path: string): string => (existsSync(path) ? readFileSync(path, "utf8") : "");
const sizeOf = (path: string): number => (existsSync(path) ? statSync(path).size : 0);

function endOf(machine: ReturnType<typeof spawn>, words: string, { total, silence }: Limits): Promise<string> {
  return new Promise((resolve) => {
    const begun = Date.now();
    let [size, since, killed] = [0, begun, ""];
    const watch = setInterval(() => {
      const now = Date.now();
      if (sizeOf(words) !== size) [size, since] = [sizeOf(words), now];
      if (now - begun > total * 1000) killed = `killed after ${total} s`;
      else if (now - since > silence * 1000) killed = `killed after ${silence} s of silence`;
      if (killed !== "") machine.kill("SIGKILL");
    }, 500);
    const leave = (): boolean => machine.kill("SIGKILL");
    process.once("exit", leave);
    machine.once("close", (code) => {
      clearInterval(watch);
      process.off("exit", leave);
      resolve(killed === "" ? `QEMU ended with ${code}` : killed);
    });
  });
}
