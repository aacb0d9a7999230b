/**
 * Summaries of runs, remembered from one command to the next. The files decide: a summary counts only where all that it
 * was made of (names in folders, device, inode, size and both times of files, where links lead) is as it was, so that a
 * second look at a run costs its listings and stats, and reads no checkpoint.
 */
import type { Run } from '../../checkpoint.js'
import { fingerprintOf, readsOf, type ReadsOfRun } from '../../checkpoints/layouts/scan-reads.js'
import {
  hasOwnLayouts,
  insideOf,
  takenBy,
  type Folder,
  type RecalledRun,
  type RunAnswers,
  type ScanTree,
} from '../../checkpoints/layouts/index.js'
import { recordInText, textOfRecord } from '../../storage/memory/plain-record.js'
import type { ScanMemory } from '../../storage/memory/scan-memory.js'
import type { Custody } from '../../storage/storage.js'
import { namesInQuery } from '../opening/rank-and-filter.js'
import type { StateLocation } from '../opening/run-with-state.js'
import type { RunSummary, SummaryRequest } from './summarise-run.js'

interface Remembered {
  readonly reads: ReadsOfRun
  /** Of what was read. */
  readonly sum: string
  readonly inside: readonly string[]
  /** A RunSummary as text; null for a folder that has no checkpoints. */
  readonly summary: string | null
}

/** A folder that is scanned because nothing holds of it. */
interface Scanning {
  readonly question: string
  readonly tree: ScanTree
  readonly folder: Folder
  /** Of a time in nanoseconds, as the clock was when the scan began. */
  readonly isOld: (newest: bigint) => boolean
}

/** Names whose values the files alone do not tell: the clock does, or health, which always looks into them. */
const notInFiles = ['age', 'health']

/** Equal for requests that are answered alike by the same files; null where these alone do not decide. */
function questionOf(
  { query, order, verify, names = [], withSettings, withName }: SummaryRequest,
  { stateDirectory }: StateLocation,
  { user, stateHome }: Custody,
): string | null {
  const asked = [...namesInQuery(query), ...names]
  if (verify !== 'none' || hasOwnLayouts() || asked.some((name) => notInFiles.includes(name))) return null
  // Of an expression its text.
  return JSON.stringify({ query, order, names, withSettings, withName, stateDirectory, user, stateHome })
}

export class RememberedSummaries implements RunAnswers {
  /** Those that hold, of the runs that were not scanned. */
  readonly recalled: RunSummary[] = []
  private scanning: Scanning | null = null

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
    const text = await this.memory.records.loadAnswer(question)
    const known = text === null ? null : rememberedIn(text)
    if (known !== null && (await fingerprintOf(tree, folder.path, known.reads, false))?.sum === known.sum) {
      if (known.summary === null) return { inside: known.inside, count: 0, layouts: [] }
      const summary = summaryIn(known.summary)
      if (summary !== null) {
        this.recalled.push(summary)
        return { inside: known.inside, count: summary.count, layouts: summary.layouts }
      }
    }
    tree.noteAsked(true)
    this.scanning = { question, tree, folder, isOld: this.memory.agesFrom() }
    return null
  }

  /** After the run that was not recalled was summed up, by what the walk gave of it. */
  async keep(run: Run, summary: RunSummary): Promise<void> {
    if (!summary.grades.has('unreadable')) await this.save(run.path, run.checkpoints, textOfRecord(summary))
  }

  async keepNone({ path }: Folder): Promise<void> {
    // Where nothing was looked into, a scan takes no longer than a record.
    if (this.scanning?.tree.asked?.listed.size !== 0) await this.save(path, [], null)
    else this.scanning.tree.noteAsked(false)
  }

  private async save(path: string, checkpoints: Run['checkpoints'], summary: string | null): Promise<void> {
    const { scanning } = this
    this.scanning = null
    if (scanning?.folder.path !== path) return
    const { question, tree, folder, isOld } = scanning
    const reads = await readsOf(tree, path, takenBy(path, checkpoints))
    const was = reads === null ? null : await fingerprintOf(tree, path, reads, true)
    tree.noteAsked(false)
    if (reads === null || was === null || !isOld(was.newest)) return
    const remembered: Remembered = { reads, sum: was.sum, inside: insideOf(folder, checkpoints), summary }
    await this.memory.records.saveAnswer(question, JSON.stringify(remembered))
  }
}

/** Null for text that no build of ckpt wrote, whatever its checksum says. */
function rememberedIn(text: string): Remembered | null {
  const known = parsedOrNull(() => JSON.parse(text) as unknown)
  if (!isObject(known) || !isObject(known['reads'])) return null
  const { reads, sum, inside, summary } = known as unknown as Remembered
  if (!Array.isArray(reads.whole) || !reads.whole.every(isObject) || typeof reads.areTold !== 'boolean') return null
  const wholes = reads.whole.flatMap(({ folders, files }) => [folders, files])
  const lists = [inside, ...wholes, reads.listed, reads.above, reads.looked, reads.followed, reads.resolved]
  const areTexts = lists.every((list) => Array.isArray(list) && list.every((one) => typeof one === 'string'))
  return areTexts && typeof sum === 'string' && (summary === null || typeof summary === 'string')
    ? { reads, sum, inside, summary }
    : null
}

function summaryIn(text: string): RunSummary | null {
  const known = parsedOrNull(() => recordInText(text))
  if (!isObject(known)) return null
  const summary = known as unknown as RunSummary
  const isOne = typeof summary.path === 'string' && typeof summary.count === 'number' && summary.grades instanceof Map
  return isOne && Array.isArray(summary.layouts) ? summary : null
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

/** What is nested too deep ends with RangeError, all else that cannot be read with SyntaxError. */
function parsedOrNull(parse: () => unknown): unknown {
  try {
    return parse()
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof RangeError) return null
    throw error
  }
}
