/**
 * Names that ModelCheckpoint gives its files: `epoch=3-step=16-val_loss=1.02-v1.ckpt`
 * (lightning/pytorch/callbacks/model_checkpoint.py, `format_checkpoint_name`, `_add_version`).
 */
import { withoutRank } from './rank-folders.js'

export const suffix = '.ckpt'

/** What only ModelCheckpoint's own patterns give. */
export const typical =
  /(?:^|\/)last(?![a-z])[^/]*\.ckpt$|[-_.]last(?:-v\d+)?\.ckpt$|(?:^|[-_/])(?:epoch|step)=\d[^/]*\.ckpt$/

/** The name without its folders, its suffix and the count that keeps it apart from one of the same name. */
function stemOf(name: string): string {
  return name.slice(name.lastIndexOf('/') + 1, -suffix.length).replace(/-v\d+$/, '')
}

/** `last.ckpt`, from which `ckpt_path="last"` resumes, also with what a pattern puts before or behind it. */
export function isLast(name: string): boolean {
  return /^last(?![a-z])|[-_.]last$/.test(stemOf(name))
}

const pairs = /(?:^|-)([^-=]+)=(?=([-+]?(?:\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|nan|inf))(?:-|$))/g

/**
 * The numbers in a name (relative to the run, for the slash of a metric's name makes a folder), by their keys. They
 * are rounded; and a metric that was not there yet is written as 0, so 0 tells nothing and is left out but for epoch
 * and step.
 */
export function numbersIn(name: string): ReadonlyMap<string, number> {
  const numbers = new Map<string, number>()
  const text = withoutRank(name)
    .slice(0, -suffix.length)
    .replace(/-v\d+$/, '')
  for (const [, key = '', value = ''] of text.matchAll(pairs)) {
    const number = { nan: NaN, inf: Infinity, '+inf': Infinity, '-inf': -Infinity }[value] ?? Number(value)
    if (number !== 0 || key === 'epoch' || key === 'step') numbers.set(key, number)
  }
  return numbers
}

/**
 * What a callback of another `CHECKPOINT_NAME_LAST` calls its last, by the last paths that checkpoints tell: one name that
 * stays. Null where they tell none, or several, and for one with a metric or a count in it, which Lightning's own search
 * does not find.
 */
export function ownLastName(lastNames: readonly string[]): string | null {
  const [own, ...others] = new Set(lastNames.filter((name) => name !== '' && !isLast(name)))
  return own === undefined || others.length > 0 || numbersIn(own).size > 0 ? null : own
}

/** What Lightning saves at Slurm's warning: into the Trainer's root folder, whatever folders its callbacks have below. */
export function isHpc(name: string): boolean {
  return /^hpc_ckpt_\d+\.ckpt$/.test(name)
}

/** The same where the parts of a name are joined by `_`, as some patterns are: only the callback can tell for sure. */
export function mayEndInName(folder: string): boolean {
  return folder.includes('=') && !(folder.split(/[-_]/).at(-1) ?? '').includes('=')
}

/**
 * True for a folder that a slash within a metric's name can have made: `epoch=2-val` of `epoch=2-val/acc=0.4.ckpt`,
 * whose last part has no value yet.
 */
export function endsInName(folder: string): boolean {
  return folder.includes('=') && !(folder.split('-').at(-1) ?? '').includes('=')
}
