/** A command line that ipvsadm refuses by itself, before any director hears of it. */
export class Usage extends Error {
  override readonly name = "Usage";
  /** 2: ipvsadm's own checks; 255: popt's, and a missing command. */
  readonly exit: 2 | 255;

  constructor(message: string, exit: 2 | 255 = 2) {
    super(message);
    this.exit = exit;
  }
}

export const tryHelp = () => new Usage("Try `ipvsadm -h' or 'ipvsadm --help' for more information.", 255);
