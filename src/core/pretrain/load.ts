/**
 * Loads what was collected: tensors by name into the structure of their targets, anything else copied whole, or as a
 * hook does it. Everything is looked at before anything is written.
 */
import { basename, dirname, join } from 'node:path'
import { removeTree } from '../changes/disposal/index.js'
import type { Wait } from '../storage/retry.js'
import { CkptError } from '../errors.js'
import {
  chooseHook,
  produce,
  runHook,
  type ChosenHook,
  type RunProcess,
  type Step,
  type Values,
} from '../jobs/hooks/index.js'
import { compileMapping } from '../tensors/names/index.js'
import { ensureCanPublish, formatFor, publishFile, type LongWork } from '../tensors/write/index.js'
import { makeFolders } from '../changes/publish/index.js'
import { neutralName } from '../changes/state/index.js'
import type { Stat, Storage } from '../storage/storage.js'
import { ensureSafe, isTensorFile, openTensors, weightsOf, type TensorFile } from '../tensors/read/index.js'
import { ensureTransferable, matchTensors, transfer, type TransferPlan } from '../tensors/transfer/index.js'
import type { Load, PretrainPlan } from './plan.js'
import type { MadeRecord } from './record.js'
import { isShardIndex } from './shards.js'
import { orFailed, originOf, type Failed, type Item } from './survey.js'
import { Tally } from './combined-progress.js'

export interface LoadContext {
  readonly storage: Storage
  readonly runProcess: RunProcess
  /** Null where nothing is collected: then nothing that is there counts as ours. */
  readonly record: MadeRecord | null
  /** What is there may be replaced. */
  readonly force: boolean
  readonly work: LongWork
  readonly wait: Wait
}

/** What came of one loadable. */
export interface Loaded {
  readonly item: Item
  readonly load: Load
  /** `keep`: the output is there already, of the same source and the same target. */
  readonly how: 'transfer' | 'copy' | 'hook' | 'keep'
  /** Of a transfer. */
  readonly plan: TransferPlan | null
}

export interface LoadedAll {
  readonly loaded: readonly Loaded[]
  readonly failed: readonly Failed[]
}

/**
 * Loads all items that have a target. Where it can be seen beforehand that one cannot be loaded, none is: an output
 * that is not ours, shapes that differ (see `ensureTransferable`), a hook that fails. Of those that fail later the
 * others go on. Gives those that failed. Throws CkptError `interrupted`.
 */
export async function load(context: LoadContext, plan: PretrainPlan, items: readonly Item[]): Promise<LoadedAll> {
  const tasks = items.flatMap((item) => {
    const { load: wanted } = item.loadable
    return wanted === null ? [] : [new Task(context, plan, item, wanted)]
  })
  try {
    const unfit = await attempt(tasks, (task) => task.prepare())
    if (unfit.length > 0) return { loaded: [], failed: unfit }
    return await runAll(tasks, context.work)
  } finally {
    for (const task of tasks) await task.close()
  }
}

async function runAll(tasks: readonly Task[], work: LongWork): Promise<LoadedAll> {
  const tally = new Tally(
    tasks.map((task) => [task, task.bytes] as const),
    work,
  )
  const failed = await attempt(tasks, (task) => task.run(tally.of(task)))
  const broken = new Set(failed.map(({ loadable }) => loadable))
  return { loaded: tasks.filter(({ item }) => !broken.has(item.loadable)).map((task) => task.loaded), failed }
}

/** Each in turn; gives those that fail. Throws CkptError `interrupted`. */
async function attempt(tasks: readonly Task[], call: (task: Task) => Promise<void>): Promise<Failed[]> {
  const failed: Failed[] = []
  for (const task of tasks) {
    const failure = await orFailed(task.item.loadable, () => call(task))
    if (failure !== undefined) failed.push(failure)
  }
  return failed
}

/** One loadable on its way into its target. */
class Task {
  private how: Loaded['how'] = 'copy'
  private plan: TransferPlan | null = null
  private readonly open: TensorFile[] = []
  /** What is read: the collected file, or what a hook made of it. */
  private source: string
  private hook: ChosenHook | null = null
  private replaces = false
  private origin = ''
  /** Beside the output: what is made before it gets its name. What a kill left in it goes with the next call. */
  private readonly workshop: string
  private isOpen = false

  constructor(
    private readonly context: LoadContext,
    private readonly whole: PretrainPlan,
    readonly item: Item,
    private readonly wanted: Load,
  ) {
    this.source = item.path
    this.workshop = join(dirname(wanted.output), `.${neutralName(wanted.output)}`)
  }

  get loaded(): Loaded {
    return { item: this.item, load: this.wanted, how: this.how, plan: this.plan }
  }

  /** Bytes that will be written, as far as they are known. */
  get bytes(): number {
    if (this.how === 'keep') return 0
    return this.plan?.target.tensors.reduce((sum, { bytes }) => sum + bytes, 0) ?? this.item.size ?? 0
  }

  async prepare(): Promise<void> {
    const { output } = this.wanted
    const hooks = (['verify', 'load', 'transfer'] as const).map((step) => this.hookFor(step))
    const [verifying, loading, transferring] = hooks
    this.origin = await this.describeInputs(hooks)
    if (await this.isMade()) {
      this.how = 'keep'
      return
    }
    await makeFolders(this.context.storage, dirname(output))
    await ensureCanPublish(this.context.storage, output, this.replaces)
    if (verifying !== undefined && verifying !== null) await this.runHook(verifying)
    if (loading !== undefined && loading !== null) this.source = await this.produce(loading, `read-${this.item.name}`)
    this.hook = transferring ?? null
    if (this.hook !== null) this.how = 'hook'
    else if (await this.holdsTensors()) await this.match()
    else await this.refuseTensors()
  }

  private async holdsTensors(): Promise<boolean> {
    const isIndex = this.source === this.item.path && isShardIndex(this.item.name)
    return isIndex || isTensorFile(this.context.storage, this.source)
  }

  async run(work: LongWork): Promise<void> {
    if (this.how === 'keep') return
    const { output } = this.wanted
    const draft = join(this.workshop, basename(output))
    if (this.hook !== null) await this.produce(this.hook, basename(output))
    else if (this.plan !== null) await this.transfer(this.plan, draft, work)
    else await this.copy(draft)
    const [stat] = await this.context.storage.lstat([draft])
    if (stat?.ok !== true) throw stat?.error ?? new CkptError('system', `${draft} is gone`)
    if (stat.value.kind !== 'file') throw new CkptError('refused', `${output}: a hook made a ${stat.value.kind} of it`)
    await this.context.record?.add(output, stat.value, { origin: this.origin, digest: null, validator: null })
    await publishFile(this.context.storage, draft, output, this.replaces)
  }

  /** Leaves nothing but what has got its name. Never fails for what it tidies up. */
  async close(): Promise<void> {
    for (const file of this.open) await file.close()
    await removeTree(this.context.storage, this.workshop, this.context.wait)
  }

  private hookFor(step: Step): ChosenHook | null {
    const { loadable, name } = this.item
    return chooseHook(this.whole.hooks, { key: loadable.key, name }, step)
  }

  /** Equal when the same would come out again. */
  private async describeInputs(hooks: readonly (ChosenHook | null)[]): Promise<string> {
    const { target, names, match } = this.wanted
    const [source, into] = await this.context.storage.stat([this.item.path, target])
    if (source?.ok !== true) throw source?.error ?? new CkptError('not-found', `${this.item.path} is gone`)
    const seen = into?.ok === true ? originOf(target, into.value) : target
    const commands = hooks.map((hook) => hook?.command.text ?? null)
    return JSON.stringify([originOf(this.item.path, source.value), seen, names, match, commands])
  }

  /** Whether the output is there as it would be made. */
  private async isMade(): Promise<boolean> {
    const there = await lookAt(this.context.storage, this.wanted.output)
    const made = there === null ? null : (this.context.record?.of(this.wanted.output, there) ?? null)
    this.replaces = made !== null || this.context.force
    return made?.origin === this.origin && !this.context.force
  }

  private async match(): Promise<void> {
    const { target, names, match } = this.wanted
    if ((await lookAt(this.context.storage, target)) === null) {
      throw new CkptError('not-found', `${target}: the target of ${this.item.loadable.key} is not there`, {
        hint: 'it gives the names, shapes and dtypes of the result: save the model that is to start from these values',
      })
    }
    const mapping = await compileMapping(names)
    const source = await this.openTensors(this.source)
    const into = await this.openTensors(target)
    const { isWanted, rename } = mapping
    this.plan = matchTensors(weightsOf(source).file, weightsOf(into).file, {
      autoPrefix: true,
      ...match,
      isWanted,
      rename,
    })
    this.how = 'transfer'
    try {
      ensureTransferable(this.plan)
    } catch (error) {
      throw error instanceof CkptError ? inWordsOfPlan(error, this.item.loadable.key) : error
    }
  }

  private async openTensors(path: string): Promise<TensorFile> {
    const file = await openTensors(this.context.storage, path)
    this.open.push(file)
    ensureSafe(file)
    return file
  }

  /** What holds no tensors would take the place of something that does. */
  private async refuseTensors(): Promise<void> {
    const { target } = this.wanted
    const there = await lookAt(this.context.storage, target)
    if (there === null || !(await isTensorFile(this.context.storage, target))) return
    throw new CkptError('refused', `${this.item.from}: holds no tensors, and the target ${target} does`, {
      hint: 'is it the right file? A transfer hook can make of it what is needed',
    })
  }

  private async transfer(plan: TransferPlan, draft: string, work: LongWork): Promise<void> {
    await this.openWorkshop()
    await transfer(this.context.storage, plan, draft, { ...work, format: formatFor(this.wanted.output, plan.target) })
  }

  private async copy(draft: string): Promise<void> {
    await this.openWorkshop()
    await this.context.storage.copyFile(this.source, draft)
    await this.context.storage.syncFile(draft)
  }

  private async produce(chosen: ChosenHook, name: string): Promise<string> {
    await this.openWorkshop()
    const target = join(this.workshop, name)
    await produce(this.context.storage, this.context.runProcess, chosen, { ...this.values, target }, this.signal)
    return target
  }

  private async runHook(chosen: ChosenHook): Promise<void> {
    await runHook(this.context.runProcess, chosen, this.values, this.signal)
  }

  private get signal(): AbortSignal | undefined {
    return this.context.work.signal
  }

  private get values(): Values {
    const { loadable, checkpoint } = this.item
    const where = checkpoint === null ? {} : { name: checkpoint.name, path: checkpoint.path }
    return { source: this.source, template: this.wanted.target, key: loadable.key, ...where }
  }

  private async openWorkshop(): Promise<void> {
    if (this.isOpen) return
    await removeTree(this.context.storage, this.workshop, this.context.wait)
    this.isOpen = true
    await this.context.storage.makeDirectory(this.workshop)
  }
}

/** Values of keys, for an example. */
const exampleOf: Readonly<Record<string, string>> = { 'skip-mismatched': 'true', strict: 'true', map: '{old: new}' }

/** What are flags of a transfer, in the hint or on lines of their own, are keys of a loadable here. */
function inWordsOfPlan(error: CkptError, key: string): CkptError {
  const { hint = '', message } = error
  const flag = /--([a-z-]+)/.exec(hint)?.[1] ?? /^\s*--([a-z-]+)/m.exec(message)?.[1]
  if (flag === undefined) return error
  const example = `in the plan: ${key}: {target: …, ${flag}: ${exampleOf[flag] ?? '…'}}`
  const own = hint.replace(/--([a-z-]+)/g, '$1').replace(/\.$/, '')
  return new CkptError(error.code, message, { hint: own === '' ? example : `${own}; ${example}`, cause: error })
}

async function lookAt(storage: Storage, path: string): Promise<Stat | null> {
  const [stat] = await storage.lstat([path])
  if (stat?.ok === true) return stat.value
  if (stat !== undefined && stat.error.code !== 'not-found') throw stat.error
  return null
}
