/**
 * Which of the checkpoints that were there at its start a job is seen to read: what its processes have open is looked at
 * now and then. A read that is over between two looks is not seen, so that nothing follows from what was not seen. Where
 * the file system notes each read, that tells of the chosen one too, and also that it was not read.
 */
import type { Checkpoint } from '../../checkpoint.js'
import type { ReadStorage } from '../../storage/storage.js'
import type { Start } from './resume.js'
import type { JobProcess, Machine } from './machine.js'

/** Seconds between two looks at the very beginning. */
const leastInterval = 0.1
/** The longer the job has run, the rarer the looks; they take at most this part of the time. */
const part = 1 / 20

export class OpenedCheckpoints {
  private readonly seen = new Set<string>()

  private constructor(
    /** Names of checkpoints by the path of each of their parameter files, links resolved. */
    private readonly owners: ReadonlyMap<string, string>,
    private readonly chosen: string | null,
    private readonly wasAccessed: () => boolean | null,
  ) {}

  /** Of a first start nothing is looked for: there is no checkpoint to blame. */
  static async of(
    storage: ReadStorage,
    { checkpoint, folders }: Start,
    { noteAccess }: Pick<Machine, 'noteAccess'>,
  ): Promise<OpenedCheckpoints> {
    if (checkpoint === null) return new OpenedCheckpoints(new Map(), null, () => null)
    const others = folders.flatMap(({ run }) => run.checkpoints).filter(({ path }) => path !== checkpoint.path)
    const found = await realFiles(storage, [...others, checkpoint])
    const own = found.filter(([, name]) => name === checkpoint.name).map(([path]) => path)
    return new OpenedCheckpoints(new Map(found), checkpoint.name, noteAccess(own))
  }

  /** Those that were seen, the first one first. */
  get names(): readonly string[] {
    return [...this.seen]
  }

  /** It has read the one that it was started from; false: neither that one nor another, null: that is not known. */
  hasReadChosen(): boolean | null {
    if (this.isChosenSeen) return true
    const was = this.wasAccessed()
    return was === false && this.seen.size > 0 ? null : was
  }

  private get isChosenSeen(): boolean {
    return this.chosen !== null && this.seen.has(this.chosen)
  }

  /** Until the job's first process has ended, the chosen one was seen, or nothing can be. */
  async watch(job: JobProcess, machine: Pick<Machine, 'now' | 'sleep'>, over: AbortSignal): Promise<void> {
    if (this.chosen === null) return
    const began = machine.now()
    let took = 0
    while (!this.isChosenSeen) {
      const seconds = Math.max(leastInterval, (machine.now() - began) * part, took / part)
      await machine.sleep(seconds * 1000, over)
      if (over.aborted) return
      const before = machine.now()
      const open = job.filesOpenToRead()
      if (open === null) return
      took = machine.now() - before
      for (const path of open) this.note(path)
    }
  }

  private note(path: string): void {
    const name = this.owners.get(path)
    if (name !== undefined) this.seen.add(name)
  }
}

/** Facts beside the parameters (`CKPT.yaml`) are left out: to look through them all is how a framework chooses. */
async function realFiles(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<[string, string][]> {
  const resolved = await storage.resolve(checkpoints.map(({ path }) => path))
  return checkpoints.flatMap(({ name, path, kind, files }, index): [string, string][] => {
    const at = resolved[index]
    const real = at?.ok === true ? at.value : path
    if (kind === 'file') return [[real, name]]
    return files.map((file) => [real + file.path.slice(path.length), name])
  })
}
