/** `ckpt pretrain`: collects files by a plan and loads them into targets. */
import { resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import type { Network } from '../core/pretrain/download/index.js'
import { CkptError, type StorageError } from '../core/errors.js'
import {
  collect,
  linkStrategies,
  load,
  MadeRecord,
  parsePlan,
  parseVariable,
  planShards,
  removeOldParts,
  survey,
  type Failed,
  type Item,
  type LinkStrategy,
  type Loaded,
  type PretrainPlan,
  type Survey,
  type Variables,
} from '../core/pretrain/index.js'
import type { SourceContext } from '../core/pretrain/sources/index.js'
import { stateFolderOf, type StateFolder } from '../core/changes/state/index.js'
import { dryRunFlag, stateFlag, waitFlag } from '../cli/flags/common-flags.js'
import { hubSettings, network } from '../machine/network.js'
import { pretrainingDocument, renderPretraining, type Pretraining } from '../render/pretrain.js'
import { printable } from '../render/printable.js'
import { runHookProcess } from '../machine/run-hook.js'
import { baseOf } from '../machine/working-folder.js'

/** Bytes. People write plans by hand. */
const largestPlan = 1 << 20

export default class Pretrain extends BaseCommand<typeof Pretrain> {
  static override summary = "Collect pretrained files, then load them into new models: SpeechBrain's Pretrainer"
  static override description = `PLAN.yaml says what is loaded into what, and where it comes from: folders, the best checkpoint of a run, https:// and
repositories on a Hugging Face hub (HF_ENDPOINT, HF_TOKEN). What is not there yet is collected as KEY.ckpt in one
folder, linked or downloaded; broken downloads go on where they stopped, sizes and digests are checked. Then tensors
go by name into the structure of their targets, as with transfer; what holds no tensors is copied whole. Targets are
never changed: each result is a file of its own. How a plan is written: docs/pretrain.md.

Called again it does only what is still to be done. Some failed: exit status 6, and what remains is listed.`
  static override examples = [
    { description: 'what would come from where', command: '<%= config.bin %> pretrain plan.yaml --dry-run' },
    { description: 'collect and load', command: '<%= config.bin %> pretrain plan.yaml' },
    {
      description: 'on the node that has a network; a variable that conditions ask for',
      command: '<%= config.bin %> pretrain plan.yaml --collect-only --set use_lm=true',
    },
  ]
  static override args = {
    plan: Args.string({ name: 'PLAN.yaml', description: 'the plan', required: true, ignoreStdin: true }),
  }
  static override flags = {
    source: Flags.string({
      helpValue: 'SOURCE',
      description: "for loadables without a path, in place of the plan's default_source",
    }),
    set: Flags.string({
      helpValue: 'NAME=VALUE',
      description: "give a variable of the plan's conditions this value",
      multiple: true,
      multipleNonGreedy: true,
    }),
    link: Flags.custom<LinkStrategy>({
      options: [...linkStrategies],
      helpValue: linkStrategies.join('|'),
      description: "how files of this machine are collected, in place of the plan's link",
    })(),
    'output-dir': Flags.string({ helpValue: 'DIR', description: "put results here, in place of the plan's output" }),
    'collect-only': Flags.boolean({ description: 'collect the files, and load nothing' }),
    update: Flags.boolean({ char: 'u', description: 'ask servers again for what was downloaded before' }),
    force: Flags.boolean({ char: 'f', description: 'replace files that ckpt pretrain did not put there' }),
    insecure: Flags.boolean({
      description: 'download over plain http too, where anyone on the network can change what comes',
    }),
    'dry-run': dryRunFlag,
    wait: waitFlag,
    state: stateFlag,
  }

  async run(): Promise<void> {
    const plan = await this.readPlan()
    const { collectIn } = plan
    const { wait, state } = this.flags
    if (collectIn === null) return this.carryOut(plan, null)
    const folder = await stateFolderOf(this.storage, collectIn, state)
    if (this.flags['dry-run']) return this.carryOut(plan, folder)
    await this.locked(collectIn, { wait, state }, () => this.carryOut(plan, folder))
  }

  private async readPlan(): Promise<PretrainPlan> {
    const { source, link, set, 'output-dir': output } = this.flags
    const path = resolve(this.args.plan)
    const [read] = await this.storage.read([path], largestPlan)
    if (read?.ok !== true) throw notRead(path, read?.error)
    const plan = await parsePlan(this.storage, new TextDecoder().decode(read.value), path, {
      variables: readVariables(set ?? []),
      defaultSource: source,
      workingFolder: baseOf(path, source),
      link,
      output: output === undefined ? undefined : resolve(output),
    })
    // Those of the plan are nearer.
    if (plan.loadables.length > 0) return { ...plan, hooks: [...plan.hooks, ...(await this.hooks())] }
    throw new CkptError('usage', `${path}: has no loadables`, { hint: 'loadables: {model: init/model.safetensors}' })
  }

  private async carryOut(plan: PretrainPlan, state: StateFolder | null): Promise<void> {
    const record = state === null ? null : await MadeRecord.open(this.storage, state)
    const done = !this.flags['dry-run']
    const into = state === null || record === null ? null : { state, record }
    const found = await this.take(plan, into)
    const failed = [...found.failed]
    if (into !== null) {
      // What an index names is known when it can be read.
      const shards = await planShards(this.storage, plan, found.items, done)
      const beside = await this.take(shards.plan, into)
      failed.push(...shards.failed, ...beside.failed)
      if (done) await this.tidy(plan, shards.plan, into)
      found.items.push(...beside.items)
    }
    const isReady = done && failed.length === 0 && !this.flags['collect-only']
    const loaded = isReady ? await this.load(plan, found.items, record) : null
    this.tell({
      plan,
      survey: found,
      loaded: loaded?.loaded ?? null,
      failed,
      unloaded: loaded?.failed ?? [],
      done,
    })
  }

  private get network(): Network {
    return { ...network, insecure: this.flags.insecure, onRetry: (what) => this.note(printable(what)) }
  }

  /** Looks for what the plan names, and collects it; a dry run only looks. Without those that failed. */
  private async take(plan: PretrainPlan, into: Into | null): Promise<Survey & { items: Item[] }> {
    const found = await this.look(plan, into?.record ?? null)
    const { collectIn } = plan
    if (into === null || collectIn === null || this.flags['dry-run']) return { ...found, items: [...found.items] }
    const { items, failed } = await this.long('collecting', (work) =>
      collect({ storage: this.storage, network: this.network, work, ...into }, collectIn, found.items),
    )
    return { ...found, items: without(items, failed), failed: [...found.failed, ...failed] }
  }

  private async tidy({ collectIn, loadables }: PretrainPlan, shards: PretrainPlan, { state }: Into): Promise<void> {
    if (collectIn === null) return
    await removeOldParts(this.storage, state, collectIn, [...loadables, ...shards.loadables], this.now())
  }

  private async look(plan: PretrainPlan, record: MadeRecord | null): Promise<Survey> {
    const { force, update } = this.flags
    return this.long('looking', ({ signal }) => {
      const context: SourceContext = {
        storage: this.storage,
        network: this.network,
        hub: hubSettings(process.env),
        now: this.now(),
        signal,
        onWarning: (text) => this.alert(text),
      }
      return survey(plan, context, { record, force, update })
    })
  }

  private async load(
    plan: PretrainPlan,
    items: readonly Item[],
    record: MadeRecord | null,
  ): Promise<{ loaded: readonly Loaded[]; failed: readonly Failed[] }> {
    const { force } = this.flags
    return this.long('loading', (work) =>
      load({ storage: this.storage, runProcess: runHookProcess, wait: network.wait, record, force, work }, plan, items),
    )
  }

  /** With an error behind it when something failed. */
  private tell(pretraining: Pretraining): void {
    const error = pretrainError(pretraining)
    const document = pretrainingDocument(pretraining)
    if (error !== null) this.failWith(document)
    if (error === null || !this.wantsJson) this.answer(document, () => renderPretraining(pretraining, this.output))
    if (error !== null) throw error
  }
}

/** Where what was collected is remembered. */
interface Into {
  readonly state: StateFolder
  readonly record: MadeRecord
}

function without(items: readonly Item[], failed: readonly Failed[]): Item[] {
  return items.filter(({ loadable }) => !failed.some((one) => one.loadable === loadable))
}

/** Throws CkptError `usage`. */
function readVariables(texts: readonly string[]): Variables {
  return new Map(
    texts.map((text) => {
      const [, name, value = ''] = /^([^=\s]+)=(.*)$/s.exec(text) ?? []
      if (name !== undefined) return [name, parseVariable(value)]
      throw new CkptError('usage', `--set ${text}: no NAME=VALUE`, { hint: 'as in --set use_lm=true' })
    }),
  )
}

/** One that failed alone is reported as it is; of several, what remains is listed. */
function pretrainError({ survey: { items }, loaded, unloaded, ...rest }: Pretraining): CkptError | null {
  const failed = [...rest.failed, ...unloaded]
  const [first, second] = failed
  if (first === undefined) return null
  const count = new Set([...items, ...failed].map(({ loadable }) => loadable)).size
  if (second === undefined && count === 1) return first.error
  const hints = new Set(failed.map(({ error }) => error.hint))
  const lines = failed.flatMap(({ loadable, error: { message, hint: own } }) => [
    `  ${loadable.key}: ${message.replaceAll('\n', '\n    ')}`,
    ...(own === undefined || hints.size === 1 ? [] : [`    ${own}`]),
  ])
  const isPartly = loaded === null ? failed.length < count : loaded.length > 0
  const common = hints.size === 1 ? first.error.hint : undefined
  const hint = common ?? 'when that is mended, call it again: what was collected stays'
  const message = [`${failed.length} of ${count} failed:`, ...lines].join('\n')
  return new CkptError(isPartly ? 'partial' : first.error.code, message, { hint })
}

function notRead(path: string, error: StorageError | undefined): CkptError {
  if (error?.code !== 'not-found') return error ?? new CkptError('system', `${path} could not be read`)
  return new CkptError('not-found', error.message, {
    hint: 'name a plan: a file in YAML that tells what is loaded into what, and where it comes from (docs/pretrain.md)',
    cause: error,
  })
}
