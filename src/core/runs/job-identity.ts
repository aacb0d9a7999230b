/**
 * What tells the job of a run: the hyper-parameters and the command that its program or a tracker has written beside
 * its checkpoints. Two folders with the same are one job that was begun again; what differs at each start anyway
 * (folders, dates, names, where to resume) does not count.
 * Sources: lightning/pytorch/core/saving.py (hparams.yaml), speechbrain/core.py (hyperparams.yaml), hydra/_internal/hydra.py
 * (.hydra/), wandb/sdk/wandb_settings.py (files/config.yaml, files/wandb-metadata.json).
 */
import { basename, dirname, join, relative, sep } from 'node:path'
import { isMeta, OpaqueValue, type Checkpoint, type Meta, type MetaValue, type Run } from '../checkpoint.js'
import { CkptError } from '../errors.js'
import { readMetas } from '../checkpoints/meta/index.js'
import type { ReadStorage } from '../storage/storage.js'

/** Facts by their names, of one document. */
type Facts = ReadonlyMap<string, string>

export interface JobIdentity {
  /** By the document's kind. */
  readonly documents: ReadonlyMap<string, Facts>
  /** Words of the command that were written down; null where none were. */
  readonly command: readonly string[] | null
}

export type Relation = 'same' | 'other' | 'unknown'

/** Where programs and trackers write them, relative to a folder of the run or above it. */
const files = [
  'hparams.yaml',
  'hyperparams.yaml',
  '.hydra/config.yaml',
  '.hydra/overrides.yaml',
  'config.yaml',
  'config.yml',
  'config.json',
  'args.yaml',
  'args.yml',
  'args.json',
  'params.json',
  'params.yaml',
  'opts.yaml',
  'opt.yaml',
  'cfg.yaml',
  'training_args.json',
  'flags.json',
  'files/config.yaml',
  'files/wandb-metadata.json',
  'wandb-metadata.json',
] as const

/** Bytes. People write them, and programs write down what people wrote. */
const largest = 1 << 22

/** One by one for each run, in their order. `root` is above them all: what lies in it tells none from another. */
export async function identify(storage: ReadStorage, root: string, runs: readonly Run[]): Promise<JobIdentity[]> {
  const trackers = await trackerFolders(storage, root)
  const identities: JobIdentity[] = []
  for (const run of runs) identities.push(await identifyOne(storage, root, run, trackers))
  return identities
}

async function identifyOne(
  storage: ReadStorage,
  root: string,
  run: Run,
  trackers: ReadonlyMap<string, string>,
): Promise<JobIdentity> {
  const own = ownFolders(root, run.path)
  const folders = [...own, ...own.flatMap((folder) => trackers.get(basename(folder)) ?? [])]
  const paths = folders.flatMap((folder) => files.map((file) => ({ file, path: join(folder, file) })))
  const texts = await storage.read(
    paths.map(({ path }) => path),
    largest,
  )
  const names = relative(root, run.path).split(sep)
  const documents = new Map<string, Facts>()
  let command: readonly string[] | null = null
  for (const [index, { file }] of paths.entries()) {
    const text = texts[index]
    const kind = basename(file) === 'wandb-metadata.json' ? 'command' : file
    if (text?.ok !== true || documents.has(kind)) continue
    const meta = await readDocument(file, text.value)
    if (meta === null) continue
    command ??= commandIn(file, meta)
    documents.set(kind, factsOf(file, meta, names))
  }
  const inside = parametersInside(run.checkpoints)
  if (inside !== null) documents.set('hyper_parameters', factsOf('', inside, names))
  return { documents, command }
}

/** From the run's own up to the one below the root. */
function ownFolders(root: string, path: string): string[] {
  if (path === root || dirname(path) === path) return []
  return [path, ...ownFolders(root, dirname(path))]
}

/** W&B's folders by the ids at their ends, `wandb/run-20240501_120000-abc123`: Lightning saves elsewhere, below that id. */
async function trackerFolders(storage: ReadStorage, root: string): Promise<ReadonlyMap<string, string>> {
  const folders = [join(root, 'wandb'), join(dirname(root), 'wandb')]
  const listings = await storage.list(folders)
  return new Map(
    folders.flatMap((folder, index) => {
      const listing = listings[index]
      if (listing?.ok !== true) return []
      return listing.value.flatMap(({ name }): [string, string][] => {
        const id = /^(?:offline-)?run-\d{8}_\d{6}-(.+)$/.exec(name)?.[1]
        return id === undefined ? [] : [[id, join(folder, name)]]
      })
    }),
  )
}

/** Hydra's overrides are a list. */
async function readDocument(file: string, bytes: Uint8Array): Promise<Meta | null> {
  const lead = file.endsWith('overrides.yaml') ? new TextEncoder().encode('overrides:\n') : new Uint8Array()
  const [meta] = await readMetas([Buffer.concat([lead, bytes])])
  return meta === undefined || meta instanceof CkptError ? null : meta
}

function parametersInside(checkpoints: readonly Checkpoint[]): Meta | null {
  const values = checkpoints.map(({ meta }) => meta.get('hyper_parameters')).filter((value) => isMeta(value))
  return values.at(-1) ?? null
}

function commandIn(file: string, meta: Meta): readonly string[] | null {
  const words = file.endsWith('overrides.yaml') ? meta.get('overrides') : meta.get('args')
  if (!Array.isArray(words) || !(file.endsWith('overrides.yaml') || file.endsWith('wandb-metadata.json'))) return null
  return tellingWords(words.filter((word) => typeof word === 'string'))
}

function factsOf(file: string, meta: Meta, names: readonly string[]): Facts {
  if (basename(file) === 'wandb-metadata.json') {
    const words = commandIn(file, meta) ?? []
    return new Map([
      ['program', textOf(meta.get('program') ?? meta.get('codePath') ?? null, names)],
      ['args', words.map((word) => textOf(word, names)).join(' ')],
    ])
  }
  if (file.endsWith('overrides.yaml')) {
    const words = (commandIn(file, meta) ?? []).map((word) => textOf(word, names))
    return new Map(words.length === 0 ? [] : [['overrides', words.sort().join(' ')]])
  }
  return new Map(flatten(meta, '', names))
}

function flatten(meta: Meta, prefix: string, names: readonly string[]): [string, string][] {
  return [...meta].flatMap(([key, value]): [string, string][] => {
    if (changesAtEachStart(key, prefix === '')) return []
    if (!isMeta(value)) return [[prefix + key, textOf(value, names)]]
    // W&B wraps each value.
    const wrapped = value.has('value') && [...value.keys()].every((one) => one === 'value' || one === 'desc')
    const inner = wrapped ? value.get('value') : undefined
    if (inner !== undefined && !isMeta(inner)) return [[prefix + key, textOf(inner, names)]]
    return flatten(isMeta(inner) ? inner : value, `${prefix}${key}.`, names)
  })
}

/** Folders, names and dates; where to resume; the machine. A seed is none of these: each of its values is a job. */
const folders =
  /^((.*[_-])?(out|output|log|logging|save|run|exp|experiment|work|working|result|results|tensorboard|tb|hub|cache|tmp|default_root)[_-]?(dir|directory|path|folder|root|file)|dirpath|output|workspace|train_log)$/i
const resuming = /(resume|ckpt|checkpoint|restart|pretrained_from|init_from|load_from|start_(epoch|step|iter))/i
const machine =
  /^(host|hostname|pid|port|rank|local_rank|world_size|num_workers|num_gpus|gpus|devices|node.*|job_?id|slurm.*|git.*|timestamp|date|time|start_?time|created.*)$/i
const titles = /^(name|id|version|run|run_?name|run_?id|exp_?name|experiment|experiment_?name|wandb_version|_.*)$/i

function changesAtEachStart(key: string, isOuter: boolean): boolean {
  return folders.test(key) || resuming.test(key) || machine.test(key) || (isOuter && titles.test(key))
}

/** Words of a command that say what job it is; what says where to begin goes, with its value. */
export function tellingWords(words: readonly string[]): string[] {
  const telling: string[] = []
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? ''
    const key = word.replace(/^[-+~]+/, '').replace(/=.*$/s, '')
    const leaf = key.split('.').at(-1) ?? key
    const isOption = word.startsWith('-') || word.includes('=')
    if (!isOption || !(changesAtEachStart(leaf, true) || resuming.test(key))) {
      telling.push(word)
    } else if (!word.includes('=') && !(words[index + 1] ?? '-').startsWith('-')) {
      index += 1
    }
  }
  return telling
}

/** The names of the run's own folders are another each time. */
function textOf(value: MetaValue, names: readonly string[]): string {
  if (typeof value === 'string') return withoutNames(value, names)
  if (value instanceof OpaqueValue) return value.text
  if (Array.isArray(value)) return `[${value.map((one: MetaValue) => textOf(one, names)).join(', ')}]`
  if (isMeta(value)) return `{${[...value].map(([key, one]) => `${key}: ${textOf(one, names)}`).join(', ')}}`
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint' ? String(value) : 'null'
}

function withoutNames(text: string, names: readonly string[]): string {
  return text
    .split('/')
    .map((part) => (names.includes(part) ? '*' : part))
    .join('/')
}

/** What their documents say: all that both have must agree, and one of them must say something. */
export function relate(a: JobIdentity, b: JobIdentity): Relation {
  let isSame = false
  for (const [kind, facts] of a.documents) {
    const others = b.documents.get(kind)
    if (others === undefined) continue
    if (differences(facts, others).length > 0) return 'other'
    if (facts.size > 0) isSame = true
  }
  return isSame ? 'same' : 'unknown'
}

/** For people, what tells two jobs apart: `lr: 0.1 and 0.3`. */
export function describeDifference(a: JobIdentity, b: JobIdentity): string | null {
  for (const [kind, facts] of a.documents) {
    const [first, ...others] = differences(facts, b.documents.get(kind) ?? facts)
    const more = others.length === 0 ? '' : `, and ${others.length} more`
    if (first !== undefined) return `${first[0]} is ${first[1]} and ${first[2]}${more}`
  }
  return null
}

const absent = 'not set'

function differences(a: Facts, b: Facts): [string, string, string][] {
  return [...new Set([...a.keys(), ...b.keys()])].flatMap((key): [string, string, string][] => {
    const [first = absent, second = absent] = [a.get(key), b.get(key)]
    return first === second ? [] : [[key, first, second]]
  })
}

/** Whether the command that was written down is this one: each of its telling words is there, and no other setting. */
export function isCommandOf({ command }: JobIdentity, words: readonly string[]): boolean {
  if (command === null) return false
  const given = new Set(tellingWords(words.filter((word) => !/\{[a-z]/.test(word))))
  const recorded = new Set(command)
  return (
    command.every((word) => given.has(word)) &&
    [...given].every((word) => recorded.has(word) || !(word.startsWith('-') || word.includes('=')))
  )
}
