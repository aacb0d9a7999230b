/** Carries out what a survey came to: links, copies and downloads, each whole under its name or not there. */
import { dirname, join } from 'node:path'
import { download, ensureDigest, type Network } from '../download/index.js'
import { CkptError, StorageError } from '../errors.js'
import { place, type LongWork } from '../output/index.js'
import { hardLink, makeFolders } from '../placing/index.js'
import type { RemoteFile } from '../sources/index.js'
import { makeInside, neutralName, refuseWithout, removeEmpty, unlinkIfThere, type StateFolder } from '../state/index.js'
import type { Stat, Storage } from '../storage/storage.js'
import type { MadeRecord } from './record.js'
import { originOf, type Failed, type Item } from './survey.js'
import { Tally } from './tally.js'

export interface CollectContext {
  readonly storage: Storage
  readonly network: Network
  readonly record: MadeRecord
  /** Of the folder where files are collected. */
  readonly state: StateFolder
  readonly work: LongWork
}

/** In the state folder: parts of downloads, and what is made before it gets its name. */
const workshop = 'downloads'
/** Milliseconds between two looks at a copy. */
const glance = 100

/**
 * All that go into `folder` (absolute), which is made. Goes on past one that fails; gives those. Throws CkptError
 * `interrupted`, and `refused` where nothing can be remembered.
 */
export async function collect(context: CollectContext, folder: string, items: readonly Item[]): Promise<Failed[]> {
  const waiting = items.filter(({ action }) => action.kind === 'link' || action.kind === 'download')
  if (waiting.length === 0) return []
  const { storage, state } = context
  await makeFolders(storage, folder)
  const drafts = await openWorkshop(context, folder)
  const failed: Failed[] = []
  const tally = new Tally(
    waiting.map((item) => [item, item.size ?? 0] as const),
    context.work,
  )
  for (const item of waiting) {
    try {
      await new Collector(context, item, drafts, tally.of(item)).collect()
    } catch (error) {
      if (!(error instanceof CkptError) || error.code === 'interrupted') throw error
      failed.push({ loadable: item.loadable, error })
    }
  }
  await removeEmpty(storage, state, workshop)
  return failed
}

/** On the file system of the folder, where a name can be given in one step. */
async function openWorkshop({ storage, state }: CollectContext, folder: string): Promise<string> {
  try {
    const inside = await makeInside(storage, state, workshop)
    const [one, other] = await storage.stat([inside, folder])
    if (one?.ok === true && other?.ok === true && one.value.device === other.value.device) return inside
  } catch (error) {
    if (error instanceof StorageError) throw refuseWithout(state, 'what was collected', error)
    throw error
  }
  const hidden = join(folder, `.${neutralName(workshop)}`)
  await storage.makeDirectory(hidden).catch((error: unknown) => {
    if (!(error instanceof StorageError) || error.errno !== 'EEXIST') throw error
  })
  return hidden
}

class Collector {
  constructor(
    private readonly context: CollectContext,
    private readonly item: Item,
    private readonly drafts: string,
    private readonly work: LongWork,
  ) {}

  async collect(): Promise<void> {
    const { action } = this.item
    if (action.kind === 'download') await this.download(action.file)
    if (action.kind === 'link') await this.link(action)
  }

  private async download(file: RemoteFile): Promise<void> {
    const { storage, network } = this.context
    const { from } = this.item
    const partial = await download(storage, network, file, join(this.drafts, neutralName(from)), this.work)
    await this.place(partial.path, { origin: from, validator: partial.validator })
    await partial.forget()
  }

  private async link({ link, file }: Item['action'] & { kind: 'link' }): Promise<void> {
    const { storage } = this.context
    const { digest, path } = this.item
    const { signal, onProgress } = this.work
    if (digest !== null)
      await ensureDigest(storage, file.path, digest, file.path, signal === undefined ? {} : { signal })
    const before = await statOf(storage, file.path)
    const draft = join(this.drafts, neutralName(path))
    await unlinkIfThere(storage, draft)
    if (link === 'symbolic') await storage.symbolicLink(file.path, draft)
    else if (link === 'hard') await hardLink(storage, file.path, draft)
    else await this.copy(file.path, before, draft)
    await this.place(draft, { origin: originOf(file.path, before), validator: null })
    onProgress?.(before.size, before.size)
  }

  private async copy(from: string, before: Stat, draft: string): Promise<void> {
    const { storage } = this.context
    await this.watch(storage.copyFile(from, draft), draft, before.size)
    await storage.setTimes(draft, before.modified, before.modified)
    await storage.syncFile(draft)
    const after = await statOf(storage, from)
    if (after.size === before.size && after.modified === before.modified) return
    await storage.unlink(draft)
    throw new CkptError('refused', `${from}: changed while it was read`, { hint: 'try again once it is saved' })
  }

  /** The system copies by itself; how far it is, the growing file tells. */
  private async watch(copying: Promise<void>, draft: string, size: number): Promise<void> {
    const { storage, network } = this.context
    const end = copying.then(() => true)
    while (!(await Promise.race([end, network.wait(glance).then(() => false)]))) {
      const [stat] = await storage.lstat([draft])
      if (stat?.ok === true) this.work.onProgress?.(stat.value.size, size)
    }
  }

  /** Remembered, then named. */
  private async place(draft: string, what: { origin: string; validator: string | null }): Promise<void> {
    const { storage, record } = this.context
    const { path, digest, replaces } = this.item
    const [stat] = await storage.lstat([draft])
    if (stat?.ok !== true) throw stat?.error ?? new CkptError('system', `${draft} is gone`)
    await record.add(path, stat.value, { ...what, digest })
    await place(storage, draft, path, replaces)
    await storage.syncDirectory(dirname(path))
  }
}

async function statOf(storage: Storage, path: string): Promise<Stat> {
  const [stat] = await storage.stat([path])
  if (stat?.ok === true) return stat.value
  throw stat?.error ?? new CkptError('not-found', `${path} is gone`)
}
