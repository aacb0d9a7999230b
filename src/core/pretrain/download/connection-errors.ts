/** Errors of connections and servers, in words that one can act on. */
import { CkptError, type ErrorDetails } from '../../errors.js'
import type { Resource } from './network.js'
import { shownUrl } from './url.js'

/** May go well when it is tried again. */
export class TransientError extends CkptError {
  /** Seconds that the server asked to wait; null when it said nothing. */
  readonly retryAfter: number | null

  constructor(message: string, details: ErrorDetails & { readonly retryAfter?: number | null } = {}) {
    super('system', message, { hint: 'try again later', ...details })
    this.retryAfter = details.retryAfter ?? null
  }
}

/** Of the server (RFC 9110 §15, RFC 6585): too slow, too many, broken for now. */
const transientStatuses = new Set([408, 425, 429, 500, 502, 503, 504])

/** The error for an answer that is none of what was asked for. Its body must have been left alone. */
export async function responseError({ url, explain }: Resource, response: Response): Promise<CkptError> {
  const { status } = response
  await response.body?.cancel()
  const explained = explain?.(response) ?? null
  if (explained !== null) return explained
  const said = `${shownUrl(url)}: the server answered ${status}${response.statusText === '' ? '' : ` ${response.statusText}`}`
  if (transientStatuses.has(status)) return new TransientError(said, { retryAfter: retryAfterOf(response) })
  if (status === 404 || status === 410) return new CkptError('not-found', said)
  if (status === 401 || status === 403) {
    return new CkptError('system', `${said}: it needs a permission that was not given`)
  }
  return new CkptError('system', said)
}

/** `Retry-After` is seconds, or a time by the server's own clock (RFC 9110 §10.2.3). */
function retryAfterOf({ headers }: Response): number | null {
  const text = headers.get('retry-after')
  if (text === null) return null
  if (/^\d+$/.test(text)) return Number(text)
  const seconds = (Date.parse(text) - Date.parse(headers.get('date') ?? '')) / 1000
  return seconds >= 0 ? seconds : null
}

/** No use in trying again: the name, the certificate or the address itself is wrong. */
const lasting = /^(ENOTFOUND|ERR_|CERT_|UNABLE_TO|DEPTH_ZERO|SELF_SIGNED|HOSTNAME|EACCES|bad port)/

/** Of TLS, as Node names OpenSSL's verdicts. */
const certificate = /^(CERT_|UNABLE_TO_(GET|VERIFY)|DEPTH_ZERO|SELF_SIGNED|HOSTNAME|ERR_TLS_CERT)/

/** Answers that are not HTTP, as Node's parser (llhttp) and `fetch` (undici) name them: the server would give them again. */
const malformed =
  /^(HPE_(UNEXPECTED|INVALID_(?!EOF|CHUNK))|HPE_(CR|LF)_EXPECTED|HPE_HEADER_OVERFLOW|UND_ERR_HEADERS_OVERFLOW|ERR_ASSERTION)/

/** What codes mean to a person; others are shown as they are. */
const meanings: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no such host (ENOTFOUND)',
  EAI_AGAIN: 'the name of the host cannot be looked up now (EAI_AGAIN)',
  ECONNREFUSED: 'nothing listens there (ECONNREFUSED)',
  ECONNRESET: 'the other side closed it (ECONNRESET)',
  ETIMEDOUT: 'no answer (ETIMEDOUT)',
  CERT_HAS_EXPIRED: "the server's certificate has expired (CERT_HAS_EXPIRED)",
  UND_ERR_HEADERS_OVERFLOW: 'too many headers (UND_ERR_HEADERS_OVERFLOW)',
  HPE_HEADER_OVERFLOW: 'too many headers (HPE_HEADER_OVERFLOW)',
  ERR_ASSERTION: 'a status below 100',
  ERR_TLS_CERT_ALTNAME_INVALID: "the server's certificate is for another host (ERR_TLS_CERT_ALTNAME_INVALID)",
}

function meaningOf(code: string): string {
  return meanings[code] ?? (certificate.test(code) ? `the server's certificate is not trusted (${code})` : code)
}

/** What `fetch`, or reading a body, threw. `what` says how far it came. */
export function connectionError(url: string, what: string, error: unknown): CkptError {
  const code = codeOf(error)
  if (malformed.test(code)) {
    const said = `${shownUrl(url)}: what the server answered is not HTTP: ${meaningOf(code)}`
    return new CkptError('system', said, { hint: 'try another mirror or address', cause: error })
  }
  const message = `${shownUrl(url)}: ${what}${code === '' ? '' : `: ${meaningOf(code)}`}`
  if (certificate.test(code)) {
    const hint = 'where an authority of your own signs it: NODE_EXTRA_CA_CERTS=/path/to/its.pem in the environment'
    return new CkptError('system', message, { hint, cause: error })
  }
  if (lasting.test(code)) return new CkptError('system', message, { cause: error })
  return new TransientError(message, { cause: error })
}

/** The innermost code that there is: `fetch` wraps the system's errors. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const inner = error.cause === undefined ? '' : codeOf(error.cause)
  if (inner !== '') return inner
  return 'code' in error && typeof error.code === 'string' ? error.code : error.message
}

export function interrupted(): CkptError {
  return new CkptError(
    'interrupted',
    'it was interrupted; what has come so far is kept, and the next call goes on from there',
  )
}
