/** The words of docs/design.md §1 as types. No I/O happens here. */

/** What one checkpoint says of itself, in file order. A Map, for keys are data (`__proto__` is a legal one). */
export type Meta = ReadonlyMap<string, MetaValue>

/** A value of a meta, as its file gives it. */
export type MetaValue =
  | null
  | boolean
  | number
  /** Only for integers that a double cannot hold. */
  | bigint
  | string
  | readonly MetaValue[]
  | Meta
  | OpaqueValue

/** A value of a Python class that is not rebuilt: shown by its name, equal to nothing. */
export class OpaqueValue {
  constructor(
    /** The class or function that Python would have called, `decimal.Decimal`. */
    readonly name: string,
    /** What people see: `Decimal('1.50')`, or the name in angle brackets. */
    readonly text = `<${name}>`,
  ) {}
}

export function isMeta(value: MetaValue | undefined): value is Meta {
  return value instanceof Map
}

/** Which way a metric gets better. */
export type Direction = 'min' | 'max'

/**
 * What a file of a checkpoint is for. Its layout says so, and all else goes by it: which file `--key` may leave out,
 * what a demotion takes, what resuming needs.
 */
export type Role =
  /** The model: what a checkpoint is kept for. */
  | 'weights'
  /** Needed only to go on training, and as large as the model: the optimizer, schedulers, scalers, random numbers. */
  | 'resume'
  /** The model and all that resuming needs in one file, which cannot be taken apart. */
  | 'all'
  /** Small things of the training loop: counters, where the data was. */
  | 'loop'
  /** Says in which files the parts of a model are. */
  | 'index'
  /** Anything else: configuration, tokenizers, what no layout knows. */
  | 'other'

/** True for a file with the model's parameters in it. */
export function holdsWeights({ role }: Pick<ParamFile, 'role'>): boolean {
  return role === 'weights' || role === 'all' || role === 'index'
}

/** One file of a checkpoint. The key is unique within its checkpoint. */
export interface ParamFile {
  /** By which it is asked for, in the framework's own word: `model`, `optimizer`. */
  readonly key: string
  /** Absolute. */
  readonly path: string
  /** Bytes; null until measured (see `measure` in layouts/). */
  readonly size: number | null
  /** What it is for. */
  readonly role: Role
  /** True when it may be missing from one checkpoint while all others of the run have it. */
  readonly optional?: boolean
}

/** One thing on disk that a checkpoint consists of. */
export interface Member {
  /** Absolute. */
  readonly path: string
  /** A folder counts with all that is in it. */
  readonly kind: 'directory' | 'file'
  /** It only says whether the rest is whole, and may be of another time: a removal has begun, or a script was taught to. */
  readonly isMarker?: true
}

/** When a value was measured, as its framework counts: absent means that it does not say. */
export interface Moment {
  /** Optimizer steps. */
  readonly step?: number
  /** Epochs, which may be a fraction. */
  readonly epoch?: number
}

/**
 * `unchecked`: nothing is known against it, and no file was opened. `unreadable`: the system refused to read some of it
 * (permission, device, server), which says nothing of the bytes.
 */
export type Grade = 'unchecked' | 'whole' | 'partial' | 'corrupt' | 'unfinished' | 'unreadable'

/** How much of the files was looked at before the grade was given. */
export type HealthLevel = 'none' | 'quick' | 'deep'

/** One thing that is wrong with a checkpoint. */
export interface Finding {
  /** What it makes of the checkpoint where it stands alone. */
  readonly grade: Exclude<Grade, 'unchecked' | 'whole'>
  /** The file it is about, relative to the checkpoint; absent when it is about the checkpoint as such. */
  readonly file?: string
  /** The exact cause with its numbers: `0 bytes`, `killed while saving: 100 of 200 bytes`. */
  readonly reason: string
}

/** How a checkpoint was found. */
export interface Health {
  /** How much was looked at. */
  readonly level: HealthLevel
  /** The one that its findings come to. */
  readonly grade: Grade
  /** Empty where nothing is known against it. */
  readonly findings: readonly Finding[]
}

/**
 * The grade that findings come to. What could not be read may be whole: that goes before all that was seen. One still
 * being written explains whatever else is wrong with it.
 */
function gradeOf(findings: readonly Finding[]): Grade {
  const order: readonly Grade[] = ['unreadable', 'unfinished', 'corrupt', 'partial']
  return order.find((grade) => findings.some((finding) => finding.grade === grade)) ?? 'whole'
}

export function healthFrom(level: HealthLevel, findings: readonly Finding[]): Health {
  return findings.length === 0 ? soundAt[level] : { level, grade: gradeOf(findings), findings }
}

/** One object each, for a run has thousands of sound checkpoints. */
const soundAt: Readonly<Record<HealthLevel, Health>> = {
  none: { level: 'none', grade: 'unchecked', findings: [] },
  quick: { level: 'quick', grade: 'whole', findings: [] },
  deep: { level: 'deep', grade: 'whole', findings: [] },
}

/** What going on with a training needs. */
export type Part = 'model' | 'optimizer' | 'scheduler' | 'random state' | 'random state of each process'

/** One setting that a run was started with. */
export interface HyperParameter {
  readonly value: MetaValue
  /** Absolute path of the file, or of the checkpoint, that tells it. */
  readonly source: string
}

/** By name; of nested settings with dots: `optimizer.lr`. */
export type HyperParameters = ReadonlyMap<string, HyperParameter>

/** One saved state of a training. */
export interface Checkpoint {
  /** Path relative to the run, with `/`; unique within the run. */
  readonly name: string
  /** Absolute. */
  readonly path: string
  /** Absolute path of the run. */
  readonly run: string
  /** Id of the layout that recognised it. */
  readonly layout: string
  /** A group is several files that only together are a checkpoint: TensorFlow's `.index` and `.data-…`, a rank's each. */
  readonly kind: 'directory' | 'file' | 'group'
  /**
   * What it consists of, sorted by path: all of it is measured, moved and removed together. One member at `path`, but
   * for a group, where `path` may be the part that the names of its members share.
   */
  readonly members: readonly Member[]
  /** Its values, from where the framework keeps them. */
  readonly meta: Meta
  /** Optimizer steps done, as the framework counts; null when nothing tells. */
  readonly step: number | null
  /** Epochs, as the framework counts; null when nothing tells. */
  readonly epoch: number | null
  /** Which save of its training it is, where the framework numbers those apart from steps and epochs. Absent: it does not. */
  readonly saveNumber?: number
  /** Unix seconds from meta `unixtime`; null when the meta does not say. */
  readonly unixtime: number | null
  /** By the meta's keys, when values were measured that are not the checkpoint's own step's. Absent: all are its own. */
  readonly measuredAt?: ReadonlyMap<string, Moment>
  /** Unix seconds: modification time of the checkpoint; null until measured. */
  readonly modified: number | null
  /** Parameter files, sorted by key. */
  readonly files: readonly ParamFile[]
  /** Bytes of everything in it; null until measured. */
  readonly size: number | null
  /** What is known of its files. */
  readonly health: Health
  /** Names of sibling checkpoints that this one's bookkeeping points to, HF's `best_model_checkpoint`. */
  readonly pointsTo: readonly Pointer[]
  /** Which way metrics get better, where the framework says so: it wins over what their names tell. Absent: nothing. */
  readonly directions?: ReadonlyMap<string, Direction>
  /**
   * Name of the sibling that is the same state: this is a link to it, or a copy under a name that the framework
   * resumes from (`last.ckpt`). Absent: it is a checkpoint of its own.
   */
  readonly sameAs?: string
  /** What of the framework's would fail, or be wrong, without it, in words: it stays. Absent: nothing is known. */
  readonly neededFor?: string
  /** What of the framework's will name it still when it is gone, in words. Absent: nothing is known. */
  readonly stillNamed?: string
  /**
   * False when the framework could not go on from it though nothing is wrong with it: weights alone, an average, an
   * export. Absent: nothing speaks against it.
   */
  readonly resumable?: boolean
  /**
   * Where nothing tells when in the training it is from, what its name does: `final` is the newest, `best` may be any.
   * Absent: something tells, or its name does not.
   */
  readonly uncounted?: 'newest' | 'any'
  /** Of what resuming needs, what is known not to be in it. Absent: nothing is known to be missing. */
  readonly lacks?: readonly Part[]
  /** Of a checkpoint that is one file, what lies at its top: `state_dict`, `optimizer_states`. Absent: not looked at. */
  readonly contents?: readonly string[]
  /** What `ckpt demote` took: it is whole for its weights, and cannot be resumed from. Absent: nothing. */
  readonly demoted?: readonly DroppedFile[]
  /** What its run was started with. Absent: not looked for. */
  readonly settings?: RunSettings
  /** What tells its training from others in the folder. Absent: its meta and times alone. */
  readonly training?: TrainingMarks
}

/** What tells two trainings apart that wrote into one folder, where a framework keeps it and it is not a part of the meta. */
export interface TrainingMarks {
  /** Its log so far, in the order of its steps: a training that goes on has the entries of what it went on from. */
  readonly log: readonly LogMark[]
  /** By what it is (`batch size`), what does not change while a training goes on. */
  readonly settings: ReadonlyMap<string, string>
  /**
   * By what saves them (a callback of Lightning's), the names that it kept when it saved this one, this one's among them. It
   * removes what it no longer keeps. Absent: not known.
   */
  readonly kept?: ReadonlyMap<string, ReadonlySet<string>>
  /** The epoch, from 0, that it was saved in, and how many batches all epochs before that had together. */
  readonly epochStart?: { readonly epoch: number; readonly batches: number }
  /** Equal for equal weights: two of one step with other ones are not of one training. Absent: not compared. */
  readonly weights?: string
}

/** One entry of a log. */
export interface LogMark {
  readonly step: number
  /** Stands for all that it says: equal for equal entries. */
  readonly mark: number
}

/** What a run was started with, as its checkpoints may be asked for it. */
export interface RunSettings {
  readonly all: HyperParameters
  /** Names that mean a key of the meta, for some checkpoint of the run has it: `hp.NAME` alone is the setting. */
  readonly shadowed: ReadonlySet<string>
}

/** Something that a demotion took from a checkpoint. */
export interface DroppedFile {
  /** Relative to the checkpoint. */
  readonly name: string
  /** Of the parameter file that it was; null when it was none. */
  readonly key: string | null
}

/** A pointer from a framework's bookkeeping to a checkpoint of the same run. */
export interface Pointer {
  /** What points: `best_model_checkpoint`. */
  readonly label: string
  /** Name of the checkpoint pointed at. */
  readonly name: string
  /** The metric by which the framework holds it for the best. */
  readonly metric?: string
  /** Its value, as the framework wrote it down. */
  readonly value?: number
  /** What the framework does with it: resumes from it, or takes it for the best. Absent: neither is known. */
  readonly purpose?: 'resume' | 'best'
  /** Of several bests the one that the framework takes by default. */
  readonly isDefault?: true
  /**
   * It protects none that is damaged, and none that is removed by name: it is made to name another one then, or it is
   * the checkpoint's own name.
   */
  readonly follows?: true
}

/** The layout of what is in no run, and was named by itself: nothing but its bytes tells what it should be. */
export const loneLayout = 'file'

/** The only member of a checkpoint that is one folder or one file. */
export function oneMember(
  path: string,
  kind: Member['kind'],
): { path: string; kind: Member['kind']; members: Member[] } {
  return { path, kind, members: [{ path, kind }] }
}

/** True when nothing speaks against going on from it; whether it is whole is another matter. */
export function isResumable({ resumable, demoted }: Checkpoint): boolean {
  return resumable !== false && demoted === undefined
}

/** True when a job can go on from it as it lies there, as far as it was looked at. */
export function canBeResumed(checkpoint: Checkpoint): boolean {
  return isResumable(checkpoint) && isSound(checkpoint)
}

/** For people, what going on from it would begin anew: `no optimizer, no scheduler`; null where nothing is known. */
export function describeLacks({ lacks = [], resumable }: Checkpoint): string | null {
  if (lacks.length > 0) return lacks.map((part) => `no ${part}`).join(', ')
  return resumable === false ? 'weights alone' : null
}

const knownPaths = new WeakMap<readonly ParamFile[], ReadonlySet<string>>()

/** True for the path of one of its parameter files. A hostile folder has a hundred thousand: they are gone through once. */
export function isParameterFile({ files }: Checkpoint, path: string): boolean {
  const paths = knownPaths.get(files) ?? new Set(files.map((file) => file.path))
  knownPaths.set(files, paths)
  return paths.has(path)
}

/** Unix seconds by which ages and calendar rules go: `unixtime`, else the file's time, else null. */
export function timeOf(checkpoint: Checkpoint): number | null {
  return checkpoint.unixtime ?? checkpoint.modified
}

/**
 * The value of a meta key that counts for choosing: one that was measured at another step belongs to another checkpoint,
 * and is shown only.
 */
export function ownValue({ meta, measuredAt }: Checkpoint, key: string): MetaValue | undefined {
  return measuredAt?.has(key) === true ? undefined : meta.get(key)
}

/** The meta without what was measured at other steps. */
export function ownMeta({ meta, measuredAt }: Checkpoint): Meta {
  return measuredAt === undefined ? meta : new Map([...meta].filter(([key]) => !measuredAt.has(key)))
}

/** The checkpoint graded by these findings. One that is a file needs no name for it; what belongs beside it has one. */
export function withHealth(checkpoint: Checkpoint, level: HealthLevel, findings: readonly Finding[]): Checkpoint {
  const own = checkpoint.kind === 'file' ? findings.map((finding) => withoutOwnName(checkpoint, finding)) : findings
  return { ...checkpoint, health: healthFrom(level, own) }
}

function withoutOwnName({ path }: Checkpoint, finding: Finding): Finding {
  const { grade, file, reason } = finding
  return file === undefined || path.endsWith(`/${file}`) ? { grade, reason } : finding
}

/** Equal for all names of one state: a link and a copy say whose state they have. */
export function stateOf({ run, name, sameAs }: Checkpoint): string {
  return `${run}/${sameAs ?? name}`
}

/** Of each state the first; the order stays. */
export function distinct(checkpoints: readonly Checkpoint[]): Checkpoint[] {
  const seen = new Set<string>()
  return checkpoints.filter((checkpoint) => seen.size < seen.add(stateOf(checkpoint)).size)
}

/** False when what should say something of the checkpoint could not be read: it says nothing, and has findings. */
export function hasReadableMeta(checkpoint: Checkpoint): boolean {
  return checkpoint.meta.size > 0 || checkpoint.health.findings.length === 0
}

/** True when its files were looked at, and nothing is wrong with them. */
export function isWhole(checkpoint: Checkpoint): boolean {
  return checkpoint.health.grade === 'whole'
}

/** True when nothing is known against it, at whatever depth it was looked at. */
export function isSound({ health }: Checkpoint): boolean {
  return health.findings.length === 0
}

/** True when something is wrong with what could be read of it. */
export function isDamaged(checkpoint: Checkpoint): boolean {
  return !isSound(checkpoint) && !isUnreadable(checkpoint)
}

/** True when some of it could not be read: it is neither chosen nor removed. */
export function isUnreadable({ health }: Checkpoint): boolean {
  return health.grade === 'unreadable'
}

/** Its folder could not be read: nothing is known of what is in it, and so nothing is missing. */
export function isUnlisted({ files, health }: Checkpoint): boolean {
  return files.length === 0 && health.findings.some(({ grade, file }) => grade === 'unreadable' && file === undefined)
}

/** A folder that a training saves into. */
export interface Run {
  /** Absolute. */
  readonly path: string
  /** In no order: see `byRecency`. */
  readonly checkpoints: readonly Checkpoint[]
}
