/** `ckpt verify`: reads checkpoints to their last byte and grades them. */
import { resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { loneLayout, type Checkpoint, type Run } from '../core/checkpoint.js'
import { CkptError, exitStatusOf } from '../core/errors.js'
import { byRecency, describeAbsentBest } from '../core/choosing/selection/index.js'
import {
  findPacked,
  loneFile,
  openCheckpoint,
  openNamed,
  orLoneFolder,
  searchRuns,
  recordRun,
  verdictOf,
  verifyRun,
  type Verified,
} from '../core/runs/index.js'
import { noRunBelow } from '../cli/flags/query.js'
import { stateFolderOf } from '../core/changes/state/index.js'
import { recursiveFlag, severalNamed, stateFlag, walkFlags } from '../cli/flags/common-flags.js'
import { withVerifyHooks } from '../cli/file-hooks.js'
import { quoteWord } from '../core/formats/text/shell-words.js'
import { printable } from '../render/printable.js'
import { plural } from '../render/units.js'
import { describeManyVerified, renderManyVerified, renderVerified, verifyDocument } from '../render/verify.js'
import { wait } from '../machine/clock.js'
import { heldForWriting } from '../machine/open-files.js'
import { baseOf } from '../machine/working-folder.js'

export default class Verify extends BaseCommand<typeof Verify> {
  static override isReader = true
  static override looksDeep = true
  static override summary = 'Say whether checkpoints are whole, and exactly what is wrong with those that are not'
  static override description = `Grades each checkpoint: whole, partial (something is not there), corrupt (something is there and broken) or
unfinished (still being written), with the cause to the byte; or unreadable (permission denied, a failing device, a
server out of reach), which says nothing of the bytes. Without --deep it reads headers and end records, a few
small reads a file; with it every byte, and compares the checksums that zip files (torch) carry. A file of a kind that
ckpt does not know is not called damaged. Of a run it also names leftovers, what saves that never finished left behind. A
file of weights by itself, the index of a sharded model with its shards, and a folder of a model (of the hub, a .nemo
within) are graded alike, and ckpt says so when a file is something else: a Git LFS pointer, a web page, a download cut short.

With -r a row sums up each run, and what was found follows run by run.

Exit status 4 when anything is found; 6 when all that was found is that something could not be read, or that one of several
names is not a checkpoint. docs/health.md says what is checked, and every message.`
  static override examples = [
    { description: 'the run in this folder', command: '<%= config.bin %> verify' },
    { description: 'every byte, before copying it away', command: '<%= config.bin %> verify exp/save --deep' },
    {
      description: 'one checkpoint, its values too',
      command: '<%= config.bin %> verify "$(ckpt find exp/save)" --finite',
    },
    {
      description: 'record checksums; again after a change on purpose',
      command: '<%= config.bin %> verify exp/save --record',
    },
    { description: 'every run below a folder, for a script', command: '<%= config.bin %> verify -r exp --json' },
  ]
  static override args = {
    what: Args.string({
      name: 'RUN|CHECKPOINT|FILE',
      description: severalNamed,
      multiple: true,
      ignoreStdin: true,
    }),
  }
  static override flags = {
    deep: Flags.boolean({ description: 'read every byte and compare checksums' }),
    finite: Flags.boolean({ description: 'look through all tensors for NaN and infinite values too' }),
    record: Flags.boolean({
      description:
        'read every byte, and record the SHA-256 of each file of whole checkpoints; --deep compares it later',
    }),
    recursive: recursiveFlag,
    ...walkFlags,
    state: stateFlag,
  }

  async run(): Promise<void> {
    const { targets, refused } = await this.targets()
    const verified: Verified[] = []
    for (const { run, which } of targets) verified.push(await this.verify(run, which))
    for (const { checkpoints } of verified) await this.tellPacked(checkpoints)
    const lines = this.wantsJson
      ? []
      : this.flags.recursive
        ? await renderManyVerified(verified, { root: resolve(this.args.what?.[0] ?? '.'), output: this.output })
        : renderVerified(verified, this.output)
    const told = refused.map(({ argument, error }) => ({ argument, ...this.tellError(error) }))
    this.answer({ ...verifyDocument(verified), refused: told }, () => lines)
    const isSummedUp = this.flags.recursive && this.output.isTerminal && !this.wantsJson
    if (isSummedUp) this.note(describeManyVerified(verified))
    const verdict = verdictOf(verified) ?? (refused.length > 0 ? 'partial' : null)
    if (verdict !== null) process.exitCode = exitStatusOf[verdict]
  }

  private async tellPacked(checkpoints: readonly Checkpoint[]): Promise<void> {
    for (const checkpoint of checkpoints) {
      for (const path of await findPacked(this.storage, checkpoint)) {
        this.alert(`${printable(path)} is packed with gzip: unpack it before it is loaded (gunzip ${quoteWord(path)})`)
      }
    }
  }

  private async verify(run: Run, which: readonly Checkpoint[] | null): Promise<Verified> {
    for (const absent of describeAbsentBest(byRecency(run.checkpoints).ordered)) {
      this.alert(`${printable(run.path)}: ${printable(absent)}`)
    }
    const { deep, finite, record } = this.flags
    const state = await stateFolderOf(this.storage, run.path, this.flags.state)
    // What is in no run is not found there a second time.
    const isLone = run.checkpoints.some(({ layout }) => layout === loneLayout)
    const again = { now: this.now(), wait, stateDirectory: this.flags.state, writers: { holding: heldForWriting } }
    const level = deep ? ('deep' as const) : ('quick' as const)
    const request = { which, level, finite, state, ...(isLone ? {} : { again }) }
    if (!record) {
      const hooks = await this.hooks()
      return this.long('checking', async (options) =>
        withVerifyHooks(hooks, await verifyRun(this.reading, run, request, options), options.signal),
      )
    }
    const now = this.now()
    const verified = await this.long('recording', (options) => recordRun(this.storage, run, request, now, options))
    this.note(`recorded the checksums of ${plural(verified.recorded.length, 'checkpoint')} in ${state.path}`)
    return verified
  }

  /** Of several arguments those that stand for nothing end nothing. Throws where none stands for anything. */
  private async targets(): Promise<{ targets: readonly Target[]; refused: readonly Refused[] }> {
    const targets = new Map<string, Target>()
    const refused: Refused[] = []
    for (const argument of this.args.what ?? ['.']) {
      try {
        for (const { run, which } of await this.resolve(argument)) {
          const known = targets.get(run.path)
          targets.set(run.path, { run, which: known === undefined ? which : both(known.which, which) })
        }
      } catch (error) {
        if (!(error instanceof CkptError) || error.code === 'interrupted') throw error
        refused.push({ argument, error })
      }
    }
    if (targets.size > 0) return { targets: [...targets.values()], refused }
    const last = refused.pop()
    for (const { error } of refused) this.tellError(error)
    throw last?.error ?? new RangeError('nothing was named')
  }

  private async resolve(argument: string): Promise<Target[]> {
    const path = resolve(argument)
    const stateLocation = { stateDirectory: this.flags.state }
    if (this.flags.recursive) {
      const { runs, storage } = await this.walk(this.flags, (walking) =>
        searchRuns(this.storage, path, { ...stateLocation, ...walking }),
      )
      this.reading = storage
      if (runs.length === 0) throw noRunBelow([path], this.flags)
      return runs.map((run) => ({ run, which: null }))
    }
    // A folder of weights is not a run, and is graded all the same.
    const named = await orLoneFolder(this.storage, path, (again) =>
      openNamed(again ? this.storage : this.reading, argument, baseOf(argument), stateLocation),
    )
    if (!('kind' in named)) return [{ run: named.run, which: [named.checkpoint] }]
    if (named.kind === 'run') return [{ run: named.run, which: null }]
    if (named.kind === 'checkpoint') return [{ run: named.run, which: [named.checkpoint] }]
    // A file of another kind is reported as such.
    const { run, checkpoint } =
      (await loneFile(this.storage, named.path)) ??
      (await openCheckpoint(this.storage, named.path, baseOf(argument), stateLocation))
    return [{ run, which: [checkpoint] }]
  }
}

/** What was named and is no checkpoint. */
interface Refused {
  readonly argument: string
  readonly error: CkptError
}

interface Target {
  readonly run: Run
  /** Null: all of it. */
  readonly which: readonly Checkpoint[] | null
}

/** Of one run, what two arguments name, each checkpoint once. */
function both(first: Target['which'], second: Target['which']): Target['which'] {
  if (first === null || second === null) return null
  const known = new Set(first.map(({ path }) => path))
  return [...first, ...second.filter(({ path }) => !known.has(path))]
}
