/**
 * What a hub's answers must be before anything of them is believed: a mirror, a proxy or the host that HF_ENDPOINT names may
 * send something else. Shapes as the hub's own API has them (huggingface.co/docs/hub/api).
 */
import { readBody, shownUrl } from '../download/index.js'
import { CkptError } from '../../errors.js'
import { isJsonObject, parseJson, type JsonValue } from '../../formats/text/json.js'

/** Bytes; those of the largest repositories have a few million. */
const largest = 16 << 20
/** Milliseconds for all of one answer. */
const longest = 120_000

/** Null when it is as it must be, else what is wrong. */
export type Check = (value: JsonValue) => string | null

/** The same answer, read whole, once it has passed the check. Throws CkptError `damaged` with the address. */
export async function checked(response: Response, url: string, check: Check): Promise<Response> {
  const bytes = await readBody(response, url, { most: largest, signal: AbortSignal.timeout(longest) })
  checkAnswer(bytes, url, check)
  const { status, headers } = response
  return new Response(new Uint8Array(bytes), { status, headers })
}

/** Throws CkptError `damaged` with the address. */
export function checkAnswer(bytes: Uint8Array, url: string, check: Check): void {
  const wrong = wrongIn(bytes, check)
  if (wrong !== null) throw new CkptError('damaged', `${shownUrl(url)}: the server's answer ${wrong}`)
}

function wrongIn(bytes: Uint8Array, check: Check): string | null {
  try {
    return check(parseJson(bytes))
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
    return `is not JSON: ${error.message}`
  }
}

/** Of a repository: `{sha: …}`. */
export const isRepository: Check = (value) => {
  if (!isJsonObject(value)) return 'is not an object that describes a repository'
  const sha = value.get('sha')
  return typeof sha === 'string' && /^[0-9a-f]{40,64}$/.test(sha) ? null : 'names no commit (sha)'
}

/** Of paths and folders: a list of `{type, path, size, oid, lfs: {oid, size}}`. */
export const isListing: Check = (value) => {
  if (!Array.isArray(value)) return 'is not a list of files'
  const wrong = (value as readonly JsonValue[]).findIndex((one) => !isEntry(one))
  return wrong === -1 ? null : `describes no file at place ${wrong} of its list`
}

const entryTypes: readonly JsonValue[] = ['file', 'directory', 'unknown']

function isEntry(value: JsonValue): boolean {
  if (!isJsonObject(value)) return false
  const [type, path, size, oid, lfs] = ['type', 'path', 'size', 'oid', 'lfs'].map((key) => value.get(key))
  if (type === undefined || !entryTypes.includes(type) || typeof path !== 'string') return false
  if (oid !== undefined && typeof oid !== 'string') return false
  return (type !== 'file' || isSize(size)) && (lfs === undefined || lfs === null || isPointer(lfs))
}

function isPointer(value: JsonValue): boolean {
  return isJsonObject(value) && typeof value.get('oid') === 'string' && isSize(value.get('size'))
}

function isSize(value: JsonValue | undefined): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0
}
