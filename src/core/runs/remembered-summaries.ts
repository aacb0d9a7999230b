/**
 * Summaries of runs, remembered from one command to the next. The files decide: a summary counts only where all that it
 * was made of (names in folders, device, inode, size and both times of files, where links lead) is as it was, so that a
 * second look at a run costs its listings and stats, and reads no checkpoint.
 */
import type { Run } from '../checkpoint.js'
import { fingerprintOf, readsOf, type ReadsOfRun } from '../checkpoints/layouts/scan-reads.js'
import {
  hasOwnLayouts,
  insideOf,
  takenBy,
  type Folder,
  type RecalledRun,
  type RunAnswers,
  type ScanTree,
} from '../checkpoints/layouts/index.js'
import { recordInText, textOfRecord } from '../storage/memory/plain-record.js'
import type { ScanMemory } from '../storage/memory/scan-memory.js'
import type { Custody } from '../storage/storage.js'
import { namesInQuery } from './rank-and-filter.js'
import type { StateLocation } from './run-with-state.js'
import type { RunSummary, SummaryRequest } from './summarise-run.js'

interface Remembered {
  readonly reads: ReadsOfRun
  /** Of what was read. */
  readonly sum: string
  readonly summary: RunSummary
  readonly inside: readonly string[]
}

/** Names whose values the files alone do not tell: the clock does, or health, which always looks into them. */
const untold = ['age', 'health']

/** Equal for requests that are answered alike by the same files; null where these alone do not decide. */
function questionOf(
  { query, order, verify, names = [], withSettings, withName }: SummaryRequest,
  { stateDirectory }: StateLocation,
  { user, stateHome }: Custody,
): string | null {
  const asked = [...namesInQuery(query), ...names]
  if (verify !== 'none' || hasOwnLayouts() || asked.some((name) => untold.includes(name))) return null
  // Of an expression its text.
  return JSON.stringify({ query, order, names, withSettings, withName, stateDirectory, user, stateHome })
}

export class RememberedSummaries implements RunAnswers {
  /** Those that hold, of the runs that were not scanned. */
  readonly recalled: RunSummary[] = []
  private scanning: { readonly question: string; readonly tree: ScanTree; readonly folder: Folder } | null = null
  private isOld: (newest: bigint) => boolean = () => false

  private constructor(
    private readonly memory: ScanMemory,
    private readonly question: string,
  ) {}

  /** Null where nothing is remembered, or may be. */
  static of(
    memory: ScanMemory | undefined,
    request: SummaryRequest,
    location: StateLocation,
    custody: Custody,
  ): RememberedSummaries | null {
    const question = memory === undefined ? null : questionOf(request, location, custody)
    return memory === undefined || question === null ? null : new RememberedSummaries(memory, question)
  }

  async recall(tree: ScanTree, folder: Folder, rules: string): Promise<RecalledRun | null> {
    const question = `${folder.path}\0${rules}\0${this.question}`
    const known = await this.known(question)
    if (known !== null) {
      const now = await fingerprintOf(tree, folder.path, known.reads, false)
      if (now?.sum === known.sum) {
        this.recalled.push(known.summary)
        return { count: known.summary.count, layouts: known.summary.layouts, inside: known.inside }
      }
    }
    tree.noteAsked(true)
    this.scanning = { question, tree, folder }
    this.isOld = this.memory.agesFrom()
    return null
  }

  private async known(question: string): Promise<Remembered | null> {
    const text = await this.memory.records.loadAnswer(question)
    // Its checksum is right, and this build of ckpt wrote it.
    return text === null ? null : (recordInText(text) as Remembered)
  }

  /** After the run that was not recalled was summed up, by what the walk gave of it. */
  async keep({ path, checkpoints }: Run, summary: RunSummary): Promise<void> {
    const { scanning } = this
    this.scanning = null
    if (scanning?.folder.path !== path || summary.grades.has('unreadable')) return
    const { question, tree, folder } = scanning
    const reads = await readsOf(tree, path, takenBy(path, checkpoints))
    const was = reads === null ? null : await fingerprintOf(tree, path, reads, true)
    tree.noteAsked(false)
    if (reads === null || was === null || !this.isOld(was.newest)) return
    const remembered: Remembered = { reads, sum: was.sum, summary, inside: insideOf(folder, checkpoints) }
    await this.memory.records.saveAnswer(question, textOfRecord(remembered))
  }
}
