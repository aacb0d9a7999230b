/** One file from a server: resumed where an earlier try or an earlier call stopped, and checked. */
import { CkptError } from '../../errors.js'
import type { LongWork } from '../../tensors/write/index.js'
import type { Storage } from '../../storage/storage.js'
import { readAnswer, type Answer } from './response-headers.js'
import { ensureDigest, type Digest } from './digest.js'
import { connectionError, interrupted, TransientError } from './connection-errors.js'
import type { Network, Resource } from './network.js'
import { closeQuietly, PartialFile } from './partial-file.js'
import { persistently, requestSuccess } from './request.js'
import { Room } from './disk-space.js'
import { shownUrl } from './url.js'

export interface Remote {
  readonly resource: Resource
  /** Bytes; null when it is not known beforehand. */
  readonly size: number | null
  readonly digest: Digest | null
  /** Bytes that it may have; left out: as many as there is room for. */
  readonly most?: number
  /** False where it is known that the server sends no part of a file. */
  readonly ranges?: boolean
}

/**
 * Downloads to `path` (absolute), a name of ours that nobody else looks at, and gives what lies there: whole, checked
 * and synced. Until then it is a part, which the next call with the same `path` goes on with, as long as the server
 * says that it has not changed (`If-Range`), or the digest will tell.
 *
 * Throws CkptError: `damaged` for a size or a digest that is not what was said, with both values, and then nothing is
 * kept; `not-found`, `system` and `refused` as the server answers; `interrupted`; and StorageError.
 */
export async function download(
  storage: Storage,
  network: Network,
  remote: Remote,
  path: string,
  work: LongWork = {},
): Promise<PartialFile> {
  const partial = await PartialFile.open(storage, path)
  try {
    const room = new Room(storage, path)
    const total = await fetchAll(network, remote, { partial, room }, fromHere(partial.position, work))
    await partial.close()
    if (partial.position === 0) throw unlike(remote, '0 bytes')
    if (total !== partial.position) throw unlike(remote, `${partial.position} of ${total} bytes`)
    const { signal } = work
    const { digest } = remote
    if (digest !== null) {
      await ensureDigest(storage, path, digest, shownUrl(remote.resource.url), signal === undefined ? {} : { signal })
    }
    return partial
  } catch (error) {
    if (!(error instanceof CkptError)) {
      await closeQuietly(partial)
      throw error
    }
    const lost = whyLost(remote, partial)
    if (error.code === 'damaged' || lost !== null) await partial.discard()
    else await closeQuietly(partial)
    throw lost === null ? sayKept(error, partial) : sayLost(error, remote, lost)
  }
}

/** Why no later call can go on with what came; null where it can, or where nothing came. */
function whyLost({ ranges, digest }: Remote, { position, validator }: PartialFile): string | null {
  if (position === 0) return null
  if (ranges === false) return 'this server sends no part of a file'
  return validator === null && digest === null ? 'nothing says that the file stays the same' : null
}

function sayKept(error: CkptError, { position }: PartialFile): CkptError {
  if (!(error instanceof TransientError) || position === 0) return error
  const hint = `try again later: what has come so far (${position} bytes) is kept`
  return new CkptError('system', error.message, { hint, cause: error })
}

function sayLost(error: CkptError, { resource }: Remote, why: string): CkptError {
  if (error.code === 'interrupted') {
    const message = `it was interrupted; ${shownUrl(resource.url)} begins again with the next call, for ${why}`
    return new CkptError('interrupted', message, { cause: error })
  }
  if (!(error instanceof TransientError)) return error
  return new CkptError('system', error.message, { hint: `try again later: it begins again, for ${why}`, cause: error })
}

/** What came with an earlier call is not work of this one. */
function fromHere(start: number, { signal, onProgress }: LongWork): LongWork {
  return {
    ...(signal === undefined ? {} : { signal }),
    onProgress: (done, total) => onProgress?.(Math.max(0, done - start), total - start),
  }
}

/** Where the bytes go. */
interface Destination {
  readonly partial: PartialFile
  readonly room: Room
}

/** Gives the size of the whole. */
async function fetchAll(network: Network, remote: Remote, to: Destination, work: LongWork): Promise<number> {
  const { partial } = to
  const isWhole = remote.digest !== null && partial.position === remote.size
  if (isWhole) return partial.position
  const { signal } = work
  return persistently(
    network,
    () => fetchRest(network, remote, to, work),
    signal,
    () => partial.position,
  )
}

async function fetchRest(network: Network, remote: Remote, to: Destination, work: LongWork): Promise<number> {
  const { partial } = to
  const { resource, digest } = remote
  const { signal } = work
  const canGoOn = partial.validator !== null || digest !== null
  const from = canGoOn ? partial.position : 0
  const condition = partial.validator === null ? {} : { 'if-range': partial.validator }
  const headers = from === 0 ? {} : { range: `bytes=${from}-`, ...condition }
  const response = await requestSuccess(network, resource, { headers, signal }, from === 0 ? [] : [416])
  const answer = readAnswer(response)
  if (response.status === 416 && answer.total === from) {
    await response.body?.cancel()
    return from
  }
  if (response.status !== 200 && from === 0) {
    await response.body?.cancel()
    const message = `${shownUrl(resource.url)}: the server answered ${response.status} where the whole file was asked for`
    throw new CkptError('system', message)
  }
  if (response.status !== 200 && !goesOn(answer, from, partial.validator)) {
    await response.body?.cancel()
    await partial.restart(null)
    throw new TransientError(
      `${shownUrl(resource.url)}: the server no longer has what the first ${from} bytes came from`,
    )
  }
  await ensureExpected(response, remote, answer)
  if (response.status === 200) await partial.restart(answer.validator)
  return receive(response, remote, to, answer.total ?? remote.size, work)
}

/** A server that takes no heed of `If-Range` gives itself away by what it says now. */
function goesOn({ start, validator }: Answer, from: number, expected: string | null): boolean {
  return start === from && (expected === null || validator === expected)
}

/** Throws CkptError `damaged`. */
async function ensureExpected(response: Response, remote: Remote, { total }: Answer): Promise<void> {
  const { size, resource } = remote
  const isPage = /^text\/html\b/i.test(response.headers.get('content-type') ?? '')
  const wantsPage = /\.html?$/i.test(new URL(resource.url).pathname)
  const wrong =
    isPage && !wantsPage
      ? 'a web page (text/html), perhaps one to log in'
      : total !== null && size !== null && total !== size
        ? `${total} bytes, and ${size} were expected`
        : total !== null && total > (remote.most ?? Infinity)
          ? tooMany(remote.most ?? Infinity)
          : null
  if (wrong === null) return
  await response.body?.cancel()
  throw unlike(remote, wrong)
}

function tooMany(most: number): string {
  return `more than the ${most} bytes that such a file can have`
}

function unlike({ resource }: Remote, what: string): CkptError {
  return new CkptError('damaged', `${shownUrl(resource.url)}: the server sent ${what}`)
}

async function receive(
  response: Response,
  remote: Remote,
  { partial, room }: Destination,
  total: number | null,
  { onProgress, signal }: LongWork,
): Promise<number> {
  const reader = response.body?.getReader()
  const { most = Infinity } = remote
  const short = await room.shortFor(total === null ? 0 : total - partial.position)
  if (short !== null) {
    await reader?.cancel()
    throw new CkptError('system', `${shownUrl(remote.resource.url)}: ${short}`)
  }
  for (;;) {
    const chunk = await read(reader, remote, partial, total, signal)
    if (chunk === null) break
    if (total !== null && partial.position + chunk.length > total) {
      await reader?.cancel()
      throw unlike(remote, `more than the ${total} bytes that were expected`)
    }
    if (partial.position + chunk.length > most) {
      await reader?.cancel()
      throw unlike(remote, tooMany(most))
    }
    await partial.append(chunk)
    if (total === null && (await room.isUsedUp(partial.position))) {
      await reader?.cancel()
      throw unlike(remote, `${partial.position} bytes without saying how many there are, and the disk is almost full`)
    }
    onProgress?.(partial.position, total ?? Infinity)
  }
  if (total !== null && partial.position < total) throw cutOff(remote, partial, total)
  return partial.position
}

async function read(
  reader: ReadableStreamDefaultReader<Uint8Array> | undefined,
  remote: Remote,
  partial: PartialFile,
  total: number | null,
  signal: AbortSignal | undefined,
): Promise<Uint8Array | null> {
  try {
    return (await reader?.read())?.value ?? null
  } catch (error) {
    if (signal?.aborted === true) throw interrupted()
    throw cutOff(remote, partial, total, error)
  }
}

function cutOff({ resource }: Remote, { position }: PartialFile, total: number | null, error?: unknown): CkptError {
  const what = `the connection broke off after ${position}${total === null ? '' : ` of ${total}`} bytes`
  if (error === undefined) return new TransientError(`${shownUrl(resource.url)}: ${what}`)
  return connectionError(resource.url, what, error)
}
