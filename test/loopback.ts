/** A server on this machine alone, that serves files as well, or as badly, as it is told. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface Served {
  readonly bytes: Uint8Array
  /** `"…"`; none when left out. */
  readonly etag?: string
  /** False: whatever range is asked for, all is sent. */
  readonly ranges?: boolean
  /** Bytes after which the connection is torn down, for one answer each; later answers are whole. */
  readonly breaks?: number[]
  /** Bytes after which nothing more comes, and the connection stays. */
  readonly stallsAfter?: number
  /** Sent as Content-Length in place of the truth. */
  readonly claims?: number
  readonly headers?: Readonly<Record<string, string>>
}

export interface Seen {
  readonly method: string
  readonly path: string
  readonly headers: IncomingMessage['headers']
}

export type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void

export class Loopback {
  readonly seen: Seen[] = []
  private readonly routes = new Map<string, Served | Handler>()
  private readonly server: Server

  private constructor() {
    this.server = createServer((request, response) => void this.answer(request, response))
  }

  static async start(): Promise<Loopback> {
    const loopback = new Loopback()
    await new Promise<void>((resolve) => loopback.server.listen(0, '127.0.0.1', resolve))
    return loopback
  }

  get origin(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`
  }

  on(path: string, what: Served | Handler): string {
    this.routes.set(path, what)
    return this.origin + path
  }

  /** The paths asked for, with the ranges: `/a bytes=3-`. */
  get asked(): string[] {
    return this.seen.map(({ path, headers }) => [path, headers.range].filter(Boolean).join(' '))
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const parts: Buffer[] = []
    for await (const part of request) parts.push(part as Buffer)
    const path = request.url ?? ''
    this.seen.push({ method: request.method ?? '', path, headers: request.headers })
    const route = this.routes.get(path) ?? this.routes.get(path.replace(/\?.*$/, ''))
    if (route === undefined) response.writeHead(404).end()
    else if (typeof route === 'function') route(request, response, Buffer.concat(parts).toString())
    else serve(route, request, response)
  }
}

export function serve(served: Served, request: IncomingMessage, response: ServerResponse): void {
  const { bytes, etag, ranges = true, breaks = [], stallsAfter, claims, headers = {} } = served
  const unchanged = request.headers['if-range'] === undefined || request.headers['if-range'] === etag
  const [, first, last] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? []
  const start = ranges && unchanged && first !== undefined ? Number(first) : 0
  const isPart = ranges && unchanged && first !== undefined
  const tag = etag === undefined ? {} : { etag }
  if (isPart && start >= bytes.length) {
    response.writeHead(416, { ...tag, ...headers, 'content-range': `bytes */${bytes.length}` }).end()
    return
  }
  const end = isPart && last !== '' ? Math.min(Number(last) + 1, bytes.length) : bytes.length
  const range = isPart ? { 'content-range': `bytes ${start}-${end - 1}/${bytes.length}` } : {}
  const length = { 'content-length': String(claims ?? end - start) }
  response.writeHead(isPart ? 206 : 200, { ...tag, ...headers, ...range, ...length })
  const part = Buffer.from(bytes.subarray(start, end))
  // One byte is only a question for the size.
  const stop = end - start > 1 ? breaks.shift() : undefined
  if (stallsAfter !== undefined && part.length > stallsAfter) response.write(part.subarray(0, stallsAfter))
  else if (stop === undefined) response.end(part)
  else response.write(part.subarray(0, stop), () => setTimeout(() => response.destroy(), 20))
}
