import { DataPathPlane } from "./data-path-plane.ts";

/** The data path on the XDP hook. */
export class XdpPlane extends DataPathPlane {
  constructor(capacity: number) {
    super(capacity, "xdp");
  }
}
