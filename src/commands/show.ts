/** `ckpt show`: everything about one checkpoint, or a run summed up. */
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import type { Checkpoint, Run } from '../core/checkpoint.js'
import { readHyperParameters, readRunName } from '../core/checkpoints/hyperparameters/index.js'
import { howKnown } from '../core/checkpoints/layouts/explain.js'
import { CkptError } from '../core/errors.js'
import { arrange, examine, openNamed } from '../core/runs/index.js'
import { namedBests, type NamedBest } from '../core/choosing/selection/index.js'

import { openTensors, plainShape, type TensorFile, type TensorInfo } from '../core/tensors/read/index.js'
import { overviewOf } from '../cli/overview.js'
import { named, stateFlag, verifyFlag } from '../cli/flags/common-flags.js'
import { toDocument } from '../render/checkpoints.js'
import { printable } from '../render/printable.js'
import { sourcesOf, valuesOf } from '../render/settings.js'
import { renderCheckpoint, renderOverview, renderSettings, renderTensorFile } from '../render/show.js'
import { layoutsOf } from '../render/run.js'
import { baseOf } from '../machine/working-folder.js'

export default class Show extends BaseCommand<typeof Show> {
  static override isReader = true
  static override summary = 'Show everything about one checkpoint, or sum up a run'
  static override description = `Of a checkpoint: its meta, its files with their sizes, its health, and the tensors of its files.
Of a run: how many checkpoints, how large, the newest, the best by each metric, and the hyper-parameters that it was
started with, below the file that tells them. Of a file: its tensors.`
  static override examples = [
    { description: 'a run', command: '<%= config.bin %> show exp/save' },
    { description: 'the newest checkpoint', command: '<%= config.bin %> show "$(ckpt find exp/save)"' },
  ]
  static override usage = 'show [CHECKPOINT|RUN|FILE] [FLAGS]'
  static override args = {
    what: Args.string({
      description: named,
      default: '.',
      ignoreStdin: true,
    }),
  }
  static override flags = {
    all: Flags.boolean({ description: 'every hyper-parameter and every tensor, also on a terminal' }),
    verify: verifyFlag('how deep to look into its files: none, quick (headers), deep (every byte)', 'quick'),
    state: stateFlag,
  }

  async run(): Promise<void> {
    const what = await openNamed(this.reading, this.args.what, baseOf(this.args.what), {
      stateDirectory: this.flags.state,
    })
    if (what.kind === 'run') return this.showRun(what.run)
    if (what.kind === 'file') return this.showFile(what.path)
    const { run, checkpoint: found } = what
    const [checkpoint] = await this.long('checking', (options) =>
      examine(this.reading, run.checkpoints, [found], this.flags.verify, options),
    )
    if (checkpoint !== undefined) await this.showCheckpoint(checkpoint, run)
  }

  private get extent() {
    return { output: this.output, all: this.flags.all }
  }

  private async showCheckpoint(checkpoint: Checkpoint, run: Run): Promise<void> {
    const { ordered } = await arrange(this.reading, run.checkpoints, { orders: [], where: [] }, this.now())
    const named = namedBests(ordered).filter((one) => one.path === checkpoint.path)
    const tensors = await this.readTensors(checkpoint)
    const document = new Map([...tensors].map(([key, list]) => [key, list.map(tensorDocument)]))
    const knownBy = await howKnown(this.reading, checkpoint)
    this.answer({ checkpoint: toDocument(checkpoint), knownBy, tensors: document }, () =>
      renderCheckpoint(checkpoint, tensors, { named, knownBy, now: this.now(), ...this.extent }),
    )
  }

  /** By key; files of other formats have none. */
  private async readTensors(checkpoint: Checkpoint): Promise<Map<string, readonly TensorInfo[]>> {
    const tensors = new Map<string, readonly TensorInfo[]>()
    for (const { key, path } of checkpoint.files) {
      try {
        tensors.set(key, (await this.readFile(path)).tensors)
      } catch (error) {
        // No file of tensors, or a damaged one, which health reports.
        if (!(error instanceof CkptError)) throw error
      }
    }
    return tensors
  }

  private async readFile(path: string): Promise<TensorFile> {
    const file = await openTensors(this.storage, path)
    await file.close()
    return file
  }

  private async showFile(path: string): Promise<void> {
    const file = await this.readFile(path)
    const { metadata, tensors, findings, unsafe } = file
    for (const finding of [...unsafe, ...findings]) this.alert(finding)
    this.answer({ file: path, metadata, tensors: tensors.map(tensorDocument) }, () =>
      renderTensorFile(file, this.extent),
    )
  }

  private async showRun(run: Run): Promise<void> {
    const now = this.now()
    const { checkpoints, size, best, named, warnings } = await overviewOf(this.reading, run, now)
    for (const warning of warnings) this.alert(printable(warning))
    const document = { run: run.path, layouts: layoutsOf(run), checkpoints: checkpoints.map(toDocument), size }
    const latest = checkpoints[0]?.name
    const runName = await readRunName(this.reading, run)
    const { all: settings, unread } = await readHyperParameters(this.reading, run)
    for (const { path, reason } of unread) {
      this.alert(`${printable(path)}: its hyper-parameters could not be read: ${printable(reason)}`)
    }
    const started = { hyperparameters: valuesOf(settings), hyperparameterSources: sourcesOf(settings) }
    this.answer({ ...document, runName, latest, best, named: named.map(namedDocument), ...started }, () => [
      ...renderOverview({ run, runName, checkpoints, size, best, named }, { now, output: this.output }),
      ...renderSettings(settings, run.path, this.extent),
    ])
  }
}

function namedDocument({ pointer, by, checkpoint }: NamedBest) {
  const { label, name, metric = null, value = null } = pointer
  return { label, by, name, metric, value, there: checkpoint !== null }
}

function tensorDocument({ name, dtype, shape, bytes }: TensorInfo) {
  return { name, dtype, shape: plainShape(shape), bytes }
}
