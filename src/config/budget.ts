/**
 * What reading one configuration may cost. The manual's own largest example (65 024 instances from three ~SEQ on one line,
 * 1 300 000 lines) fits; what does not is a slip of the pen or an attack, and ends with a problem instead of the memory.
 */
export const LIMITS = {
  /** Lines that come out. */
  lines: 2_000_000,
  /** Lines and parts of lines that are looked at: generators can turn without making a line. */
  steps: 4_000_000,
  /** Characters of the lines that come out. */
  characters: 200_000_000,
  files: 10_000,
  /** Told while lines are made; what the words of the lines are told comes on top. */
  problems: 10_000,
};
export type Limits = Readonly<typeof LIMITS>;

export class Budget {
  private readonly limits: Limits;
  private readonly left: { -readonly [K in keyof Limits]: number };
  private readonly onSpent: (message: string) => void;
  isSpent = false;

  /** @param onSpent is called once */
  constructor(limits: Limits, onSpent: (message: string) => void) {
    this.limits = limits;
    this.left = { ...limits };
    this.onSpent = onSpent;
  }

  /** False when there is no more, or never was. */
  spend(what: keyof Limits, amount = 1): boolean {
    if (this.isSpent) return false;
    this.left[what] -= amount;
    if (this.left[what] >= 0) return true;
    this.isSpent = true;
    this.onSpent(`the configuration is too large: more than ${this.limits[what]} ${what}, the rest is not read`);
    return false;
  }
}
