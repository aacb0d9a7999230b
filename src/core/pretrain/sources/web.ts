/** Addresses: `{url: https://…/model.ckpt}`. */
import { createHash } from 'node:crypto'
import { ensureTrusted, probe, shownUrl } from '../download/index.js'
import type { RemoteFile, Source, SourceContext, SourceKind, Wanted } from './source.js'

export const webKind: SourceKind = {
  name: 'url',
  options: [],
  read: async (fields) => webSource(fields.get('url')?.text ?? ''),
}

/**
 * Of what lies below `url`: what stands behind its last `/` is the file's own. A query of `url` is asked with for each
 * file, as storage that signs a whole folder has it. Throws CkptError `usage`.
 */
export function webSource(url: string): Source {
  const [, path = '', ownQuery = ''] = /^([^?#]*)(?:\?([^#]*))?/.exec(url) ?? []
  const base = path.replace(/\/$/, '')
  // Whether plain http will do is asked when something is to come from there.
  ensureTrusted(base, true)
  const urlOf = ({ key, file }: Wanted) => {
    const { folder, name, query } = splitFile(file ?? `${key}.ckpt`)
    const queries = [query.replace(/^\?/, ''), ownQuery].filter((one) => one !== '')
    return `${base}/${folder}${name}${queries.length === 0 ? '' : `?${queries.join('&')}`}`
  }
  return {
    kind: 'url',
    text: shownUrl(base),
    identify: (wanted) => identify(urlOf(wanted)),
    nameOf: ({ key, file }) => splitFile(file ?? `${key}.ckpt`).name,
    // A query may hold what all of a folder is to be asked for with: `?download=true`, a signature.
    beside: ({ file }, name) => {
      const { folder, query } = splitFile(file ?? '')
      return `${folder}${encodeURIComponent(name)}${query}`
    },
    locate: (wanted, context) => locate(urlOf(wanted), wanted, context),
  }
}

/** Keys and signatures may stand in a query, and nobody is to read them. */
function identify(url: string): string {
  const { search } = new URL(url)
  const shown = shownUrl(url)
  return search === '' ? shown : `${shown} (${createHash('sha256').update(url).digest('hex').slice(0, 12)})`
}

async function locate(url: string, { digest }: Wanted, context: SourceContext): Promise<RemoteFile> {
  const resource = { url }
  return { kind: 'remote', resource, digest, ...(await probe(context.network, resource, context.signal)) }
}

/** What stands behind the base of an address: `deep/er/lm.pt?key=…`. */
function splitFile(file: string): { readonly folder: string; readonly name: string; readonly query: string } {
  const path = file.replace(/[?#].*$/s, '')
  const slash = path.lastIndexOf('/') + 1
  return { folder: path.slice(0, slash), name: path.slice(slash), query: file.slice(path.length) }
}

/** Where the file's own part of an address begins: behind the last `/` of its path. */
export function splitUrl(url: string): { readonly base: string; readonly file: string } {
  const path = url.replace(/[?#].*$/s, '')
  const slash = path.lastIndexOf('/')
  return { base: url.slice(0, slash), file: url.slice(slash + 1) }
}
