/** The checkpoint as environment variables of a job. */
import type { Checkpoint } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { valueText } from './value-text.js'

/** Linux gives one variable, its name included, 128 KiB with a closing NUL (execve(2), MAX_ARG_STRLEN). */
const longest = 131_071

/**
 * Bytes of all variables: a quarter of what Linux gives arguments and environment together, with the usual limit of the
 * stack (execve(2), ARG_MAX).
 */
const mostOfAll = 512 << 10

const ours = /^CKPT_(PATH$|NAME$|STEP$|EPOCH$|META_|FILE_)/

/**
 * `CKPT_PATH`, `CKPT_NAME`, `CKPT_STEP` and `CKPT_EPOCH` where they are known, `CKPT_META_<KEY>` and `CKPT_FILE_<KEY>`, where KEY is the key in upper case with `_` for
 * all but ASCII letters and digits. Values are those of `valueText`. A variable that the system would not start a
 * process with, for its length or that of those before it, is left out. Throws CkptError `usage` when two keys give one name.
 */
export function environmentOf(checkpoint: Checkpoint): Record<string, string> {
  const meta = [...checkpoint.meta].map(([key, value]) => [key, valueText(value)] as const)
  const files = checkpoint.files.map(({ key, path }) => [key, path] as const)
  const variables = [
    ['CKPT_PATH', checkpoint.path] as const,
    ['CKPT_NAME', checkpoint.name] as const,
    ...(checkpoint.step === null ? [] : [['CKPT_STEP', valueText(checkpoint.step)] as const]),
    ...(checkpoint.epoch === null ? [] : [['CKPT_EPOCH', valueText(checkpoint.epoch)] as const]),
    ...variablesOf('CKPT_META_', 'meta', meta, checkpoint),
    ...variablesOf('CKPT_FILE_', 'file', files, checkpoint),
  ]
  return Object.fromEntries(thoseThatFit(variables))
}

function thoseThatFit(variables: readonly Pair[]): Pair[] {
  let left = mostOfAll
  return variables.filter(([name, value]) => {
    const length = Buffer.byteLength(`${name}=${value}`)
    if (length > Math.min(longest, left)) return false
    left -= length
    return true
  })
}

/**
 * The environment for a job: the inherited one with the checkpoint's variables. Those of an outer `ckpt recover` are
 * taken out first, so that on a first start (null) there are none.
 */
export function jobEnvironment(
  inherited: Readonly<Record<string, string | undefined>>,
  checkpoint: Checkpoint | null,
): Record<string, string> {
  const kept = Object.entries(inherited).flatMap(([name, value]) =>
    value === undefined || ours.test(name) ? [] : [[name, value] as const],
  )
  return { ...Object.fromEntries(kept), ...(checkpoint === null ? {} : environmentOf(checkpoint)) }
}

type Pair = readonly [key: string, text: string]

function variablesOf(prefix: string, what: string, pairs: readonly Pair[], checkpoint: Checkpoint): Pair[] {
  const known = new Map<string, Pair>()
  for (const pair of pairs) {
    const [key, text] = pair
    const name = prefix + variableName(key)
    const [other, otherText] = known.get(name) ?? pair
    // What a framework saved and also logged under two spellings is one value.
    if (otherText !== text) throw collision(checkpoint, what, name, other, key)
    known.set(name, pair)
  }
  return [...known].map(([name, [, text]]) => [name, text])
}

function variableName(key: string): string {
  return key.replace(/[^A-Za-z0-9]/gu, '_').toUpperCase()
}

function collision(checkpoint: Checkpoint, what: string, name: string, one: string, other: string): CkptError {
  return new CkptError(
    'usage',
    `${checkpoint.name}: the ${what} keys ${JSON.stringify(one)} and ${JSON.stringify(other)} both give ${name}`,
    { hint: 'one variable cannot hold both; start the command without ckpt: path=$(ckpt recover RUN) && …' },
  )
}
