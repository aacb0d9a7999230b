/** Carries out what a survey came to: links, copies and downloads, each whole under its name or not there. */
import { dirname, join } from 'node:path'
import { download, ensureDigest, type Network } from './download/index.js'
import { CkptError } from '../errors.js'
import { publishFile, type LongWork } from '../tensors/write/index.js'
import { hardLink, makeFolders } from '../changes/publish/index.js'
import type { RemoteFile } from './sources/index.js'
import { unlinkIfThere, type StateFolder } from '../changes/state/index.js'
import { copyWatched } from '../storage/copy-watched.js'
import { largestIndex } from '../formats/safetensors/weight-map.js'
import type { Stat, Storage } from '../storage/storage.js'
import type { MadeRecord } from './record.js'
import { orFailed, originOf, type Failed, type Item } from './survey.js'
import { Tally } from './combined-progress.js'
import { isShardIndex } from './shards.js'
import { draftName, Workshop } from './download-folder.js'
import { workThrough } from './few-at-a-time.js'

export interface CollectContext {
  readonly storage: Storage
  readonly network: Network
  readonly record: MadeRecord
  /** Of the folder where files are collected. */
  readonly state: StateFolder
  readonly work: LongWork
}

export interface Collected {
  /** All that were given, with their sizes, which a server may not have given before. */
  readonly items: readonly Item[]
  readonly failed: readonly Failed[]
}

/**
 * All that go into `folder` (absolute), which is made. Goes on past one that fails. Throws CkptError `interrupted`,
 * and `refused` where nothing can be remembered.
 */
export async function collect(context: CollectContext, folder: string, items: readonly Item[]): Promise<Collected> {
  const waiting = items.filter(({ action }) => action.kind === 'link' || action.kind === 'download')
  if (waiting.length === 0) return { items, failed: [] }
  const { storage, state, work } = context
  const workshop = new Workshop(storage, state, folder)
  await makeFolders(storage, folder)
  const drafts = await workshop.open()
  const tally = new Tally(
    waiting.map((item) => [item, item.size ?? Infinity] as const),
    work,
  )
  const { firsts, again } = partition(waiting)
  const take = (item: Item, signal: AbortSignal) =>
    orFailed(item.loadable, async () => {
      const collector = new Collector({ ...context, work: { ...tally.of(item), signal } }, item, drafts)
      const first = again.get(item)
      return { item, size: await (first === undefined ? collector.collect() : collector.repeat(first)) }
    })
  const isDownload = ({ action }: Item) => action.kind === 'download'
  const taken = await workThrough(firsts, isDownload, take, work.signal)
  const errors = new Map(taken.flatMap((one) => ('error' in one ? [[one.loadable, one.error]] : [])))
  const repeat = async (item: Item, signal: AbortSignal) => {
    const error = errors.get(again.get(item)?.loadable ?? item.loadable)
    return error === undefined ? take(item, signal) : { loadable: item.loadable, error }
  }
  const repeated = await workThrough([...again.keys()], () => false, repeat, work.signal)
  await workshop.close()
  const all = [...taken, ...repeated]
  const sizes = new Map(all.flatMap((one) => ('error' in one ? [] : [[one.item, one.size]])))
  return {
    items: items.map((item) => ({ ...item, size: sizes.get(item) ?? item.size })),
    failed: all.flatMap((one) => ('error' in one ? [one] : [])),
  }
}

/** What comes from one address, and must be the same bytes, is fetched once: `again` leads to the first of each. */
function partition(items: readonly Item[]): { readonly firsts: readonly Item[]; readonly again: Map<Item, Item> } {
  const byAddress = new Map<string, Item>()
  const again = new Map<Item, Item>()
  for (const item of items) {
    if (item.action.kind !== 'download') continue
    const address = JSON.stringify([item.from, item.digest])
    const first = byAddress.get(address)
    if (first === undefined) byAddress.set(address, item)
    else again.set(item, first)
  }
  return { firsts: items.filter((item) => !again.has(item)), again }
}

class Collector {
  private readonly work: LongWork
  private readonly draft: string

  constructor(
    private readonly context: CollectContext,
    private readonly item: Item,
    drafts: string,
  ) {
    this.work = context.work
    this.draft = join(drafts, draftName(item.from, item.loadable.name))
  }

  /** Gives the size, in bytes. */
  async collect(): Promise<number> {
    const { action, size } = this.item
    if (action.kind === 'download') return this.download(action.file)
    if (action.kind === 'link') return this.link(action)
    return size ?? 0
  }

  /** From the file that the same address was fetched to; fetched anew where that is no longer as it came. */
  async repeat(first: Item): Promise<number> {
    const { storage, record } = this.context
    const before = await statOf(storage, first.path)
    const made = record.of(first.path, before)
    if (made?.origin !== this.item.from) return this.collect()
    await unlinkIfThere(storage, this.draft)
    await this.copy(first.path, before, this.draft)
    await this.publish(this.draft, { origin: made.origin, validator: made.validator })
    this.work.onProgress?.(before.size, before.size)
    return before.size
  }

  private async download(file: RemoteFile): Promise<number> {
    const { storage, network } = this.context
    const { from, name } = this.item
    const bounded = isShardIndex(name) ? { ...file, most: largestIndex } : file
    const partial = await download(storage, network, bounded, this.draft, this.work)
    await this.publish(partial.path, { origin: from, validator: partial.validator })
    await partial.forget()
    return partial.position
  }

  private async link({ link, file }: Item['action'] & { kind: 'link' }): Promise<number> {
    const { storage } = this.context
    const { digest } = this.item
    const { signal, onProgress } = this.work
    if (digest !== null)
      await ensureDigest(storage, file.path, digest, file.path, signal === undefined ? {} : { signal })
    const before = await statOf(storage, file.path)
    const { draft } = this
    await unlinkIfThere(storage, draft)
    if (link === 'symbolic') await storage.symbolicLink(file.path, draft)
    else if (link === 'hard') await hardLink(storage, file.path, draft)
    else await this.copy(file.path, before, draft)
    await this.publish(draft, { origin: originOf(file.path, before), validator: null })
    onProgress?.(before.size, before.size)
    return before.size
  }

  private async copy(from: string, before: Stat, draft: string): Promise<void> {
    const { storage, network } = this.context
    const onBytes = (count: number) => this.work.onProgress?.(count, before.size)
    await copyWatched(storage, from, draft, before.size, { wait: network.wait, onBytes, signal: this.work.signal })
    await storage.setTimes(draft, before.modified, before.modified)
    await storage.syncFile(draft)
    const after = await statOf(storage, from)
    if (after.size === before.size && after.modified === before.modified) return
    await storage.unlink(draft)
    throw new CkptError('refused', `${from}: changed while it was read`, { hint: 'try again once it is saved' })
  }

  /** Remembered, then named. */
  private async publish(draft: string, what: { origin: string; validator: string | null }): Promise<void> {
    const { storage, record } = this.context
    const { path, digest, replaces } = this.item
    const [stat] = await storage.lstat([draft])
    if (stat?.ok !== true) throw stat?.error ?? new CkptError('system', `${draft} is gone`)
    await record.add(path, stat.value, { ...what, digest })
    await publishFile(storage, draft, path, replaces)
    await storage.syncDirectory(dirname(path))
  }
}

async function statOf(storage: Storage, path: string): Promise<Stat> {
  const [stat] = await storage.stat([path])
  if (stat?.ok === true) return stat.value
  throw stat?.error ?? new CkptError('not-found', `${path} is gone`)
}
