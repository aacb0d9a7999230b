/** `npm run demo`: builds ckpt and shows the main job on a copy of the run in examples/asr. Nothing of it stays. */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { demoCommands } from './demo-commands.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs')], { stdio: 'inherit' })

const place = mkdtempSync(join(tmpdir(), 'ckpt-demo-'))
const programs = join(place, 'bin')
const exp = join(place, 'exp')
const env = { ...process.env, PATH: `${programs}${delimiter}${process.env.PATH}` }

/** Types a command into a shell, and shows what it prints. */
function show(comment, typed) {
  console.log(`\n# ${comment}\n$ ${typed}`)
  const { status } = spawnSync('bash', ['-c', typed], { cwd: exp, env, stdio: ['ignore', 'inherit', 'inherit'] })
  if (status !== 0) throw new Error(`it exited with ${status}: ${typed}`)
}

try {
  mkdirSync(programs)
  symlinkSync(join(root, 'bin', 'run.js'), join(programs, 'ckpt'))
  cpSync(join(root, 'examples', 'asr'), exp, { recursive: true })
  for (const { comment, typed } of demoCommands) show(comment, typed)
} finally {
  rmSync(place, { recursive: true, force: true })
}
