/** `ckpt doctor`: what could go wrong with this installation and with a run, and what to do about it. */
import { basename, dirname, resolve } from 'node:path'
import { accessSync, constants, statSync } from 'node:fs'
import { Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { runArgument, stateFlag } from '../cli/flags/common-flags.js'
import { NoRunError, refuseAbsent } from '../core/checkpoints/layouts/index.js'
import { CkptError, exitStatusOf, type ErrorCode } from '../core/errors.js'
import { isSound, type Run } from '../core/checkpoint.js'
import { openRun, verifyRun, type Verified } from '../core/runs/index.js'
import { stateFolderOf } from '../core/changes/state/index.js'
import { wait } from '../machine/clock.js'
import { heldForWriting } from '../machine/open-files.js'
import { fileSystemFacts } from '../machine/file-system-kind.js'
import { completionSetUp, isShell } from '../cli/completion/scripts.js'
import { clearCache, codeCache, completionFile, installedAs, mostCached } from '../machine/installation.js'
import { scanCache } from '../machine/scan-cache.js'
import { mostRemembered } from '../core/storage/memory/record-files.js'
import { renderDiagnosis, type Diagnosis, type Problem } from '../render/doctor.js'
import { printable } from '../render/printable.js'
import { plural } from '../render/units.js'
import { quoteWord } from '../core/formats/text/shell-words.js'

export default class Doctor extends BaseCommand<typeof Doctor> {
  static override isReader = true
  static override looksDeep = true
  static override summary = 'Say how ckpt is installed, what the file system can do, and what is wrong with a run'
  static override description = `Shows the version and how it was installed, the file system of the run and whether it clones, syncs and locks, the
caches (compiled code, and what searches for runs have read: together at most 20 MB), whether completion is set up,
Slurm, and the problems of the run, each with the command that mends it. Exit status 4 when the run has a problem.`
  static override examples = [
    { description: 'this folder', command: '<%= config.bin %> doctor' },
    { description: 'a run', command: '<%= config.bin %> doctor exp/save' },
    { description: 'delete the cache', command: '<%= config.bin %> doctor --clear-cache' },
  ]
  static override args = { run: runArgument }
  static override flags = {
    'clear-cache': Flags.boolean({
      description:
        'delete what ckpt keeps in your cache: compiled code, and what searches for runs have read; it is made again',
      default: false,
    }),
    state: stateFlag,
  }

  async run(): Promise<void> {
    const cache = codeCache()
    const scans = scanCache()
    if (this.flags['clear-cache']) {
      clearCache(cache)
      clearCache(scans)
    }
    const path = resolve(this.args.run)
    await refuseAbsent(this.storage, path)
    const run = await this.open(path)
    const fileSystem = await fileSystemFacts(this.storage, run === null ? folderAt(path) : dirname(run.path))
    const problems = [...(await this.problemsOfSettings()), ...(run === null ? [] : await this.problemsOf(run))]
    const shell = basename(process.env['SHELL'] ?? '')
    const cleared = this.flags['clear-cache']
    const sizeOf = ({ files }: typeof cache) => (cleared ? 0 : files.reduce((sum, { size }) => sum + size, 0))
    const document: Diagnosis = {
      version: this.program.version,
      installed: installedAs(this.program.root),
      runtime: runtime(),
      fileSystem,
      cache: { folder: cache.folder, bytes: sizeOf(cache), most: mostCached, cleared },
      scans: { folder: scans.folder, bytes: sizeOf(scans), most: mostRemembered, cleared },
      completion: shell === '' ? null : shell,
      completionIn: isShell(shell) ? completionFile(shell) : null,
      slurm: isOnPath('sbatch'),
      run: run?.path ?? null,
      problems,
    }
    const completion = describeCompletion(shell, document.completionIn)
    this.answer(document, () => renderDiagnosis(document, { run, unopened: this.unopened, completion }))
    if (problems.length > 0) process.exitCode = exitStatusOf.damaged
  }

  /** Why there is none, for people, where it is not for lack of checkpoints. */
  private unopened: string | null = null

  /** Null where no run is, or which is meant is not clear: the machine can be looked at all the same. */
  private async open(path: string): Promise<Run | null> {
    try {
      return await openRun(this.storage, path, { stateDirectory: this.flags.state })
    } catch (error) {
      if (error instanceof NoRunError) return null
      if (!(error instanceof CkptError) || !answered.has(error.code)) throw error
      this.unopened = `not looked at: ${printable(error.message.split('\n', 1)[0] ?? '')}`
      return null
    }
  }

  /** They are among the problems. */
  protected override tellLeftOut(): void {
    return
  }

  private async problemsOfSettings(): Promise<Problem[]> {
    const problems = this.leftOut.map(({ path, reason, hint }) => ({
      what: `${path} is left out: ${reason}`,
      mend: hint,
    }))
    if (this.files.length === 0) return problems
    const { mistakesIn } = await import('../cli/settings/mistakes.js')
    const { allCommands } = await import('../cli/settings/all-commands.js')
    const mistakes = await mistakesIn(this.files, await allCommands(this.program))
    return [...problems, ...mistakes.map(({ message, hint }) => ({ what: message, mend: hint ?? 'correct it there' }))]
  }

  private async problemsOf(run: Run): Promise<Problem[]> {
    const { checkpoints, leftovers, writing } = await this.verified(run)
    const damaged = checkpoints.filter((one) => !isSound(one) && !writing.has(one.path))
    const at = quoteWord(run.path)
    const problems: Problem[] = leftovers.map(({ name, reason }) => ({
      what: `${name}: ${reason}`,
      mend: `ckpt verify ${at}`,
    }))
    if (damaged.length > 0) {
      const names = damaged.slice(0, 3).map(({ name }) => name)
      const more = damaged.length > names.length ? `, and ${damaged.length - names.length} more` : ''
      const what = `${plural(damaged.length, 'checkpoint')} not whole: ${names.join(', ')}${more}`
      problems.push({ what, mend: `ckpt verify ${at}; then ckpt prune ${at} --remove-damaged --trash` })
    }
    if (!isWritable(dirname(run.path))) {
      const what = `${dirname(run.path)} cannot be written, so pins, locks and the trash have no place`
      problems.push({ what, mend: `ckpt list ${at} --state ~/.local/state/ckpt` })
    }
    return problems
  }

  /** As `ckpt verify` does it. */
  private async verified(run: Run): Promise<Verified> {
    const state = await stateFolderOf(this.storage, run.path, this.flags.state)
    const again = { now: this.now(), wait, stateDirectory: this.flags.state, writers: { holding: heldForWriting } }
    const request = { which: null, level: 'quick' as const, state, again }
    return this.long('checking', (options) => verifyRun(this.storage, run, request, options))
  }
}

/** What keeps it from a run, and not from all else. */
const answered: ReadonlySet<ErrorCode> = new Set(['not-found', 'usage', 'refused'])

/** The folder that `path` is, or that it lies in. */
function folderAt(path: string): string {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === false ? dirname(path) : path
}

function runtime(): string {
  const { bun } = process.versions
  return bun === undefined ? `Node ${process.version}` : `bun ${bun}, which is inside`
}

function describeCompletion(shell: string, file: string | null): string {
  if (file !== null) return `set up for ${shell}, in ${printable(file)}`
  const known = isShell(shell) ? shell : 'bash'
  return `not set up for ${known}: ${completionSetUp[known]}`
}

function isOnPath(program: string): boolean {
  return (process.env['PATH'] ?? '').split(':').some((folder) => folder !== '' && isThere(`${folder}/${program}`))
}

function isThere(path: string): boolean {
  return can(path, constants.X_OK)
}

function isWritable(path: string): boolean {
  return can(path, constants.W_OK)
}

function can(path: string, mode: number): boolean {
  try {
    accessSync(path, mode)
    return true
  } catch {
    return false
  }
}
