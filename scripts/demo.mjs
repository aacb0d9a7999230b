/**
 * `npm run demo`: builds ckpt and shows the main job on a copy of the run in examples/asr. Nothing of it stays.
 */
import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
execFileSync(process.execPath, [join(root, 'scripts', 'build.mjs')], { stdio: 'inherit' })

const place = mkdtempSync(join(tmpdir(), 'ckpt-demo-'))
cpSync(join(root, 'examples', 'asr'), place, { recursive: true })

/** Shows a command as one would type it, and what it prints. Its exit status must be the expected one. */
function show(comment, argv, expected = 0) {
  const typed = argv.map((word) => (/^[\w./=@:-]+$/.test(word) ? word : `'${word}'`)).join(' ')
  console.log(`\n# ${comment}\n$ ckpt ${typed}`)
  const { status } = spawnSync(process.execPath, [join(root, 'bin', 'run.js'), ...argv], {
    cwd: place,
    stdio: ['ignore', 'inherit', 'inherit'],
  })
  if (status !== expected) throw new Error(`ckpt ${typed} exited with ${status}, not with ${expected}`)
}

try {
  show('what is there', ['list', 'save'])
  show('the best, for a script', ['find', 'save', '--min', 'WER'])
  show('keep the best two and the newest: the plan only', ['prune', 'save', '--keep', '2', '--min', 'WER', '--dry-run'])
  const best = execFileSync(
    process.execPath,
    [join(root, 'bin', 'run.js'), 'find', 'save', '--min', 'WER', '--key', 'model'],
    {
      cwd: place,
      encoding: 'utf8',
    },
  ).trim()
  const source = best.slice(best.indexOf('save'))
  show('fine-tune: carry what matches into a model with another vocabulary', [
    'transfer',
    source,
    'new-language.safetensors',
    '--skip-mismatched',
    '--output',
    'init.safetensors',
  ])
} finally {
  rmSync(place, { recursive: true, force: true })
}
