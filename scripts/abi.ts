import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";

/**
 * Writes src/director/xdp/abi.gen.ts from the BTF of the compiled data path: where the fields of bpf/abi.h's structs stand,
 * and the words of its enums. `node build/abi.mjs` writes it, `node build/abi.mjs --check` fails when it is stale.
 */

const OBJECT = "build/lvs.bpf.o";
const OUT = "src/director/xdp/abi.gen.ts";

const STRUCTS = [
  "addr", "flow", "hop", "conn", "bucket", "dest", "service_key", "service", "service_state", "counters", "laddr", "settings", "table_state", "identity", "limits", "device", "notes", "mark_rule", "cache_key", "cache_entry",
]; // biome-ignore format: one list
const ENUMS: Readonly<Record<string, string>> = {
  exit_reason: "EXIT_", method: "METHOD_", scheduler: "SCHED_", hop_state: "HOP_", conn_flag: "CONN_", conn_life: "LIFE_",
  dest_flag: "DEST_", dest_life: "DEST_", service_flag: "SERVICE_", protocol_row: "ROW_", tcp_state: "TCP_S_", flow_kind: "FLOW_", device_flag: "DEVICE_",
}; // biome-ignore format: one table

interface BtfType {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
  readonly size?: number;
  readonly type_id?: number;
  readonly members?: readonly { readonly name: string; readonly type_id: number; readonly bits_offset: number }[];
  readonly values?: readonly { readonly name: string; readonly val: number }[];
}

export function generate(object: string): string {
  const dump = execFileSync("bpftool", ["btf", "dump", "file", object, "-j"], {
    stdio: ["ignore", "pipe", "ignore"],
    maxBuffer: 1 << 26,
  });
  const types = (JSON.parse(dump.toString()) as { types: BtfType[] }).types;
  const byId = new Map(types.map((type) => [type.id, type]));

  const structs = STRUCTS.map((name) => {
    const type = types.find((t) => t.kind === "STRUCT" && t.name === name);
    if (type === undefined) throw new Error(`${object}: no struct ${name} in its BTF`);
    return `export const ${camel(name)} = { size: ${type.size}, ${fields(type, 0, "").join(", ")} } as const;`;
  });
  /** Members in order; those of a struct within a struct follow it as outerInner. */
  function fields(type: BtfType, base: number, prefix: string): string[] {
    return (type.members ?? []).flatMap((member) => {
      const at = base + member.bits_offset / 8;
      const name = prefix === "" ? camel(member.name) : prefix + capital(camel(member.name));
      const inner = resolve(byId.get(member.type_id));
      const isBranch = inner?.kind === "STRUCT" && inner.name !== "addr";
      return [`${name}: ${at}`, ...(isBranch ? fields(inner, at, name) : [])];
    });
  }
  function resolve(type: BtfType | undefined): BtfType | undefined {
    return type?.kind === "TYPEDEF" || type?.kind === "CONST" || type?.kind === "VOLATILE"
      ? resolve(byId.get(type.type_id ?? 0))
      : type;
  }

  const enums = Object.entries(ENUMS).map(([name, prefix]) => {
    const values = types.find((t) => t.kind === "ENUM" && t.name === name)?.values ?? [];
    const words = values
      .filter((value) => value.name.startsWith(prefix))
      .map((value) => `"${value.name.slice(prefix.length).toLowerCase().replaceAll("_", "-")}": ${value.val}`);
    if (words.length === 0) throw new Error(`${object}: no enum ${name} in its BTF`);
    return `export const ${camel(name)} = { ${words.join(", ")} } as const;`;
  });

  const body = [...structs, ...enums].join("\n");
  const layout = createHash("sha256").update(structs.join("\n")).digest("hex").slice(0, 16);
  return `// Generated from the data path's BTF by scripts/abi.ts: do not edit. Offsets and sizes in bytes.\n\n${body}\n\n/** Of all structs above: maps of another layout are not adopted. */\nexport const LAYOUT = 0x${layout}n;\n`;
}

const camel = (name: string): string => name.replace(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
const capital = (name: string): string => name.charAt(0).toUpperCase() + name.slice(1);

if (process.argv[1]?.endsWith("abi.mjs")) {
  const text = generate(OBJECT);
  if (!process.argv.includes("--check")) writeFileSync(OUT, text);
  else if (readFileSync(OUT, "utf8") !== text) {
    console.error(`${OUT} is stale: run make abi`);
    process.exit(1);
  }
}
