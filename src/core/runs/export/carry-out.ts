/** The new folder: planned files copied, tensors written anew, and all of it under its name at once. */
import { basename, dirname, join, sep } from 'node:path'
import type { Checkpoint } from '../../checkpoint.js'
import { CkptError, isUnreadable, StorageError } from '../../errors.js'
import { makeFolders, publishFolder } from '../../changes/publish/index.js'
import type { Dtype } from '../../formats/safetensors/safetensors.js'
import { copyWatched, type CopyWatch } from '../../storage/copy-watched.js'
import type { Wait } from '../../storage/retry.js'
import type { Identity, Storage } from '../../storage/storage.js'
import { convert, planConversion, type Conversion, type ConvertOptions } from '../../tensors/convert/index.js'
import { torchNameOf, type TensorFile, openSafely, readingNamed } from '../../tensors/read/index.js'
import type { LongWork, OutputFormat, WrittenOutput } from '../../tensors/write/index.js'
import { isWeightsName } from './hub.js'
import { modelCard } from './model-card.js'
import type { ExportItem, ExportPlan } from './plan.js'

export interface OpenOptions {
  readonly format: OutputFormat
  /** Of one set of weights, by its path in the new folder. */
  readonly conversion: ConvertOptions
  /** The dtype of all weights; configurations that name one are made to say it. */
  readonly dtype?: Dtype | undefined
}

/** An export whose files of tensors are open. */
export interface OpenExport {
  readonly plan: ExportPlan
  readonly conversions: ReadonlyMap<string, Conversion>
  /** Files that are written as text, by their paths in the new folder. */
  readonly texts: ReadonlyMap<string, string>
  close(): Promise<void>
}

/** Opens what is to be converted. Throws as `openSafely` and `planConversion` do, and then nothing stays open. */
export async function openExport(
  storage: Storage,
  checkpoint: Checkpoint,
  plan: ExportPlan,
  { format, conversion, dtype }: OpenOptions,
): Promise<OpenExport> {
  const open: TensorFile[] = []
  const close = async (): Promise<void> => {
    for (const file of open) await file.close()
  }
  try {
    const conversions = new Map<string, Conversion>()
    for (const item of plan.items) {
      if (item.kind !== 'converted') continue
      const file = await openSafely(storage, item.from)
      open.push(file)
      conversions.set(item.to, await planConversion(file, format, { ...conversion, keysBeside: item.keysBeside }))
    }
    return { plan, conversions, texts: await textsOf(storage, checkpoint, plan, dtype), close }
  } catch (error) {
    await close()
    throw error
  }
}

export interface WriteExportOptions extends LongWork {
  readonly wait: Wait
  /** Adds to a folder that is not empty; weights that lie in it go. */
  readonly force: boolean
  readonly strictCast?: boolean | undefined
  readonly shardSize?: number | undefined
  /** Reads every file through the storage in place of sharing its blocks: hooks stand before some. */
  readonly readsThrough: boolean
}

export interface WrittenFile {
  /** From the new folder on. */
  readonly path: string
  /** Absolute; null for what comes from no single file. */
  readonly from: string | null
  readonly how: 'copied' | 'converted' | 'written'
  readonly bytes: number
}

export interface WrittenExport {
  readonly files: readonly WrittenFile[]
  readonly outputs: readonly WrittenOutput[]
  /** Weights of an earlier export that are there no more: paths in the folder. */
  readonly removed: readonly string[]
  readonly bytes: number
}

/** Where several files are the weights already, or will be: as transformers splits them. */
const usualShard = 5e9

/**
 * Makes the folder `into` (absolute). Throws as `publishFolder` and `convert` do, and CkptError `refused` where a file
 * changed while it was read, `unreadable` where the system refuses to read on; then nothing is there that was not there before.
 */
export async function writeExport(
  storage: Storage,
  { plan, conversions, texts }: OpenExport,
  into: string,
  options: WriteExportOptions,
): Promise<WrittenExport> {
  const { wait, force, signal } = options
  return publishFolder(
    storage,
    into,
    async (building) => {
      const removed = force ? await removeEarlier(storage, building, plan, texts) : []
      const pace = new Steps(plan.items, conversions, options)
      const files: WrittenFile[] = []
      const outputs: WrittenOutput[] = []
      for (const item of plan.items) {
        const target = join(building, item.to)
        await makeFolders(storage, dirname(target))
        const text = texts.get(item.to)
        if (text !== undefined) files.push(await writeText(storage, building, item.to, text, item.from))
        else if (item.kind === 'copied') {
          const { onProgress } = pace.within()
          const watch: CopyWatch = { wait, onBytes: (count) => onProgress?.(count, item.bytes), signal }
          await readingNamed(item.from, () => copyUnchanged(storage, item, target, options.readsThrough, watch))
          files.push({ path: item.to, from: item.from, how: 'copied', bytes: item.bytes })
        } else {
          const written = await writeTensors(storage, item, conversions, target, { ...options, ...pace.within() })
          outputs.push(written)
          files.push(...(await sizesOf(storage, building, written, item.from)))
        }
        pace.next(item)
      }
      const planned = new Set(plan.items.map(({ to }) => to))
      for (const [to, text] of texts) {
        if (!planned.has(to)) files.push(await writeText(storage, building, to, text, null))
      }
      return { files, outputs, removed, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) }
    },
    { wait, adds: force, signal },
  )
}

async function writeTensors(
  storage: Storage,
  item: Extract<ExportItem, { kind: 'converted' }>,
  conversions: ReadonlyMap<string, Conversion>,
  target: string,
  { shardSize, strictCast = false, signal, onProgress }: WriteExportOptions,
): Promise<WrittenOutput> {
  const conversion = conversions.get(item.to)
  if (conversion === undefined) throw new RangeError(`${item.to} was not opened`)
  const work = { ...(signal === undefined ? {} : { signal }), ...(onProgress === undefined ? {} : { onProgress }) }
  const size = shardSize ?? (item.isSharded ? usualShard : undefined)
  return readingNamed(item.from, () => convert(storage, conversion, target, { ...work, strictCast, shardSize: size }))
}

async function sizesOf(
  storage: Storage,
  building: string,
  { files }: WrittenOutput,
  from: string,
): Promise<WrittenFile[]> {
  const stats = await storage.stat(files)
  return files.map((path, index) => {
    const stat = stats[index]
    const bytes = stat?.ok === true ? stat.value.size : 0
    return { path: path.slice(building.length + sep.length), from, how: 'converted' as const, bytes }
  })
}

/** The same bytes at `to`. Throws CkptError `refused` where they changed meanwhile. */
async function copyUnchanged(
  storage: Storage,
  { from, only }: ExportItem,
  to: string,
  readsThrough: boolean,
  watch: CopyWatch,
): Promise<void> {
  const before = await lookAt(storage, from)
  if (readsThrough || only !== undefined || !(await isCopiedAtOnce(storage, from, to, before.size, watch))) {
    await copyByReading(storage, from, to, watch, only)
  }
  const after = await lookAt(storage, from)
  if (before.size === after.size && before.modified === after.modified && before.inode === after.inode) return
  throw new CkptError('refused', `${from}: changed while it was read: ${before.size} bytes, then ${after.size}`, {
    hint: 'try again once it is saved',
  })
}

/** False where the system broke off: it does not say on which side, which reading and writing apart does. */
async function isCopiedAtOnce(
  storage: Storage,
  from: string,
  to: string,
  size: number,
  watch: CopyWatch,
): Promise<boolean> {
  try {
    await copyWatched(storage, from, to, size, watch)
    return true
  } catch (error) {
    if (!(error instanceof StorageError) || !isUnreadable(error.errno)) throw error
    await storage.unlink(to).catch((second: unknown) => {
      if (!(second instanceof StorageError) || second.code !== 'not-found') throw second
    })
    return false
  }
}

async function lookAt(storage: Storage, path: string) {
  const [stat] = await storage.stat([path])
  if (stat?.ok !== true) throw stat?.error ?? new StorageError(path, 'ENOENT', `${path}: nothing there`)
  return stat.value
}

/** Bytes that are read before the next are reported. */
const stride = 1 << 26

/** `only`: nothing but this very file, whatever its name has come to lead to. */
async function copyByReading(
  storage: Storage,
  from: string,
  to: string,
  { onBytes }: CopyWatch,
  only?: Identity,
): Promise<void> {
  const source = await storage.open(from)
  try {
    const { device, inode, mode } = await source.stat()
    if (only !== undefined && (device !== only.device || inode !== only.inode)) {
      throw new CkptError('refused', `${from}: another file took its place after it was looked at`, {
        hint: 'see who changes the run, then try again',
      })
    }
    const target = await (only === undefined ? storage.create(to) : storage.create(to, mode & 0o777))
    try {
      for (let at = 0; at < source.size; at += stride) {
        await target.copyFrom(source, at, Math.min(stride, source.size - at))
        onBytes(Math.min(at + stride, source.size))
      }
    } finally {
      await target.close()
    }
  } finally {
    await source.close()
  }
}

async function writeText(
  storage: Storage,
  building: string,
  to: string,
  text: string,
  from: string | null,
): Promise<WrittenFile> {
  const bytes = new TextEncoder().encode(text)
  const handle = await storage.create(join(building, to))
  try {
    await handle.write(bytes)
  } finally {
    await handle.close()
  }
  return { path: to, from, how: 'written', bytes: bytes.length }
}

/** What an earlier export left: files whose names are taken, and weights, which loaders might take before the new ones. */
async function removeEarlier(
  storage: Storage,
  building: string,
  { items }: ExportPlan,
  texts: ReadonlyMap<string, string>,
): Promise<string[]> {
  const folders = new Set(['.', ...items.map(({ to }) => dirname(to))])
  const taken = new Set([...items.map(({ to }) => to), ...texts.keys()])
  const removed: string[] = []
  for (const folder of folders) {
    const [listed] = await storage.list([join(building, folder)])
    for (const { name, kind } of listed?.ok === true ? listed.value : []) {
      const path = folder === '.' ? name : `${folder}/${name}`
      if (kind === 'directory' || !(taken.has(path) || isWeightsName(name))) continue
      await storage.unlink(join(building, path))
      if (!taken.has(path)) removed.push(path)
    }
  }
  return removed.sort()
}

/** Files that are not as they were: configurations that name the dtype, and a card where there is none. */
async function textsOf(
  storage: Storage,
  checkpoint: Checkpoint,
  { items }: ExportPlan,
  dtype: Dtype | undefined,
): Promise<Map<string, string>> {
  const configs = items.filter(({ to }) => /^(?:adapter_)?config\.json$/.test(basename(to)))
  const read = await storage.read(
    configs.map(({ from }) => from),
    largestConfig,
  )
  const texts = new Map<string, string>()
  const parsed: Record<string, unknown>[] = []
  for (const [index, { to }] of configs.entries()) {
    const bytes = read[index]
    if (bytes?.ok !== true) continue
    const text = new TextDecoder().decode(bytes.value)
    parsed.push(parseObject(text))
    const changed = dtype === undefined ? text : withDtype(text, dtype)
    if (changed !== text) texts.set(to, changed)
  }
  const files = items.map(({ to }) => to)
  if (!files.includes('README.md')) texts.set('README.md', modelCard(checkpoint, { files, configs: parsed }))
  return texts
}

const largestConfig = 16 << 20

function parseObject(text: string): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? { ...value } : {}
  } catch {
    return {}
  }
}

/** In the text as it is written, for nothing else of it may change. `dtype` since transformers 5, `torch_dtype` before. */
function withDtype(text: string, dtype: Dtype): string {
  const name = torchNameOf(dtype)
  if (name === undefined) return text
  return text.replace(/("(?:torch_)?dtype"\s*:\s*)"(?:torch\.)?(?:b?float|half|double)\w*"/g, `$1"${name}"`)
}

/** Progress over all files, as one. */
class Steps {
  #done = 0
  readonly #total: number

  constructor(
    items: readonly ExportItem[],
    private readonly conversions: ReadonlyMap<string, Conversion>,
    private readonly work: LongWork,
  ) {
    this.#total = items.reduce((sum, item) => sum + this.#sizeOf(item), 0)
  }

  within(): LongWork {
    const done = this.#done
    return { onProgress: (bytes) => this.work.onProgress?.(done + bytes, this.#total) }
  }

  /** Throws CkptError `interrupted`. */
  next(item: ExportItem): void {
    this.#done += this.#sizeOf(item)
    this.work.onProgress?.(this.#done, this.#total)
    if (this.work.signal?.aborted === true) {
      throw new CkptError('interrupted', 'it was interrupted; nothing was written')
    }
  }

  #sizeOf(item: ExportItem): number {
    if (item.kind === 'copied') return item.bytes
    return (this.conversions.get(item.to)?.tensors ?? []).reduce((sum, { bytes }) => sum + bytes, 0)
  }
}
