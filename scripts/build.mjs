/**
 * Builds dist/: the library and the commands as tsc leaves them, and the program in one file (dist/cli.cjs), which
 * starts in half the time. Then oclif.manifest.json, from which help and completion are drawn.
 *   node scripts/build.mjs           builds
 *   node scripts/build.mjs --check   builds, and fails when oclif.manifest.json was not what the commands say; so it
 *                                    does where CI is set
 */
import { execFileSync } from 'node:child_process'
import { readFileSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundle } from './bundle.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const bin = (name) => join(root, 'node_modules', '.bin', name)
const manifest = join(root, 'oclif.manifest.json')

function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

// Built beside and put in place at the end: a build that fails leaves the last good one.
const draft = join(root, 'dist.new')
rmSync(draft, { recursive: true, force: true })
execFileSync(bin('tsc'), ['-p', root, '--outDir', draft], { stdio: 'inherit', cwd: root })
await bundle(root, 'dist.new/cli.cjs')
rmSync(join(root, 'dist'), { recursive: true, force: true })
renameSync(draft, join(root, 'dist'))
const before = read(manifest)
rmSync(manifest, { force: true })
execFileSync(bin('oclif'), ['manifest'], {
  stdio: ['ignore', 'ignore', 'inherit'],
  cwd: root,
  env: { ...process.env, OCLIF_SKIP_NEW_VERSION_CHECK: '1' },
})
if ((process.argv.includes('--check') || process.env.CI) && before !== read(manifest)) {
  console.error('oclif.manifest.json was stale and hid what the commands say; it is written anew: commit it')
  process.exit(1)
}
