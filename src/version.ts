import manifest from "../package.json" with { type: "json" };

/** Of the package, and so of every command in it. */
export const VERSION: string = manifest.version;
