/** `ckpt report`: runs as one HTML page, written to a file or served. */
import { basename, resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import {
  policyFlags,
  pruneVerifyFlag,
  recursiveFlag,
  selectionFlags,
  stateFlag,
  walkFlags,
} from '../cli/flags/common-flags.js'
import { noRunBelow, readPolicy } from '../cli/flags/query.js'
import { interruptible, type WatchedWork } from '../cli/output/progress.js'
import { policyOfRun } from '../cli/settings/policy-of-run.js'
import { outputFlags } from '../cli/flags/tensor-flags.js'
import type { HealthLevel, Run } from '../core/checkpoint.js'
import { refuseAbsent, type EarlierWalk } from '../core/checkpoints/layouts/index.js'
import { quoteWord } from '../core/formats/text/shell-words.js'
import { CkptError } from '../core/errors.js'
import { DiskUses, firstAxis, loggedAxis, openRun, openRuns, reportRun, writeText } from '../core/runs/index.js'
import type { OpenedAll } from '../cli/watching/live-report.js'
import { RecordedReads } from '../core/storage/recorded-reads.js'
import type { ReadStorage } from '../core/storage/storage.js'
import { utcOffset } from '../machine/clock.js'
import { printable } from '../render/printable.js'
import { reportDocument, type AskedPolicy, type ReportedRun, type ReportView } from '../render/report/document.js'

const policyNames = Object.keys({ ...policyFlags, ...selectionFlags })

export default class Report extends BaseCommand<typeof Report> {
  static override isReader = true
  static override looksDeep = true
  static override isExact = true
  static override summary = 'Write a page about runs, to look at in a browser or to send to somebody'
  static override description = `One HTML file that needs no network and no other file: a table of the checkpoints that sorts and filters, curves to
hover and zoom, hyper-parameters, sizes by kind of file, what is wrong with which checkpoint, the journal of the jobs,
and what a policy would keep and why: the one that is given by the flags of ckpt prune, else that of the run's
ckpt.yaml. Nothing is changed. Where there is a policy, files are looked at as prune does; else no file of a checkpoint is
opened unless --verify says so. docs/seeing.md says more.

ckpt report -r exp --serve serves the page on this machine alone, behind an address with a random token in it, and keeps it up to date as
checkpoints appear, until Ctrl-C. It is read only. Another --host wants a --token-file that only you can read.`
  static override examples = [
    { description: 'the run in this folder', command: '<%= config.bin %> report --output report.html' },
    { description: 'every run below a folder', command: '<%= config.bin %> report -r exp --output report.html' },
    {
      description: 'with what a prune would keep',
      command: '<%= config.bin %> report exp --keep 2 --min WER --output report.html',
    },
  ]
  static override args = {
    runs: Args.string({
      name: 'RUN',
      description: 'directories that checkpoints lie in, or a folder above one run; this folder when left out',
      multiple: true,
      required: false,
      ignoreStdin: true,
    }),
  }
  /** A policy is one thought. */
  static override together = [policyNames]
  static override flags = {
    output: Flags.string({ char: 'o', helpValue: 'FILE', description: 'write the page here: report.html' }),
    force: outputFlags.force,
    serve: Flags.boolean({ description: 'serve the page, live, until Ctrl-C', exclusive: ['output'] }),
    host: Flags.string({
      helpValue: 'ADDRESS',
      description: 'with --serve: the address to listen at; 127.0.0.1 when left out',
      dependsOn: ['serve'],
    }),
    port: Flags.integer({
      helpValue: 'N',
      min: 0,
      max: 65535,
      description: 'with --serve: the port; a free one when left out',
      dependsOn: ['serve'],
    }),
    'token-file': Flags.file({
      helpValue: 'FILE',
      description: 'with --serve: take the token of the address from this file',
      dependsOn: ['serve'],
    }),
    recursive: recursiveFlag,
    ...policyFlags,
    ...selectionFlags,
    verify: pruneVerifyFlag('look into the files: none, quick (headers: default with a policy), deep (every byte)'),
    ...walkFlags,
    state: stateFlag,
  }

  private uses: DiskUses | null = null

  async run(): Promise<void> {
    const { output } = this.flags
    if (this.flags.serve) return this.serve()
    for (const path of this.paths) await refuseAbsent(this.storage, path)
    if (output === undefined && !this.wantsJson)
      throw nowhere((this.args as { readonly runs?: readonly string[] }).runs)
    const view = await this.view(await this.openAll())
    this.tell(view)
    const document = reportDocument(view)
    if (output === undefined) {
      this.answer(document, () => [])
      return
    }
    const path = resolve(output)
    const { pageAssets } = await import('../render/report/assets.js')
    const { renderReportPage } = await import('../render/report/page.js')
    const page = renderReportPage(document, await pageAssets(), { title: titleOf(view) })
    await writeText(this.storage, path, page, this.flags.force)
    this.answer({ ...document, output: path }, () => path)
  }

  /** For runs in `known`, by path, what is known is taken as it is. */
  private async view(runs: readonly Run[], known: ReadonlyMap<string, ReportedRun> = new Map()): Promise<ReportView> {
    const policies = new Map<string, AskedPolicy | null>()
    for (const run of runs) policies.set(run.path, known.get(run.path)?.policy ?? (await this.policyFor(run)))
    // What a policy would keep is what prune would keep, which looks into the files.
    const isAsked = [...policies.values()].some((policy) => policy !== null)
    const { verify = isAsked ? 'quick' : 'none' } = this.flags
    const reported = await this.long('reading', async (watched) => {
      const all: ReportedRun[] = []
      for (const run of runs) {
        all.push(known.get(run.path) ?? (await this.reportOn(run, policies.get(run.path) ?? null, verify, watched)))
      }
      return all
    })
    const first = firstAxis(
      runs,
      reported.map(({ report }) => report.run),
    )
    return {
      version: this.program.version,
      made: this.now(),
      root: this.root,
      axis: loggedAxis(
        first,
        reported.flatMap(({ report }) => report.curves),
      ),
      verify,
      runs: reported,
      warnings: this.unreadable.map(({ path, reason }) => `${path} could not be read: ${reason}`),
    }
  }

  private async reportOn(
    run: Run,
    policy: AskedPolicy | null,
    verify: HealthLevel,
    watched: WatchedWork,
  ): Promise<ReportedRun> {
    const { serve: isKeptUpToDate, state: stateDirectory } = this.flags
    // As prune does, to the last byte of the newest that stays; a page that is kept up to date has no time for it.
    const proves = this.flags.verify === undefined && !isKeptUpToDate
    const request = {
      verify,
      policy: policy === null ? null : { ...policy.request, verify, proves },
      now: this.now(),
      utcOffset,
      uses: (this.uses ??= new DiskUses(this.storage)),
      stateDirectory,
    }
    return { report: await reportRun(isKeptUpToDate ? this.storage : this.reading, run, request, watched), policy }
  }

  private tell({ runs }: ReportView): void {
    for (const { report } of runs) {
      const where = runs.length > 1 ? `${printable(report.run.path)}: ` : ''
      const warnings = new Set([...report.warnings, ...(report.plan?.warnings ?? [])])
      for (const warning of warnings) this.alert(`${where}${printable(warning)}`)
      if (report.planFailure !== null) this.alert(`${where}${report.planFailure}`)
    }
  }

  /** Until Ctrl-C or SIGTERM, which are its right end. */
  private async serve(): Promise<void> {
    const { host = '127.0.0.1', port = 0, 'token-file': tokenFile } = this.flags
    const { serveReport, tokenFor } = await import('../cli/watching/serve-report.js')
    const token = tokenFor(host, tokenFile)
    const opened = await this.openRecorded()
    const first = await this.view(opened.runs)
    this.tell(first)
    await interruptible((signal) =>
      serveReport(first, opened, {
        ...{ storage: this.storage, host, port, token, signal },
        title: titleOf(first),
        open: (earlier) => this.openRecorded(earlier),
        reopen: (path) => this.openAgain(path),
        gather: (runs, known) => this.view(runs, known),
        onServed: (url) => {
          this.answer({ ...reportDocument(first), url }, () => url)
          this.note('live and read only; Ctrl-C ends it')
        },
      }),
    )
  }

  private get paths(): readonly string[] {
    const { runs = ['.'] } = this.args as { readonly runs?: readonly string[] }
    return runs.map((one) => resolve(one))
  }

  /** What the page calls runs relative to: the folder that was named, else the one above all that were. */
  private get root(): string {
    const [first = resolve('.'), ...others] = this.paths
    const parts = first.split('/')
    const shared = parts.findIndex((part, index) => others.some((one) => one.split('/')[index] !== part))
    return shared === -1 ? first : parts.slice(0, shared).join('/') || '/'
  }

  private async openRecorded(earlier?: EarlierWalk): Promise<OpenedAll> {
    const reads = new RecordedReads(this.storage)
    return { runs: await this.openAll(reads.storage, earlier), read: reads.paths }
  }

  /** A run that was found before; null where there is none at this path any more. */
  private async openAgain(path: string): Promise<Run | null> {
    try {
      const run = await openRun(this.storage, path, { stateDirectory: this.flags.state })
      return run.path === path ? run : null
    } catch (error) {
      if (error instanceof CkptError && error.code !== 'interrupted') return null
      throw error
    }
  }

  private async openAll(storage: ReadStorage = this.reading, earlier?: EarlierWalk): Promise<Run[]> {
    const options = { stateDirectory: this.flags.state, earlier }
    // What was not looked at must not seem to have had nothing in it to those who come later.
    const walkFlags = earlier === undefined ? this.flags : { ...this.flags, 'no-cache': true }
    const runs = new Map<string, Run>()
    for (const path of this.paths) {
      const opened = this.flags.recursive
        ? await this.walk(walkFlags, (walking) =>
            openRuns(storage === this.reading ? this.storage : storage, path, { ...options, ...walking }),
          )
        : [await openRun(storage, path, options)]
      for (const run of opened) runs.set(run.path, run)
    }
    if (runs.size === 0 && (earlier === undefined || earlier.runs.size === 0)) throw noRunBelow(this.paths, this.flags)
    return [...runs.values()]
  }

  /** The policy that was typed, or that of the ckpt.yaml at or above the run; null where there is none. */
  private async policyFor({ path }: Run): Promise<AskedPolicy | null> {
    if (policyNames.some((name) => this.given.has(name))) {
      return { request: await readPolicy(this.flags), source: null }
    }
    if (this.flags['no-config']) return null
    const { policy, leftOut } = await policyOfRun(this.storage, path, this.program, policyNames)
    for (const one of leftOut) this.alert(`${printable(one.path)} is left out: ${one.reason}`)
    return policy
  }
}

function titleOf({ root, runs }: ReportView): string {
  const [first] = runs
  return `${runs.length === 1 && first !== undefined ? first.report.run.path : root}: checkpoints (${basename(root)})`
}

function nowhere(runs: readonly string[] = []): CkptError {
  const words = ['ckpt report', ...runs.map(quoteWord)].join(' ')
  return new CkptError('usage', 'say where the report goes: --output FILE, or --serve', {
    hint: `${words} --output report.html`,
  })
}
