import pc from "picocolors";

export type Colors = ReturnType<typeof pc.createColors>;

/** Colours for a terminal and for nothing else. */
export const coloursFor = (out: NodeJS.WriteStream): Colors =>
  pc.createColors(out.isTTY === true && (process.env.NO_COLOR ?? "") === "" && process.env.TERM !== "dumb");
