/**
 * `npm run build:binary [ARCH…]`: ckpt as one file without Node, for linux-x64 and linux-arm64, in dist/binary. Compiled
 * by bun with its bytecode inside: it starts faster than bare Node, where Node's own single executable with a code cache
 * takes two and a half times as long (docs/performance.md). bun comes from the npm registry, at a version that starts as
 * fast as the newest and is a fifth smaller, so that the wheel stays below 45 MB.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { bundleFile, bundlePage, bundleProgram } from './bundle.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const bunVersion = '1.4.2'
const target = join(root, 'dist', 'binary')

/** By Node's name of the processor. */
const machines = { x64: { bun: 'linux-x64' }, arm64: { bun: 'linux-aarch64' } }

/** The path of bun for that processor, fetched once with npm, which checks what it gets. */
function bunFor({ bun }) {
  const folder = join(root, 'node_modules', '.cache', 'ckpt-bun', `${bunVersion}-${bun}`)
  const program = join(folder, 'package', 'bin', 'bun')
  if (existsSync(program)) return program
  mkdirSync(dirname(folder), { recursive: true })
  const draft = mkdtempSync(`${folder}.`)
  try {
    const spec = `@oven/bun-${bun}@${bunVersion}`
    execFileSync('npm', ['pack', '--silent', spec, '--pack-destination', draft], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    const [archive] = readdirSync(draft)
    execFileSync('tar', ['xzf', archive], { cwd: draft })
    rmSync(join(draft, archive))
    chmodSync(join(draft, 'package', 'bin', 'bun'), 0o755)
    rmSync(folder, { recursive: true, force: true })
    renameSync(draft, folder)
  } catch (error) {
    rmSync(draft, { recursive: true, force: true })
    throw new Error(`bun ${bunVersion} for ${bun} cannot be had from the npm registry`, { cause: error })
  }
  return program
}

/** Nothing outside of the executable is looked for: modules lie in bun's own file system. */
const inside = { 'import.meta.url': JSON.stringify('file:///$bunfs/root/cli.cjs') }

/** As bin/run.js loads them for the npm package: parts of Node that take long to load when something in them is used. */
function withLateBuiltIns(code) {
  return code.replaceAll('require("node:', 'require("../../bin/run.js").builtIn("node:')
}

/** A run's folder may be anybody's: what bun would execute (bunfig.toml's preload) or set (.env) from there is left alone. */
const trustsNoFolder = ['--no-compile-autoload-bunfig', '--no-compile-autoload-dotenv']

async function compile(arch, compiler) {
  const file = join(target, `ckpt-linux-${arch}`)
  const bun = bunFor(machines[arch])
  const options = ['--compile', '--minify', '--bytecode', ...trustsNoFolder, `--target=bun-${machines[arch].bun}`]
  const flags = arch === process.arch ? [] : [`--compile-executable-path=${bun}`]
  execFileSync(compiler, ['build', ...options, ...flags, join(root, 'scripts/binary/entry.cjs'), '--outfile', file], {
    stdio: ['ignore', 'ignore', 'inherit'],
    cwd: target,
  })
  chmodSync(file, 0o755)
  const sum = createHash('sha256').update(readFileSync(file)).digest('hex')
  console.log(`${file}: ${(statSync(file).size / 1e6).toFixed(0)} MB, sha256 ${sum}`)
}

const wanted = process.argv.length > 2 ? process.argv.slice(2) : Object.keys(machines)
const unknown = wanted.filter((arch) => !Object.hasOwn(machines, arch))
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}; there are ${Object.keys(machines).join(', ')}`)
  process.exit(2)
}
mkdirSync(target, { recursive: true })
await bundleProgram(root, 'dist/binary', { define: inside, wrap: withLateBuiltIns })
await bundleFile(root, '@huggingface/hub', 'dist/binary/hub.cjs')
await bundlePage(root, 'dist/binary/page.cjs')
// What draws PNG would be there twice, as text and in the bytecode: the wheel would have 46 MB.
writeFileSync(join(target, 'png.cjs'), 'exports.wasm = null\n')
for (const arch of wanted) await compile(arch, bunFor(machines[process.arch]))
