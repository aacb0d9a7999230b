/** What saves that never finished left behind: no checkpoints, and nothing that any job will use again. */
import type { Run } from '../checkpoint.js'
import type { Entry, ReadStorage } from '../storage/storage.js'
import { compareText, prefixOf } from './folders.js'
import { layouts } from './registry.js'

export interface Leftover {
  /** Relative to the run, with `/`. */
  readonly name: string
  /** Absolute. */
  readonly path: string
  /** What it is, and of which save. */
  readonly reason: string
}

interface TemporaryName {
  readonly pattern: RegExp
  readonly reason: string
}

const temporaryNames: readonly TemporaryName[] = [
  {
    // tempfile's NamedTempFile, which safetensors renames when all is written (safetensors: src/tensor.rs).
    pattern: /^\.tmp[A-Za-z0-9]{6}$/,
    reason: 'a temporary file of safetensors: its writer was stopped before it could give it its name',
  },
  {
    // fairseq's checkpoint_utils.py, torch.distributed.checkpoint's filesystem.py (`.metadata.tmp`) and many others.
    pattern: /\.tmp$/,
    reason: 'a temporary file: its writer was stopped before it could give it its name',
  },
  { pattern: /\.incomplete$/, reason: 'a download of huggingface_hub that was not finished' },
]

/** What a file of that name (without its folder) was to become, in words; null for any other name. */
export function explainTemporary(name: string): string | null {
  return temporaryNames.find(({ pattern }) => pattern.test(name))?.reason ?? null
}

/** Sorted by name: what lies in the run beside its checkpoints. Looks at names only. */
export async function findLeftovers(storage: ReadStorage, run: Run): Promise<Leftover[]> {
  const [listing] = await storage.list([run.path])
  if (listing?.ok !== true) return []
  const prefix = prefixOf(run.path)
  const taken = new Set(run.checkpoints.map((checkpoint) => checkpoint.path))
  const others = listing.value.filter(({ name }) => !taken.has(prefix + name))
  const folders = others.filter((entry) => entry.kind === 'directory')
  const contents = await storage.list(folders.map(({ name }) => prefix + name))
  const found = folders.flatMap(({ name }, index) => {
    const inside = contents[index]
    const reason = inside?.ok === true ? explainFolder(name, inside.value) : null
    return reason === null ? [] : [{ name, path: prefix + name, reason }]
  })
  for (const { name, kind } of others) {
    const reason = kind === 'file' ? explainTemporary(name) : null
    if (reason !== null) found.push({ name, path: prefix + name, reason })
  }
  return found.sort((a, b) => compareText(a.name, b.name))
}

function explainFolder(name: string, inside: readonly Entry[]): string | null {
  for (const layout of layouts) {
    const reason = layout.explainLeftover?.(name, inside) ?? null
    if (reason !== null) return reason
  }
  return null
}
