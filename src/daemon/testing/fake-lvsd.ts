import { Fault } from "../../fault.ts";
import { main } from "../main.ts";
import { FakeDirector } from "./fake-director.ts";

/**
 * lvsd as it is, but with tables in memory, for tests of the process.
 * $FAKE_TROUBLE=ELAYOUT fails to open, =defect has a director that throws in a tick.
 */
await main(process.argv.slice(2), async ({ interfaces }) => {
  const trouble = process.env.FAKE_TROUBLE;
  if (trouble === "ELAYOUT") throw new Fault("adopt", "ELAYOUT", "the pinned maps have layout 1, this lvsd has layout 2");
  const director = new FakeDirector(interfaces);
  if (trouble === "defect") {
    director.tick = () => {
      throw new TypeError("the program is wrong");
    };
  }
  return director;
});
