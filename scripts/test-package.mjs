/**
 * `npm run test:package`: packs the npm package, installs the tarball into an empty project, and looks at what one gets: its
 * size, the program, the library for import and for require, and the examples of README and docs/library.md, compiled
 * under strict TypeScript and run.
 */
import { execFileSync } from 'node:child_process'
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const place = mkdtempSync(join(tmpdir(), 'ckpt-package-'))
const project = join(place, 'project')
const mostBytes = 15e6

function run(command, args, options = {}) {
  return execFileSync(command, args, { cwd: project, encoding: 'utf8', ...options })
}

function sizeOf(path) {
  const stat = statSync(path)
  return stat.isDirectory() ? readdirSync(path).reduce((sum, name) => sum + sizeOf(join(path, name)), 0) : stat.size
}

function check(what, isRight, detail = '') {
  console.log(`${isRight ? 'ok' : 'WRONG'}: ${what}${detail === '' ? '' : ` (${detail})`}`)
  if (!isRight) process.exitCode = 1
}

/** Blocks of code in that language of a page. */
function blocks(page, pattern) {
  return [...readFileSync(join(root, page), 'utf8').matchAll(pattern)].map(([, code = '']) => code)
}

/** The types of Node are a project's own affair; here they are borrowed. */
function borrowTypes() {
  mkdirSync(join(project, 'node_modules', '@types'), { recursive: true })
  for (const name of ['@types/node', 'undici-types'])
    symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name))
}

function compile(files, module) {
  const options = {
    ...{ strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false },
    ...{ target: 'ES2023', lib: ['ES2023'], module, moduleResolution: module, types: ['node'], noEmit: true },
  }
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, files }))
  try {
    run(process.execPath, [join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', project])
    check(`${files.join(', ')} compiles under strict TypeScript as ${module}`, true)
  } catch (error) {
    check(
      `${files.join(', ')} compiles under strict TypeScript as ${module}`,
      false,
      String(error.stdout).slice(0, 2000),
    )
  }
}

try {
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), '{ "name": "user", "private": true, "type": "module" }')
  const packed = run('npm', ['pack', '--silent', '--pack-destination', place], { cwd: root }).trim()
  run('npm', ['install', '--silent', '--no-audit', '--no-fund', '--ignore-scripts', join(place, packed)])
  const bytes = sizeOf(join(project, 'node_modules'))
  const packages = readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'))
  check('installed size', bytes < mostBytes, `${(bytes / 1e6).toFixed(1)} MB in ${packages.join(', ')}`)
  const ckpt = join(project, 'node_modules', '.bin', 'ckpt')
  check('ckpt --version', run(ckpt, ['--version']).startsWith('ckpt/'))
  check('ckpt --help', run(ckpt, ['--help']).includes('LOOK'))
  check('ckpt find', run(ckpt, ['find', join(root, 'examples', 'asr'), '--min', 'WER']).includes('CKPT+'))
  const both =
    "import * as all from 'ckpt'; import { createRequire } from 'node:module'; const one = createRequire(import.meta.url)('ckpt'); console.log(all.Checkpointer === one.Checkpointer && Object.keys(one).every((name) => one[name] === all[name]))"
  check(
    'import and require give the same',
    run(process.execPath, ['--input-type=module', '-e', both]).trim() === 'true',
  )
  borrowTypes()
  const [program = ''] = blocks('docs/library.md', /^```js runnable\n(.*?)^```$/gms)
  writeFileSync(join(project, 'library.js'), program)
  check('the program of docs/library.md', run(process.execPath, ['library.js']).includes('the best is epoch 2'))
  const typed = [...blocks('README.md', /^```ts\n(.*?)^```$/gms), ...blocks('docs/library.md', /^```ts\n(.*?)^```$/gms)]
  const files = typed.map((code, index) => {
    const file = `example-${index}.ts`
    writeFileSync(join(project, file), `${code}\nexport {}\n`)
    return file
  })
  writeFileSync(
    join(project, 'plain.cts'),
    "import ckpt = require('ckpt')\nexport const size: number = ckpt.rules.length\n",
  )
  compile([...files, 'plain.cts'], 'NodeNext')
} finally {
  rmSync(place, { recursive: true, force: true })
}
