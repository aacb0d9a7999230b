/** Runs of MLflow's file store (mlflow/store/tracking/file_store.py) in a folder `mlruns` that is not around the checkpoints. */
import { resolve } from 'node:path'
import type { ReadStorage } from '../../storage/storage.js'
import { prefixOf } from '../layouts/index.js'

/** Of more, none is looked for: each run of a sweep beside them asks for all of them. */
const mostRuns = 100
/** Bytes of a `meta.yaml`, and of a path. */
const largest = 64 << 10
/** Folders above the checkpoints where a lone run is taken for theirs: a program in `.` that saves into `./exp/checkpoints`. */
const aboveOfLone = 2

interface MlflowRun {
  /** Absolute. */
  readonly path: string
  readonly startTime: number
  /** The parameter `output_dir`, which transformers' callback logs. */
  readonly output: string | null
}

/**
 * The one in `<folder>/mlruns` that wrote the checkpoints in `run`, which is the folder or lies `above` folders below
 * it: the newest that names it as its output, else the only one, else in the run's own folder the newest. Null where
 * several may have.
 */
export async function mlflowRunBeside(
  storage: ReadStorage,
  { folder, run, above }: { readonly folder: string; readonly run: string; readonly above: number },
): Promise<string | null> {
  const root = `${prefixOf(folder)}mlruns`
  if (isAtOrBelow(run, root)) return null
  const all = await runsBelow(storage, root)
  const isNamed = ({ output }: MlflowRun) => {
    if (output === null) return false
    const named = resolve(folder, output)
    return named !== folder && isAtOrBelow(run, named)
  }
  const named = all.filter(isNamed)
  const [newest] = (named.length > 0 ? named : unnamed(all, above)).sort((a, b) => b.startTime - a.startTime)
  return newest?.path ?? null
}

/** Those that may have written the checkpoints though none says so. */
function unnamed(all: readonly MlflowRun[], above: number): MlflowRun[] {
  if (above === 0) return [...all]
  return all.length === 1 && above <= aboveOfLone ? all.filter(({ output }) => output === null) : []
}

function isAtOrBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(prefixOf(folder))
}

/** The same for who has not listed the folder. */
export async function mlflowRunIn(
  storage: ReadStorage,
  at: { readonly folder: string; readonly run: string; readonly above: number },
): Promise<string | null> {
  const [listing] = await storage.list([at.folder])
  const isThere = listing?.ok === true && listing.value.some(({ name }) => name === 'mlruns')
  return isThere ? mlflowRunBeside(storage, at) : null
}

async function runsBelow(storage: ReadStorage, root: string): Promise<MlflowRun[]> {
  const folders = await foldersIn(storage, await foldersIn(storage, [root]))
  if (folders.length > mostRuns) return []
  const files = (name: string) => folders.map((path) => `${path}/${name}`)
  const metas = await textsOf(storage, files('meta.yaml'))
  const outputs = await textsOf(storage, files('params/output_dir'))
  return folders.flatMap((path, index) => {
    const meta = metas[index] ?? null
    if (meta === null || !/^run_(id|uuid):/m.test(meta) || /^lifecycle_stage: *deleted/m.test(meta)) return []
    const startTime = Number(/^start_time: *(\d+)/m.exec(meta)?.[1] ?? 0)
    return [{ path, startTime, output: outputs[index]?.trim() ?? null }]
  })
}

async function foldersIn(storage: ReadStorage, parents: readonly string[]): Promise<string[]> {
  const listings = await storage.list(parents)
  return listings.flatMap((listing, index) => {
    if (!listing.ok) return []
    const folders = listing.value.filter(({ name, kind }) => kind === 'directory' && !name.startsWith('.'))
    return folders.map(({ name }) => `${parents[index] ?? ''}/${name}`)
  })
}

async function textsOf(storage: ReadStorage, paths: readonly string[]): Promise<(string | null)[]> {
  const contents = await storage.read(paths, largest)
  return contents.map((bytes) => (bytes.ok ? new TextDecoder().decode(bytes.value) : null))
}
