/**
 * SpeechBrain: a folder `CKPT…` with `CKPT.yaml` in it, and one file `<key>.ckpt` for each recoverable.
 * Source: speechbrain/utils/checkpoints.py.
 */
import { sep } from 'node:path'
import {
  healthFrom,
  oneMember,
  type Checkpoint,
  type Finding,
  type Meta,
  type MetaValue,
  type ParamFile,
  type Role,
} from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { readMetas } from '../meta/index.js'
import type { Entry, ReadStorage, Result } from '../../storage/storage.js'
import { batches, compareText, directoryNames, findingOf, findNoFiles, prefixOf, type Placed } from './folders.js'
import type { Folder, Layout } from './layout.js'
import { quoteValue, toFinite } from './numbers.js'

const id = 'speechbrain'
const metaFile = 'CKPT.yaml'
const paramSuffix = '.ckpt'
/** Real ones have a few hundred bytes. */
const largestMeta = 8 << 20
/** An epoch counter is a few digits, `brain.ckpt` four lines. */
const largestSideFile = 1 << 16
/** Metas held in memory at once. */
const batchSize = 256

export const speechBrain: Layout = {
  id,
  title: 'SpeechBrain',
  scan: scanSpeechBrain,
  complete: completeSpeechBrain,
  roleOf: ({ name, kind }) => {
    const key = kind === 'directory' ? null : keyOf(name)
    return key === null ? 'other' : roleOfKey(key)
  },
  explainLeftover: explainSpeechBrainLeftover,
}

/**
 * Keys are free, so only those go by which recipes name such state: `optimizer`, `model_optimizer`, `modelopt`,
 * `adam`, `lr_annealing_model`, `noam_scheduler`, `scaler` alone (the Brain's, of mixed precision; a
 * `feature_scaler` is part of the model), `rng_state`. `opt` alone may be a language model.
 */
const resumeKey =
  /^((.*optimi[sz]ers?|(.*[-_])?optim|modelopt|adamw?|noam|(.*[-_])?schedulers?|(.*[-_])?annealing|rng|random_states?)([-_].*)?|(grad_?)?scaler)$/i
/** Small things that are neither: the loop's counters and where the data were. */
const loopKey = /^(counter|epoch_?counter|epochs?|brain|dataloader.*|.*[-_]sampler|sampler)$/

/** Every other recoverable is a part of the model. */
function roleOfKey(key: string): Role {
  if (resumeKey.test(key)) return 'resume'
  return loopKey.test(key) ? 'loop' : 'weights'
}

/** The library only warns when a `dataloader` file is missing, and loads a scaler where there is one. */
function isOptional(key: string): boolean {
  return key.includes('dataloader') || key.includes('scaler')
}

/** The meta is the first file of a save (checkpoints.py, `save_checkpoint`): without it nothing loads the rest. */
function explainSpeechBrainLeftover(name: string, inside: readonly Entry[]): string | null {
  if (!name.startsWith('CKPT') || inside.some((entry) => entry.name === metaFile)) return null
  return inside.length === 0
    ? `an empty folder: the save had only begun`
    : `no checkpoint without its ${metaFile}: what a save or a removal that was stopped left`
}

async function scanSpeechBrain(storage: ReadStorage, folder: Folder): Promise<Checkpoint[]> {
  const names = await directoryNames(storage, folder, (name) => name.startsWith('CKPT'))
  const found: Checkpoint[] = []
  const keys = new FileKeys()
  for (const batch of batches(names, batchSize)) found.push(...(await scanBatch(storage, folder.path, batch, keys)))
  return found
}

/** A folder whose meta is being read. */
interface Candidate {
  readonly name: string
  readonly path: string
  readonly files: readonly ParamFile[]
}

async function scanBatch(
  storage: ReadStorage,
  run: string,
  names: readonly string[],
  keys: FileKeys,
): Promise<Checkpoint[]> {
  const prefix = prefixOf(run)
  const listings = await storage.list(names.map((name) => prefix + name))
  const candidates: Candidate[] = []
  const metas: Placed[] = []
  const unreadable: Checkpoint[] = []
  names.forEach((name, index) => {
    const path = prefix + name
    const listing = listings[index]
    if (listing?.ok === true) {
      const entry = listing.value.find((one) => one.name === metaFile)
      if (entry !== undefined) {
        metas.push({ entry, path: path + sep + metaFile })
        candidates.push({ name, path, files: paramFilesOf(path, listing.value, keys) })
      }
    } else if (listing?.ok === false) {
      const finding = findingOf(listing.error)
      if (finding !== null) unreadable.push(toCheckpoint(run, { name, path, files: [] }, noMeta, [finding]))
    }
  })
  const noFiles = await findNoFiles(storage, metas)
  const isReadable = ({ path }: Candidate) => !noFiles.has(path + sep + metaFile)
  for (const candidate of candidates) {
    const finding = noFiles.get(candidate.path + sep + metaFile)
    // The library asks whether the file exists, and of a link that leads nowhere it does not.
    if (finding?.grade === 'corrupt') unreadable.push(toCheckpoint(run, candidate, noMeta, [finding]))
  }
  const read = await readMetaFiles(storage, run, noFiles.size === 0 ? candidates : candidates.filter(isReadable))
  return unreadable.length === 0 ? read : [...read, ...unreadable].sort((a, b) => compareText(a.name, b.name))
}

const noMeta: Meta = new Map()

async function readMetaFiles(
  storage: ReadStorage,
  run: string,
  candidates: readonly Candidate[],
): Promise<Checkpoint[]> {
  const texts = await storage.read(
    candidates.map((candidate) => candidate.path + sep + metaFile),
    largestMeta,
  )
  const metas = explainCut(await parseAll(texts), texts)
  const found: Checkpoint[] = []
  candidates.forEach((candidate, index) => {
    const meta = metas[index]
    if (meta === undefined || meta === null) return
    if (isFinding(meta)) found.push(toCheckpoint(run, candidate, noMeta, [meta]))
    else found.push(toCheckpoint(run, candidate, meta, []))
  })
  return found
}

/** For each file its meta, or what is wrong with it, or null when it is not there (any more). */
async function parseAll(texts: readonly Result<Uint8Array>[]): Promise<(Meta | Finding | null)[]> {
  const parsed = await readMetas(texts.filter((text) => text.ok).map((text) => text.value))
  let next = 0
  return texts.map((text) => {
    if (!text.ok) return findingOf(text.error, metaFile)
    const meta = parsed[next++]
    if (meta === undefined || meta instanceof CkptError) return corruptMeta(meta?.message ?? 'not read')
    return explainTime(meta.get('unixtime')) ?? meta
  })
}

/** The Checkpointer sorts by it, and cannot where one of them is no number. */
function explainTime(time: MetaValue | undefined): Finding | null {
  if (time === undefined || time === null || typeof time === 'number' || typeof time === 'bigint') return null
  return corruptMeta(`unixtime is no number, but ${quoteValue(time)}`)
}

/** So many others must end as they should before one that does not means something. */
const fewestWitnesses = 2

/**
 * A dump that was cut may still be YAML. PyYAML ends every line: a meta whose last line has no end, where most have
 * one, was not written to its end.
 */
function explainCut(
  metas: readonly (Meta | Finding | null)[],
  texts: readonly Result<Uint8Array>[],
): readonly (Meta | Finding | null)[] {
  const isRead = (meta: Meta | Finding | null | undefined): meta is Meta =>
    meta !== null && meta !== undefined && !isFinding(meta)
  const isEnded = (index: number): boolean => {
    const text = texts[index]
    return text?.ok === true && text.value.at(-1) === newline
  }
  const read = metas.flatMap((meta, index) => (isRead(meta) ? [{ meta, ended: isEnded(index) }] : []))
  const witnesses = read.filter(({ ended }) => ended)
  const cut = read.length - witnesses.length
  if (cut === 0 || witnesses.length < Math.max(fewestWitnesses, cut + 1)) return metas
  const haveTime = witnesses.every(({ meta }) => meta.has('unixtime'))
  return metas.map((meta, index) => {
    const text = texts[index]
    if (!isRead(meta) || isEnded(index) || text?.ok !== true) return meta
    const lacks = haveTime && !meta.has('unixtime') ? 'the last line without its end, and no unixtime' : lastLine
    const others = `which each of ${witnesses.length} other checkpoints has`
    return corruptMeta(`ends early: ${text.value.length} bytes, ${lacks}, ${others}`)
  })
}

const lastLine = 'the last line without its end'
const newline = 0x0a

function corruptMeta(reason: string): Finding {
  return { grade: 'corrupt', file: metaFile, reason }
}

function isFinding(value: Meta | Finding): value is Finding {
  return 'reason' in value
}

function toCheckpoint(run: string, candidate: Candidate, meta: Meta, findings: readonly Finding[]): Checkpoint {
  return {
    name: candidate.name,
    ...oneMember(candidate.path, 'directory'),
    run,
    layout: id,
    meta,
    step: toFinite(meta.get('step')),
    epoch: toFinite(meta.get('epoch')),
    unixtime: toFinite(meta.get('unixtime')),
    modified: null,
    files: candidate.files,
    size: null,
    health: healthFrom('none', findings),
    pointsTo: [],
  }
}

function paramFilesOf(path: string, entries: readonly Entry[], keys: FileKeys): ParamFile[] {
  const files: ParamFile[] = []
  for (const { name } of entries) {
    const known = keys.of(name)
    if (known !== null) files.push({ ...known, path: path + sep + name, size: null })
  }
  return files.sort((a, b) => compareText(a.key, b.key))
}

type Known = Pick<ParamFile, 'key' | 'role' | 'optional'>

/** Names seen in a run, of which few differ: the same string for the same key is compared and looked up at once. */
class FileKeys {
  readonly #known = new Map<string, Known | null>()

  /** What is known of a parameter file by its name; null for any other name. */
  of(name: string): Known | null {
    const known = this.#known.get(name)
    if (known !== undefined) return known
    const key = keyOf(name)
    const found = key === null ? null : { key, role: roleOfKey(key), ...(isOptional(key) ? { optional: true } : {}) }
    this.#known.set(name, found)
    return found
  }
}

/** Everything whose last suffix is `.ckpt`, as pathlib counts suffixes: a name that begins with its dot has none. */
function keyOf(name: string): string | null {
  return name.endsWith(paramSuffix) && name.length > paramSuffix.length ? name.slice(0, -paramSuffix.length) : null
}

/** Step from `brain.ckpt`, epoch from the epoch counter's file, where the meta has none. */
async function completeSpeechBrain(storage: ReadStorage, checkpoints: readonly Checkpoint[]): Promise<Checkpoint[]> {
  const found: Checkpoint[] = []
  for (const batch of batches(checkpoints, batchSize)) {
    const steps = await readSteps(storage, batch)
    const epochs = await readEpochs(storage, batch)
    for (const checkpoint of batch) {
      const step = checkpoint.step ?? steps.get(checkpoint) ?? null
      const epoch = checkpoint.epoch ?? epochs.get(checkpoint) ?? null
      const same = step === checkpoint.step && epoch === checkpoint.epoch
      found.push(same ? checkpoint : { ...checkpoint, step, epoch })
    }
  }
  return found
}

/** The Brain class saves `yaml.dump` of its counters (speechbrain/core.py, `_save`). */
async function readSteps(storage: ReadStorage, batch: readonly Checkpoint[]): Promise<Map<Checkpoint, number>> {
  const texts = await readSideFiles(
    storage,
    batch.filter((checkpoint) => checkpoint.step === null),
    (files) => files.find((file) => file.key === 'brain'),
  )
  const metas = await readMetas([...texts.values()])
  const steps = new Map<Checkpoint, number>()
  Array.from(texts.keys()).forEach((checkpoint, index) => {
    const meta = metas[index]
    const step = meta === undefined || meta instanceof CkptError ? null : toFinite(meta.get('step'))
    if (step !== null) steps.set(checkpoint, step)
  })
  return steps
}

async function readEpochs(storage: ReadStorage, batch: readonly Checkpoint[]): Promise<Map<Checkpoint, number>> {
  const texts = await readSideFiles(
    storage,
    batch.filter((checkpoint) => checkpoint.epoch === null),
    (files) => files.find((file) => file.key === 'counter') ?? files.find((file) => isCounter(file.key)),
  )
  const epochs = new Map<Checkpoint, number>()
  for (const [checkpoint, bytes] of texts) {
    const text = Buffer.from(bytes).toString('latin1').trim()
    if (/^\d{1,15}$/.test(text)) epochs.set(checkpoint, Number(text))
  }
  return epochs
}

/** Recipes name it `counter` or `epoch_counter`, the tutorials `epoch` and `epochs`. */
function isCounter(key: string): boolean {
  return /counter|^epochs?$/.test(key)
}

async function readSideFiles(
  storage: ReadStorage,
  checkpoints: readonly Checkpoint[],
  choose: (files: readonly ParamFile[]) => ParamFile | undefined,
): Promise<Map<Checkpoint, Uint8Array>> {
  const wanted = checkpoints.flatMap((checkpoint) => {
    const file = choose(checkpoint.files)
    return file === undefined ? [] : [{ checkpoint, path: file.path }]
  })
  const results = await storage.read(
    wanted.map((one) => one.path),
    largestSideFile,
  )
  const texts = new Map<Checkpoint, Uint8Array>()
  wanted.forEach(({ checkpoint }, index) => {
    const result = results[index]
    if (result?.ok === true) texts.set(checkpoint, result.value)
  })
  return texts
}
