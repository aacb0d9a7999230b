/** `ckpt report --serve`: the page kept up to date while somebody looks at it. */
import { resolve } from 'node:path'
import { CkptError, reasonOf, StorageError } from '../core/errors.js'
import type { ReadStorage } from '../core/storage/storage.js'
import { sleep } from '../machine/clock.js'
import { isLoopback, PageServer, randomToken, type Answer } from '../machine/page-server.js'
import { readTokenFile } from '../machine/token-file.js'
import { toPageJson } from '../render/json.js'
import { pageAssets } from '../render/report/assets.js'
import { reportDocument, type ReportView } from '../render/report/document.js'
import { pagePolicy, renderReportPage, type PageAssets } from '../render/report/page.js'

export interface Serving {
  readonly storage: ReadStorage
  readonly host: string
  /** 0: one that is free. */
  readonly port: number
  readonly token: string
  readonly title: string
  /** Ends it. */
  readonly signal: AbortSignal
  readonly gather: () => Promise<ReportView>
  /** Paths of the runs that there are now. */
  readonly runsNow: () => Promise<readonly string[]>
  readonly onServed: (url: string) => void
}

/** Milliseconds between two looks: what is new is reported within two seconds. */
const interval = 500
/** Looking for runs takes at most this part of the time. */
const share = 0.1

/**
 * The token of the address: of the file, else a random one. Throws CkptError `refused` where others on the network could
 * reach the page and no file was named.
 */
export function tokenFor(host: string, tokenFile: string | undefined): string {
  if (tokenFile !== undefined) return readTokenFile(resolve(tokenFile))
  if (isLoopback(host)) return randomToken()
  throw new CkptError('refused', `--host ${host}: others on the network could reach the page`, {
    hint: 'name a secret that you have chosen: --token-file FILE; or go through ssh -L',
  })
}

/** Resolves when the signal has ended it. Throws CkptError `usage` where the address cannot be had. */
export async function serveReport(first: ReportView, serving: Serving): Promise<void> {
  const assets = await pageAssets()
  const live = new LiveReport(first, serving, assets)
  const server = await start(live, serving, assets)
  live.onNews = ({ event, data }) => server.tell(event, data)
  serving.onServed(server.url)
  try {
    while (!serving.signal.aborted) {
      await sleep(interval, serving.signal)
      if (server.readers > 0) await live.refresh()
    }
  } finally {
    await server.close()
  }
}

async function start(live: LiveReport, { host, port, token }: Serving, assets: PageAssets): Promise<PageServer> {
  const security = { 'content-security-policy': `${pagePolicy(assets, true)}; frame-ancestors 'none'` }
  const answers = new Map<string, () => Promise<Answer>>([
    ['', async () => ({ type: 'text/html; charset=utf-8', body: await live.page(), headers: security })],
    ['data.json', async () => ({ type: 'application/json; charset=utf-8', body: await live.data() })],
  ])
  try {
    return await PageServer.start({ host, port, token, answers, events: 'events' })
  } catch (error) {
    throw new CkptError('usage', `cannot listen at ${host}, port ${port}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

interface News {
  readonly event: 'news' | 'trouble'
  readonly data: string
}

class LiveReport {
  /** Whoever's request it was that came upon them, all readers are told. */
  onNews: (news: News) => void = () => undefined
  #view: ReportView
  /** None yet: nobody knows what has changed since the first report was made. */
  #stamps: Stamps | null = null
  #runs: readonly string[]
  #page: Uint8Array | null = null
  #data: Uint8Array | null = null
  #trouble: string | null = null
  #refreshing: Promise<void> | null = null
  #checked = 0
  #nextWalk = 0

  constructor(
    first: ReportView,
    private readonly serving: Serving,
    private readonly assets: PageAssets,
  ) {
    this.#view = first
    this.#runs = pathsOf(first)
  }

  async page(): Promise<Uint8Array> {
    await this.#beFresh()
    const options = { title: this.serving.title, live: true }
    return (this.#page ??= encode(renderReportPage(reportDocument(this.#view), this.assets, options)))
  }

  async data(): Promise<Uint8Array> {
    await this.#beFresh()
    return (this.#data ??= encode(toPageJson(reportDocument(this.#view))))
  }

  /** Nobody may have looked for long. */
  async #beFresh(): Promise<void> {
    if (performance.now() - this.#checked > interval) await this.refresh()
  }

  /** Looks for what is new. However many ask, one looks. */
  async refresh(): Promise<void> {
    this.#refreshing ??= this.#look().finally(() => {
      this.#refreshing = null
      this.#checked = performance.now()
    })
    return this.#refreshing
  }

  async #look(): Promise<void> {
    const news = await this.#news()
    if (news !== null) this.onNews(news)
  }

  /** Null where nothing is new. */
  async #news(): Promise<News | null> {
    try {
      const before = await stampsOf(this.serving.storage, this.#view)
      const isSame = this.#stamps !== null && areAlike(before, this.#stamps)
      if (isSame && !(await this.#hasOtherRuns())) return null
      this.#view = await this.serving.gather()
      this.#runs = pathsOf(this.#view)
      // What changed while it was gathered is news the next time: of what was looked at before, that look counts.
      this.#stamps = new Map([...(await stampsOf(this.serving.storage, this.#view)), ...before])
      this.#page = null
      this.#data = null
      this.#trouble = null
      return { event: 'news', data: String(this.#view.made) }
    } catch (error) {
      return this.#tellTrouble(error)
    }
  }

  /** A run that appears changes nothing that is known: the folders are walked. */
  async #hasOtherRuns(): Promise<boolean> {
    const began = performance.now()
    if (began < this.#nextWalk) return false
    const now = await this.serving.runsNow()
    const ended = performance.now()
    this.#nextWalk = ended + (ended - began) / share
    return now.join('\n') !== this.#runs.join('\n')
  }

  /** What was there stays to be seen; the same trouble is reported once. */
  #tellTrouble(error: unknown): News | null {
    if (!(error instanceof CkptError)) throw error
    const text = error instanceof StorageError ? reasonOf(error) : error.message
    if (this.serving.signal.aborted || text === this.#trouble) return null
    this.#trouble = text
    return { event: 'trouble', data: text }
  }
}

function pathsOf({ runs }: ReportView): string[] {
  return runs.map(({ report }) => report.run.path)
}

type Stamps = ReadonlyMap<string, string>

/** By path. They change with what appears in a run, goes from it, or grows: its folder, its checkpoints, its logs, its journal. */
async function stampsOf(storage: ReadStorage, { runs }: ReportView): Promise<Stamps> {
  const paths = runs.flatMap(({ report: { run, curves, checkpoints, state } }) => [
    run.path,
    state,
    ...checkpoints.flatMap(({ members, files }) => [...members, ...files].map(({ path }) => path)),
    ...curves.flatMap((along) => along.curves.flatMap(({ logs }) => logs)),
  ])
  const unique = [...new Set(paths)]
  const stats = await storage.stat(unique)
  return new Map(
    stats.map((stat, index) => [
      unique[index] ?? '',
      stat.ok ? `${stat.value.inode}:${stat.value.size}:${stat.value.modified}` : stat.error.code,
    ]),
  )
}

/** `known` may tell of more. */
function areAlike(now: Stamps, known: Stamps): boolean {
  return [...now].every(([path, stamp]) => known.get(path) === stamp)
}

function encode(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
