/** What saves that never finished left behind: no checkpoints, and nothing that any job will use again. */
import type { Run } from '../../checkpoint.js'
import { suffixOf } from '../../formats/text/suffix.js'
import type { DirectoryEntry, ReadStorage } from '../../storage/storage.js'
import { compareText, danglingReason, prefixOf } from './folders.js'
import { knownLayouts } from './registry.js'

export interface SaveLeftover {
  /** Relative to the run, with `/`. */
  readonly name: string
  /** Absolute. */
  readonly path: string
  /** What it is, and of which save. */
  readonly reason: string
}

interface TemporaryName {
  readonly fits: (name: string) => boolean
  readonly reason: string
}

const downloads = new Set(['part', 'partial', 'crdownload', 'aria2'])

/** The ends of names are asked before patterns, for few names are worth that one is compiled. */
const temporaryNames: readonly TemporaryName[] = [
  {
    // tempfile's NamedTempFile, which safetensors renames when all is written (safetensors: src/tensor.rs).
    fits: (name) => name.startsWith('.tmp') && /^\.tmp[A-Za-z0-9]{6}$/.test(name),
    reason: 'a temporary file of safetensors: its writer was stopped before it could give it its name',
  },
  {
    // fairseq's checkpoint_utils.py, torch.distributed.checkpoint's filesystem.py (`.metadata.tmp`) and many others.
    fits: (name) => name.endsWith('.tmp'),
    reason: 'a temporary file: its writer was stopped before it could give it its name',
  },
  {
    // `.NAME.XXXXXX`, the last part from mkstemp: one of small letters alone is more likely a word.
    fits: (name) => name.startsWith('.') && /^\..+\.(?=[a-z]*[A-Z0-9])[A-Za-z0-9]{6}$/.test(name),
    reason: 'a temporary file of rsync: it was stopped before it could give it its name',
  },
  {
    // tensors/write/publish-file.ts; with an extension tensors/write/replace-shards.ts.
    fits: (name) => name.startsWith('.ckpt-') && /^\.ckpt-[0-9a-f]{16}(\.[^.]+)?$/.test(name),
    reason: 'a temporary file of ckpt: it was stopped before it could give it its name',
  },
  { fits: (name) => name.endsWith('.incomplete'), reason: 'a download of huggingface_hub that was not finished' },
  { fits: (name) => downloads.has(suffixOf(name)), reason: 'a download that was not finished' },
]

/** What a file of that name (without its folder) was to become, in words; null for any other name. */
export function explainTemporary(name: string): string | null {
  return temporaryNames.find(({ fits }) => fits(name))?.reason ?? null
}

/**
 * Sorted by name: what lies in the run beside its checkpoints, also in folders that are a part of their names. Looks
 * at names only, and at where links lead to. `since`, in Unix seconds, is when a job began here from nothing, all of
 * which it was cut off in; null: nobody knows of one.
 */
export async function findLeftovers(
  storage: ReadStorage,
  run: Run,
  since: number | null = null,
): Promise<SaveLeftover[]> {
  const found = since === null ? [] : await findCutSaves(storage, run, since)
  const taken = new Set(run.checkpoints.map((checkpoint) => checkpoint.path))
  for (const before of ['', ...partsOf(run)]) found.push(...(await findIn(storage, prefixOf(run.path), before, taken)))
  const known = new Set<string>()
  return found.filter(({ path }) => known.size < known.add(path).size).sort((a, b) => compareText(a.name, b.name))
}

/** Folders that have changed since the job began. */
async function findCutSaves(storage: ReadStorage, { path, checkpoints }: Run, since: number): Promise<SaveLeftover[]> {
  const [listing] = checkpoints.length > 0 ? [] : await storage.list([path])
  if (listing?.ok !== true) return []
  const folders = listing.value.filter(({ kind }) => kind === 'directory').map(({ name }) => name)
  const paths = folders.map((name) => prefixOf(path) + name)
  const [contents, stats] = await Promise.all([storage.list(paths), storage.lstat(paths)])
  return folders.flatMap((name, index): SaveLeftover[] => {
    const [inside, stat] = [contents[index], stats[index]]
    if (inside?.ok !== true || inside.value.length === 0 || stat?.ok !== true || stat.value.modified < since) return []
    const reasons = knownLayouts().map((layout) => layout.explainCutSave?.(name, inside.value) ?? null)
    const reason = reasons.find((one) => one !== null)
    return reason === undefined ? [] : [{ name, path: prefixOf(path) + name, reason }]
  })
}

/** `val/` of `val/acc=0.9.ckpt`. */
function partsOf({ checkpoints }: Run): Set<string> {
  const parts = new Set<string>()
  for (const { name } of checkpoints) {
    for (let slash = name.indexOf('/'); slash !== -1; slash = name.indexOf('/', slash + 1)) {
      parts.add(name.slice(0, slash + 1))
    }
  }
  return parts
}

async function findIn(
  storage: ReadStorage,
  prefix: string,
  before: string,
  taken: ReadonlySet<string>,
): Promise<SaveLeftover[]> {
  const [listing] = await storage.list([prefix + before])
  if (listing?.ok !== true) return []
  const others = listing.value.filter(({ name }) => !taken.has(prefix + before + name))
  const folders = others.filter((entry) => entry.kind === 'directory')
  const contents = await storage.list(folders.map(({ name }) => prefix + before + name))
  const reasons = new Map<string, string | null>()
  for (const [index, { name }] of folders.entries()) {
    const inside = contents[index]
    const path = `${prefix}${before}${name}`
    const there = inside?.ok === true ? await withoutDangling(storage, path, inside.value) : null
    reasons.set(name, there === null ? null : explainThing(name, there))
  }
  for (const { name, kind } of others)
    if (kind === 'file') reasons.set(name, explainTemporary(name) ?? explainThing(name, null))
  const links = others.filter((entry) => entry.kind === 'link')
  const led = await storage.stat(links.map(({ name }) => prefix + before + name))
  links.forEach(({ name }, index) => reasons.set(name, led[index]?.ok === true ? null : danglingReason))
  return [...reasons].flatMap(([name, reason]) =>
    reason === null ? [] : [{ name: before + name, path: prefix + before + name, reason }],
  )
}

async function withoutDangling(
  storage: ReadStorage,
  folder: string,
  entries: readonly DirectoryEntry[],
): Promise<DirectoryEntry[]> {
  const links = entries.filter(({ kind }) => kind === 'link')
  const led = await storage.stat(links.map(({ name }) => prefixOf(folder) + name))
  const dangling = new Set(links.filter((_, index) => led[index]?.ok !== true))
  return entries.filter((entry) => !dangling.has(entry))
}

function explainThing(name: string, inside: readonly DirectoryEntry[] | null): string | null {
  for (const layout of knownLayouts()) {
    const reason = layout.explainLeftover?.(name, inside) ?? null
    if (reason !== null) return reason
  }
  return null
}
