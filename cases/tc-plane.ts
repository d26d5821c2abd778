import { DataPathPlane } from "./data-path-plane.ts";

/** The data path on the tc hook. */
export class TcPlane extends DataPathPlane {
  constructor(capacity: number) {
    super(capacity, "tc");
  }
}
