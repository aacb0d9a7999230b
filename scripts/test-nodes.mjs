/**
 * `npm run test:nodes`: runs the built program with other versions of Node, had from the package registry, and
 * compares what it says with what it says here. Where the registry cannot be reached it says so and passes.
 */
import { execFile } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'

const versions = ['20', '22', '24']
const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const place = mkdtempSync(join(tmpdir(), 'ckpt-nodes-'))
const run = join(place, 'run')
const start = promisify(execFile)

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
  ['list', '-r', join(root, 'test/fixtures/runs/frameworks'), '--json'],
].flatMap((line) => [line, line])

async function fetchNode(version) {
  try {
    const args = ['--yes', '--package', `node@${version}`, 'node', '-p', 'process.execPath']
    return (await start('npx', args, { timeout: 120_000 })).stdout.trim()
  } catch {
    return undefined
  }
}

/** What each command line comes to, one after the other: the second of a pair finds the code cache of the first. */
async function answers(node, name) {
  const env = { ...process.env, XDG_CACHE_HOME: join(place, name), NO_COLOR: '1' }
  const all = []
  for (const line of commandLines) {
    const args = [join(root, 'bin', 'run.js'), ...line]
    const { code = 0, stdout, stderr } = await start(node, args, { env, cwd: root }).catch((error) => error)
    all.push(JSON.stringify({ status: code, stdout, stderr }, null, 2))
  }
  return all
}

/** One version after the other: `prune` beside the job of another one's `recover` would tell of it. */
async function compare(version, node, expected) {
  if (node === undefined) {
    console.log(`Node ${version}: skipped, for the package registry did not give it`)
    return
  }
  const all = await answers(node, version)
  const wrong = commandLines.filter((line, index) => {
    if (all[index] === expected[index]) return false
    console.error(`ckpt ${line.join(' ')}\nhere: ${expected[index]}\nNode ${version}: ${all[index]}`)
    return true
  })
  console.log(`Node ${version}: ${commandLines.length - wrong.length} of ${commandLines.length} answers are the same`)
  if (wrong.length > 0) process.exitCode = 1
}

try {
  cpSync(join(root, 'test/fixtures/runs/asr_run'), run, { recursive: true, preserveTimestamps: true })
  const fetched = Promise.all(versions.map(fetchNode))
  const expected = await answers(process.execPath, 'here')
  for (const [index, node] of (await fetched).entries()) await compare(versions[index], node, expected)
} finally {
  rmSync(place, { recursive: true, force: true })
}
