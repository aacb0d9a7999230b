/** A prune's plan as a file: looked over by a person today, done tomorrow, exactly. */
import { dirname, isAbsolute, join, resolve, sep } from 'node:path'
import { readFingerprint, writeFingerprint, type Fingerprint } from '../../changes/disposal/index.js'
import { CkptError } from '../../errors.js'
import { isJsonObject, parseJson, type JsonObject, type JsonValue } from '../../formats/text/json.js'
import { isNameInside } from '../../changes/state/index.js'
import type { ReadStorage, Storage } from '../../storage/storage.js'
import type { PrunePlan } from './prune.js'

/** What a plan's file says is to be done. */
export interface WrittenPlan {
  /** Absolute. */
  readonly run: string
  /** Unix seconds. */
  readonly created: number
  /** False: made with `--no-protect`. */
  readonly protect: boolean
  readonly allowEmpty: boolean
  /** The newest that stays is read to its last byte before anything goes. */
  readonly proves: boolean
  /** What was asked for, for the journal; empty where the file does not tell. */
  readonly policy: string
  readonly remove: readonly { readonly name: string; readonly reason: string; readonly fingerprint: Fingerprint }[]
}

const kind = 'ckpt prune plan'
/** Of many runs: a list of such plans. */
const kindOfMany = 'ckpt prune plans'
/** Ten thousand checkpoints of a hundred files have less. */
const largestPlan = 256 << 20

export interface PlanChoices {
  readonly created: number
  readonly protect: boolean
  readonly allowEmpty: boolean
  readonly proves: boolean
  readonly policy: string
}

/** For the journal: what the plan was made by, and how it was done. */
export function withPlan(policy: string, how: string): string {
  return policy === '' ? how : `${policy} (${how})`
}

/** Plain JSON data. An entry that could not be looked at is not written: it could not be removed either. */
export function planToJson(
  run: string,
  plan: PrunePlan,
  { created, protect, allowEmpty, proves, policy }: PlanChoices,
) {
  return {
    kind,
    version: 1,
    run,
    created,
    protect,
    allowEmpty,
    proves,
    policy,
    freedBytes: plan.freedBytes,
    keep: plan.keep.map(({ checkpoint, reasons }) => ({
      name: checkpoint.name,
      reasons: reasons.map(({ text }) => text),
    })),
    remove: plan.remove.flatMap(({ checkpoint, reason }) => {
      const print = plan.fingerprints.get(checkpoint.name)
      return print?.ok === true
        ? [{ name: checkpoint.name, reason: reason.text, fingerprint: writeFingerprint(print.value) }]
        : []
    }),
  }
}

/** The plans of many runs, those of which something goes. */
export function plansToJson(plans: readonly ReturnType<typeof planToJson>[], created: number) {
  return { kind: kindOfMany, version: 1, created, runs: plans.filter(({ remove }) => remove.length > 0) }
}

/** Writes the plan to a new file. Throws CkptError `refused` when something is there. */
export async function writePlan(
  storage: Storage,
  path: string,
  plan: ReturnType<typeof planToJson> | ReturnType<typeof plansToJson>,
): Promise<void> {
  const [there] = await storage.lstat([path])
  if (there?.ok === true) {
    throw new CkptError('refused', `${path}: there already; nothing is overwritten`, { hint: 'name another file' })
  }
  const file = await storage.create(path)
  try {
    await file.write(new TextEncoder().encode(`${JSON.stringify(plan, null, 2)}\n`))
    await file.sync()
  } finally {
    await file.close()
  }
}

/** What a plan's file holds. */
export interface PlanFile {
  /** As it was named, for messages. */
  readonly path: string
  /** The plans of many runs, of which there may be one or none. */
  readonly isOfMany: boolean
  readonly plans: readonly WrittenPlan[]
}

/** Throws CkptError `usage` with what is wrong in it, `not-found`, `system`. */
export async function readPlanFile(storage: ReadStorage, path: string): Promise<PlanFile> {
  const file = await readFile(storage, path)
  if (file.get('kind') !== kindOfMany) return { path, isOfMany: false, plans: [planIn(file, path)] }
  if (file.get('version') !== 1) throw bad(path, '"version" is not 1: it was written by another ckpt')
  const list = file.get('runs')
  if (!Array.isArray(list)) throw bad(path, '"runs" is not a list')
  const plans = (list as readonly JsonValue[]).map((one, index) => {
    if (!isJsonObject(one)) throw bad(path, `"runs", entry ${index + 1}: no object`)
    return planIn(one, path)
  })
  const seen = new Set<string>()
  for (const { run } of plans) {
    if (seen.has(run)) throw bad(path, `${JSON.stringify(run)} comes twice`)
    seen.add(run)
  }
  return { path, isOfMany: true, plans }
}

/** The folder at or below which all its runs lie. */
export function folderOfPlans({ plans }: PlanFile): string {
  const [first = '/', ...others] = plans.map(({ run }) => run)
  let folder = first
  while (!others.every((run) => isAtOrBelow(run, folder))) folder = dirname(folder)
  return folder
}

/** Throws CkptError `usage` unless it is the plan of the run `asked` (absolute), or of runs at and below it. */
export async function refuseOtherRuns(storage: ReadStorage, file: PlanFile, asked: string): Promise<void> {
  const { path, isOfMany, plans } = file
  const runs = plans.map(({ run }) => run)
  if (!isOfMany) {
    const other = runs.find((run) => run !== asked)
    if (other === undefined) return
    throw new CkptError('usage', `${path} is a plan for ${other}, not for ${asked}`, {
      hint: 'leave the run out: the plan names it',
    })
  }
  const other = await findOutside(storage, runs, asked)
  if (other === undefined) return
  throw new CkptError('usage', `${path} is a plan for ${other} too, which is not below ${asked}`, {
    hint: 'leave the folder out: the plan names its runs',
  })
}

/** The first of these paths that lies neither at nor below `root`: by its name, or by the links on the way to it. */
async function findOutside(storage: ReadStorage, runs: readonly string[], root: string): Promise<string | undefined> {
  const [realRoot, ...real] = await storage.resolve([root, ...runs])
  return runs.find((run, index) => {
    const at = real[index]
    if (!isAtOrBelow(run, root)) return true
    return at?.ok === true && realRoot?.ok === true && !isAtOrBelow(at.value, realRoot.value)
  })
}

function isAtOrBelow(path: string, folder: string): boolean {
  return path === folder || path.startsWith(join(folder, sep))
}

async function readFile(storage: ReadStorage, path: string): Promise<JsonObject> {
  const [text] = await storage.read([path], largestPlan)
  if (text?.ok !== true) throw text?.error ?? new CkptError('not-found', `${path}: nothing there`)
  return parse(text.value, path)
}

function planIn(plan: JsonObject, path: string): WrittenPlan {
  if (plan.get('kind') !== kind) throw bad(path, `"kind" is not "${kind}"`)
  if (plan.get('version') !== 1) throw bad(path, '"version" is not 1: it was written by another ckpt')
  const [run, created, protect, allowEmpty] = ['run', 'created', 'protect', 'allowEmpty'].map((key) => plan.get(key))
  if (typeof run !== 'string' || !isAbsolute(run) || run.includes('\0'))
    throw bad(path, '"run" is not an absolute path')
  // Written so by ckpt: with ".." in it a path looks as if it lay where it does not.
  if (resolve(run) !== run) throw bad(path, `"run" is not written out: ${JSON.stringify(run)}`)
  if (typeof created !== 'number') throw bad(path, '"created" is not a number')
  const policy = plan.get('policy')
  return {
    run,
    created,
    protect: protect !== false,
    allowEmpty: allowEmpty === true,
    proves: plan.get('proves') !== false,
    policy: typeof policy === 'string' ? policy : '',
    remove: readEntries(plan, path),
  }
}

function parse(bytes: Uint8Array, path: string): JsonObject {
  try {
    const value = parseJson(bytes)
    if (isJsonObject(value)) return value
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
    throw bad(path, error.message)
  }
  throw bad(path, 'no JSON object')
}

function readEntries(plan: JsonObject, path: string): WrittenPlan['remove'] {
  const list = plan.get('remove')
  if (!Array.isArray(list)) throw bad(path, '"remove" is not a list')
  const seen = new Set<string>()
  return (list as readonly JsonValue[]).map((one, index) => {
    const where = `"remove", entry ${index + 1}`
    if (!isJsonObject(one)) throw bad(path, `${where}: no object`)
    const name = one.get('name')
    if (!isNameInside(name)) throw bad(path, `${where}: ${inWords(name)} is not a name in the run`)
    if (seen.has(name)) throw bad(path, `${where}: ${JSON.stringify(name)} comes twice`)
    seen.add(name)
    const fingerprint = readFingerprint(one.get('fingerprint'))
    if (fingerprint === null) throw bad(path, `${where}: ${JSON.stringify(name)} has no fingerprint that can be read`)
    const reason = one.get('reason')
    return { name, reason: typeof reason === 'string' ? reason : 'planned', fingerprint }
  })
}

/** A number may be larger than JSON can write. */
function inWords(value: JsonValue | undefined): string {
  return typeof value === 'string' ? JSON.stringify(value) : `its "name", no text,`
}

function bad(path: string, why: string): CkptError {
  return new CkptError('usage', `${path}: not a plan that can be done: ${why}`, {
    hint: 'write it again: ckpt prune RUN … --plan FILE',
  })
}
