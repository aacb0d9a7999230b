/** What a run was started with, from the files that its programs wrote, and from inside its newest checkpoint. */
import {
  isMeta,
  type Checkpoint,
  type HyperParameter,
  type HyperParameters,
  type MetaValue,
  type Run,
} from '../../checkpoint.js'
import { CkptError, reasonOf, StorageError } from '../../errors.js'
import { parseJson } from '../../formats/text/json.js'
import { sourceOf } from '../../storage/file-source.js'
import type { DirectoryEntry, ReadStorage } from '../../storage/storage.js'
import { compareText, prefixOf } from '../layouts/index.js'
import { flatten } from '../meta/index.js'
import { filesOfKind, isFileOf } from './find-files.js'
import { mlflowRunBeside } from './mlflow.js'
import { foldersUp } from './nearest.js'
import { fileKinds, readMlflowParameter, readWandb, type FileKind } from './sources.js'
import { settingsBesideWeights, settingsIn } from './torch-settings.js'
import { wandbLogIn, wandbRunAt } from './wandb.js'

export interface FoundHyperParameters {
  readonly all: HyperParameters
  /** Files that hold such and could not be read, and why. */
  readonly unread: readonly { readonly path: string; readonly reason: string }[]
}

/** Bytes of a file of settings. */
const largestFile = 4 << 20
/** Bytes of a report of Ray Tune. */
const largestReport = 256 << 10
const lineFeed = 10
/** Parameters of one run of MLflow. */
const mostFiles = 1000
/** Bytes of one of them: MLflow takes 6000 characters (mlflow/utils/validation.py, MAX_PARAM_VAL_LENGTH). */
const largestParameter = 64 << 10

/**
 * Of one name the nearest source decides: the run's folder before those above it, and those before what the newest
 * checkpoint has inside. `storage` may remember listings: none is asked for twice then. Never throws for a file that
 * cannot be read.
 */
export async function readHyperParameters(storage: ReadStorage, run: Run): Promise<FoundHyperParameters> {
  return new Search(storage).of(run)
}

/** A folder that is looked into, and how many folders below it the run lies. */
interface Above {
  readonly folder: string
  /** Absolute. */
  readonly run: string
  readonly above: number
}

class Search {
  private readonly all = new Map<string, HyperParameter>()
  private readonly unread: { path: string; reason: string }[] = []

  constructor(private readonly storage: ReadStorage) {}

  async of({ path, checkpoints }: Run): Promise<FoundHyperParameters> {
    for (const [above, folder] of foldersUp(path).entries()) {
      const [listing] = await this.storage.list([folder])
      if (listing?.ok === true) await this.inFolder({ folder, run: path, above }, listing.value)
    }
    const newest = newestOf(checkpoints)
    if (newest !== undefined) await this.inCheckpoint(newest)
    return { all: this.all, unread: this.unread }
  }

  private add(source: string, value: MetaValue): void {
    for (const [name, one] of flatten(value)) if (!this.all.has(name)) this.all.set(name, { value: one, source })
  }

  private async inFolder(at: Above, entries: readonly DirectoryEntry[]): Promise<void> {
    const { folder, above } = at
    const prefix = prefixOf(folder)
    const names = new Map(entries.map((entry) => [entry.name, entry]))
    for (const kind of fileKinds.filter((one) => above <= one.above)) {
      for (const path of await filesOfKind(this.storage, folder, entries, kind)) {
        await this.file(path, kind.read)
      }
    }
    if (names.has('params') && names.has('meta.yaml')) await this.mlflow(folder)
    if (names.has('mlruns')) {
      const beside = await mlflowRunBeside(this.storage, at)
      if (beside !== null) await this.mlflow(beside)
    }
    if (names.has('result.json') && !names.has('params.json') && above <= 1) await this.rayTune(`${prefix}result.json`)
    if (above <= 1) await this.wandb(folder)
    if (names.has('training_args.bin') && above <= 1) await this.trainingArguments(`${prefix}training_args.bin`)
  }

  private async file(path: string, read: FileKind['read']): Promise<void> {
    const [bytes] = await this.storage.read([path], largestFile)
    if (bytes === undefined) return
    if (!bytes.ok) {
      if (bytes.error.code !== 'not-found') this.unread.push({ path, reason: reasonOf(bytes.error) })
      return
    }
    await this.attempt(path, async () => this.add(path, await read(bytes.value)))
  }

  private async attempt(path: string, work: () => Promise<void>): Promise<void> {
    try {
      await work()
    } catch (error) {
      if (!(error instanceof CkptError)) throw error
      const reason = error instanceof StorageError ? reasonOf(error) : error.message
      if (error.code !== 'not-found') this.unread.push({ path, reason })
    }
  }

  /** A file for each, also in folders: the names may have slashes. */
  private async mlflow(folder: string): Promise<void> {
    const paths: string[] = []
    let folders = [`${prefixOf(folder)}params`]
    for (let depth = 0; depth < 4 && folders.length > 0; depth += 1) {
      const listings = await this.storage.list(folders)
      const below: string[] = []
      folders.forEach((path, index) => {
        const listing = listings[index]
        for (const entry of listing?.ok === true ? listing.value : []) {
          if (entry.kind === 'directory') below.push(`${path}/${entry.name}`)
          else if (entry.kind === 'file') paths.push(`${path}/${entry.name}`)
        }
      })
      folders = below
    }
    const some = paths.sort(compareText).slice(0, mostFiles)
    const texts = await this.storage.read(some, largestParameter)
    texts.forEach((text, index) => {
      const path = some[index] ?? ''
      const name = path.slice(prefixOf(folder).length + 'params/'.length)
      if (text.ok) this.add(path, new Map([[name, readMlflowParameter(text.value)]]))
      else this.unread.push({ path, reason: reasonOf(text.error) })
    })
  }

  /** A report a line, each with the trial's settings, which `params.json` has too (ray/tune/logger/json.py). */
  private async rayTune(path: string): Promise<void> {
    await this.attempt(path, async () => {
      const handle = await this.storage.open(path)
      try {
        const bytes = await sourceOf(handle).read(0, Math.min(handle.size, largestReport))
        const end = bytes.indexOf(lineFeed)
        if (end === -1 && handle.size > largestReport) return
        const report = parseJson(end === -1 ? bytes : bytes.subarray(0, end))
        const settings = isMeta(report) ? report.get('config') : undefined
        if (settings !== undefined) this.add(path, settings)
      } finally {
        await handle.close()
      }
    })
  }

  /** `config.yaml` is written when the run is sent: one that was kept offline has its own log alone. */
  private async wandb(folder: string): Promise<void> {
    const run = await wandbRunAt(this.storage, folder)
    if (run === null) return
    await this.file(`${run}/files/config.yaml`, readWandb)
    await this.attempt(run, async () => {
      const log = await wandbLogIn(this.storage, run)
      if (log !== null) this.add(log.path, log.settings)
    })
  }

  private async trainingArguments(path: string): Promise<void> {
    await this.attempt(path, async () => this.add(path, await settingsIn(this.storage, path)))
  }

  /** Only where no file tells any: that spares another look into the weights' files. */
  private async besideWeights(path: string): Promise<void> {
    for (const settings of await settingsBesideWeights(this.storage, path)) this.add(path, settings)
  }

  private async inCheckpoint(checkpoint: Checkpoint): Promise<void> {
    const known = checkpoint.meta.get('hyper_parameters')
    if (known !== undefined) this.add(checkpoint.path, known)
    if (checkpoint.kind === 'file' && this.all.size === 0) await this.besideWeights(checkpoint.path)
    if (checkpoint.kind !== 'directory') return
    const [listing] = await this.storage.list([checkpoint.path])
    if (listing?.ok !== true) return
    const names = new Set(listing.value.filter(isFileOf(/./)).map(({ name }) => name))
    const prefix = prefixOf(checkpoint.path)
    if (names.has('training_args.bin')) await this.trainingArguments(`${prefix}training_args.bin`)
    for (const { name, inside, read } of fileKinds) {
      if (inside !== undefined) continue
      for (const found of names) if (name.test(found)) await this.file(prefix + found, read)
    }
  }
}

/** By step, else by name: times were not taken yet. */
function newestOf(checkpoints: readonly Checkpoint[]): Checkpoint | undefined {
  return checkpoints.reduce<Checkpoint | undefined>((newest, one) => {
    if (newest === undefined) return one
    const [a, b] = [one.unixtime ?? one.step ?? one.epoch, newest.unixtime ?? newest.step ?? newest.epoch]
    if (a !== null && b !== null && a !== b) return a > b ? one : newest
    return compareText(one.name, newest.name) > 0 ? one : newest
  }, undefined)
}
