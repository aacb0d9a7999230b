/** Placeholders in the arguments of a job: `{path}`, `{name}`, `{step}`, `{epoch}`, `{file:KEY}`, `{meta:KEY}`. */
import { isMeta, type Checkpoint, type MetaValue } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { didYouMean } from '../../nearest.js'
import { valueText } from './value-text.js'
import { quoteWord } from '../../formats/text/shell-words.js'

/**
 * Only these exact forms are placeholders, so JSON and shell braces pass untouched. A second pair of braces around
 * one makes it literal: `{{path}}` is passed as `{path}`.
 */
const placeholder =
  /\{\{(path|name|step|epoch|(?:file|meta):[^{}]*)\}\}|\{(path|name|step|epoch|(?:file|meta):[^{}]*)\}/g
const onlyPlaceholder = /^\{(path|name|step|epoch|(?:file|meta):[^{}]*)\}$/

/**
 * The command and its arguments with the placeholders filled from the checkpoint. A key that the checkpoint lacks is
 * CkptError `usage`: an argument that vanished would start the job from scratch.
 *
 * Without a checkpoint (a first start) an argument that holds a placeholder vanishes, and where it is nothing but
 * the placeholder, an argument before it that begins with `-` goes too (`--resume {path}`), unless that one brings
 * its own value (`--lr=0.1 {path}`). A command that would vanish itself is CkptError `usage`.
 */
export function fillArguments(argv: readonly string[], checkpoint: Checkpoint | null): string[] {
  if (checkpoint !== null) return argv.map((argument) => fill(argument, (inner) => valueOf(inner, checkpoint)))
  const vanishing = argv.map(holdsPlaceholder)
  if (vanishing[0] === true) throw commandVanishes(argv[0] ?? '')
  return argv
    .filter((_, index) => vanishing[index] !== true && !goesWithNext(argv, index))
    .map((argument) => fill(argument, () => ''))
}

/** True for an argument that a checkpoint fills. */
export function holdsPlaceholder(argument: string): boolean {
  return [...argument.matchAll(placeholder)].some((match) => match[2] !== undefined)
}

/** True for a command that says itself what it resumes from: by a placeholder, or by a variable in a shell's text. */
export function namesCheckpoint(argv: readonly string[]): boolean {
  return argv.some(
    (argument) => holdsPlaceholder(argument) || /\bCKPT_(?:PATH|NAME|STEP|EPOCH|FILE_|META_)/.test(argument),
  )
}

/** The command itself (index 0) is never an option. */
function goesWithNext(argv: readonly string[], index: number): boolean {
  const [argument = '', next = ''] = argv.slice(index, index + 2)
  return index > 0 && argument.startsWith('-') && !/^--[^=]+=/.test(argument) && onlyPlaceholder.test(next)
}

function fill(argument: string, value: (inner: string) => string): string {
  return argument.replace(placeholder, (_, literal: string | undefined, inner: string | undefined) =>
    literal === undefined ? value(inner ?? '') : `{${literal}}`,
  )
}

function valueOf(inner: string, checkpoint: Checkpoint): string {
  if (inner === 'path') return checkpoint.path
  if (inner === 'name') return checkpoint.name
  if (inner === 'step' || inner === 'epoch') return countOf(inner, checkpoint)
  const key = inner.slice('file:'.length)
  return inner.startsWith('file:') ? fileOf(key, checkpoint) : metaOf(key, checkpoint)
}

/** As `ckpt list` shows it, wherever the framework keeps it. */
function countOf(which: 'step' | 'epoch', checkpoint: Checkpoint): string {
  const value = checkpoint[which]
  if (value !== null) return valueText(value)
  throw new CkptError('usage', `{${which}}: ${checkpoint.name} does not say its ${which}`, {
    hint: `leave {${which}} out, or see what there is: ckpt show ${quoteWord(checkpoint.path)}`,
  })
}

function fileOf(key: string, checkpoint: Checkpoint): string {
  const file = checkpoint.files.find((one) => one.key === key)
  if (file !== undefined) return file.path
  throw unknownKey(
    'file',
    key,
    checkpoint,
    checkpoint.files.map((one) => one.key),
  )
}

/** The key as it stands, else a walk along its dots into nested meta. */
function metaOf(key: string, checkpoint: Checkpoint): string {
  const value = checkpoint.meta.has(key) ? checkpoint.meta.get(key) : walk(key, checkpoint)
  if (value !== undefined) return valueText(value)
  throw unknownKey('meta', key, checkpoint, [...checkpoint.meta.keys()])
}

function walk(key: string, checkpoint: Checkpoint): MetaValue | undefined {
  return key
    .split('.')
    .reduce<MetaValue | undefined>((value, part) => (isMeta(value) ? value.get(part) : undefined), checkpoint.meta)
}

function unknownKey(what: string, key: string, checkpoint: Checkpoint, keys: readonly string[]): CkptError {
  const meant = didYouMean(key, keys, (one) => `{${what}:${one}}`)
  const message = `{${what}:${key}}: ${checkpoint.name} has no ${what} key ${JSON.stringify(key)}`
  if (meant !== undefined) return new CkptError('usage', message, { hint: meant })
  const known = keys.length === 0 ? 'it has none' : `it has: ${keys.map((one) => JSON.stringify(one)).join(', ')}`
  return new CkptError('usage', message, { hint: known })
}

function commandVanishes(command: string): CkptError {
  return new CkptError('usage', `${command}: there is no checkpoint, so the command itself has no name`, {
    hint: 'use a placeholder in the arguments only, or --required to stop when there is no checkpoint',
  })
}
