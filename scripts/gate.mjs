/**
 * `npm run gate`: everything that is checked without running a test, as many at a time as there are cores. What each
 * printed is shown when it has ended, and how long it took; all are run whatever fails.
 */
import { spawn } from 'node:child_process'
import { availableParallelism } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')

/** Scripts of package.json; those of a row one after the other, for each needs the one before. The longest row first. */
const rows = [['lint'], ['generated', 'unused', 'package'], ['documented'], ['types'], ['formatted'], ['house']]

/** Gives its exit status. */
function run(script) {
  const began = Date.now()
  const child = spawn('npm', ['run', '--silent', script], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] })
  const parts = []
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (part) => parts.push(part))
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (status) => {
      process.stdout.write(`-- ${script}: exit status ${status}, ${Math.round((Date.now() - began) / 1000)} s\n`)
      process.stdout.write(Buffer.concat(parts))
      resolve(status)
    })
  })
}

const left = [...rows]
const failed = []

async function work() {
  for (let row = left.shift(); row !== undefined; row = left.shift()) {
    for (const script of row) {
      if ((await run(script)) === 0) continue
      failed.push(script)
      break
    }
  }
}

await Promise.all(Array.from({ length: availableParallelism() }, work))
if (failed.length > 0) {
  console.error(`failed: ${failed.join(', ')}`)
  process.exitCode = 1
}
