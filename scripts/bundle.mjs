/**
 * The program in one file (dist/cli.cjs), for a fast start. Of oclif it holds what a known command needs: its class,
 * flags, arguments and parser. Help, plugins and oclif's own error pages never run from it: bin/run.js gives whatever
 * needs them to oclif as it is installed.
 */
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { builtinModules, createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { build } from 'rolldown'

const require = createRequire(import.meta.url)
const oclif = dirname(require.resolve('@oclif/core/package.json'))

function path(name) {
  return JSON.stringify(join(oclif, 'lib', `${name}.js`))
}

/** What src imports from `@oclif/core`, without the rest of it. */
const front = `
export * as Args from ${path('args')}
export { Command } from ${path('command')}
export * as Flags from ${path('flags')}
export * as Parser from ${path('parser/index')}
`

/** Modules of oclif that a parsed command never comes to; each exports nothing here. */
const leftOut = new Set(
  [
    ...['config/index', 'help/index', 'help/util', 'errors/handle', 'module-loader', 'performance'],
    ...['ux/action/simple', 'ux/action/spinner', 'ux/colorize-json'],
  ].map((name) => join(oclif, 'lib', `${name}.js`)),
)

/** Debug output of oclif's own doing (DEBUG=oclif:*). */
const silentLogger = `
const silent = () => {}
export const makeDebug = () => silent
export const getLogger = () => ({ debug: silent })
`

const slimOclif = {
  name: 'slim-oclif',
  resolveId: (id) => (id === '@oclif/core' ? '\0oclif' : undefined),
  load(id) {
    if (id === '\0oclif') return front
    if (id === join(oclif, 'lib', 'logger.js')) return silentLogger
    return leftOut.has(id)
      ? { code: 'exports.__esModule = true; exports.default = class {}', moduleType: 'js' }
      : undefined
  },
}

/** Bundles `root`/src/cli.ts into `file`, relative to it. */
export async function bundle(root, file) {
  await build({
    cwd: root,
    input: 'src/cli.ts',
    platform: 'node',
    // Loaded from where it is installed, by the one command that has a use for it: it is a quarter of a megabyte.
    external: [...builtinModules, /^node:/, '@huggingface/hub'],
    plugins: [slimOclif],
    // Names stay: they are in the stack of a bug report.
    output: {
      file,
      format: 'cjs',
      codeSplitting: false,
      // Not every Node 20 can import from a script that bin/run.js compiles.
      dynamicImportInCjs: false,
      minify: { compress: true, mangle: false, codegen: true },
    },
    logLevel: 'warn',
  })
  const code = toAscii(readFileSync(join(root, file), 'utf8'))
  const name = createHash('sha256').update(code).digest('hex').slice(0, 32)
  writeFileSync(join(root, file), `// ${name}\n${code}`)
}

/** A text of one byte a character is read, kept and compiled faster. Escapes mean the same in strings and expressions. */
function toAscii(code) {
  return code.replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
