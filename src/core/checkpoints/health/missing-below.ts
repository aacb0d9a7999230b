/**
 * A file in a folder of a checkpoint, or an index in the checkpoint itself, that each of the others has: of those nearest
 * in the run's order.
 */
import { basename } from 'node:path'
import type { Checkpoint, Finding } from '../../checkpoint.js'
import type { ReadStorage } from '../../storage/storage.js'
import { explainTemporary, findLayout, listFiles } from '../layouts/index.js'
import { fewestWitnesses } from './missing.js'
import { isModelOnPurpose } from './weights-alone.js'
import { RunOrder } from './run-order.js'

/** Others that are asked. */
const mostAsked = 4
/** What is farther off in the run's order says little of this one. */
const farthest = 100
/** What holds parameters, state, or says how to read them. */
const counted = /\.(safetensors|bin|pt|pth|ckpt|pkl|npz|h5|msgpack|json|yaml)$|^\.metadata$/
/** What says what there is, right in a checkpoint's folder: it is not a parameter, and nothing can be loaded without it. */
const indexes =
  /^(?:\.metadata|metadata\.json|_METADATA|common\.pt|adapter_config\.json|.*\.(?:safetensors|bin)\.index\.json)$/
/** These come and go. */
const optional = /scaler|dataloader|sampler|\.lock$/
/** One for each process: how many there must be, what was written says, and not other checkpoints. */
const ranked = /(^|\/)__\d+_\d+\.|(zero_pp|expp)_rank_|rng_state_|random_states_|integrity\.json$/

/**
 * By path, what is missing in the folders of `which`. `known` are the names of their files, by the checkpoint's path;
 * others that are asked are listed.
 * Those still being written are not witnesses.
 */
export async function findMissingBelow(
  storage: ReadStorage,
  siblings: readonly Checkpoint[],
  which: readonly Checkpoint[],
  known: ReadonlyMap<string, readonly string[]>,
): Promise<ReadonlyMap<string, readonly Finding[]>> {
  // Most have neither folders nor indexes, and no neighbour that is not known: tens of thousands are done with.
  if (siblings.every(({ path }) => known.get(path)?.some(isComparedName) === false)) return new Map()
  const names = new Map(known)
  const asked = await findAsked(storage, siblings, which, names)
  const unlisted = new Map([...asked.values()].flat().map((one) => [one.path, one]))
  for (const path of names.keys()) unlisted.delete(path)
  const listed = await listFiles(storage, [...unlisted.values()])
  for (const [{ path }, { files }] of listed)
    names.set(
      path,
      files.map(({ name }) => name),
    )
  return new Map(
    [...asked].flatMap(([checkpoint, others]) => {
      const found = compare(checkpoint, names, others)
      return found.length === 0 ? [] : [[checkpoint.path, found] as const]
    }),
  )
}

/** Those that have folders or indexes, or whose neighbour has, with the others that are to be asked. */
async function findAsked(
  storage: ReadStorage,
  siblings: readonly Checkpoint[],
  which: readonly Checkpoint[],
  names: ReadonlyMap<string, readonly string[]>,
): Promise<ReadonlyMap<Checkpoint, readonly Checkpoint[]>> {
  const isAsked = async ({ path }: Checkpoint): Promise<boolean> => {
    const known = names.get(path)
    if (known !== undefined) return known.some(isComparedName)
    const [listing] = await storage.list([path])
    return listing?.ok === true && listing.value.some(({ kind, name }) => kind === 'directory' || indexes.test(name))
  }
  const asked = new Map<Checkpoint, readonly Checkpoint[]>()
  const graded = new Map(which.map((one) => [one.path, one]))
  for (const checkpoint of which) {
    if (checkpoint.kind !== 'directory') continue
    const others = nearestTo(checkpoint, siblings, graded)
    const [first] = others
    if (first === undefined || others.length < fewestWitnesses) continue
    if ((await isAsked(checkpoint)) || (await isAsked(first))) asked.set(checkpoint, others)
  }
  return asked
}

function isComparedName(name: string): boolean {
  return name.includes('/') || indexes.test(name)
}

/** Those nearest to it on both sides; what `graded` knows of them counts. */
function nearestTo(
  of: Checkpoint,
  siblings: readonly Checkpoint[],
  graded: ReadonlyMap<string, Checkpoint>,
): Checkpoint[] {
  const found: Checkpoint[] = []
  let distance = 0
  for (const pair of RunOrder.of(siblings).around(of)) {
    found.push(...pair.map((one) => graded.get(one.path) ?? one).filter(isWitness))
    distance += 1
    if (found.length >= mostAsked || distance === farthest) break
  }
  return found.slice(0, mostAsked)
}

function isWitness({ health, kind }: Checkpoint): boolean {
  return kind === 'directory' && health.findings.every(({ grade }) => grade !== 'unfinished' && grade !== 'unreadable')
}

function compare(
  checkpoint: Checkpoint,
  names: ReadonlyMap<string, readonly string[]>,
  others: readonly Checkpoint[],
): Finding[] {
  if (others.length < fewestWitnesses) return []
  const own = new Set((names.get(checkpoint.path) ?? []).flatMap((name) => comparable(checkpoint, name)))
  const theirs = others.map((other) => new Set(below(other, names.get(other.path) ?? [])))
  const [first = new Set<string>(), ...rest] = theirs
  const dropped = (checkpoint.demoted ?? []).map(({ name }) => name)
  const isModel = isModelOnPurpose(checkpoint)
  // What `.metadata` says how to read: an export, which a training may end with, has neither.
  const hasShards = [...own].some((name) => name.endsWith('.distcp'))
  const absent = [...first].filter(
    (name) =>
      !own.has(name) &&
      (hasShards || name !== '.metadata') &&
      rest.every((one) => one.has(name)) &&
      !dropped.some((folder) => name === folder || name.startsWith(`${folder}/`)) &&
      !(isModel && isOnlyToResume(checkpoint, name)),
  )
  return absent.sort().map((name) => ({
    grade: 'partial',
    file: name.replaceAll(mark, String(checkpoint.step ?? '')),
    reason: `not there, and each of the ${others.length} checkpoints nearest to it has it`,
  }))
}

/** In a folder such as FSDP's `optimizer_0/`. */
function isOnlyToResume({ layout }: Checkpoint, name: string): boolean {
  const [folder = name, inside] = name.split('/')
  return inside !== undefined && findLayout(layout)?.roleOf({ name: folder, kind: 'directory' }) === 'resume'
}

function below(checkpoint: Checkpoint, names: readonly string[]): string[] {
  return names
    .filter((name) => {
      if (indexes.test(name)) return true
      return name.includes('/') && counted.test(basename(name)) && !optional.test(name) && !ranked.test(name)
    })
    .filter((name) => explainTemporary(basename(name)) === null)
    .flatMap((name) => comparable(checkpoint, name))
}

/** Stands for the checkpoint's own step in a folder's name: `global_step200`. */
const mark = '\0'

/** As it is, and as others have it where the number in it is the step: `2_Dense/` is the same folder in all of them. */
function comparable({ step }: Checkpoint, name: string): string[] {
  if (step === null || !name.includes('/')) return [name]
  const slash = name.lastIndexOf('/')
  const marked = name.slice(0, slash).replace(new RegExp(`(?<!\\d)0*${step}(?!\\d)`), mark) + name.slice(slash)
  return marked === name ? [name] : [name, marked]
}
