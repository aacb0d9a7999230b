/** What proves a layout: by the names that are there where that is enough, else by looking into files. */
import { patternText } from './pattern-text.js'
import { sep } from 'node:path'
import type { MetaValue } from '../../../checkpoint.js'
import { StorageError } from '../../../errors.js'
import type { DirectoryEntry } from '../../../storage/storage.js'
import type { Has, KeyPath } from '../spec.js'
import { countNamed, hasBeside, hasBesideWithEnd, isNamed } from './names-beside.js'
import { pathOf, type FileLook, type LayoutIo, type Question, type Unit } from './unit-paths.js'

/** True or false where names tell it; null where a file must be looked into. */
type ProofByNames = (unit: Unit) => boolean | null

/** What a layout says, made into a function once: thousands of units are asked the same. */
const compiled = new WeakMap<Has, ProofByNames>()

function proveByNames(has: Has, unit: Unit): boolean | null {
  let proof = compiled.get(has)
  if (proof === undefined) compiled.set(has, (proof = compile(has)))
  return proof(unit)
}

function compile(has: Has): ProofByNames {
  if ('file' in has) {
    const { file } = has
    return (unit) => hasFile(unit, file)
  }
  if ('beside' in has) {
    const { beside } = has
    return ({ folder }) => hasBeside(folder, beside)
  }
  if ('besideWithEnd' in has) return ({ name, folder }) => hasBesideWithEnd(folder, name, has.besideWithEnd)
  if ('atMost' in has) {
    const { atMost, named } = has
    return ({ folder }) => countNamed(folder, named) <= atMost
  }
  if ('not' in has) return (unit) => negate(proveByNames(has.not, unit))
  if ('all' in has) return (unit) => every(has.all.map((one) => proveByNames(one, unit)))
  // In a folder something is looked into only where it is there.
  const of = 'of' in has ? has.of : undefined
  return of === undefined ? () => null : (unit) => (filesNamed(unit, of).length === 0 ? false : null)
}

function hasFile(unit: Unit, file: string | RegExp): boolean {
  for (const entry of unit.entries) if (isNamed(entry, file) && !isGone(unit, entry)) return true
  return false
}

/** Any of these. */
export function anyByNames(list: readonly Has[], unit: Unit): boolean | null {
  let answer: boolean | null = false
  for (const has of list) {
    const proven = proveByNames(has, unit)
    if (proven === true) return true
    if (proven === null) answer = null
  }
  return answer
}

export async function prove(has: Has, unit: Unit, io: LayoutIo): Promise<boolean> {
  const known = proveByNames(has, unit)
  if (known !== null) return known
  if ('all' in has) {
    for (const one of has.all) if (!(await prove(one, unit, io))) return false
    return true
  }
  if ('not' in has) return !(await prove(has.not, unit, io))
  if ('test' in has) return (await orNull(has.test(unit, io))) === true
  const of = 'of' in has ? has.of : undefined
  for (const path of of === undefined ? ownFiles(unit) : filesNamed(unit, of)) {
    const look = await orNull(io.look(path))
    if (look !== null && look.broken === null && (await holds(has, look))) return true
  }
  return false
}

export async function proveAny(list: readonly Has[], unit: Unit, io: LayoutIo): Promise<boolean> {
  for (const has of list) if (await prove(has, unit, io)) return true
  return false
}

async function holds(has: Has, look: FileLook): Promise<boolean> {
  if ('head' in has) return look.is.has(has.head)
  if ('stateDict' in has || 'stateDictIn' in has || 'torch' in has) {
    // Of another file there is nothing to ask.
    return look.is.has('torch') && (await look.answer(questionOf(has)))
  }
  if ('zip' in has) {
    const names = [...((await look.zip())?.keys() ?? [])]
    return names.some((name) => (typeof has.zip === 'string' ? name === has.zip : has.zip.test(name)))
  }
  if ('json' in has) return look.is.has('json') && hasKeys(await look.json().catch(() => null), has.json)
  return false
}

type TorchHas = Extract<Has, { stateDict: unknown } | { stateDictIn: unknown } | { torch: unknown }>

/** Made once: the same is asked of thousands of files. */
const questions = new WeakMap<TorchHas, Question<boolean>>()

function questionOf(has: TorchHas): Question<boolean> {
  let question = questions.get(has)
  if (question === undefined) questions.set(has, (question = torchQuestion(has)))
  return question
}

function torchQuestion(has: TorchHas): Question<boolean> {
  const fits = (value: MetaValue) => typeof value === 'boolean'
  if ('stateDict' in has) {
    const { stateDict } = has
    const text = `state dict at ${JSON.stringify(pathOf(stateDict))}`
    return { text, fits, ask: async (file) => Promise.resolve(file.hasStateDict(stateDict)) }
  }
  if ('stateDictIn' in has) {
    return { text: 'state dict in it', fits, ask: async (file) => Promise.resolve(file.hasStateDictIn()) }
  }
  const paths = has.torch
  const text = `has ${JSON.stringify(paths.map(pathOf))}`
  return { text, fits, ask: async (file) => Promise.resolve(paths.every((path) => file.hasTorchKey(path))) }
}

function hasKeys(value: unknown, paths: readonly KeyPath[]): boolean {
  return paths.every((path) => {
    let inside = value
    for (const key of pathOf(path)) inside = inside instanceof Map ? inside.get(key) : undefined
    return inside !== undefined
  })
}

/** Null where something cannot be opened: it proves nothing. */
async function orNull<T>(looking: Promise<T>): Promise<T | null> {
  try {
    return await looking
  } catch (error) {
    if (error instanceof StorageError) return null
    throw error
  }
}

/** The file itself, or each of a group. */
export function ownFiles(unit: Pick<Unit, 'kind' | 'path' | 'entries' | 'folder'>): string[] {
  if (unit.kind === 'file') return [unit.path]
  return unit.kind === 'group' ? unit.entries.map(({ name }) => unit.folder.path + sep + name) : []
}

/** Absolute paths of the files with such a name in the folder or group, by name. */
export function filesNamed(unit: Unit, name: string | RegExp): string[] {
  const base = (unit.kind === 'folder' ? unit.path : unit.folder.path) + sep
  if (typeof name === 'string') {
    for (const entry of unit.entries) if (entry.name === name) return unit.odd.has(name) ? [] : [base + name]
    return []
  }
  return unit.entries
    .filter((entry) => entry.kind !== 'directory' && isNamed(entry, name) && !unit.odd.has(entry.name))
    .map((entry) => base + entry.name)
    .sort()
}

/** A link that leads nowhere: a framework asks whether the file exists, and it does not. */
function isGone({ odd }: Unit, { name }: DirectoryEntry): boolean {
  return odd.size > 0 && odd.get(name)?.grade === 'partial'
}

function negate(answer: boolean | null): boolean | null {
  return answer === null ? null : !answer
}

function every(answers: readonly (boolean | null)[]): boolean | null {
  if (answers.includes(false)) return false
  return answers.includes(null) ? null : true
}

/** For people: `random_states_0.pkl is there`, `torch: epoch, state_dict`. */
export function describeHas(has: Has): string {
  if ('file' in has) return `has ${shown(has.file)}`
  if ('beside' in has) return `has ${shown(has.beside)} beside it`
  if ('besideWithEnd' in has) return `has its own name with an end like ${patternText(has.besideWithEnd)} beside it`
  if ('atMost' in has) return `is one of at most ${has.atMost} with ${shown(has.named)}`
  if ('head' in has) return `begins as ${has.head}`
  if ('torch' in has) return `${of(has.of)}holds ${has.torch.map(shownPath).join(', ')} (torch.save)`
  if ('stateDict' in has) {
    const at = shownPath(has.stateDict)
    return at === ''
      ? 'is a state dict or a module (torch.save)'
      : `holds a state dict or a module at ${at} (torch.save)`
  }
  if ('stateDictIn' in has) return 'holds a state dict or a module under some key (torch.save)'
  if ('json' in has) return `${of(has.of)}holds ${has.json.map(shownPath).join(', ')} (JSON)`
  if ('zip' in has) return `is an archive with ${shown(has.zip)}`
  if ('not' in has) return `not: ${describeHas(has.not)}`
  if ('all' in has) return has.all.map(describeHas).join(' and ')
  return has.says
}

function shown(name: string | RegExp): string {
  return typeof name === 'string' ? name : `a name like ${patternText(name)}`
}

function shownPath(path: KeyPath): string {
  return pathOf(path).join('.')
}

function of(name: string | RegExp | undefined): string {
  return name === undefined ? '' : `${shown(name)} `
}
