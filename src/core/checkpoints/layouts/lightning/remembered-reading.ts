/** What a file of Lightning's says, as plain data that scans remember. */
import { isMeta, type Meta, type MetaValue } from '../../../checkpoint.js'
import { sourceOf, withFile } from '../../../storage/file-source.js'
import type { ReadStorage } from '../../../storage/storage.js'
import { ScanTree } from '../scan-tree.js'
import type { CheckpointCallback } from './callbacks.js'
import { readSavedState, type Reading, type ReadRequest, type SavedState } from './saved-state.js'

/** The file is opened only where no earlier scan was told the same. Throws StorageError. */
export async function readOnce(storage: ReadStorage, path: string, request: ReadRequest): Promise<Reading> {
  const facts = await ScanTree.factsOf(storage, path)
  const question = `lightning ${request.withWeights ? 'with weights' : 'alone'} as ${request.name}`
  const known = facts === null ? null : readingIn(facts.get(question))
  if (known !== null) return known
  const reading = await withFile(storage, path, async (handle) => {
    facts?.opened(handle.size)
    return readSavedState(sourceOf(handle), request)
  })
  facts?.keep(question, factOf(reading))
  return reading
}

function factOf(reading: Reading): MetaValue {
  switch (reading.kind) {
    case 'state':
      return ['state', stateFact(reading.state)]
    case 'broken':
    case 'unreadable':
      return [reading.kind, reading.reason]
    case 'foreign':
      return [reading.kind, reading.bytes]
  }
}

function stateFact({ hyperParameters, callbacks, ...rest }: SavedState): Meta {
  return new Map<string, MetaValue>([
    ...Object.entries(rest),
    ...(hyperParameters === undefined ? [] : [['hyperParameters', hyperParameters] as const]),
    ['callbacks', callbacks.map(callbackFact)],
  ])
}

function callbackFact({ own, ...rest }: CheckpointCallback): Meta {
  return new Map<string, MetaValue>([...Object.entries(rest), ['own', own === null ? null : [own.path, own.score]]])
}

/** Null for what `factOf` never gives. */
function readingIn(fact: MetaValue | undefined): Reading | null {
  if (!Array.isArray(fact)) return null
  const [kind, value] = fact as readonly (MetaValue | undefined)[]
  if (kind === 'state') {
    const state = stateIn(value)
    return state === null ? null : { kind, state }
  }
  if (typeof value !== 'string') return null
  if (kind === 'broken' || kind === 'unreadable') return { kind, reason: value }
  const bytes = foreigns.find((one) => one === value)
  return kind === 'foreign' && bytes !== undefined ? { kind, bytes } : null
}

const foreigns = ['torch', 'blank', 'text', 'folder', 'gone', 'other'] as const

function stateIn(fact: MetaValue | undefined): SavedState | null {
  if (!isMeta(fact)) return null
  const [step, epoch] = [fact.get('step'), fact.get('epoch')]
  const [version, weights] = [fact.get('version'), fact.get('weights')]
  const [contents, callbacks] = [textsIn(fact.get('contents')), callbacksIn(fact.get('callbacks'))]
  if (!isNumberOrNull(step) || !isNumberOrNull(epoch) || !isTextOrNull(version) || !isTextOrNull(weights)) return null
  if (contents === null || callbacks === null) return null
  return { step, epoch, version, weights, contents, callbacks, hyperParameters: fact.get('hyperParameters') }
}

function callbacksIn(fact: MetaValue | undefined): CheckpointCallback[] | null {
  if (!Array.isArray(fact)) return null
  const callbacks = (fact as readonly MetaValue[]).map(callbackIn)
  return callbacks.every((one) => one !== null) ? callbacks : null
}

function callbackIn(fact: MetaValue): CheckpointCallback | null {
  if (!isMeta(fact)) return null
  const own = ownIn(fact.get('own'))
  const [key, bestPath] = [fact.get('key'), fact.get('bestPath')]
  const [lastPath, folder] = [fact.get('lastPath'), fact.get('folder')]
  const [monitor, mode] = [fact.get('monitor'), fact.get('mode')]
  const [bestScore, currentScore] = [fact.get('bestScore'), fact.get('currentScore')]
  if (typeof key !== 'string' || typeof bestPath !== 'string') return null
  if (typeof lastPath !== 'string' || typeof folder !== 'string') return null
  if (!isTextOrNull(monitor) || (mode !== null && mode !== 'min' && mode !== 'max')) return null
  if (!isNumberOrNull(bestScore) || !isNumberOrNull(currentScore) || own === undefined) return null
  return { key, monitor, mode, bestPath, lastPath, folder, bestScore, currentScore, own }
}

/** Undefined for what it never is. */
function ownIn(fact: MetaValue | undefined): CheckpointCallback['own'] | undefined {
  if (fact === null) return null
  if (!Array.isArray(fact)) return undefined
  const [path, score] = fact as readonly (MetaValue | undefined)[]
  return typeof path === 'string' && isNumberOrNull(score) ? { path, score } : undefined
}

function textsIn(fact: MetaValue | undefined): readonly string[] | null {
  if (!Array.isArray(fact)) return null
  const texts = fact as readonly MetaValue[]
  return texts.every((one) => typeof one === 'string') ? texts : null
}

function isNumberOrNull(value: MetaValue | undefined): value is number | null {
  return value === null || typeof value === 'number'
}

function isTextOrNull(value: MetaValue | undefined): value is string | null {
  return value === null || typeof value === 'string'
}
