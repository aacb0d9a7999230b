/** What every benchmark needs: a place of its own, runs that alternate, medians, peak memory, a table. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const program = join(here, '..', 'bin', 'run.js')

/** Arguments of `node` that run ckpt. */
export const ckpt = (...args) => [program, ...args]

/** The process being measured, with those that it started; it may be writing into the folder. */
let child

async function endChild() {
  if (child === undefined || child.exitCode !== null) return
  const ended = once(child, 'close')
  process.kill(-child.pid, 'SIGKILL')
  await ended
}

/** Gives `work` a folder that is removed afterwards, also on Ctrl-C. */
export async function inTemporaryFolder(work) {
  const folder = mkdtempSync(join(tmpdir(), 'ckpt-bench-'))
  const remove = () => rmSync(folder, { recursive: true, force: true })
  const stop = async () => {
    await endChild()
    remove()
    process.exit(130)
  }
  process.on('SIGINT', stop)
  process.on('SIGTERM', stop)
  try {
    return await work(folder)
  } finally {
    remove()
    process.off('SIGINT', stop)
    process.off('SIGTERM', stop)
  }
}

/** NODE_EXTRA_CA_CERTS makes Node itself start slower; a code cache of the bench's own is filled before it counts. */
function environment(folder, more) {
  const variables = { ...process.env, XDG_CACHE_HOME: join(folder, 'cache'), ...more }
  delete variables.NODE_EXTRA_CA_CERTS
  delete variables.NODE_OPTIONS
  return variables
}

function run(folder, [command, args], more, statuses = [0]) {
  return new Promise((resolve, reject) => {
    // A process group of its own, so that all of it can be ended.
    const options = { env: environment(folder, more), stdio: ['ignore', 'pipe', 'pipe', 'pipe'], detached: true }
    child = spawn(command, args, options)
    let complaint = ''
    let beside = ''
    child.stdout.resume()
    child.stderr.on('data', (part) => (complaint += part))
    child.stdio[3].on('data', (part) => (beside += part))
    child.on('error', reject)
    child.on('close', (status) => {
      if (statuses.includes(status)) resolve(beside)
      else reject(new Error(`${command} ${args.join(' ')}: exit status ${status}\n${complaint}`))
    })
  })
}

async function timed(folder, command, more, statuses) {
  const began = performance.now()
  await run(folder, command, more, statuses)
  return performance.now() - began
}

/** Runs ckpt, or node, where nothing is measured. */
export async function runOnce(folder, args) {
  await run(folder, node(args))
}

/** What everything that writes a file is measured against. */
export function copyCase(from, to, after) {
  return { name: 'cp and sync', command: ['sh', ['-c', 'cp "$1" "$2" && sync "$2"', 'sh', from, to]], after }
}

const node = (args) => [process.execPath, args]
const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]

/**
 * Runs all cases in turn, `rounds` times after one that does not count, and tells each one's median as a multiple of
 * the first's. A case is `{ name, args, most?, mostMilliseconds?, fasterThan?, after?, statuses? }` with arguments of
 * node, or `command` in their place; `statuses` are the exit statuses that it may end with (0); `most` is the ratio that it must not exceed, and `fasterThan` has other cases, each with how
 * many times as fast this one must be. Peak memory is asked of the system in a run of its own. Gives whether all held.
 */
export async function compare(folder, title, rounds, cases, mostMegabytes) {
  const commandOf = (one) => one.command ?? node(one.args)
  const times = new Map(cases.map((one) => [one, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const one of cases) {
      const time = await timed(folder, commandOf(one), one.environment, one.statuses)
      one.after?.()
      if (round > 0) times.get(one).push(time)
    }
  }
  const [base] = cases
  console.log(`\n${title}\n${'median'.padStart(46)}  ratio  at most  memory`)
  let held = true
  for (const one of cases) {
    const time = median(times.get(one))
    const ratio = time / median(times.get(base))
    const peak = one.args === undefined ? undefined : await peakMegabytes(folder, one)
    const isHeld =
      ratio <= (one.most ?? Infinity) &&
      time <= (one.mostMilliseconds ?? Infinity) &&
      !(one !== base && peak > mostMegabytes)
    held &&= isHeld
    const columns = [
      one.name.padEnd(34),
      `${time.toFixed(time < 100 ? 1 : 0)} ms`.padStart(11),
      ratio.toFixed(2).padStart(6),
      (one.most?.toString() ?? '').padStart(8),
      (peak === undefined ? '' : `${peak.toFixed(0)} MB`).padStart(7),
    ]
    console.log(`${columns.join(' ')}${isHeld ? '' : '  TOO MUCH'}`)
  }
  for (const one of cases) {
    for (const [other, least] of one.fasterThan ?? []) {
      const faster = median(times.get(other)) / median(times.get(one))
      held &&= faster >= least
      console.log(
        `${one.name} is ${faster.toFixed(2)} times as fast as ${other.name}; at least ${least}${faster >= least ? '' : '  TOO SLOW'}`,
      )
    }
  }
  return held
}

async function peakMegabytes(folder, one) {
  const kilobytes = await run(
    folder,
    node(['--import', pathToFileURL(join(here, 'peak.mjs')).href, ...one.args]),
    {},
    one.statuses,
  )
  one.after?.()
  return Number(kilobytes) / 1000
}
