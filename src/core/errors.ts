/**
 * Every way in which core refuses or fails, as a closed list. The exit status hangs on the code alone
 * (docs/design.md §3), so that it is the same with and without `--json`.
 */
export const exitStatusOf = {
  /** An expression that does not parse or that asks for an impossible operation. */
  'bad-expression': 2,
  /** A policy, flag or argument that cannot be meant. */
  usage: 2,
  /** What was typed as a command is none. */
  'unknown-command': 127,
  /** Nothing there: the folder, the run, the checkpoint or the file. */
  'not-found': 3,
  /** There are checkpoints, but none that was asked for. */
  'no-match': 3,
  /** What was found is not whole: a half-written file, a header that lies. */
  damaged: 4,
  /** It would have been unsafe: nothing to keep, shapes that differ, a file that exists. */
  refused: 5,
  /** Some of it was done, some failed; the message lists what remains. */
  partial: 6,
  /** The system refused to read what was named, which says nothing of its bytes. */
  unreadable: 6,
  /** A user's own command failed: a hook. */
  'hook-failed': 1,
  /** The system failed: disk full, permission, I/O. */
  system: 1,
  /** Ctrl-C, SIGTERM. */
  interrupted: 130,
} as const satisfies Record<string, number>

/** Why something was refused or failed: a closed list. */
export type ErrorCode = keyof typeof exitStatusOf

export interface ErrorDetails {
  /** What to do next: a sentence or a command to paste. */
  readonly hint?: string
  /** The error this one stands for. */
  readonly cause?: unknown
}

/** The only error that core throws on purpose. Any other error is a bug. */
export class CkptError extends Error {
  /** What kind of failure it is. */
  readonly code: ErrorCode
  /** What to do next. */
  readonly hint: string | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = new.target.name
    this.code = code
    this.hint = details.hint
  }

  /** The exit status that the program ends with for it. */
  get exitStatus(): number {
    return exitStatusOf[this.code]
  }
}

/** A failed call of the file system, with the path and the system's own error code (`ENOENT`, `EACCES`, …). */
export class StorageError extends CkptError {
  /** Absolute: what the call was about. */
  readonly path: string
  /** The system's own word: `ENOENT`. */
  readonly errno: string

  constructor(path: string, errno: string, message: string, details: ErrorDetails = {}) {
    super(codeOf(errno), message, details)
    this.path = path
    this.errno = errno
  }
}

const untrusted = 'EUNTRUSTED'

/** What lies where ckpt keeps something of its own and cannot be ckpt's: a link, a pipe, a stranger's folder. */
export class UntrustedError extends StorageError {
  /** `why` follows the path: `is a symbolic link`. */
  constructor(path: string, why: string, hint: string) {
    super(path, untrusted, `${path} ${why}`, { hint })
  }
}

function codeOf(errno: string): ErrorCode {
  if (errno === untrusted) return 'refused'
  return isAbsence(errno) ? 'not-found' : 'system'
}

/** The error's words without the path that the reader sees anyway. */
export function reasonOf(error: StorageError): string {
  const prefix = `${error.path}: `
  return error.message.startsWith(prefix) ? error.message.slice(prefix.length) : error.message
}

/** True where there is no room for more: of the device, or of the user's share of it. */
export function isFull(errno: string): boolean {
  return errno === 'ENOSPC' || errno === 'EDQUOT'
}

/** True for the system's ways of saying that nothing is at that path. */
export function isAbsence(errno: string): boolean {
  return errno === 'ENOENT' || errno === 'ENOTDIR'
}

/** What is at the path is not a file that any user could read. */
const wrongKind: ReadonlySet<string> = new Set(['EISDIR', 'EINVAL', 'ELOOP', 'ENAMETOOLONG', 'EFBIG', 'ENXIO'])

/** True where a failed read says nothing of the bytes: permission denied, a failing device, a server out of reach. */
export function isUnreadable(errno: string): boolean {
  return !isAbsence(errno) && !wrongKind.has(errno)
}

/**
 * A file whose bytes are not what its format says, or (`refused`) a sound one of a kind that is not read. `offset` counts
 * bytes from the start of the file.
 */
export class FormatError extends CkptError {
  /** Bytes from the start of the file; undefined where no place can be named. */
  readonly offset: number | undefined

  constructor(message: string, details: ErrorDetails & { offset?: number; code?: 'damaged' | 'refused' } = {}) {
    super(details.code ?? 'damaged', message, details)
    this.offset = details.offset
  }
}
