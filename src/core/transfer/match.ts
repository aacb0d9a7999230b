/** Which tensors go where: names in, a plan out. Nothing is read but what the files' headers said. */
import { CkptError } from '../errors.js'
import { canCast } from '../tensors/cast.js'
import { plainShape } from '../tensors/tensor.js'
import type { Shape, TensorFile, TensorInfo } from '../tensors/tensor.js'
import { findNearMisses } from './near-misses.js'
import type { NearMiss } from './near-misses.js'

export interface MatchOptions {
  /** Goes on without the tensors whose shapes differ: they keep the target's values. */
  readonly skipMismatched?: boolean
}

/** A tensor of the source and the one of that name in the target. */
export interface Pair {
  readonly source: TensorInfo
  readonly target: TensorInfo
}

export interface TransferPlan {
  readonly source: TensorFile
  readonly target: TensorFile
  readonly skipMismatched: boolean
  /** Values come from the source. In the order of the target's data, as all that follow but `unexpected`. */
  readonly matched: readonly Pair[]
  /** In the target only: keep the target's values. */
  readonly missing: readonly TensorInfo[]
  /** In the source only: left out. */
  readonly unexpected: readonly TensorInfo[]
  /** In both, but the shapes differ, or there is no cast between the dtypes. */
  readonly mismatched: readonly Pair[]
  /** Missing and unexpected tensors that are likely the same under two names. */
  readonly nearMisses: readonly NearMiss[]
}

/**
 * Matches by name, as torch's `load_state_dict(strict=False)` and so SpeechBrain's `torch_parameter_transfer` do
 * (PyTorch: torch/nn/modules/module.py, `_load_from_state_dict`).
 */
export function matchTensors(source: TensorFile, target: TensorFile, options: MatchOptions = {}): TransferPlan {
  const bySourceName = new Map(source.tensors.map((tensor) => [tensor.name, tensor]))
  const targetNames = new Set(target.tensors.map(({ name }) => name))
  const pairs = target.tensors.flatMap((tensor) => {
    const found = bySourceName.get(tensor.name)
    return found === undefined ? [] : [{ source: found, target: tensor }]
  })
  const missing = target.tensors.filter(({ name }) => !bySourceName.has(name))
  const unexpected = source.tensors.filter(({ name }) => !targetNames.has(name))
  return {
    source,
    target,
    skipMismatched: options.skipMismatched ?? false,
    matched: pairs.filter(fits),
    missing,
    unexpected,
    mismatched: pairs.filter((pair) => !fits(pair)),
    nearMisses: findNearMisses(unexpected, missing),
  }
}

function fits({ source, target }: Pair): boolean {
  return shapesFit(source.shape, target.shape) && canCast(source.dtype, target.dtype)
}

/** Equal, or a first element for a scalar: torch loads tensors saved before it had scalars so. */
function shapesFit(source: Shape, target: Shape): boolean {
  if (target.length === 0 && source.length === 1) return (source[0] ?? 0) > 0
  return source.length === target.length && source.every((dim, axis) => dim === target[axis])
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
}

/** The plan as plain data, for `--json`. */
export function reportOf(plan: TransferPlan): TransferReport {
  return {
    matched: plan.matched.map(({ target }) => target.name),
    missing: plan.missing.map(({ name }) => name),
    unexpected: plan.unexpected.map(({ name }) => name),
    mismatched: plan.mismatched.map(({ source, target }) => ({
      name: target.name,
      source: formOf(source),
      target: formOf(target),
    })),
    cast: plan.matched
      .filter(({ source, target }) => source.dtype !== target.dtype)
      .map(({ source, target }) => ({ name: target.name, from: source.dtype, to: target.dtype })),
  }
}

function formOf({ dtype, shape }: TensorInfo): Form {
  return { dtype, shape: plainShape(shape) }
}

/** Examples in a message; the rest is counted. */
const mostShown = 5

/** Throws CkptError `refused` where carrying the plan out would be unsafe: shapes that differ, nothing in common. */
export function ensureTransferable(plan: TransferPlan): void {
  if (plan.mismatched.length > 0 && !plan.skipMismatched) throw mismatchError(plan)
  if (plan.matched.length === 0) throw nothingMatchedError(plan)
}

function mismatchError({ mismatched, nearMisses }: TransferPlan): CkptError {
  const many = mismatched.length === 1 ? 'one tensor has' : `${mismatched.length} tensors have`
  const lines = mismatched.map(
    ({ source, target }) =>
      `${shown(target.name)}: ${describe(source)} in the source, ${describe(target)} in the target`,
  )
  return new CkptError(
    'refused',
    [
      `${many} another form in the target, and nothing was written:`,
      ...some(lines),
      ...tellNearMisses(nearMisses),
    ].join('\n'),
    {
      hint: "To keep the target's values there and transfer the rest, use --skip-mismatched.",
    },
  )
}

function nothingMatchedError({ source, target, mismatched, nearMisses }: TransferPlan): CkptError {
  const common =
    mismatched.length > 0
      ? `all ${mismatched.length} names in common have another form in the target`
      : `no name in common (${source.tensors.length} tensors in the source, ${target.tensors.length} in the target)`
  const lines = nearMisses.length > 0 ? tellNearMisses(nearMisses) : firstNames(source, target)
  return new CkptError('refused', [`nothing to transfer: ${common}`, ...lines].join('\n'), {
    hint: 'Compare the names of both files with: ckpt show FILE',
  })
}

function tellNearMisses(nearMisses: readonly NearMiss[]): string[] {
  if (nearMisses.length === 0) return []
  const lines = nearMisses.map(
    ({ source, target }) =>
      `${shown(source.name)} ${describe(source)} is nearly ${shown(target.name)} ${describe(target)}`,
  )
  return ['what nearly matched, source and target:', ...some(lines)]
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
