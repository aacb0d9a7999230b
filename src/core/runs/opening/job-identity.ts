/**
 * What tells the job of a run: the hyper-parameters and the command that its program or a tracker has written beside
 * its checkpoints. Two folders with the same are one job that was begun again; what differs at each start anyway
 * (folders, dates, names, where to resume) does not count.
 * Sources: lightning/pytorch/core/saving.py (hparams.yaml), speechbrain/core.py (hyperparams.yaml), hydra/_internal/hydra.py
 * (.hydra/), wandb/sdk/wandb_settings.py (files/config.yaml, files/wandb-metadata.json).
 */
import { basename, dirname, join, relative, sep } from 'node:path'
import { isMeta, OpaqueValue, type Checkpoint, type Meta, type MetaValue, type Run } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import {
  fileKinds,
  filesOfKind,
  hydraOverrides,
  readWandb,
  readYaml,
  type FileKind,
} from '../../checkpoints/hyperparameters/index.js'
import { flatten } from '../../checkpoints/meta/index.js'
import { parseJson } from '../../formats/text/json.js'
import type { ReadStorage } from '../../storage/storage.js'

/** Facts by their names, of one document. */
type Facts = ReadonlyMap<string, string>

export interface JobIdentity {
  /** By the document's kind. */
  readonly documents: ReadonlyMap<string, Facts>
  /** Words of the command that were written down; null where none were. */
  readonly command: readonly string[] | null
}

export type Relation = 'same' | 'other' | 'unknown'

/** W&B's record of how a program was started (wandb/sdk/wandb_settings.py). */
const wandbRecord = /^wandb-metadata\.json$/

/** The files that hyper-parameters are read from, and those in a folder of a tracker. */
const kinds: readonly FileKind[] = [
  ...fileKinds.map((kind) => (kind === hydraOverrides ? { ...kind, read: readYaml } : kind)),
  { inside: 'files', name: /^config\.yaml$/, above: 0, read: readWandb },
  { inside: 'files', name: wandbRecord, above: 0, read: parseJson },
  { name: wandbRecord, above: 0, read: parseJson },
]

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
  const names = relative(root, run.path).split(sep)
  const documents = new Map<string, Facts>()
  let command: readonly string[] | null = null
  for (const { file, path, read } of await filesIn(storage, folders)) {
    const kind = wandbRecord.test(basename(file)) ? 'command' : file
    if (documents.has(kind)) continue
    const value = await readDocument(storage, path, read)
    if (value === null) continue
    command ??= commandIn(file, value)
    documents.set(kind, factsOf(file, value, names))
  }
  const inside = parametersInside(run.checkpoints)
  if (inside !== null) documents.set('hyper_parameters', factsOf('', inside, names))
  return { documents, command }
}

interface SettingsFile {
  /** Relative to its folder. */
  readonly file: string
  readonly path: string
  readonly read: FileKind['read']
}

async function filesIn(storage: ReadStorage, folders: readonly string[]): Promise<SettingsFile[]> {
  const listings = await storage.list(folders)
  const found: SettingsFile[] = []
  for (const [index, folder] of folders.entries()) {
    const listing = listings[index]
    if (listing?.ok !== true) continue
    for (const kind of kinds) {
      for (const path of await filesOfKind(storage, folder, listing.value, kind)) {
        found.push({ file: relative(folder, path), path, read: kind.read })
      }
    }
  }
  return found
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

/** Null for what cannot be read: it tells nothing. */
async function readDocument(storage: ReadStorage, path: string, read: FileKind['read']): Promise<MetaValue> {
  const [bytes] = await storage.read([path], largest)
  if (bytes?.ok !== true) return null
  try {
    return await read(bytes.value)
  } catch (error) {
    if (error instanceof CkptError) return null
    throw error
  }
}

function parametersInside(checkpoints: readonly Checkpoint[]): Meta | null {
  const values = checkpoints.map(({ meta }) => meta.get('hyper_parameters')).filter((value) => isMeta(value))
  return values.at(-1) ?? null
}

function commandIn(file: string, value: MetaValue): readonly string[] | null {
  const isRecord = wandbRecord.test(basename(file))
  if (!isRecord && !hydraOverrides.name.test(basename(file))) return null
  const words = isRecord && isMeta(value) ? value.get('args') : value
  return Array.isArray(words) ? tellingWords(words.filter((word) => typeof word === 'string')) : null
}

function factsOf(file: string, value: MetaValue, names: readonly string[]): Facts {
  const command = commandIn(file, value)
  const words = (command ?? []).map((word) => textOf(word, names))
  if (wandbRecord.test(basename(file))) {
    const program = isMeta(value) ? (value.get('program') ?? value.get('codePath') ?? null) : null
    return new Map([
      ['program', textOf(program, names)],
      ['args', words.join(' ')],
    ])
  }
  if (command !== null) return new Map(words.length === 0 ? [] : [['overrides', words.sort().join(' ')]])
  const settings = [...flatten(value)].filter(([name]) => !isOfOneStart(name))
  return new Map(settings.map(([name, one]) => [name, textOf(one, names)]))
}

/** Whether a name with dots, or a mapping that it lies in, changes at each start. */
function isOfOneStart(name: string): boolean {
  return name.split('.').some((part, depth) => changesAtEachStart(part, depth === 0))
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
  const settings: string[] = []
  for (let index = 0; index < words.length; index += 1) {
    const word = words[index] ?? ''
    const key = word.replace(/^[-+~]+/, '').replace(/=.*$/s, '')
    const leaf = key.split('.').at(-1) ?? key
    const isOption = word.startsWith('-') || word.includes('=')
    if (!isOption || !(changesAtEachStart(leaf, true) || resuming.test(key))) {
      settings.push(word)
    } else if (!word.includes('=') && !(words[index + 1] ?? '-').startsWith('-')) {
      index += 1
    }
  }
  return settings
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
  const given = new Set(tellingWords(behindProgram(words).filter((word) => !/\{[a-z]/.test(word))))
  const recorded = new Set(command)
  return (
    command.every((word) => given.has(word)) &&
    [...given].every((word) => recorded.has(word) || !(word.startsWith('-') || word.includes('=')))
  )
}

/** What is before the script (`python -u`, `torchrun --nproc-per-node 2`) is said to others than the program. */
function behindProgram(words: readonly string[]): readonly string[] {
  const script = words.findIndex((word) => word.endsWith('.py'))
  if (script !== -1) return words.slice(script + 1)
  const module = words.indexOf('-m')
  return module === -1 ? words : words.slice(module + 2)
}
