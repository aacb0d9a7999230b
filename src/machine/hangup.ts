/**
 * Is SIGHUP ignored, as `nohup` and `trap '' HUP` ask for? A program would find it so and leave it so. Node gives every
 * signal back its usual effect, in itself and in what it starts: so ckpt looks for what remains of the wish, and passes
 * it on.
 */
import { readFileSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { devNull } from 'node:os'
import { hasSignal } from './signal-set.js'

export function isHangupIgnored(): boolean {
  return (isIgnored ??= isAskedByName() || isInherited() || isInputOfNohup())
}

let isIgnored: boolean | undefined

/** The command as it is to be started: a shell takes on what Node would not, and becomes the command. */
export function keepingHangup(command: string, args: readonly string[]): [string, ...string[]] {
  return isHangupIgnored() ? ['/bin/sh', '-c', `trap '' HUP; exec "$@"`, 'sh', command, ...args] : [command, ...args]
}

/** bash and zsh put the command that they start into `_`, and nohup leaves it there. */
function isAskedByName(): boolean {
  return basename(process.env['_'] ?? '') === 'nohup'
}

/** What a parent ignores its children do too. */
function isInherited(): boolean {
  return hasSignal(process.ppid, 'SigIgn', 'SIGHUP')
}

/** nohup puts a /dev/null that cannot be read into the place of a terminal; nothing else does. */
function isInputOfNohup(): boolean {
  try {
    const [, flags = '0'] = readFileSync('/proc/self/fdinfo/0', 'latin1').split('flags:', 2)
    return (parseInt(flags, 8) & accessMode) === writeOnly && readlinkSync('/proc/self/fd/0') === devNull
  } catch {
    return false
  }
}

/** open(2): O_ACCMODE, O_WRONLY. */
const accessMode = 3
const writeOnly = 1
