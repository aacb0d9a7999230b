/** Which addresses are trusted, and how they are shown. */
import { CkptError } from '../../errors.js'

/** Without query and fragment: signatures and keys stand there. */
export function shownUrl(url: string): string {
  const { origin, pathname, search } = new URL(url)
  return `${origin}${pathname}${search === '' ? '' : '?…'}`
}

/**
 * Throws CkptError: `usage` for what is not a web address or holds a password, `refused` for plain HTTP, over which
 * anyone on the way can put other bytes: unless the server is this machine, or the user takes it.
 */
export function ensureTrusted(url: string, insecure: boolean): void {
  const parsed = URL.canParse(url) ? new URL(url) : null
  if (parsed === null || !/^https?:$/.test(parsed.protocol)) {
    throw new CkptError('usage', `${url}: not a web address`, { hint: 'as in https://example.org/model.ckpt' })
  }
  if (parsed.username !== '' || parsed.password !== '') {
    throw new CkptError('usage', `${shownUrl(url)}: a name or a password in an address would end up in logs`, {
      hint: 'take it out of the address',
    })
  }
  if (parsed.protocol === 'http:' && !insecure && !isThisMachine(parsed.hostname)) {
    throw new CkptError('refused', `${shownUrl(url)}: over plain http anyone on the way can change what comes`, {
      hint: 'use https://, or take it all the same with --insecure',
    })
  }
}

/** True where a server elsewhere leads to one of this machine, which serves nothing for others. */
export function leadsInside(from: string, to: URL): boolean {
  return reachesThisMachine(to.hostname) && !reachesThisMachine(new URL(from).hostname)
}

/** Numbers too by which the system connects to itself: any address of ours (RFC 1122 §3.2.1.3), IPv4 within IPv6. */
function reachesThisMachine(host: string): boolean {
  const inner = /^\[::(?:ffff:)?([0-9a-f]{1,4}):[0-9a-f]{1,4}\]$/.exec(host)?.[1]
  const first = inner === undefined ? undefined : parseInt(inner, 16) >> 8
  const isMapped = first === 0 || first === 127
  return isMapped || host === '[::]' || /^0(\.\d+){3}$/.test(host) || isThisMachine(host.replace(/\.$/, ''))
}

/** The names and numbers of the loopback interface (RFC 6761 §6.3, RFC 1122 §3.2.1.3, RFC 4291 §2.5.3). */
function isThisMachine(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost') || host === '[::1]' || /^127(\.\d+){3}$/.test(host)
}
