/** What kind of file system a folder lies on, and what it can do. */
import * as fs from 'node:fs'
import { join } from 'node:path'

export interface FileSystemFacts {
  /** `ext4`, `nfs`, …; null where the system does not say. */
  readonly kind: string | null
  /** Whether a copy can share its bytes with the original; null where that could not be tried. */
  readonly clones: boolean | null
  /** Whether a file can be written and synced there; null where nothing may be written. */
  readonly syncs: boolean | null
  /** Whether a folder can be made that only one process gets, which is how ckpt locks a run. */
  readonly locks: boolean | null
}

/** Tries in a folder of its own below `folder` (absolute), which it removes. */
export function fileSystemFacts(folder: string): FileSystemFacts {
  const kind = kindOf(folder)
  let trial: string
  try {
    trial = fs.mkdtempSync(join(folder, '.ckpt-doctor-'))
  } catch {
    return { kind, clones: null, syncs: null, locks: null }
  }
  try {
    return { kind, clones: canClone(trial), syncs: canSync(trial), locks: canLock(trial) }
  } finally {
    fs.rmSync(trial, { recursive: true, force: true })
  }
}

function succeeds(call: () => void): boolean {
  try {
    call()
    return true
  } catch {
    return false
  }
}

function canClone(folder: string): boolean {
  return succeeds(() => {
    fs.writeFileSync(join(folder, 'one'), Buffer.alloc(4096))
    fs.copyFileSync(join(folder, 'one'), join(folder, 'two'), fs.constants.COPYFILE_FICLONE_FORCE)
  })
}

function canSync(folder: string): boolean {
  return succeeds(() => {
    const fd = fs.openSync(join(folder, 'synced'), 'wx')
    try {
      fs.writeSync(fd, 'x')
      fs.fsyncSync(fd)
    } finally {
      fs.closeSync(fd)
    }
  })
}

/** The second of two must fail. */
function canLock(folder: string): boolean {
  const make = () => succeeds(() => fs.mkdirSync(join(folder, 'lock')))
  return make() && !make()
}

/** By the mount that is nearest above the folder (proc(5), mountinfo). */
function kindOf(folder: string): string | null {
  try {
    const real = fs.realpathSync(folder)
    let best = { point: '', kind: '' }
    for (const line of fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n')) {
      const [before = '', after = ''] = line.split(' - ')
      const point = (before.split(' ')[4] ?? '').replace(/\\(\d{3})/g, (_, octal: string) =>
        String.fromCharCode(Number.parseInt(octal, 8)),
      )
      const isAbove = point !== '' && (real === point || real.startsWith(point === '/' ? '/' : `${point}/`))
      if (isAbove && point.length >= best.point.length) best = { point, kind: after.split(' ')[0] ?? '' }
    }
    return best.kind === '' ? null : best.kind
  } catch {
    return null
  }
}
