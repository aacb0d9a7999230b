/** `ckpt plot`: metrics along the training, drawn in the terminal or into a picture. */
import { relative, resolve } from 'node:path'
import { Args, Flags } from '@oclif/core'
import { BaseCommand } from '../cli/base-command.js'
import { recursiveFlag, stateFlag, walkFlags } from '../cli/flags/common-flags.js'
import { outputFlags } from '../cli/flags/tensor-flags.js'
import type { Run } from '../core/checkpoint.js'
import { bestOrder, describeUnknownKey, frameworkDirections, unknownKeys } from '../core/choosing/selection/index.js'
import { directionOf, metricKeys } from '../core/checkpoints/meta/index.js'
import { refuseAbsent } from '../core/checkpoints/layouts/index.js'
import { CkptError } from '../core/errors.js'
import { drawRuns, openRun, openRuns, writeText, type Curve, type CurveAxis } from '../core/runs/index.js'
import { noRunBelow } from '../cli/flags/query.js'
import type { FrameOptions } from '../render/plot/frame.js'
import { printable } from '../render/printable.js'
import { plural, pluralIs } from '../render/units.js'
import { quoteWord } from '../core/formats/text/shell-words.js'

const axes = ['step', 'epoch', 'time'] as const
/** Rows of a picture in a terminal that does not say how high it is. */
const usualHeight = 20
const usualWidth = 80
/** In characters; a picture's margins alone are larger. */
const least = { width: 10, height: 5 }
const leastPicture = { width: 200, height: 120 }

/** What is drawn, into whatever. */
interface Drawing {
  readonly axis: CurveAxis
  readonly curves: readonly Curve[]
  readonly runs: readonly Run[]
  readonly keys: readonly string[]
  /** The weight of the running mean. */
  readonly smooth: number
}

export default class Plot extends BaseCommand<typeof Plot> {
  static override isReader = true
  static override isExact = true
  static override summary = 'Draw how metrics went'
  static override description = `Curves in the terminal, or a picture with --output. An argument that is a folder is a run; any other is a key of
the meta. Without a key it draws the metric that ckpt find best goes by. Where the framework keeps a log of the whole training
(trainer_state.json, metrics.csv, results.csv, scalars.json, metrics.json, train_log.txt) the curve is that log, with
the checkpoints marked on it; else it is the checkpoints' own values. The best checkpoint has a star. A value that is
missing or NaN is a gap.`
  static override examples = [
    { description: 'the metric of the run in this folder', command: '<%= config.bin %> plot' },
    { description: 'two keys of one run', command: '<%= config.bin %> plot exp loss WER --log' },
    { description: 'all runs of a sweep, as a picture', command: '<%= config.bin %> plot -r exp WER --output wer.svg' },
  ]
  static override usage = 'plot [RUN…] [KEY…] [FLAGS]'
  static override args = {
    what: Args.string({
      name: 'RUN|KEY',
      description: 'runs, and keys of the meta; the run in this folder when no run is named',
      multiple: true,
      required: false,
      ignoreStdin: true,
    }),
  }
  static override flags = {
    recursive: recursiveFlag,
    x: Flags.custom<CurveAxis>({
      options: [...axes],
      helpValue: 'AXIS',
      description:
        'step, epoch or time; when left out the first that all checkpoints have, or epoch where the log knows no other',
    })(),
    log: Flags.boolean({ description: 'a logarithmic scale of the values' }),
    smooth: Flags.string({
      helpValue: 'WEIGHT',
      description: 'draw a running mean: from 0 (none) to below 1 (more)',
      default: '0',
    }),
    width: Flags.integer({
      helpValue: 'N',
      min: least.width,
      max: 4000,
      description: 'columns, or with --output pixels',
    }),
    height: Flags.integer({
      helpValue: 'N',
      min: least.height,
      max: 4000,
      description: 'rows, or with --output pixels',
    }),
    output: Flags.string({ char: 'o', helpValue: 'FILE', description: 'write a picture: .svg, .png or .html' }),
    force: outputFlags.force,
    ...walkFlags,
    state: stateFlag,
  }

  async run(): Promise<void> {
    const smooth = readSmooth(this.flags.smooth)
    const format = formatOf(this.flags.output)
    if (format !== null) refuseTinyPicture(this.flags)
    const { paths, keys: asked } = await this.readArguments()
    const runs = await this.openAll(paths)
    const keys = asked.length === 0 ? [defaultKey(runs)] : asked
    const { axis, curves } = await drawRuns(this.storage, runs, keys, this.flags.x)
    await this.refuseMistypedRun(keys, curves)
    this.tellAbsent(runs, keys, curves)
    if (curves.length === 0) throw await this.nothingToDraw(runs, keys, paths)
    if (format === null) await this.showInTerminal({ axis, curves, runs, keys, smooth })
    else await this.writePicture(format, { axis, curves, runs, keys, smooth })
  }

  private async showInTerminal(drawing: Drawing): Promise<void> {
    const { axis, curves } = drawing
    const terminal = {
      width: this.columns,
      height: this.rows,
      colours: this.output.colours,
      unicode: this.output.hasUnicode,
    }
    const { mostCurves, renderPlot } = await import('../render/plot/terminal.js')
    const ticks = { x: Math.max(2, Math.floor(this.columns / 14)), y: Math.min(5, Math.ceil(this.rows / 4)) }
    const { frame, more } = await this.framed(drawing, mostCurves(curves.length, terminal), ticks)
    this.answer({ x: axis, curves }, () => renderPlot(frame, terminal, more))
  }

  private async writePicture(format: PictureFormat, drawing: Drawing): Promise<void> {
    const { axis, curves } = drawing
    const { mostCurvesOfPicture, renderSvg } = await import('../render/plot/svg.js')
    const { frame, more } = await this.framed(drawing, mostCurvesOfPicture, { x: 8, y: 6 })
    const drawnKeys = [...new Set(curves.map(({ key }) => key))].join(', ')
    const drawnRuns = new Set(curves.map(({ run }) => run)).size
    const title = drawnRuns === 1 ? drawnKeys : `${drawnKeys} of ${drawnRuns} runs`
    const rest = more.count === 0 ? undefined : `… and ${plural(more.count, `more ${more.noun}`)} not drawn`
    if (rest !== undefined) this.alert(`${plural(more.count, `more ${more.noun}`)} not drawn; --json has all`)
    const { width = 800, height = 420 } = this.flags
    const svg = renderSvg(frame, { width, height, title, more: rest })
    const path = resolve(format.path)
    await writeText(this.storage, path, await contentOf(format.kind, svg, title), this.flags.force)
    this.answer({ x: axis, curves, output: path }, () => path)
  }

  /** At most so many curves in their frame, with how many more there are. What has no place in it is reported. */
  private async framed({ axis, curves, runs, keys, smooth }: Drawing, most: number, ticks: FrameOptions['ticks']) {
    const drawn = most < curves.length ? bestFirst(curves, runs).slice(0, most) : curves
    const labels = drawn.map((curve) => labelOf(curve, runs.length > 1, keys.length > 1))
    const { frameOf } = await import('../render/plot/frame.js')
    const frame = frameOf(drawn, labels, { axis, log: this.flags.log, smooth, ticks })
    if (frame.isEmpty) throw nothingOnAxis(drawn, this.flags.log)
    if (frame.leftOut > 0)
      this.alert(`${pluralIs(frame.leftOut, 'value')} not above 0: no place on a logarithmic scale`)
    if (frame.tooLarge > 0) this.alert(`${pluralIs(frame.tooLarge, 'value')} infinite, or too large to be drawn`)
    return { frame, more: { count: curves.length - drawn.length, noun: keys.length === 1 ? 'run' : 'curve' } }
  }

  private get columns(): number {
    const { width } = this.flags
    return width ?? (Number.isFinite(this.output.width) ? this.output.width : usualWidth)
  }

  private get rows(): number {
    // The line above that was typed, and the prompt below, are left in sight.
    return this.flags.height ?? Math.max(least.height, (this.output.height ?? usualHeight + 2) - 2)
  }

  /** What is a folder is a run. */
  private async readArguments(): Promise<{ paths: string[]; keys: string[] }> {
    const { what = [] } = this.args as { readonly what?: readonly string[] }
    const stats = await this.storage.stat(what.map((one) => resolve(one)))
    const isFolder = (index: number) => {
      const stat = stats[index]
      return stat?.ok === true && stat.value.kind === 'directory'
    }
    const paths = what.filter((_, index) => isFolder(index)).map((one) => resolve(one))
    const keys = what.filter((_, index) => !isFolder(index))
    const missing = keys.find((one) => /^\.{0,2}\//.test(one))
    if (missing !== undefined) await refuseAbsent(this.storage, resolve(missing))
    return { paths: paths.length === 0 ? [resolve('.')] : paths, keys }
  }

  /** The run stands first: what is no folder there, and no key, is one that was mistyped. Throws as `openRun` does. */
  private async refuseMistypedRun(keys: readonly string[], curves: readonly Curve[]): Promise<void> {
    const { what = [] } = this.args as { readonly what?: readonly string[] }
    const [first] = what
    if (first === undefined || what.length === 1 || keys[0] !== first) return
    if (!curves.some(({ key }) => key === first)) await openRun(this.storage, resolve(first))
  }

  private async openAll(paths: readonly string[]): Promise<Run[]> {
    const stateLocation = { stateDirectory: this.flags.state }
    const runs: Run[] = []
    for (const path of paths) {
      const opened = this.flags.recursive
        ? await this.walk(this.flags, (walking) => openRuns(this.storage, path, { ...stateLocation, ...walking }))
        : [await openRun(this.storage, path, stateLocation)]
      runs.push(...opened)
    }
    if (runs.length === 0) throw noRunBelow(paths, this.flags)
    return runs
  }

  /** A key that no run has is reported. */
  private tellAbsent(runs: readonly Run[], keys: readonly string[], curves: readonly Curve[]): void {
    const drawn = new Set(curves.map(({ key }) => key))
    const absent = new Set(keys.filter((key) => !drawn.has(key)))
    const all = runs.flatMap(({ checkpoints }) => checkpoints)
    for (const unknown of unknownKeys(absent, all)) this.alert(describeUnknownKey(unknown))
  }

  private async nothingToDraw(
    runs: readonly Run[],
    keys: readonly string[],
    paths: readonly string[],
  ): Promise<CkptError> {
    const { x } = this.flags
    const usual = x === undefined ? null : await drawRuns(this.storage, runs, keys)
    const asked = keys.map(printable).join(', ')
    if (x !== undefined && usual !== null && usual.curves.length > 0) {
      return new CkptError('no-match', `nothing to draw: no checkpoint with a number called ${asked} tells its ${x}`, {
        hint: `--x ${usual.axis}`,
      })
    }
    const [first = '', ...others] = runs.length > 1 && paths.length === 1 ? paths : runs.map(({ path }) => path)
    const isAbove = runs.length > 1 && others.length === 0
    const where = runs.length === 1 ? printable(runs[0]?.path ?? '') : `any of ${runs.length} runs`
    return new CkptError('no-match', `nothing to draw: no number called ${asked} in ${where}`, {
      hint: `see the keys: ckpt list ${isAbove ? '-r ' : ''}${quoteWord(first)} --all`,
    })
  }
}

/** Of curves of one metric those with the best values first, for there may not be room for all. */
function bestFirst(curves: readonly Curve[], runs: readonly Run[]): readonly Curve[] {
  const [first] = curves
  if (first === undefined || curves.some(({ key }) => key !== first.key)) return curves
  const directions = frameworkDirections(runs.flatMap(({ checkpoints }) => checkpoints))
  const direction = directions.get(first.key) ?? directionOf(first.key)
  if (direction === undefined) return curves
  const worst = direction === 'min' ? Infinity : -Infinity
  const valueOf = ({ best }: Curve) => best?.y ?? worst
  const sign = direction === 'min' ? 1 : -1
  return [...curves].sort((a, b) => (valueOf(a) === valueOf(b) ? 0 : sign * (valueOf(a) < valueOf(b) ? -1 : 1)))
}

/** Throws CkptError `usage`. */
function refuseTinyPicture({
  width,
  height,
}: {
  readonly width?: number | undefined
  readonly height?: number | undefined
}): void {
  if ((width ?? Infinity) >= leastPicture.width && (height ?? Infinity) >= leastPicture.height) return
  const asked = `${width === undefined ? '' : ` --width ${width}`}${height === undefined ? '' : ` --height ${height}`}`
  throw new CkptError(
    'usage',
    `a picture is at least ${leastPicture.width} pixels wide and ${leastPicture.height} high:${asked}`,
    {
      hint: `--width ${Math.max(width ?? 800, leastPicture.width)} --height ${Math.max(height ?? 420, leastPicture.height)}`,
    },
  )
}

/** None of the values can be drawn. */
function nothingOnAxis(curves: readonly Curve[], isLog: boolean): CkptError {
  const keys = [...new Set(curves.map(({ key }) => printable(key)))].join(', ')
  const count = curves.reduce((sum, { points }) => sum + points.filter(({ y }) => !Number.isNaN(y)).length, 0)
  if (!isLog) {
    return new CkptError(
      'no-match',
      `nothing to draw: ${pluralIs(count, 'value')} of ${keys} there, none of them finite`,
    )
  }
  return new CkptError(
    'no-match',
    `nothing to draw on a logarithmic scale: of ${plural(count, 'value')} of ${keys} none is above 0`,
    { hint: 'without --log' },
  )
}

function readSmooth(text: string): number {
  const weight = Number(text)
  if (weight >= 0 && weight < 1 && text.trim() !== '') return weight
  throw new CkptError('usage', `--smooth ${text}: it is a weight from 0 (none) to below 1`, { hint: '--smooth 0.6' })
}

type PictureKind = 'svg' | 'png' | 'html'

interface PictureFormat {
  readonly kind: PictureKind
  readonly path: string
}

function formatOf(output: string | undefined): PictureFormat | null {
  if (output === undefined) return null
  const [, ending = ''] = /\.(svg|png|html?)$/i.exec(output) ?? []
  const kind = pictureKinds.get(ending.toLowerCase())
  if (kind !== undefined) return { kind, path: output }
  throw new CkptError('usage', `${output}: pictures are written as .svg, .png and .html`, {
    hint: 'name a file that ends in .svg, .png or .html',
  })
}

const pictureKinds: ReadonlyMap<string, PictureKind> = new Map([
  ['svg', 'svg'],
  ['png', 'png'],
  ['html', 'html'],
  ['htm', 'html'],
])

async function contentOf(kind: PictureKind, svg: string, title: string): Promise<string | Uint8Array> {
  if (kind === 'svg') return svg
  if (kind === 'png') return (await import('../render/plot/png.js')).renderPng(svg)
  return (await import('../render/plot/svg.js')).renderPage(svg, title)
}

/** By what "best" goes; of several metrics the first. Throws CkptError `usage` where none is known. */
function defaultKey(runs: readonly Run[]): string {
  const checkpoints = runs.flatMap((run) => run.checkpoints)
  const [first] = metricKeys(checkpoints.map(({ meta }) => meta))
  try {
    const order = bestOrder(checkpoints)
    if (order.kind === 'min' || order.kind === 'max') return order.key
  } catch (error) {
    if (!(error instanceof CkptError) || first === undefined) throw error
  }
  if (first !== undefined) return first
  throw new CkptError('usage', 'draw which key? No key of the meta is known as a metric', {
    hint: 'name a key: ckpt plot KEY',
  })
}

function labelOf({ run, key }: Curve, showsRun: boolean, showsKey: boolean): string {
  const name = relative(process.cwd(), run) || '.'
  const shown = name.startsWith('..') ? run : name
  if (!showsRun) return key
  return showsKey ? `${shown} ${key}` : shown
}
