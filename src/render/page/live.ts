/** News from the server of a page that is served: an event says that there are some, and then they are fetched. */
import type { ReportData } from '../report/data.js'
import { readData } from './read-data.js'

export function isLive(): boolean {
  return document.querySelector('meta[name="ckpt-live"]') !== null
}

/** `onNews` gets each new state, `onState` what to say of the connection. */
export function followNews(onNews: (data: ReportData) => void, onState: (text: string) => void): void {
  const source = new EventSource('events')
  source.addEventListener('open', () => onState('live'))
  source.addEventListener('error', () => onState('not connected: ckpt report --serve may have ended'))
  source.addEventListener('trouble', ({ data }: MessageEvent<string>) => onState(data))
  source.addEventListener('news', () => {
    void fetchData().then((data) => {
      onNews(data)
      onState(`live, updated ${new Date().toLocaleTimeString()}`)
    }, ignoreFailure)
  })
}

async function fetchData(): Promise<ReportData> {
  const answer = await fetch('data.json', { cache: 'no-store' })
  return readData(await answer.text())
}

/** The connection's own error tells it. */
function ignoreFailure(): void {
  return
}
