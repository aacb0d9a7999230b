/** What of a built program the usual work comes to: what scripts/bundle.mjs arranges it by. */
import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makeRun } from '../bench/runs.mjs'

const fixtures = fileURLToPath(new URL('../test/fixtures/runs/', import.meta.url))

/**
 * As many have them, and the metric that each goes by; the fixture, which SpeechBrain wrote, with a state folder beside it,
 * as there is wherever ckpt has changed something. What the Trainer's files need besides would cost each start more than
 * it saves theirs.
 */
const usualRuns = [
  { metric: 'WER', make: (path) => makeRun(dirname(path), checkpoints, 'plain', path) },
  { metric: 'loss', fixture: 'nutshell' },
]

/** Of a run, and of the folder above it; what is asked most comes first (scripts/late-code.mjs). */
const works = (run, metric) => [
  [
    ['find', run, '--min', metric],
    ['find', dirname(run)],
  ],
  [
    ['list', run],
    ['__complete', 'bash', '1', '../', 'list'],
    ['__complete', 'bash', '1', '../', 'find'],
    ['__complete', 'bash', '2', '', 'list', '--min'],
  ],
]

/** As much of dist/completion.json, which is made later, as what is completed here. */
const spec = {
  find: { summary: '', args: [{ name: 'what', multiple: false }], flags: {} },
  list: {
    summary: '',
    args: [{ name: 'run', multiple: false }],
    flags: { min: { takesValue: true, description: '' } },
  },
}

/** More than are looked at in one go: what a large run needs besides must not have all else made for it. */
const checkpoints = 300

/** Takes the place of bin/run.js, with Node's own modules. */
const starter = `
  const [, folder, ...args] = process.argv
  const readSpec = () => (${JSON.stringify(spec)})
  require(folder + '/cli.cjs').main(args, { root: folder, version: '0.0.0', readSpec })
`

/**
 * Starts the program of that folder (absolute) at its usual work. For each kind of work, the most usual first, a
 * function tells for a position in `file` whether it ran.
 */
export async function reachedIn(folder, file) {
  const place = mkdtempSync(join(tmpdir(), 'ckpt-usual-work-'))
  try {
    const coverage = works('', '').map(() => [])
    for (const [index, { metric, make, fixture }] of usualRuns.entries()) {
      const run = join(place, `${index}`, 'run')
      mkdirSync(dirname(run))
      // SpeechBrain has it above each run, and by its ending it may be a part of another framework's checkpoint.
      writeFileSync(join(dirname(run), 'hyperparams.yaml'), 'seed: 1\n')
      const watch = (args, at) => runWatched(folder, args, run, join(place, `seen-${index}-${at}`))
      if (fixture === undefined) await make(run)
      else {
        cpSync(join(fixtures, fixture), run, { recursive: true })
        watch(['pin', run, '--best', '--min', metric], 'pin')
      }
      for (const [kind, commands] of works(run, metric).entries()) {
        coverage[kind].push(...commands.map((args, at) => watch(args, `${kind}-${at}`)))
      }
    }
    return coverage.map((folders) => {
      const reached = folders.map((one) => reachedOf(one, join(folder, file)))
      return (position) => reached.some((one) => one[position] === 1)
    })
  } finally {
    rmSync(place, { recursive: true })
  }
}

/** Gives the folder with what V8 saw. */
function runWatched(folder, args, home, coverage) {
  const env = { PATH: process.env.PATH, HOME: home, NODE_V8_COVERAGE: coverage }
  execFileSync(process.execPath, ['-e', starter, folder, ...args], { env, cwd: home, stdio: 'pipe' })
  return coverage
}

/** For each position of the file 1 where it ran. Ranges lie in one another, the outer before the inner. */
function reachedOf(coverage, file) {
  const scripts = readdirSync(coverage).flatMap((name) => JSON.parse(readFileSync(join(coverage, name), 'utf8')).result)
  const functions = scripts.filter(({ url }) => url === `file://${file}`).flatMap((script) => script.functions)
  const ranges = functions.flatMap((one) => one.ranges)
  const reached = new Uint8Array(Math.max(...ranges.map(({ endOffset }) => endOffset)))
  ranges.sort((a, b) => a.startOffset - b.startOffset || b.endOffset - a.endOffset)
  for (const { startOffset, endOffset, count } of ranges) reached.fill(Math.min(count, 1), startOffset, endOffset)
  return reached
}
