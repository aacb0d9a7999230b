/** A repository on a hub of Hugging Face: `{repo: org/model, file: model.safetensors, revision: v1.0}`. */
import { dirname, posix } from 'node:path'
import { persistently, requestSuccess, type Digest, type Resource } from '../download/index.js'
import { CkptError } from '../../errors.js'
import { didYouMean } from '../../choosing/expression/index.js'
import { checked, isListing, isRepository, type Check } from './hub-answers.js'
import type { HubSettings, RemoteFile, Source, SourceContext, SourceKind, Wanted } from './source.js'

type Hub = typeof import('@huggingface/hub')

export interface Repository {
  readonly type: 'model' | 'dataset' | 'space'
  /** `org/name`, or `name` alone. */
  readonly name: string
  /** A branch, a tag or a commit. */
  readonly revision: string
  /** Of the files in it; empty, or with a slash at its end. */
  readonly folder: string
}

/** As the library's own designation; a name's characters are those that hubs allow. */
const pattern = /^(?:(dataset|space)s\/)?([\w.-]+(?:\/[\w.-]+)?)(?:@([^/\s]+))?((?:\/[^/]+)*)$/

/** `org/model`, `org/model@v1.0`, `datasets/org/name`, `org/model/some/folder`; null for what is none of these. */
export function parseRepository(text: string): Repository | null {
  const [, type, name, revision = 'main', folder = ''] = pattern.exec(text) ?? []
  if (name === undefined || `${name}${folder}`.split('/').some((part) => /^\.+$/.test(part))) return null
  return {
    type: (type ?? 'model') as Repository['type'],
    name,
    revision,
    folder: folder === '' ? '' : `${folder.slice(1)}/`,
  }
}

export const hubKind: SourceKind = {
  name: 'repo',
  options: ['revision'],
  read: async (fields) => {
    const [repo, revision] = [fields.get('repo'), fields.get('revision')]
    const parsed = parseRepository(repo?.text ?? '')
    if (parsed !== null) return hubSource(revision === undefined ? parsed : { ...parsed, revision: revision.text })
    throw new CkptError('usage', `${JSON.stringify(repo?.text)} names no repository`, {
      hint: 'as in org/model, org/model@v1.0 or datasets/org/name',
    })
  },
}

/** `insteadOf` is a folder that the name could have meant. */
export function hubSource(repository: Repository, insteadOf?: string): Source {
  // One look a repository: what its branch is may change, and all files shall come from one commit.
  let commit: Promise<string> | null = null
  return {
    kind: 'repo',
    text: textOf(repository),
    identify: (wanted) => `${textOf({ ...repository, folder: '' })}/${pathOf(repository, wanted)}`,
    nameOf: ({ key, file }) => posix.basename(file ?? `${key}.ckpt`),
    beside: ({ file }, name) => posix.join(posix.dirname(file ?? ''), name),
    locate: async (wanted, context) => {
      const hub = await openHub(repository, context, insteadOf)
      commit ??= commitOf(hub, repository)
      return locate(hub, repository, await commit, wanted)
    },
  }
}

function textOf({ type, name, revision, folder }: Repository): string {
  return `${type === 'model' ? '' : `${type}s/`}${name}@${revision}${folder === '' ? '' : `/${folder.slice(0, -1)}`}`
}

function pathOf({ folder }: Repository, { key, file }: Wanted): string {
  return `${folder}${file ?? `${key}.ckpt`}`
}

interface OpenHub {
  readonly library: Hub
  readonly hubUrl: string
  /**
   * For the library: with the token, tried again where that may help, with errors in our words, and only what
   * passes the check.
   */
  readonly fetch: (check: Check) => typeof fetch
  readonly resourceAt: (url: string) => Resource
}

/** The library is loaded here: no other command has a use for it. */
async function openHub(repository: Repository, context: SourceContext, insteadOf?: string): Promise<OpenHub> {
  const library = await import('@huggingface/hub')
  const { network, signal, hub } = context
  const hubUrl = hub.endpoint ?? library.HUB_URL
  const explain = (response: Response) => explainRefusal(repository, hubUrl, hub, insteadOf, response)
  const resourceAt = (url: string): Resource => {
    const isHubs = hub.token !== null && new URL(url).origin === new URL(hubUrl).origin
    return isHubs ? { url, explain, token: hub.token } : { url, explain }
  }
  const ask = async (check: Check, input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const resource = resourceAt(input instanceof Request ? input.url : String(input))
    const { method = 'GET', body } = init
    const headers = Object.fromEntries(new Headers(init.headers))
    const options = { method, headers, signal, body: typeof body === 'string' ? body : null }
    const once = async () => checked(await requestSuccess(network, resource, options), resource.url, check)
    return persistently(network, once, signal)
  }
  const asking = (check: Check) => (input: string | URL | Request, init?: RequestInit) => ask(check, input, init)
  return { library, hubUrl, fetch: asking, resourceAt }
}

/** The commit that the revision is now. */
async function commitOf({ library, hubUrl, fetch }: OpenHub, { type, name, revision }: Repository): Promise<string> {
  const asked = { name, revision, hubUrl, fetch: fetch(isRepository), additionalFields: ['sha' as const] }
  const { sha } = await (type === 'model'
    ? library.modelInfo(asked)
    : type === 'dataset'
      ? library.datasetInfo(asked)
      : library.spaceInfo(asked))
  return sha
}

async function locate(hub: OpenHub, repository: Repository, commit: string, wanted: Wanted): Promise<RemoteFile> {
  const { type, name } = repository
  const path = pathOf(repository, wanted)
  const { library, hubUrl, fetch } = hub
  const revisionAt = { repo: { type, name }, revision: commit, hubUrl, fetch: fetch(isListing) }
  const [info] = await library.pathsInfo({ ...revisionAt, paths: [path] })
  if (info?.type !== 'file') {
    const what = info === undefined ? 'there is no such file' : 'a folder, where a file is wanted'
    throw new CkptError('not-found', `${textOf({ ...repository, folder: '' })}: ${path}: ${what}`, {
      hint: await nearestFile(hub, revisionAt, path),
    })
  }
  const from = type === 'model' ? name : `${type}s/${name}`
  const url = `${hubUrl}/${from}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`
  return {
    kind: 'remote',
    resource: hub.resourceAt(url),
    size: info.lfs?.size ?? info.size,
    digest: wanted.digest ?? digestOf(info),
    validator: null,
  }
}

/** Large files are known by their SHA-256 (git-lfs.com, pointer files), others by what git calls them. */
function digestOf({ lfs, oid }: { readonly lfs?: { readonly oid: string }; readonly oid?: string }): Digest | null {
  if (lfs !== undefined && /^[0-9a-f]{64}$/.test(lfs.oid)) return { algorithm: 'sha256', value: lfs.oid }
  if (lfs === undefined && oid !== undefined && /^[0-9a-f]{40}$/.test(oid)) return { algorithm: 'git', value: oid }
  return null
}

interface HubRevision {
  readonly repo: { readonly type: Repository['type']; readonly name: string }
  readonly revision: string
  readonly hubUrl: string
  readonly fetch: typeof fetch
}

/** Files looked through for one that may be meant. */
const mostFiles = 1000
/** Answers that are asked for to see them: each leads to the next, and may list nothing. */
const mostPages = 10

/** An empty last page in place of those beyond `mostPages`. */
function fewPages(ask: typeof fetch): typeof fetch {
  let pages = 0
  return (input, init) => ((pages += 1) > mostPages ? Promise.resolve(new Response('[]')) : ask(input, init))
}

async function nearestFile({ library }: OpenHub, revisionAt: HubRevision, path: string): Promise<string> {
  const names: string[] = []
  const folder = dirname(path)
  const listed = { ...revisionAt, fetch: fewPages(revisionAt.fetch) }
  for await (const file of library.listFiles(folder === '.' ? listed : { ...listed, path: folder })) {
    if (names.push(file.path) >= mostFiles) break
  }
  return didYouMean(path, names) ?? `there are: ${names.slice(0, 10).join(', ')}`
}

/** By the code that a hub puts beside the status. */
function explainRefusal(
  repository: Repository,
  hubUrl: string,
  { token }: HubSettings,
  insteadOf: string | undefined,
  response: Response,
): CkptError | null {
  const { status } = response
  const code = response.headers.get('x-error-code') ?? ''
  const what = `${textOf({ ...repository, folder: '' })} on ${hubUrl}`
  const hint =
    token === null
      ? 'where a token is needed: HF_TOKEN in the environment, or hf auth login'
      : 'may the owner of the token read it?'
  if (code === 'GatedRepo') {
    return new CkptError('system', `${what}: its owners give access to those who ask for it`, {
      hint: `ask on its page${token === null ? '; then HF_TOKEN in the environment, or hf auth login' : ''}`,
    })
  }
  if (code === 'RevisionNotFound') return new CkptError('not-found', `${what}: there is no such revision`)
  if (code === 'EntryNotFound') return new CkptError('not-found', `${what}: there is no such file`)
  if (code === 'RepoNotFound' || status === 404) {
    const nor = insteadOf === undefined ? '' : `, and there is no folder ${insteadOf}`
    return new CkptError('not-found', `${what}: there is no such ${repository.type}, or it is private${nor}`, { hint })
  }
  if (status === 401 && token !== null) return new CkptError('system', `${what}: the token is not accepted`)
  if (status === 401 || status === 403) return new CkptError('system', `${what}: reading it is not allowed`, { hint })
  return null
}
