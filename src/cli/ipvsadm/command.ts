import type { Operation, ServiceKey } from "../../director/director.ts";

/** What to print of each service and dest; of several the first of this list counts. */
export type Columns = "stats" | "rate" | "thresholds" | "persistent-conn" | "tun-info" | "default";

export interface Listing {
  readonly columns: Columns;
  readonly numeric: boolean;
  readonly exact: boolean;
  readonly sort: boolean;
}

/** What a command line asks for. */
export type Command =
  | { readonly kind: "apply"; readonly operation: Operation }
  | { readonly kind: "list"; readonly key: ServiceKey | undefined; readonly listing: Listing }
  | { readonly kind: "list-conns"; readonly numeric: boolean; readonly engines: boolean }
  | { readonly kind: "list-laddrs"; readonly key: ServiceKey | undefined; readonly numeric: boolean }
  | { readonly kind: "save"; readonly numeric: boolean }
  | { readonly kind: "list-timeouts" | "list-daemons" | "restore" | "help" | "version" };
