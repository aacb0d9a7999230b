/** Which tensors go where: names in, a plan out. Nothing is read but what the files' headers said. */
import { CkptError } from '../../errors.js'
import type { Dtype } from '../../formats/safetensors/safetensors.js'
import { canCast } from '../read/cast.js'
import { ensureScaled } from '../read/quantised.js'
import { ensureDense, plainShape } from '../read/tensor.js'
import type { Shape, TensorFile, TensorInfo } from '../read/tensor.js'
import { tiesOf, type Ties } from '../read/ties.js'
import { fillTied } from './fill-tied.js'
import { isAdapter } from './name-rules.js'
import { combinedFlags, findNearMisses, suggestFlags, type NearMiss, type Suggestion } from './near-misses.js'
import type { Pair } from './pair-tensors.js'
import { changePrefix, findPrefixChange, type PrefixChange } from './prefixes.js'
import { rearrangementHints, type RearrangementHint } from './rearrangement-hints.js'
import { dtypesWanted } from './wanted-dtype.js'
import { resizeBetween, type Resize, type ResizeKind } from './resize.js'
import { quoteWord } from '../../formats/text/shell-words.js'

/** How tensors of two files are brought together by name. */
export interface MatchOptions {
  /** Goes on without the tensors whose shapes differ: they keep the target's values. */
  readonly skipMismatched?: boolean
  /** Of the source's names; all when left out. */
  readonly isWanted?: (name: string) => boolean
  /** From the source's names to those looked for in the target. */
  readonly rename?: (name: string) => string
  /** Tries the usual prefixes when no name matches as it stands. */
  readonly autoPrefix?: boolean
  /** What may be done where one axis differs. */
  readonly resize?: readonly ResizeKind[]
  /** That all floating-point tensors of the output are to have; the target's own when left out. */
  readonly dtype?: Dtype | undefined
  /** The groups of rows of a fused query, key and value that lie head by head, where that is known. */
  readonly heads?: number | undefined
  /** The source is a view of its file in another arrangement: none is proposed. */
  readonly isRearranged?: boolean
  /** Flags that were typed and say what is written, and where: what is proposed to be typed has them too. */
  readonly typed?: readonly string[]
  /** Refuses when anything is missing or unexpected. */
  readonly strict?: boolean
  /** Refuses when less than this part of the target is covered, by tensors or by bytes: 0 to 1. */
  readonly minCoverage?: number | undefined
}

/** Parts of the target that get values of the source: 0 to 1. */
export interface Coverage {
  /** Of its tensors. */
  readonly count: number
  /** Of their bytes. */
  readonly bytes: number
}

/** Which tensor gets its values from which, before anything is written. */
export interface TransferPlan {
  /** Where values come from. */
  readonly source: TensorFile
  /** The model that gets them. */
  readonly target: TensorFile
  /** What it was made with. */
  readonly options: MatchOptions
  /** Values come from the source. In the order of the target's data, as all that follow but `unexpected`. */
  readonly matched: readonly Pair[]
  /** In the target only: keep the target's values. */
  readonly missing: readonly TensorInfo[]
  /** In the source only: left out. */
  readonly unexpected: readonly TensorInfo[]
  /** The name that each of the source's was looked for by, but for those excluded. */
  readonly sought: ReadonlyMap<TensorInfo, string>
  /** In the source, and left out as asked. */
  readonly excluded: readonly TensorInfo[]
  /** In both, but the shapes differ, or there is no cast between the dtypes. */
  readonly mismatched: readonly Pair[]
  /** Further names of parameters of the target, that are filled with them: see `tiesOf`. */
  readonly ties: Ties
  /** For people: tied weights of the target for which the source has several tensors, of which the last is taken. */
  readonly conflicts: readonly string[]
  /** Missing and unexpected tensors that are likely the same under two names. */
  readonly nearMisses: readonly NearMiss[]
  /** By which names match that did not as they stand. */
  readonly prefix: PrefixChange | null
  /** How much of the target is filled. */
  readonly coverage: Coverage
}

/**
 * Matches by name, as torch's `load_state_dict(strict=False)` and so SpeechBrain's `torch_parameter_transfer` do
 * (PyTorch: torch/nn/modules/module.py, `_load_from_state_dict`). Throws CkptError `usage` when two names of the
 * source are mapped to one of the target.
 */
export function matchTensors(source: TensorFile, target: TensorFile, options: MatchOptions = {}): TransferPlan {
  const targetNames = new Set(target.tensors.map(({ name }) => name))
  const { names, excluded, prefix } = nameTensors(source, targetNames, options)
  const bySought = indexNames(names, targetNames)
  const kinds = new Set(options.resize ?? [])
  const own = target.tensors.flatMap((tensor): Pair[] => {
    const found = bySought.get(tensor.name)
    return found === undefined ? [] : [pairOf(found, tensor, kinds)]
  })
  const ties = tiesOf(target)
  const { pairs, conflicts } = fillTied(source, target, own, ties, fits)
  const paired = new Set(pairs.map((pair) => pair.target.name))
  const matched = pairs.filter(fits)
  const missing = target.tensors.filter(({ name }) => !paired.has(name))
  const unexpected = unexpectedOf(names, targetNames)
  return {
    source,
    target,
    options,
    matched,
    missing,
    unexpected,
    sought: names,
    excluded,
    mismatched: pairs.filter((pair) => !fits(pair)),
    nearMisses: findNearMisses(unexpected, missing),
    prefix,
    ties,
    conflicts,
    coverage: coverageOf(matched, target, ties),
  }
}

/** A name that only a note of the source gives to another tensor, which has its place, is not unexpected. */
function unexpectedOf(names: ReadonlyMap<TensorInfo, string>, targetNames: ReadonlySet<string>): TensorInfo[] {
  const found = new Set([...names].filter(([, sought]) => targetNames.has(sought)).map(([{ name }]) => name))
  const isCarried = ({ noted, shared }: TensorInfo) => noted === true && shared !== undefined && found.has(shared)
  return [...names]
    .filter(([tensor, sought]) => !targetNames.has(sought) && !isCarried(tensor))
    .map(([tensor]) => tensor)
}

interface Naming {
  /** The names looked for. */
  readonly names: ReadonlyMap<TensorInfo, string>
  readonly excluded: readonly TensorInfo[]
  readonly prefix: PrefixChange | null
}

function nameTensors({ tensors }: TensorFile, targetNames: ReadonlySet<string>, options: MatchOptions): Naming {
  const { isWanted = () => true, rename = (name: string) => name, autoPrefix = false } = options
  const wanted = tensors.filter(({ name }) => isWanted(name))
  const excluded = tensors.filter(({ name }) => !isWanted(name))
  const names = new Map(wanted.map((tensor) => [tensor, rename(tensor.name)]))
  const matchesNone = ![...names.values()].some((name) => targetNames.has(name))
  const bare = wanted.map(({ name }) => name)
  const prefix = autoPrefix && matchesNone ? findPrefixChange(bare, targetNames, rename) : null
  if (prefix === null) return { names, excluded, prefix }
  const changed = new Map(
    [...names].map(([tensor, name]) => [tensor, changePrefix(tensor.name, prefix, rename) ?? name]),
  )
  return { names: changed, excluded, prefix }
}

function indexNames(
  names: ReadonlyMap<TensorInfo, string>,
  targetNames: ReadonlySet<string>,
): ReadonlyMap<string, TensorInfo> {
  const index = new Map<string, TensorInfo>()
  for (const [tensor, name] of names) {
    const other = index.get(name)
    if (other !== undefined && targetNames.has(name)) {
      throw new CkptError(
        'usage',
        `${shown(other.name)} and ${shown(tensor.name)} of the source both come to ${shown(name)}`,
        { hint: 'leave one of them out with --exclude' },
      )
    }
    index.set(name, tensor)
  }
  return index
}

function pairOf(source: TensorInfo, target: TensorInfo, kinds: ReadonlySet<ResizeKind>): Pair {
  const resize = shapesFit(source.shape, target.shape) ? undefined : resizeBetween(source.shape, target.shape, kinds)
  return resize === undefined ? { source, target } : { source, target, resize }
}

function fits({ source, target, resize }: Pair): boolean {
  return (resize !== undefined || shapesFit(source.shape, target.shape)) && canCast(source.dtype, target.dtype)
}

/** Equal, or a first element for a scalar: torch loads tensors saved before it had scalars so. */
function shapesFit(source: Shape, target: Shape): boolean {
  if (target.length === 0 && source.length === 1) return (source[0] ?? 0) > 0
  return source.length === target.length && source.every((dim, axis) => dim === target[axis])
}

/** The bytes of tied weights count once. */
function coverageOf(matched: readonly Pair[], { tensors }: TensorFile, ties: Ties): Coverage {
  const own = (tensor: TensorInfo) => (ties.has(tensor.name) ? 0 : tensor.bytes)
  const all = tensors.reduce((sum, tensor) => sum + own(tensor), 0)
  const covered = matched.reduce((sum, { target, resize }) => {
    const part = resize === undefined ? 1 : Math.min(resize.source, resize.target) / resize.target
    return sum + own(target) * part
  }, 0)
  return {
    count: tensors.length === 0 ? 0 : matched.length / tensors.length,
    // Tensors without elements are covered by being there.
    bytes: all === 0 ? Number(matched.length > 0) : covered / all,
  }
}

/** What `--json` shows of a tensor's form. */
export interface Form {
  readonly dtype: string
  /** A dimension that JSON's readers would round is text. */
  readonly shape: readonly (number | string)[]
}

export interface TransferReport {
  readonly matched: readonly string[]
  readonly missing: readonly string[]
  readonly unexpected: readonly string[]
  readonly mismatched: readonly { readonly name: string; readonly source: Form; readonly target: Form }[]
  readonly cast: readonly { readonly name: string; readonly from: string; readonly to: string }[]
  /** Of the matched, those that the source has under another name. */
  readonly renamed: readonly { readonly name: string; readonly source: string }[]
  /** Of the matched, the further names of tied weights: one parameter with the target's tensor `kept`. */
  readonly tied: readonly { readonly name: string; readonly kept: string }[]
  /** Of the matched, those of which only a part goes over. */
  readonly resized: readonly ({ readonly name: string } & Resize)[]
  readonly excluded: readonly string[]
  readonly coverage: Coverage
  readonly prefix: PrefixChange | null
  readonly nearMisses: readonly { readonly source: string; readonly target: string }[]
  readonly suggestions: readonly (Suggestion | RearrangementHint)[]
  /** A command to paste, with those of the suggestions that together match more. */
  readonly commands: readonly string[]
}

/** The plan as plain data, for `--json`; `isWritten` as `suggestCommand` takes it. */
export function reportOf(plan: TransferPlan, isWritten = false): TransferReport {
  return {
    matched: plan.matched.map(({ target }) => target.name),
    missing: plan.missing.map(({ name }) => name),
    unexpected: plan.unexpected.map(({ name }) => name),
    mismatched: plan.mismatched.map(({ source, target }) => ({
      name: target.name,
      source: formOf(source),
      target: formOf(target),
    })),
    cast: castsOf(plan),
    renamed: plan.matched.filter(isRenamed).map(({ source, target }) => ({ name: target.name, source: source.name })),
    tied: tiedIn(plan),
    resized: plan.matched.flatMap(({ target, resize }) =>
      resize === undefined ? [] : [{ name: target.name, ...resize }],
    ),
    excluded: plan.excluded.map(({ name }) => name),
    coverage: plan.coverage,
    prefix: plan.prefix,
    nearMisses: plan.nearMisses.map(({ source, target }) => ({ source: source.name, target: target.name })),
    suggestions: suggestionsFor(plan),
    commands: suggestCommand(plan, isWritten),
  }
}

/** Tensors that another name of the same parameter fills. */
export function tiedIn({ matched, ties }: TransferPlan): TransferReport['tied'] {
  return matched.flatMap(({ target: { name } }) => {
    const kept = ties.get(name)
    return kept === undefined ? [] : [{ name, kept }]
  })
}

/** Tensors whose values are cast, with the dtype that is written: also the target's own, where one is asked for. */
export function castsOf(plan: TransferPlan): TransferReport['cast'] {
  const { matched, missing, mismatched } = plan
  const wantedFor = dtypesWanted(plan.target, plan.options.dtype)
  const kept = [...missing, ...mismatched.map(({ target }) => target)].map((target) => ({ source: target, target }))
  return [...matched, ...kept]
    .map(({ source, target }) => ({ name: target.name, from: source.dtype, to: wantedFor(target) ?? target.dtype }))
    .filter(({ from, to }) => from !== to)
}

/** Under another name than the target's, and not for a tie. */
export function isRenamed({ source, target, through }: Pair): boolean {
  return through === undefined && source.name !== target.name
}

function formOf({ dtype, shape }: TensorInfo): Form {
  return { dtype, shape: plainShape(shape) }
}

/** Examples in a message; the rest is counted. */
const mostShown = 5

/**
 * Throws CkptError `refused` where carrying the plan out would be unsafe: shapes that differ, nothing in common, less
 * than what was asked for, a target whose structure could not be kept.
 */
export function ensureTransferable(plan: TransferPlan): void {
  const { skipMismatched = false, strict = false, minCoverage = 0 } = plan.options
  ensureDense(plan.target, () => true)
  const taken = new Set(plan.matched.map(({ source }) => source.name))
  ensureDense(plan.source, (name) => taken.has(name))
  if (plan.mismatched.length > 0 && !skipMismatched) throw mismatchError(plan)
  if (plan.matched.length === 0) throw nothingMatchedError(plan)
  ensureScaled(plan.matched, plan.source.tensors, plan.target.tensors)
  if (strict && plan.missing.length + plan.unexpected.length > 0) throw strictError(plan)
  if (Math.min(plan.coverage.count, plan.coverage.bytes) < minCoverage) throw coverageError(plan, minCoverage)
}

function strictError(plan: TransferPlan): CkptError {
  const { missing, unexpected } = plan
  const list = (title: string, tensors: readonly TensorInfo[]) =>
    tensors.length === 0
      ? []
      : [`${tensors.length} ${title}:`, ...some(tensors.map((tensor) => `${shown(tensor.name)} ${describe(tensor)}`))]
  return new CkptError(
    'refused',
    [
      'the names are not the same, and nothing was written:',
      ...list('missing in the source', missing),
      ...list('unexpected in the source', unexpected),
      ...tellNearMisses(plan),
    ].join('\n'),
    { hint: 'without --strict, what is missing keeps its values and what is unexpected is left out' },
  )
}

function coverageError(plan: TransferPlan, least: number): CkptError {
  const { coverage, matched, target } = plan
  return new CkptError(
    'refused',
    [
      `only ${formatPart(coverage.count)} of the target's tensors (${matched.length} of ${target.tensors.length}) and ` +
        `${formatPart(coverage.bytes)} of its bytes would get values, and at least ${Number((100 * least).toPrecision(12))} % were asked for`,
      ...tellNearMisses(plan),
    ].join('\n'),
    { hint: 'lower --min-coverage if that is right' },
  )
}

/** In percent with four digits; 100 % is all and nothing less. */
export function formatPart(part: number): string {
  const percent = Number((100 * part).toPrecision(4))
  return percent === 100 && part < 1 ? 'over 99.99 %' : `${percent} %`
}

function mismatchError(plan: TransferPlan): CkptError {
  const { mismatched } = plan
  const many = mismatched.length === 1 ? 'one tensor has' : `${mismatched.length} tensors have`
  const lines = mismatched.map(
    ({ source, target }) =>
      `${shown(target.name)}: ${describe(source)} in the source, ${describe(target)} in the target`,
  )
  return new CkptError(
    'refused',
    [`${many} another form in the target, and nothing was written:`, ...some(lines), ...tellNearMisses(plan)].join(
      '\n',
    ),
    { hint: [skipHint, ...hintResize(mismatched)].join('; ') },
  )
}

const skipHint = "to keep the target's values there and transfer the rest, use --skip-mismatched"

/** Kinds of resizing that were not asked for and would make some of them match. */
function hintResize(mismatched: readonly Pair[]): string[] {
  const kinds = (['slice', 'pad'] as const).filter((kind) =>
    mismatched.some(({ source, target }) => resizeBetween(source.shape, target.shape, new Set([kind])) !== undefined),
  )
  if (kinds.length === 0) return []
  const does = { slice: 'takes the first rows of the longer source', pad: 'fills the first rows of the longer target' }
  return kinds.map((kind) => `--resize ${kind} ${does[kind]}`)
}

function nothingMatchedError(plan: TransferPlan): CkptError {
  const { source, target, mismatched } = plan
  const common =
    mismatched.length > 0
      ? `${mismatched.length === 1 ? 'the only name in common has' : `all ${mismatched.length} names in common have`} another form in the target`
      : `no name in common (${source.tensors.length} tensors in the source, ${target.tensors.length} in the target)`
  const near = tellNearMisses(plan)
  const lines = near.length > 0 ? near : firstNames(source, target)
  return new CkptError('refused', [`nothing to transfer: ${common}`, ...lines, ...tellAdapter(plan)].join('\n'), {
    hint: 'compare the names of both files with: ckpt show FILE',
  })
}

/** All flags that would match more: other names, and other arrangements of the same values. */
export function suggestionsFor(plan: TransferPlan): readonly (Suggestion | RearrangementHint)[] {
  return [...hintsFor(plan), ...suggestFlags(plan.nearMisses)]
}

function hintsFor({ unexpected, missing, mismatched, matched, options }: TransferPlan): RearrangementHint[] {
  if (options.isRearranged === true) return []
  const others = matched.map(({ source }) => source)
  const { heads } = options
  return rearrangementHints({ source: unexpected, target: missing, mismatched, matched: others, heads })
}

function tellNearMisses(plan: TransferPlan): string[] {
  const { nearMisses } = plan
  const flags = suggestionsFor(plan).map(shownFlag)
  if (nearMisses.length + flags.length === 0) return []
  const lines = nearMisses.map(
    ({ source, target }) =>
      `${shown(source.name)} ${describe(source)} is nearly ${shown(target.name)} ${describe(target)}`,
  )
  const same = nearMisses.filter(({ source, target }) => source.name === target.name).length
  return [
    ...(lines.length === 0 ? [] : ['what nearly matched, source and target:', ...some(lines)]),
    ...(flags.length === 0 ? [] : ['which these flags would match:', ...some(flags)]),
    ...suggestCommand(plan).map((command) => `to match them: ${command}`),
    ...(same === 0
      ? []
      : [`${same} of them have one name in both files, and what renames the source's takes them apart`]),
  ]
}

/**
 * What to paste, with all flags that together match more; none where the names were changed as asked already. Where the
 * output has been written meanwhile, it is written over.
 */
export function suggestCommand(plan: TransferPlan, isWritten = false): string[] {
  const { source, target, sought, nearMisses } = plan
  const hints = hintsFor(plan)
  const isChanged = [...sought].some(([{ name }, changed]) => changed !== name)
  const names = new Set(target.tensors.map(({ name }) => name))
  const own = source.tensors.map(({ name }) => name)
  const flags = [...hints, ...(isChanged ? [] : combinedFlags(suggestFlags(nearMisses), own, names))]
  if (flags.length === 0) return []
  const { typed = [] } = plan.options
  const over = isWritten && typed.includes('--output') && !typed.includes('--force') ? ['--force'] : []
  const words = [source.path, target.path, ...typed, ...over].map(quoteWord)
  return [['ckpt transfer', ...words, ...flags.map(typedFlag)].join(' ')]
}

/** Low-rank changes of a model's tensors have no place among these. */
function tellAdapter({ source, target }: TransferPlan): string[] {
  const namesOf = ({ tensors }: TensorFile) => tensors.map(({ name }) => name)
  if (!isAdapter(namesOf(source)) || namesOf(target).some((name) => name.includes('.lora_'))) return []
  return ['the source is a LoRA adapter (PEFT): it changes tensors of the base model, and has to be merged into it']
}

/** As it is typed in a shell, whole: what is cut would be another flag. */
function typedFlag({ flag, value }: Suggestion | RearrangementHint): string {
  return `${flag} ${quoteWord(value)}`
}

/** For people. */
function shownFlag({ flag, value }: Suggestion | RearrangementHint): string {
  return `${flag} ${quoteWord(shown(value))}`
}

function firstNames(source: TensorFile, target: TensorFile): string[] {
  const list = ({ tensors }: TensorFile) =>
    tensors
      .slice(0, 3)
      .map(({ name }) => shown(name))
      .join(', ') || 'none'
  return [`  source: ${list(source)}`, `  target: ${list(target)}`]
}

function some(lines: readonly string[]): string[] {
  const first = lines.slice(0, mostShown).map((line) => `  ${line}`)
  return lines.length > mostShown ? [...first, `  and ${lines.length - mostShown} more`] : first
}

function describe({ dtype, shape }: TensorInfo): string {
  return `${dtype} [${shape.slice(0, 12).join(', ')}${shape.length > 12 ? ', …' : ''}]`
}

/** Names are data: control characters never reach a terminal, and a name of 10,000 characters no message. */
function shown(name: string): string {
  const longest = 120
  const text = name.length > longest ? `${name.slice(0, longest)}…` : name
  return /^[\x21-\x7e]+$/.test(text) ? text : JSON.stringify(text)
}
