/**
 * `npm run test:nodes`: runs the built program with other versions of Node, had from the package registry, and
 * compares what it says with what it says here. Where the registry cannot be reached it says so and passes.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const versions = ['20', '22', '24']
const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const place = mkdtempSync(join(tmpdir(), 'ckpt-nodes-'))
const run = join(place, 'run')
const environment = { ...process.env, XDG_CACHE_HOME: place, NO_COLOR: '1' }

/** Each twice: without a code cache and with one. */
const commandLines = [
  ['list', run, '--json'],
  ['find', run, '--min', 'WER'],
  ['find', run, '--where', 'epoch >'],
  ['show', run],
  ['recover', run, '--verify', 'deep'],
  ['recover', run, '--', process.execPath, '-p', 'process.env.CKPT_NAME'],
  ['prune', run, '--keep', '2', '--min', 'WER', '--dry-run'],
  ['find', '--help'],
].flatMap((line) => [line, line])

function fetchNode(version) {
  try {
    const args = ['--yes', '--package', `node@${version}`, 'node', '-p', 'process.execPath']
    return execFileSync('npx', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'], timeout: 120_000 }).trim()
  } catch {
    return undefined
  }
}

function answer(node, line) {
  const options = { encoding: 'utf8', env: environment, cwd: root }
  const { status, stdout, stderr } = spawnSync(node, [join(root, 'bin', 'run.js'), ...line], options)
  return JSON.stringify({ status, stdout, stderr }, null, 2)
}

try {
  cpSync(join(root, 'test/fixtures/runs/asr_run'), run, { recursive: true, preserveTimestamps: true })
  const expected = commandLines.map((line) => answer(process.execPath, line))
  for (const version of versions) {
    const node = fetchNode(version)
    if (node === undefined) {
      console.log(`Node ${version}: skipped, for the package registry did not give it`)
      continue
    }
    const wrong = commandLines.filter((line, index) => {
      const actual = answer(node, line)
      if (actual === expected[index]) return false
      console.error(`ckpt ${line.join(' ')}\nhere: ${expected[index]}\nNode ${version}: ${actual}`)
      return true
    })
    console.log(`Node ${version}: ${commandLines.length - wrong.length} of ${commandLines.length} answers are the same`)
    if (wrong.length > 0) process.exitCode = 1
  }
} finally {
  rmSync(place, { recursive: true, force: true })
}
