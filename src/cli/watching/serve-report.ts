/** `ckpt report --serve`: the page kept up to date while somebody looks at it. */
import { resolve } from 'node:path'
import { CkptError } from '../../core/errors.js'
import { sleep } from '../../machine/clock.js'
import { isLoopback, PageServer, randomToken, type Answer } from '../../machine/page-server.js'
import { readTokenFile } from '../../machine/token-file.js'
import { toPageJson } from '../../render/json.js'
import { pageAssets } from '../../render/report/assets.js'
import { reportDocument, type ReportView } from '../../render/report/document.js'
import { pagePolicy, renderReportPage, type PageAssets } from '../../render/report/page.js'
import { LiveReport, lookInterval, type LiveSources, type OpenedAll } from './live-report.js'

export interface Serving extends LiveSources {
  readonly host: string
  /** 0: one that is free. */
  readonly port: number
  readonly token: string
  readonly title: string
  readonly onServed: (url: string) => void
}

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
export async function serveReport(first: ReportView, opened: OpenedAll, serving: Serving): Promise<void> {
  const assets = await pageAssets()
  const live = new LiveReport(first, opened, serving)
  const server = await start(live, serving, assets)
  live.onNews = ({ event, data }) => server.tell(event, data)
  serving.onServed(server.url)
  try {
    while (!serving.signal.aborted) {
      await sleep(lookInterval, serving.signal)
      if (server.readers > 0) await live.refresh()
    }
  } finally {
    await server.close()
  }
}

async function start(live: LiveReport, { host, port, token, title }: Serving, assets: PageAssets): Promise<PageServer> {
  const security = { 'content-security-policy': `${pagePolicy(assets, true)}; frame-ancestors 'none'` }
  const page = oncePerView((view) => renderReportPage(reportDocument(view), assets, { title, live: true }))
  const data = oncePerView((view) => toPageJson(reportDocument(view)))
  const answers = new Map<string, () => Promise<Answer>>([
    ['', async () => ({ type: 'text/html; charset=utf-8', body: page(await live.anew()), headers: security })],
    ['data.json', async () => ({ type: 'application/json; charset=utf-8', body: data(await live.fresh()) })],
  ])
  try {
    return await PageServer.start({ host, port, token, answers, events: 'events' })
  } catch (error) {
    throw new CkptError('usage', `cannot listen at ${host}, port ${port}: ${(error as Error).message}`, {
      cause: error,
    })
  }
}

/** However many ask for it, the same view is written once. */
function oncePerView(write: (view: ReportView) => string): (view: ReportView) => Uint8Array {
  let last: { readonly view: ReportView; readonly bytes: Uint8Array } | null = null
  return (view) => {
    if (last?.view !== view) last = { view, bytes: new TextEncoder().encode(write(view)) }
    return last.bytes
  }
}
