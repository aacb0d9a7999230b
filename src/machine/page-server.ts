/**
 * A page of this program's own, served to any browser that has its address: read only, behind a token in the path,
 * and closed to other sites (docs/security.md, "A page that is served").
 */
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { isIP, type AddressInfo } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'

/** What a path of the page gives. */
export interface Answer {
  readonly type: string
  readonly body: Uint8Array
  readonly headers?: Readonly<Record<string, string>>
}

export interface PageServerOptions {
  readonly host: string
  /** 0: one that is free. */
  readonly port: number
  readonly token: string
  /** By path below the token: `` and `data.json`. A rejection is reported as status 500. */
  readonly answers: ReadonlyMap<string, () => Promise<Answer>>
  /** The path below the token whose readers get events. */
  readonly events: string
  /** Called when a reader of events connects. */
  readonly onReader?: () => void
}

/** Bytes that wait for a reader of events; one that is slower is let go, and comes again by itself. */
const mostWaiting = 64 << 10
/** Milliseconds between two signs of life, so that no proxy takes the silence for an end. */
const heartbeat = 15_000
/** Milliseconds that a client has for what it asks. */
const patience = 10_000
const mostConnections = 1000

const always: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
}

export function randomToken(): string {
  return randomBytes(24).toString('base64url')
}

/** True for a name or an address that leads to this machine alone. */
export function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true
  return isIP(host) === 4 && host.startsWith('127.')
}

export class PageServer {
  readonly #server: Server
  readonly #readers = new Set<ServerResponse>()
  readonly #digest: Buffer
  readonly #heart: NodeJS.Timeout
  #names: readonly string[] = []

  private constructor(private readonly options: PageServerOptions) {
    this.#digest = digestOf(options.token)
    // Without a Host it is refused like any that has another one.
    const strictness = { maxHeaderSize: 16 << 10, requireHostHeader: false }
    this.#server = createServer({ ...strictness, headersTimeout: patience, requestTimeout: patience })
    this.#server.maxConnections = mostConnections
    const onRequest = (request: IncomingMessage, response: ServerResponse) => void this.#answer(request, response)
    this.#server.on('request', onRequest)
    this.#server.on('checkContinue', onRequest)
    this.#server.on('checkExpectation', onRequest)
    this.#server.on('clientError', (_, socket) => socket.destroy())
    this.#heart = setInterval(() => this.#write(': alive\n\n'), heartbeat)
  }

  /** Rejects where the address cannot be had. */
  static async start(options: PageServerOptions): Promise<PageServer> {
    const one = new PageServer(options)
    await new Promise<void>((resolve, reject) => {
      one.#server.once('error', reject)
      one.#server.listen(options.port, options.host, () => {
        one.#server.off('error', reject)
        resolve()
      })
    }).catch((error: unknown) => {
      clearInterval(one.#heart)
      throw error
    })
    one.#names = namesOf(options.host, one.port)
    return one
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  get url(): string {
    return `http://${this.#names[0] ?? ''}/${this.options.token}/`
  }

  /** How many follow the events. */
  get readers(): number {
    return this.#readers.size
  }

  /** To all who follow. `data` has no line break. */
  tell(event: string, data: string): void {
    this.#write(`event: ${event}\ndata: ${data.replace(/[\r\n]+/g, ' ')}\n\n`)
  }

  async close(): Promise<void> {
    clearInterval(this.#heart)
    for (const reader of this.#readers) reader.end()
    await new Promise<void>((resolve) => {
      this.#server.close(() => resolve())
      this.#server.closeAllConnections()
    })
  }

  #write(text: string): void {
    for (const reader of this.#readers) {
      reader.write(text)
      if (reader.writableLength > mostWaiting) reader.destroy()
    }
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refusal = this.#refusalOf(request)
    if (refusal !== null) {
      refuse(response, refusal)
      return
    }
    const path = pathBelow(request.url ?? '')
    if (path === this.options.events) {
      this.#follow(request, response)
      return
    }
    const answer = this.options.answers.get(path)
    if (answer === undefined) {
      refuse(response, 404)
      return
    }
    try {
      const { type, body, headers = {} } = await answer()
      response.writeHead(200, { ...always, ...headers, 'content-type': type, 'content-length': body.length })
      response.end(request.method === 'HEAD' ? undefined : body)
    } catch {
      refuse(response, 500)
    }
  }

  /** The status of what is refused; null for what may be answered. */
  #refusalOf({ method, headers, headersDistinct, url = '' }: IncomingMessage): number | null {
    const { origin } = headers
    const isOurs = (name: string) => this.#names.includes(name.toLowerCase())
    // Of several, others may go by another one than we.
    const [host = '', ...otherHosts] = headersDistinct['host'] ?? []
    if (!isOurs(host) || otherHosts.length > 0) return 403
    if (origin !== undefined && !(origin.startsWith('http://') && isOurs(origin.slice('http://'.length)))) return 403
    if (isForeign(headers)) return 403
    const [, token = ''] = url.split('/')
    if (!timingSafeEqual(digestOf(token), this.#digest)) return 403
    return method === 'GET' || method === 'HEAD' ? null : 405
  }

  #follow(request: IncomingMessage, response: ServerResponse): void {
    response.writeHead(200, { ...always, 'content-type': 'text/event-stream' })
    if (request.method === 'HEAD') {
      response.end()
      return
    }
    response.write('retry: 1000\n\n')
    this.#readers.add(response)
    response.on('close', () => this.#readers.delete(response))
    response.on('error', () => this.#readers.delete(response))
    this.options.onReader?.()
  }
}

/** Equal lengths, so that comparing tells nothing. */
function digestOf(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}

/** What a browser says of a request that another site has made it send; to follow a link to the page is none. */
function isForeign(headers: IncomingMessage['headers']): boolean {
  const site = headers['sec-fetch-site']
  if (site === undefined || site === 'same-origin' || site === 'none') return false
  return headers['sec-fetch-mode'] !== 'navigate' || headers['sec-fetch-dest'] !== 'document'
}

/** Behind the token's slash, without a query; undefined names nothing. */
function pathBelow(url: string): string {
  const at = url.indexOf('/', 1)
  return at === -1 ? 'no slash behind the token' : url.slice(at + 1)
}

function refuse(response: ServerResponse, status: number): void {
  const text = `${status}\n`
  const allow = status === 405 ? { allow: 'GET, HEAD' } : {}
  const connection = { connection: 'close' }
  response.writeHead(status, {
    ...always,
    ...allow,
    ...connection,
    'content-type': 'text/plain',
    'content-length': text.length,
  })
  response.end(text)
}

/** What the address may be called, with its port; the first is the one to print. */
function namesOf(host: string, port: number): string[] {
  const names = isLoopback(host) ? [host, 'localhost'] : ownNames(host)
  return [...new Set(names)].map((name) => `${name.includes(':') ? `[${name}]` : name.toLowerCase()}:${port}`)
}

/** Of an address that others reach: what was asked for, and what this machine is called; `0.0.0.0` is not a name to call. */
function ownNames(host: string): string[] {
  const addresses = Object.values(networkInterfaces()).flatMap((all = []) => all.map(({ address }) => address))
  const isAny = host === '0.0.0.0' || host === '::'
  return isAny ? [hostname(), 'localhost', ...addresses] : [host, hostname()]
}
