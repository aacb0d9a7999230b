/** What downloading needs of the world; passed in, so that core knows no network and no clock. */
import type { Wait } from '../../storage/retry.js'
import type { CkptError } from '../../errors.js'

/** As the web platform's `fetch`. */
export type Fetch = (url: string, options: RequestInit) => Promise<Response>

export interface Network {
  readonly fetch: Fetch
  readonly wait: Wait
  /** The user takes what comes over plain HTTP, from other machines too. */
  readonly insecure?: boolean | undefined
  /** Called before a request is made again, with what failed and when the next try is. */
  readonly onRetry?: ((what: string) => void) | undefined
}

/** Something on a server. */
export interface Resource {
  /** `https:`, or `http:` where `ensureTrusted` lets it. */
  readonly url: string
  /** For the url's own origin (scheme, host, port) alone. */
  readonly token?: string | undefined
  /** What a refusal of this server means; null where its status says all. */
  readonly explain?: ((response: Response) => CkptError | null) | undefined
}
