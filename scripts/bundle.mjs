/**
 * The program in few files (dist/cli.cjs and what it loads), for a fast start. Of oclif it holds what a known command needs: its class,
 * flags, arguments and parser. Help, plugins and oclif's own error pages never run from it: bin/run.js gives whatever
 * needs them to oclif as it is installed.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { builtinModules, createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { build } from 'rolldown'
import { minifySync } from 'rolldown/utils'
import { withLateCode } from './late-code.mjs'
import { reachedIn } from './usual-work.mjs'

const require = createRequire(import.meta.url)
const oclif = dirname(require.resolve('@oclif/core/package.json'))

function path(name) {
  return JSON.stringify(join(oclif, 'lib', `${name}.js`))
}

/** What src imports from `@oclif/core`, without the rest of it: its modules as they are, where `export *` would copy each. */
const front = `
exports.Args = require(${path('args')})
exports.Flags = require(${path('flags')})
exports.Parser = require(${path('parser/index')})
`

/** Modules of oclif that a parsed command never comes to; each exports nothing here. */
const leftOut = [
  ...['config/index', 'help/index', 'help/util', 'errors/handle', 'module-loader', 'performance'],
  ...['errors/errors/pretty-print', 'ux/index'],
]

/**
 * What stands for modules of oclif here. Its errors are reported by ckpt (src/cli/output/parse-error.ts), so nothing is coloured and
 * nothing is fitted to a terminal, to ask for which takes long; DEBUG=oclif:* is for oclif's own doing.
 */
const replaced = {
  logger: `
    const silent = () => {}
    export const makeDebug = () => silent
    export const getLogger = () => ({ debug: silent })
  `,
  screen: 'export const stdtermwidth = Infinity, errtermwidth = Infinity',
  'ux/theme': 'export const colorize = (_, text) => text',
  ...Object.fromEntries(leftOut.map((name) => [name, 'exports.__esModule = true; exports.default = class {}'])),
}

/** Packages with which oclif lays its errors out: text stays as it is. */
const layOut = {
  'clean-stack': 'module.exports = (text) => text',
  'indent-string': 'module.exports = (text) => text',
  wordwrap: 'module.exports = () => (text) => text',
  'wrap-ansi': 'module.exports = (text) => text',
}

const replacements = new Map(Object.entries(replaced).map(([name, code]) => [join(oclif, 'lib', `${name}.js`), code]))

const slimOclif = {
  name: 'slim-oclif',
  resolveId(id, importer) {
    if (id === '@oclif/core') return '\0oclif'
    return Object.hasOwn(layOut, id) && importer?.startsWith(oclif) ? `\0lay-out:${id}` : undefined
  },
  load(id) {
    if (id === '\0oclif') return { code: front, moduleType: 'js' }
    const code = replacements.get(id) ?? layOut[id.replace('\0lay-out:', '')]
    return code === undefined ? undefined : { code, moduleType: 'js' }
  },
}

/** What the program loads late, from a file of its own: it is a quarter of a megabyte, and one command has a use for it. */
const hub = '@huggingface/hub'

/** What draws a PNG, which `ckpt plot --output x.png` alone loads: a program for WebAssembly, and a font. */
const png = '#png'

async function bundlePng(root, file) {
  const inside = await bundleFile(root, '@resvg/resvg-wasm', file)
  const font = join('node_modules', 'dejavu-fonts-ttf', 'ttf', 'DejaVuSans.ttf')
  const packed = { wasm: '@resvg/resvg-wasm/index_bg.wasm', font: 'dejavu-fonts-ttf/ttf/DejaVuSans.ttf' }
  const exported = Object.entries(packed).map(([name, from]) => {
    const bytes = readFileSync(join(root, 'node_modules', from))
    return `exports.${name} = '${brotliCompressSync(bytes).toString('base64')}'\n`
  })
  writeFileSync(join(root, file), readFileSync(join(root, file), 'utf8') + exported.join(''))
  return [...inside, join(root, font)]
}

/** The page of a report, which `ckpt report` alone loads: text that is put into what it writes, and never run by it. */
const page = '#page'

/** Gives the files that went into it: what src/render/page is for a browser, minified, with the hashes for its security policy. */
export async function bundlePage(root, file) {
  const { output } = await build({
    cwd: root,
    input: 'src/render/page/main.ts',
    platform: 'browser',
    write: false,
    output: { format: 'iife', codeSplitting: false, minify: true },
    logLevel: 'warn',
  })
  const script = toAscii(output[0].code.trim())
  // Either would end the element that it stands in.
  if (/<\/script|<!--/i.test(script)) throw new Error('src/render/page: the script has what ends a script element')
  const style = ['node_modules/uplot/dist/uPlot.min.css', 'src/render/page/style.css']
    .map((name) => readFileSync(join(root, name), 'utf8').replace(/\s+/g, ' ').trim())
    .join('\n')
  const hashOf = (text) => `sha256-${createHash('sha256').update(text).digest('base64')}`
  const assets = { script, style, scriptHash: hashOf(script), styleHash: hashOf(style) }
  const exported = Object.entries(assets).map(([name, text]) => `exports.${name} = ${JSON.stringify(text)}\n`)
  writeFileSync(join(root, file), `'use strict'\n${exported.join('')}`)
  return output.flatMap(({ moduleIds = [] }) => moduleIds)
}

/**
 * Bundles into `folder` (relative to `root`) the program, cli.cjs, with what it loads late and what its threads start
 * from; the library for `require` and `import`; and the licences of all that is in these.
 */
export async function bundle(root, folder) {
  const inside = [
    ...(await bundleProgram(root, folder)),
    ...(await bundleFile(root, hub, join(folder, 'hub.cjs'))),
    ...(await bundlePage(root, join(folder, 'page.cjs'))),
    ...(await bundlePng(root, join(folder, 'png.cjs'))),
    ...(await bundleFile(root, 'src/core/storage/bulk-read-worker.ts', join(folder, 'bulk-read-worker.cjs'))),
    ...(await bundleFile(root, 'src/library.ts', join(folder, 'library.cjs'))),
  ]
  writeLibraryModule(root, folder)
  writeFileSync(join(root, folder, 'THIRD-PARTY-LICENSES.txt'), licencesOf(inside))
}

/** Names for `import`, of one and the same library. */
function writeLibraryModule(root, folder) {
  const names = Object.keys(require(join(root, folder, 'library.cjs'))).filter((name) => name !== 'default')
  const code = `import library from './library.cjs'\nexport const { ${names.join(', ')} } = library\n`
  writeFileSync(join(root, folder, 'library.mjs'), code)
}

/** What commands need that only look, without what they load late, is one file. */
const looking = ['src/main.ts', 'src/commands/find.ts', 'src/commands/list.ts']

/**
 * The program: cli.cjs, which is what looks, and parts of it that are loaded by what needs them, as modules would be.
 * Each is one function that takes what Node gives to a module: so bin/run.js compiles a file as it is. cli.cjs begins
 * with a name for the contents of all, and the version. Gives the files that went into it.
 */
export async function bundleProgram(root, folder, { define = {}, wrap = asFunction } = {}) {
  const look = await importedBy(root, looking)
  const groups = [{ name: 'look', test: (id) => look.has(id) || id.startsWith(ownCode) }]
  const { plugins, ...input } = options(root, { cli: 'src/main.ts' }, define)
  const output = { ...form, entryFileNames: '[name].cjs', chunkFileNames: 'part-[name].cjs', codeSplitting: { groups } }
  const make = (plugin) => build({ ...input, write: false, plugins: [...plugins, plugin], output })
  const lateFiles = lateParts.map((fileName) => ({ fileName, code: '' }))
  const { output: made } = await make(await byUsualWork(join(root, folder, 'draft'), make, lateFiles))
  const files = [...made.filter(({ fileName }) => fileName !== program), ...lateFiles]
  const codes = files.map(({ fileName, code }) => [fileName === lookPart ? program : fileName, wrap(toAscii(code))])
  const name = `${digest(codes.flat().join('\n'))} ${readJson(join(root, 'package.json')).version}`
  for (const [file, code] of codes) {
    writeFileSync(join(root, folder, file), file === program ? `// ${name}\n${code}` : code)
  }
  return made.flatMap(({ moduleIds = [] }) => moduleIds)
}

/** Rolldown makes the first load the second, and that the third: here they are one. */
const [program, lookPart, runtimePart] = ['cli.cjs', 'part-look.cjs', 'part-rolldown-runtime.cjs']
/** What the second puts aside: what less usual work comes to, and what none does. */
const lateParts = ['part-usual.cjs', 'part-late.cjs']

/**
 * A plugin that puts aside in the part for looking what its usual work never comes to (late-code.mjs). What it comes to
 * is seen in a draft of the program, which has the same text. `lateFiles` are given the code of what is put aside.
 */
async function byUsualWork(folder, make, lateFiles) {
  const drafts = new Map()
  await make({ name: 'keep-draft', renderChunk: (code, { fileName }) => void drafts.set(fileName, code) })
  mkdirSync(folder, { recursive: true })
  for (const [name, code] of drafts) writeFileSync(join(folder, name), code)
  writeFileSync(join(folder, 'package.json'), '{ "type": "commonjs" }\n')
  const reached = await reachedIn(folder, lookPart)
  rmSync(folder, { recursive: true })
  const runtime = `((exports) => {${drafts.get(runtimePart)}; return exports })({})`
  return {
    name: 'by-usual-work',
    renderChunk(code, { fileName }) {
      if (fileName !== lookPart) return code.replaceAll(`require("./${lookPart}")`, `require("./${program}").$late()`)
      if (code !== drafts.get(lookPart)) throw new Error(`${lookPart}: the draft has another text`)
      const names = lateParts.map((name) => `./${name}`)
      const { now, late } = withLateCode(code, reached, names)
      for (const [index, file] of lateFiles.entries()) {
        file.code = minifySync(file.fileName, late[index], { ...form.minify, module: false }).code
      }
      return withPlainNode(now, code).replace(`require("./${runtimePart}")`, () => runtime)
    },
  }
}

/**
 * Node's own modules as they are: what rolldown makes of `import * as fs` is a copy with a getter for each name, and a
 * `default`, which takes a start half a millisecond. `all` is the code with what is put aside of it.
 */
function withPlainNode(code, all) {
  const copies = /^(node_\w+) = require_rolldown_runtime\.__toESM\(\1, 1\);$/gm
  return code.replace(copies, (copy, name) => (all.includes(`${name}.default`) ? copy : ''))
}

function asFunction(code) {
  return `(function (exports, require, module, __filename, __dirname) {${code}\n})\n`
}

/** How rolldown names its own helpers. */
const ownCode = '\0rolldown'

/** The modules that come with these files, but for those that they import late. */
async function importedBy(root, files) {
  const entries = Object.fromEntries(files.map((file) => [file, file]))
  const { output } = await build({ ...options(root, entries), write: false, output: form })
  const chunks = new Map(output.map((chunk) => [chunk.fileName, chunk]))
  const found = new Set()
  const left = output.filter(({ name, isEntry }) => isEntry && name in entries)
  for (let chunk = left.pop(); chunk !== undefined; chunk = left.pop()) {
    if (found.has(chunk)) continue
    found.add(chunk)
    left.push(...chunk.imports.flatMap((name) => chunks.get(name) ?? []))
  }
  return new Set([...found].flatMap(({ modules }) => Object.keys(modules)))
}

/** Gives the files that went into it. `define` replaces expressions. */
export async function bundleFile(root, input, file, define = {}) {
  const output = { ...form, file, codeSplitting: false }
  const { output: made } = await build({ ...options(root, input, define), output })
  const code = toAscii(readFileSync(join(root, file), 'utf8'))
  writeFileSync(join(root, file), `// ${digest(code)}\n${code}`)
  return made.flatMap(({ moduleIds = [] }) => moduleIds)
}

function options(root, input, define = {}) {
  return {
    cwd: root,
    input,
    platform: 'node',
    external: [...builtinModules, /^node:/, page, png, ...(input === hub ? [] : [hub])],
    plugins: [slimOclif],
    transform: { define },
    // A folder's index.ts is no reason to load all of the folder.
    treeshake: { moduleSideEffects: (id) => !id.startsWith(join(root, 'src')) },
    logLevel: 'warn',
    // That show.js is imported both late and at once, and the like: so it is where several commands share a module.
    // Nor is it news that what arranges the program takes a part of the time.
    checks: { ineffectiveDynamicImport: false, bundlerTimings: false },
  }
}

const form = {
  format: 'cjs',
  minifyInternalExports: false,
  // Not every Node 20 can import from a script that bin/run.js compiles.
  dynamicImportInCjs: false,
  paths: { [hub]: './hub.cjs', [page]: './page.cjs', [png]: './png.cjs' },
  // Names stay: they are in the stack of a bug report.
  minify: { compress: true, mangle: { keepNames: true }, codegen: true },
}

function readJson(file) {
  return JSON.parse(readFileSync(file, 'utf8'))
}

function digest(text) {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}

/** The text of one licence file each for the packages that these files belong to. */
function licencesOf(files) {
  const folders = new Set(files.flatMap((file) => /^(.*node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(file)?.[1] ?? []))
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license = 'see below' } = readJson(join(folder, 'package.json'))
    const file = readdirSync(folder).find((one) => /^(licen[cs]e|copying)/i.test(one))
    const text = file === undefined ? `Licence: ${license}` : readFileSync(join(folder, file), 'utf8').trim()
    return `${name} ${version} (${license})\n\n${text}\n`
  })
  return `The files of ckpt hold parts of these packages.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`
}

/** A text of one byte a character is read, kept and compiled faster. Escapes mean the same in strings and expressions. */
function toAscii(code) {
  return code.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
