/**
 * Builds dist/: the library and the commands as tsc leaves them, and the program in one file (dist/cli.cjs), which
 * starts in half the time. Then oclif.manifest.json, and from it help and completion (dist/help.json, completion.json). What is as the last
 * build left it, and was made of the same files, is not made again.
 *   node scripts/build.mjs           builds
 *   node scripts/build.mjs --check   builds, and fails when oclif.manifest.json was not what the commands say; so it
 *                                    does where CI is set
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  copyFileSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const bin = (name) => join(root, 'node_modules', '.bin', name)
const dist = join(root, 'dist')
const manifest = join(root, 'oclif.manifest.json')
const stamp = join(dist, '.built.json')

/** What dist/ depends on. npm keeps the second lock file of what is installed indeed. */
const sources = [
  ...[
    'src',
    'package.json',
    'tsconfig.json',
    'tsconfig.build.json',
    'scripts/build.mjs',
    'scripts/bundle.mjs',
    'scripts/late-code.mjs',
    'scripts/usual-work.mjs',
    'bench/runs.mjs',
    'test/fixtures/runs/nutshell',
    'scripts/help.mjs',
  ],
  ...['package-lock.json', 'node_modules/.package-lock.json'],
]

/** Empty where it is not there. */
function read(file) {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}

/** Paths of the files in a folder, or of the file itself, from `from`. */
function filesIn(from, path) {
  if (statSync(join(from, path), { throwIfNoEntry: false })?.isDirectory() !== true) return [path]
  return readdirSync(join(from, path)).flatMap((name) => filesIn(from, join(path, name)))
}

/** Stands for the names and contents of these files. */
function digest(from, files) {
  const hash = createHash('sha256')
  for (const file of [...files].sort()) hash.update(JSON.stringify([file, read(join(from, file))]))
  return hash.digest('hex')
}

function lastBuild() {
  try {
    return JSON.parse(read(stamp))
  } catch {
    return {}
  }
}

const made = digest(
  root,
  sources.flatMap((path) => filesIn(root, path)),
)
const last = lastBuild()

/** What others have put beside the build's own files is nobody's business here. */
function isAsBuilt() {
  return last.sources === made && digest(dist, last.files) === last.dist
}

/** Built beside and put in place at the end: a build that fails leaves the last good one. */
async function buildDist() {
  const draft = join(root, 'dist.new')
  rmSync(draft, { recursive: true, force: true })
  execFileSync(bin('tsc'), ['-p', join(root, 'tsconfig.build.json'), '--outDir', draft], {
    stdio: 'inherit',
    cwd: root,
  })
  const { bundle } = await import('./bundle.mjs')
  await bundle(root, 'dist.new')
  copyTypes(draft)
  rmSync(dist, { recursive: true, force: true })
  renameSync(draft, dist)
}

/** TypeScript takes the library's types for those of a CommonJS module where a package.json beside them says so. */
function copyTypes(draft) {
  for (const file of filesIn(draft, '.')) {
    if (!/^\.?\/?(library|core\/.*|machine\/.*)\.d\.ts$/.test(file)) continue
    const to = join(draft, 'cjs', file)
    mkdirSync(dirname(to), { recursive: true })
    copyFileSync(join(draft, file), to)
  }
  writeFileSync(join(draft, 'cjs', 'package.json'), '{ "type": "commonjs" }\n')
}

/** A manifest that is there would be taken for what the commands say. */
function writeManifest() {
  rmSync(manifest, { force: true })
  execFileSync(bin('oclif'), ['manifest'], {
    stdio: ['ignore', 'ignore', 'inherit'],
    cwd: root,
    env: { ...process.env, OCLIF_SKIP_NEW_VERSION_CHECK: '1' },
  })
}

const before = read(manifest)
const isBuilt = isAsBuilt()
if (!isBuilt) await buildDist()
if (!isBuilt || last.manifest !== before) {
  writeManifest()
  if (!isBuilt) {
    const { writeHelp } = await import('./help.mjs')
    await writeHelp(root, dist)
  }
  const files = isBuilt ? last.files : filesIn(dist, '.')
  const facts = { sources: made, files, dist: digest(dist, files), manifest: read(manifest) }
  writeFileSync(stamp, JSON.stringify(facts))
}
if ((process.argv.includes('--check') || process.env.CI) && before !== read(manifest)) {
  console.error('oclif.manifest.json was stale and hid what the commands say; it is written anew: commit it')
  process.exit(1)
}
