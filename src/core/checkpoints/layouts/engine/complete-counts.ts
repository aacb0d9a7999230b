/** Step and epoch where the first reading did not tell them, and a small file of its own in each checkpoint does. */
import type { Checkpoint, Meta } from '../../../checkpoint.js'
import type { ReadStorage } from '../../../storage/storage.js'
import { basename } from 'node:path'
import { batches } from '../folders.js'
import { toFinite } from '../finite-number.js'
import type { FactFile, LayoutSpec } from '../spec.js'
import { factsOf } from './facts.js'
import { parseAll } from './unit-files.js'
import type { Unit } from './unit-paths.js'

/** Counters are a few digits or lines. */
const largest = 1 << 16
const atOnce = 256

/** The order stays. */
export async function completeSpec(
  storage: ReadStorage,
  spec: LayoutSpec,
  checkpoints: readonly Checkpoint[],
): Promise<readonly Checkpoint[]> {
  const sources = spec.forms.flatMap(({ facts = [] }) => facts.flatMap((source) => (isLater(source) ? [source] : [])))
  let completed = checkpoints
  for (const source of sources) completed = await completeFrom(storage, source, completed)
  return completed
}

type LaterFile = FactFile & { readonly later: 'step' | 'epoch' }

function isLater(source: { readonly from: string }): source is LaterFile {
  return 'later' in source && (source.later === 'step' || source.later === 'epoch') && !('beside' in source)
}

async function completeFrom(
  storage: ReadStorage,
  source: LaterFile,
  checkpoints: readonly Checkpoint[],
): Promise<readonly Checkpoint[]> {
  const factsByCheckpoint = new Map<Checkpoint, Meta>()
  const wanted = checkpoints.flatMap((checkpoint) => {
    const path = checkpoint[source.later] === null ? pathIn(checkpoint, source) : undefined
    return path === undefined ? [] : [{ checkpoint, path }]
  })
  for (const some of batches(wanted, atOnce)) {
    const texts = await storage.read(
      some.map(({ path }) => path),
      source.limit ?? largest,
    )
    const contents = await parseAll(source, texts, [])
    some.forEach(({ checkpoint }, index) => {
      const content = contents[index]
      // Facts that are read later come from the file alone, and need only the list of the unit's files.
      if (content instanceof Map)
        factsByCheckpoint.set(checkpoint, factsOf(source, content, checkpoint as unknown as Unit, new Map()).meta)
    })
  }
  if (factsByCheckpoint.size === 0) return checkpoints
  return checkpoints.map((checkpoint) => {
    const facts = factsByCheckpoint.get(checkpoint)
    if (facts === undefined) return checkpoint
    const step = checkpoint.step ?? toFinite(facts.get('step'))
    const epoch = checkpoint.epoch ?? toFinite(facts.get('epoch'))
    return step === checkpoint.step && epoch === checkpoint.epoch ? checkpoint : { ...checkpoint, step, epoch }
  })
}

function pathIn({ files, kind, path: own }: Checkpoint, { file }: FactFile): string | undefined {
  // Of a name that is known paths of another length need not be read: joined but now, they are no string yet.
  const length = kind === 'directory' && typeof file === 'string' ? own.length + 1 + file.length : null
  return files.find(({ path }) => {
    if (length !== null && path.length !== length) return false
    const name = basename(path)
    return typeof file === 'string' ? name === file : file?.test(name) === true
  })?.path
}
