/** One request, with its redirects followed; tried again while that may help. */
import { responseError, connectionError, interrupted, TransientError } from './connection-errors.js'
import { CkptError } from '../../errors.js'
import type { Network, Resource } from './network.js'
import { ensureTrusted, leadsInside, shownUrl } from './url.js'

export interface RequestOptions {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | null
  readonly signal?: AbortSignal | null | undefined
}

const mostRedirects = 10
const redirects = new Set([301, 302, 303, 307, 308])

/**
 * The answer, whatever its status. A token goes to the resource's own origin and to no other, be it only another
 * port, and not again to the first once a redirect has led away from it. Throws CkptError: `refused` (see
 * `ensureTrusted`), `interrupted`, `system` for a connection that fails, `damaged` for an answer that is compressed.
 */
export async function request(network: Network, resource: Resource, options: RequestOptions = {}): Promise<Response> {
  let { url, token } = resource
  const insecure = network.insecure === true
  ensureTrusted(url, insecure)
  for (let count = 0; count <= mostRedirects; count += 1) {
    const response = await send(network, url, token, options)
    const location = redirects.has(response.status) ? response.headers.get('location') : null
    if (location === null) return ensurePlain(response, url)
    await response.body?.cancel()
    const next = follow(url, location)
    ensureFollowed(resource, url, next, insecure)
    if (next.origin !== new URL(url).origin) token = undefined
    url = next.href
  }
  throw new CkptError('system', `${shownUrl(resource.url)}: more than ${mostRedirects} redirects`)
}

async function send(
  network: Network,
  url: string,
  token: string | undefined,
  { method = 'GET', headers, body = null, signal = null }: RequestOptions,
): Promise<Response> {
  // Sizes and ranges count the bytes of the file itself.
  const own = { 'accept-encoding': 'identity', ...headers }
  const authorised = token === undefined ? own : { ...own, authorization: `Bearer ${token}` }
  try {
    // Redirects are followed here, so that no token goes along to another host.
    return await network.fetch(url, { method, headers: authorised, body, redirect: 'manual', signal })
  } catch (error) {
    if (signal?.aborted === true) throw interrupted()
    throw connectionError(url, 'no connection', error)
  }
}

function follow(url: string, location: string): URL {
  if (URL.canParse(location, url)) return new URL(location, url)
  throw new CkptError('system', `${shownUrl(url)}: the server redirects to what is not an address`)
}

/** Throws CkptError `refused`, whatever is wrong with where the server leads: it is not the user's mistake. */
function ensureFollowed(resource: Resource, from: string, next: URL, insecure: boolean): void {
  const hint = 'use an address that leads elsewhere'
  if (leadsInside(from, next) && !insecure) {
    const message = `${shownUrl(resource.url)}: the server redirects to this machine (${shownUrl(next.href)})`
    throw new CkptError('refused', message, { hint })
  }
  try {
    ensureTrusted(next.href, insecure)
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
    throw new CkptError('refused', `${shownUrl(resource.url)}: the server redirects to ${error.message}`, {
      cause: error,
      hint: `${hint}, or take it all the same with --insecure`,
    })
  }
}

/** Codings that change no byte; some storage marks its files with the last. */
const plainCodings = new Set(['', 'identity', 'aws-chunked'])

/** How a body is sent (RFC 9112 §6.1). The platform undoes these, and leaves any other as it came. */
const plainTransfers = new Set(['', 'chunked', 'identity'])

/**
 * Nothing that is compressed was asked for, and the platform would unpack it without a bound: a thousandfold. Throws
 * CkptError `damaged`.
 */
async function ensurePlain(response: Response, url: string): Promise<Response> {
  const coded =
    codedBy(response, 'content-encoding', plainCodings) ?? codedBy(response, 'transfer-encoding', plainTransfers)
  if (coded === null) return response
  await response.body?.cancel()
  throw new CkptError('damaged', `${shownUrl(url)}: the server compressed its answer (${coded}), and was asked not to`)
}

/** The header, where it names another coding than these; null where it does not. */
function codedBy({ headers }: Response, name: string, plain: ReadonlySet<string>): string | null {
  const coding = headers.get(name) ?? ''
  return coding.split(',').every((one) => plain.has(one.trim().toLowerCase())) ? null : `${name}: ${coding}`
}

/** Like `request`, and throws for every status but a success and those in `also`. */
export async function requestSuccess(
  network: Network,
  resource: Resource,
  options: RequestOptions = {},
  also: readonly number[] = [],
): Promise<Response> {
  const response = await request(network, resource, options)
  if (response.ok || also.includes(response.status)) return response
  throw await responseError(resource, response)
}

/** Tries in a row that came hardly farther than those before them. */
const mostTries = 5
/** Bytes that count as farther: a server could send one a connection, and none of them would be the last. */
const leastProgress = 32 << 10
/** Milliseconds before the second try; twice as long before each further one. */
const firstPause = 1000
/** Seconds that a server may ask for. */
const longestPause = 300

/**
 * Repeats `work` while it throws TransientError, with growing pauses, or those that the server asks for. `progress`
 * tells how many bytes have come: whenever that is farther than ever, the count of tries begins anew.
 */
export async function persistently<T>(
  { wait, onRetry }: Network,
  work: () => Promise<T>,
  signal?: AbortSignal,
  progress: () => number = () => 0,
): Promise<T> {
  let farthest = progress()
  for (let tries = 1; ; tries += 1) {
    try {
      return await work()
    } catch (error) {
      if (!(error instanceof TransientError)) throw error
      if (progress() >= farthest + leastProgress) {
        tries = 1
        farthest = progress()
      }
      const { retryAfter } = error
      if (tries >= mostTries || (retryAfter ?? 0) > longestPause) throw error
      const pause = retryAfter === null ? firstPause * 2 ** (tries - 1) : retryAfter * 1000
      onRetry?.(`${error.message}; again in ${pause / 1000} s`)
      await unlessAborted(wait(pause), signal)
    }
  }
}

async function unlessAborted(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return work
  let stop = (): void => undefined
  const aborted = new Promise<never>((_, reject) => {
    stop = () => reject(interrupted())
    if (signal.aborted) stop()
    else signal.addEventListener('abort', stop, { once: true })
  })
  try {
    await Promise.race([work, aborted])
  } finally {
    signal.removeEventListener('abort', stop)
  }
}
