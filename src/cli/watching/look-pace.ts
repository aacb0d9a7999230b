/** How often to look at what lies on a disk that others use too. */

/** A look takes at most this share of the time. */
const share = 0.1

export class LookPace {
  #waited = 0
  #pause = 0

  /** Both in milliseconds. */
  constructor(
    private readonly sleep: (milliseconds: number) => Promise<void>,
    private readonly clock: () => number,
  ) {}

  /** For waits that are a part of a look: they do not count as work. */
  readonly wait = async (milliseconds: number): Promise<void> => {
    const began = this.clock()
    await this.sleep(milliseconds)
    this.#waited += this.clock() - began
  }

  /** Milliseconds that have to go by until the next look. */
  get pause(): number {
    return this.#pause
  }

  async timed<T>(look: () => Promise<T>): Promise<T> {
    this.#waited = 0
    const began = this.clock()
    try {
      return await look()
    } finally {
      this.#pause = Math.max(0, this.clock() - began - this.#waited) / share
    }
  }
}
