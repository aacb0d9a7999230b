/** The error for a command that does not exist, with the nearest names; none of them is ever run. */
import { CkptError } from '../../core/errors.js'
import { namesWithin, orList } from '../../core/choosing/expression/index.js'
import { commandsCalled, commandsNearlyCalled } from './other-names.js'
import { reportError, toErrorReport } from './report-error.js'
import { toJson } from '../../render/json.js'
import { Output } from '../../render/output.js'
import { standardStream } from '../../machine/standard-streams.js'

/** What bin/quick.js answers. */
const help = 'help'
const versionFlags = ['--version', '--help', '-h']
/** Slips apart, at most. */
const slips = 2
/** Characters of a word that may be a slip of another program's name for a command. */
const shortest = 4
/** Characters of it that are shown. */
const longest = 60

/**
 * The error for a command line whose first words name none of `ids`; null where they name a command, a topic or help.
 */
export function unknownCommand(argv: readonly string[], ids: readonly string[]): CkptError | null {
  const [first, second] = argv
  if (first === undefined || versionFlags.includes(first)) return null
  if (first === help)
    return unknownCommand(
      argv.slice(1).filter((word) => !word.startsWith('-')),
      ids,
    )
  if (ids.includes(first)) return null
  const below = ids.filter((id) => id.startsWith(`${first}:`)).map((id) => id.slice(first.length + 1))
  if (below.length === 0) return failure(first, [...new Set(ids.map((id) => id.replace(/:.*/, ''))), help])
  if (second === undefined || second.startsWith('-') || below.includes(second)) return null
  return failure(second, below, `${first} `)
}

/** The error for a word behind a topic that is a command itself, where it is nearly one of those `below`; else null. */
export function mistypedBelow(topic: string, word: string, below: readonly string[]): CkptError | null {
  return namesWithin(slips, word, below).length === 0 ? null : failure(word, below, `${topic} `)
}

function failure(word: string, known: readonly string[], topic = ''): CkptError {
  if (word.startsWith('-')) {
    const [near] = word.length > 2 ? namesWithin(slips, word, ['--version', '--help']) : shortFor(word)
    return new CkptError('unknown-command', `no command stands before ${short(word)}`, {
      hint:
        near === undefined
          ? 'flags stand behind the command; ckpt --help shows what there is'
          : `did you mean ckpt ${near}?`,
    })
  }
  const near = meantBy(word, known, topic).map((name) => `ckpt ${topic}${name}`)
  const hint = near.length === 0 ? `ckpt ${topic}--help shows what there is` : `did you mean ${orList(near)}?`
  return new CkptError('unknown-command', `${topic}${short(word)} is not a ckpt command`, { hint })
}

/** A name of another program for it, a slip of ours, a slip of another program's. */
function meantBy(word: string, known: readonly string[], topic: string): readonly string[] {
  const called = commandsCalled(word, topic)
  if (called.length > 0) return called
  const near = namesWithin(slips, word, known)
  return near.length > 0 || topic !== '' || word.length < shortest ? near : commandsNearlyCalled(word, 1)
}

/** What a letter stands for elsewhere. */
function shortFor(flag: string): string[] {
  if (flag === '-v') return ['--version']
  return flag === '-?' || flag === '-H' ? ['--help'] : []
}

function short(word: string): string {
  return word.length > longest ? `${word.slice(0, longest)}…` : word === '' ? "''" : word
}

export function tellUnknownCommand(error: CkptError, argv: readonly string[]): void {
  const ignored = () => undefined
  const output = new Output(standardStream('stdout', ignored), standardStream('stderr', ignored), process.env)
  reportError(output, toErrorReport(error, null), argv.includes('--json') ? toJson : null)
  process.exitCode = error.exitStatus
}
