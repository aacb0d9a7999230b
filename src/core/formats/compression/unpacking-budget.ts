/**
 * How many bytes are unpacked: a few small files can say to unpack to a disk full of zeros, and thousands of them to what
 * takes hours to read. A file is worth twice its size; what goes beyond is taken from one budget for all of them.
 */
export class UnpackingBudget {
  constructor(public left: number) {}

  /** Of a file of `size` bytes. */
  mostOf(size: number): number {
    return worth * size + this.left
  }

  /** `bytes` were unpacked of such a file. */
  spend(size: number, bytes: number): void {
    this.left = Math.max(0, this.left - Math.max(0, bytes - worth * size))
  }

  /** For the pickles of all files that one command looks into: no framework packs them. */
  static forPickles(): UnpackingBudget {
    return new UnpackingBudget(8 << 20)
  }
}

const worth = 2
