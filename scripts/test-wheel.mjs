/**
 * `npm run test:wheel`: installs the wheel into a fresh virtual environment and runs the demo's commands with it, on a PATH
 * without node. Where Python has no venv it says so, and passes.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { demoCommands } from './demo-commands.mjs'
import { pathWithoutNode } from './without-node.mjs'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
const machine = process.arch === 'arm64' ? 'aarch64' : 'x86_64'
const wheel = join(root, 'dist', 'wheel', `ckpt_manager-${version}-py3-none-manylinux_2_28_${machine}.whl`)
const place = mkdtempSync(join(tmpdir(), 'ckpt-wheel-'))
const environment = join(place, 'venv')
const PATH = pathWithoutNode(join(place, 'programs'), join(environment, 'bin'))

/** Runs it, with what it prints given back; throws where it fails. */
function run(command, args) {
  const options = { cwd: join(place, 'exp'), encoding: 'utf8', env: { PATH, HOME: place, LANG: 'C.UTF-8' } }
  const { status, stdout, stderr, error } = spawnSync(command, args, options)
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')}: ${error?.message ?? `exit status ${status}\n${stderr}`}`)
  return stdout
}

try {
  cpSync(join(root, 'examples', 'asr'), join(place, 'exp'), { recursive: true })
  const isThere = spawnSync('python3', ['-c', 'import venv, ensurepip'], { stdio: 'ignore' }).status === 0
  if (!isThere) {
    console.log('skipped: python3 has no venv here (apt-get install python3-venv)')
  } else {
    run('python3', ['-m', 'venv', environment])
    const began = Date.now()
    run('pip', ['install', '--no-index', '--no-deps', '--quiet', wheel])
    console.log(`installed in ${((Date.now() - began) / 1000).toFixed(1)} s`)
    if (spawnSync('sh', ['-c', 'command -v node'], { env: { PATH } }).status === 0)
      throw new Error('node is on the PATH')
    for (const { typed } of demoCommands) {
      console.log(`$ ${typed}`)
      process.stdout.write(run('bash', ['-c', typed]))
    }
    for (const program of ['ckpt', 'hf-ckpt']) {
      const told = run(program, ['--version'])
      if (!told.startsWith(`ckpt/${version} `)) throw new Error(`${program} --version: ${told}`)
    }
    run('hf-ckpt', ['--register'])
    const manifest = join(place, '.local/share/hf/extensions/hf-ckpt/manifest.json')
    const { executable_path: registered } = JSON.parse(readFileSync(manifest, 'utf8'))
    const answer = run(registered, ['--version'])
    if (!answer.startsWith(`ckpt/${version} `)) throw new Error(`what hf runs, ${registered} --version: ${answer}`)
    console.log('the wheel works')
  }
} finally {
  rmSync(place, { recursive: true, force: true })
}
