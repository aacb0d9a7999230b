/**
 * `npm run test:frameworks [PART…]`: tiny models are trained with the real frameworks under ckpt, killed at each of
 * their file events and at random moments, cut and starved of space; at the end each must have the weights of an
 * undisturbed run, and the framework's own list must be ckpt's. Before that, many more frameworks resume from what ckpt
 * left (test/frameworks/after-prune.frameworks.ts), and what `ckpt export` writes is loaded by their own loaders. Parts:
 * prune, chaos, ranks, kills, cut, full, exports; and the names of
 * frameworks. All when none is named. The Pythons: scripts/python-environments.mjs.
 */
import { spawn, spawnSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { frameworkNames, missing, pythonOf } from './python-environments.mjs'

const project = fileURLToPath(new URL('..', import.meta.url))
const scripts = join(project, 'test/frameworks')

const frameworks = {
  speechbrain: {
    run: (out) => join(out, 'save'),
    glob: '{out}/save/CKPT+ep*',
    command: (out) => ['{out}', '--', 'python', join(scripts, 'speechbrain_train.py'), '{out}'].map(into(out)),
  },
  transformers: {
    run: (out) => out,
    glob: '{out}/checkpoint-*',
    command: (out, more = []) =>
      ['{out}', '--', 'python', join(scripts, 'hf_train.py'), '--output_dir', '{out}', ...more]
        .concat('--resume_from_checkpoint', '{path}')
        .map(into(out)),
    variants: { rotation: ['--rotate'], peft: ['--peft'] },
  },
  lightning: {
    run: (out) => out,
    glob: '{out}/ck-*',
    command: (out) =>
      ['{out}', '--', 'python', join(scripts, 'lightning_train.py'), '--out', '{out}', '--ckpt_path', '{path}'].map(
        into(out),
      ),
  },
  accelerate: {
    run: (out) => out,
    glob: '{out}/checkpoint-*',
    command: (out) =>
      ['{out}', '--', 'python', join(scripts, 'accelerate_train.py'), '--out', '{out}']
        .concat('--resume_from_checkpoint', '{path}')
        .map(into(out)),
  },
}

function into(out) {
  return (word) => (out === null ? word : word.replaceAll('{out}', out))
}

const failures = []
let passed = 0

function judge(what, isRight, why = '') {
  if (isRight) passed += 1
  else failures.push(`${what}: ${why}`)
  console.log(`${isRight ? 'pass' : 'FAIL'} ${what}${isRight ? '' : `: ${why}`}`)
}

function environment() {
  return {
    ...process.env,
    PATH: `${dirname(python)}:${bin}:${process.env.PATH}`,
    OMP_NUM_THREADS: '1',
    TRANSFORMERS_VERBOSITY: 'error',
    HF_HUB_OFFLINE: '1',
    CKPT_NO_CONFIG: '1',
  }
}

const work = mkdtempSync(join(tmpdir(), 'ckpt-frameworks-'))
const bin = join(work, 'bin')
mkdirSync(bin)
writeFileSync(join(bin, 'ckpt'), `#!/bin/sh\nexec '${process.execPath}' '${join(project, 'bin/run.js')}' "$@"\n`)
chmodSync(join(bin, 'ckpt'), 0o755)

/** Killed at each file event, whole and torn; one with `ranks` ranks, where these save together. */
function chaos(name, ranks, how) {
  const { glob, command } = frameworks[name]
  const title = `${name} killed at each file event under ckpt ${how}, ${ranks} rank${ranks === 1 ? '' : 's'}`
  const ckpt = ['ckpt', ...(how === 'run' ? chaosRun(command(null)) : ['recover', ...command(null)])]
  const flags = ['--step-regex', 'resumed from step (\\d+)', '--checkpoint-glob', glob]
  const args = ['run', '--work', join(work, `${name}-${how}-${ranks}`), ...flags, '--timeout', '900']
  args.push('--result-file', '{out}/final.pt', '--max-points', '24', ...(ranks > 1 ? ['--ranks', String(ranks)] : []))
  const { stdout, stderr } = spawnSync('ckpt-chaos', [...args, '--', ...ckpt], {
    env: environment(),
    encoding: 'utf8',
    maxBuffer: 1 << 26,
  })
  const counts = Object.fromEntries([...stdout.matchAll(/([A-Z_]+): (\d+)/g)].map(([, what, count]) => [what, +count]))
  const all = Object.values(counts).reduce((sum, count) => sum + count, 0)
  judge(`${title}: ${counts.PASS ?? 0} of ${all}`, all > 0 && counts.PASS === all, `${stdout}${stderr}`.slice(-3000))
}

/** A kill ends this start for good: the next one is the test's. */
function chaosRun([run, ...rest]) {
  return ['run', run, '--retries', '0', ...rest]
}

function weights(out) {
  const code = 'import sys,torch,hashlib;d=torch.load(sys.argv[1]);h=hashlib.sha256()\n'
  const more = 'for k in sorted(d): h.update(k.encode()+d[k].contiguous().numpy().tobytes())\nprint(h.hexdigest())'
  const { stdout } = spawnSync(python, ['-c', code + more, join(out, 'final.pt')], { encoding: 'utf8' })
  return stdout.trim()
}

async function train(args, killAfter = null) {
  const child = spawn('ckpt', args, { env: environment(), stdio: ['ignore', 'ignore', 'pipe'], detached: true })
  let text = ''
  child.stderr.on('data', (bytes) => (text += bytes))
  const ended = new Promise((resolve) => child.once('exit', (status) => resolve(status)))
  if (killAfter !== null) {
    await Promise.race([ended, sleep(killAfter)])
    killJob(child.pid)
  }
  return { status: await ended, text }
}

/** Python alone, as a scheduler or the kernel would; ckpt lives. */
function killJob(pid) {
  const file = `/proc/${pid}/task/${pid}/children`
  if (!existsSync(file)) return
  const children = readFileSync(file, 'utf8').trim().split(/\s+/)
  for (const child of children) if (child !== '') spawnSync('kill', ['-9', child])
}

const runFlags = ['--retries', 'unlimited', '--back-off', '1s', '--max-back-off', '1s']

function runArguments([run, ...rest]) {
  return ['run', run, ...runFlags, ...rest]
}

function agrees(name, out, title) {
  const run = frameworks[name].run(out)
  if (name === 'accelerate') return
  const own = JSON.parse(
    spawnSync(python, [join(scripts, 'own_list.py'), name, run], { encoding: 'utf8', env: environment() }).stdout ||
      '{}',
  )
  const list = JSON.parse(spawnSync('ckpt', ['list', run, '--json'], { env: environment(), encoding: 'utf8' }).stdout)
  const ours = list.checkpoints.map((one) => one.name).sort()
  judge(`${title}: the framework's own list is ckpt's`, String(own.names) === String(ours), `${own.names} and ${ours}`)
}

async function kills(name, variant, more) {
  const title = `${name}${variant === '' ? '' : ` (${variant})`} killed at random moments`
  const [clean, out] = ['clean', 'out'].map((one) => join(work, `kills-${name}-${variant}-${one}`))
  await train(['recover', ...frameworks[name].command(clean, more)])
  const wanted = weights(clean)
  const job = runArguments(frameworks[name].command(out, [...more, '--pause', '0.3']))
  const child = spawn('ckpt', name === 'transformers' ? job : [...job, '--pause', '0.3'], {
    env: environment(),
    stdio: 'ignore',
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  let status = null
  for (let kill = 0; kill < 4 && status === null; kill += 1) {
    status = await Promise.race([ended, sleep(8000 + Math.random() * 8000).then(() => null)])
    if (status === null) killJob(child.pid)
  }
  status ??= await ended
  judge(title, status === 0 && wanted !== '' && weights(out) === wanted, `status ${status}`)
  agrees(name, out, title)
}

/** Of the newest checkpoint the largest file is cut; the job must still come to the same end. */
async function cut(name) {
  const out = join(work, `cut-${name}`)
  await train(['recover', ...frameworks[name].command(out)])
  const wanted = weights(out)
  rmSync(join(out, 'final.pt'), { force: true })
  const found = spawnSync('ckpt', ['find', frameworks[name].run(out)], { env: environment(), encoding: 'utf8' })
  const newest = found.stdout.trim()
  const files = statSync(newest).isDirectory() ? readdirSync(newest).map((one) => join(newest, one)) : [newest]
  const [largest] = files.filter((one) => statSync(one).isFile()).sort((a, b) => statSync(b).size - statSync(a).size)
  truncateSync(largest, Math.floor(statSync(largest).size / 2))
  const { status, text } = await train(['recover', ...frameworks[name].command(out)])
  judge(`${name} with its newest checkpoint cut`, status === 0 && weights(out) === wanted, `status ${status}\n${text}`)
}

/** A file system that is too small for the run at first, and large enough from the second start on. */
async function full(name) {
  const place = join(work, `full-${name}`)
  mkdirSync(place)
  if (spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=16k', 'tmpfs', place]).status !== 0) {
    missing.push(`${name} on a full disk: no tmpfs can be mounted here`)
    return
  }
  try {
    const out = join(place, 'out')
    const first = await train(['recover', ...frameworks[name].command(out)])
    spawnSync('mount', ['-o', 'remount,size=256m', place])
    const second = await train(['recover', ...frameworks[name].command(out)])
    const clean = join(work, `full-clean-${name}`)
    await train(['recover', ...frameworks[name].command(clean)])
    const isRight = first.status !== 0 && second.status === 0 && weights(out) === weights(clean)
    judge(`${name} on a disk that was full`, isRight, `${first.status}, ${second.status}\n${second.text}`)
  } finally {
    spawnSync('umount', ['-l', place])
  }
}

/** What `ckpt export` writes, by from_pretrained and its like: names and values. */
function exports() {
  const folder = join(work, 'exports')
  mkdirSync(folder)
  exportsBy(python, [join(scripts, 'export_side.py'), folder])
  for (const name of ['timm', 'keras', 'orbax', 'deepspeed']) {
    const own = pythonOf(name)
    if (own !== null) exportsBy(own, [join(scripts, 'export_elsewhere.py'), folder, name])
  }
}

function exportsBy(own, args) {
  const { stdout, stderr } = spawnSync(own, args, { env: environment(), encoding: 'utf8', maxBuffer: 1 << 26 })
  const told = stdout.split('\n').filter((line) => line.startsWith('{"what"'))
  if (told.length === 0) judge('exports', false, stderr.slice(-3000))
  for (const line of told) {
    const { what, why } = JSON.parse(line)
    if (why?.startsWith('not tested') === true) missing.push(`export: ${what}: ${why}`)
    else judge(`what ckpt export writes is loaded: ${what}`, why === null, why ?? '')
  }
}

/** What is left after a prune, an rm or a cut: each framework resumes from it by its own means. */
function afterPrune(names) {
  const pythons = Object.fromEntries(names.map((name) => [name, pythonOf(name)]))
  const args = ['run', '--config', 'vitest.frameworks.config.ts', '--reporter', 'verbose']
  const { status } = spawnSync(join(project, 'node_modules/.bin/vitest'), args, {
    stdio: 'inherit',
    cwd: project,
    env: { ...process.env, CKPT_TEST_PYTHONS: JSON.stringify(pythons) },
  })
  const had = names.filter((name) => pythons[name] !== null)
  judge(`resumed from what prune, rm and a cut left: ${had.join(', ')}`, status === 0, 'told above')
}

const asked = process.argv.slice(2)
const parts = ['prune', 'chaos', 'ranks', 'kills', 'cut', 'full', 'exports']
const askedOf = (known) => known.filter((one) => asked.includes(one))
const wants = (part, known) => askedOf(known).length === 0 || asked.includes(part)
if (wants('prune', parts)) afterPrune(frameworkNames.filter((one) => wants(one, frameworkNames)))
const trained = askedOf(parts).join() === 'prune' ? [] : Object.keys(frameworks)
const python = trained.length > 0 ? pythonOf('speechbrain') : null
try {
  for (const name of trained.filter((one) => wants(one, frameworkNames) && pythonOf(one) !== null)) {
    for (const how of ['recover', 'run']) {
      if (wants('chaos', parts)) chaos(name, 1, how)
      // One ckpt run has the run to itself: its ranks are its command's.
      if (how === 'recover' && wants('ranks', parts)) chaos(name, 2, how)
    }
    if (wants('kills', parts)) {
      await kills(name, '', [])
      for (const [variant, more] of Object.entries(frameworks[name].variants ?? {})) await kills(name, variant, more)
    }
    if (wants('cut', parts)) await cut(name)
    if (wants('full', parts)) await full(name)
  }
  if (wants('exports', parts) && python !== null && askedOf(frameworkNames).length === 0) exports()
} finally {
  rmSync(work, { recursive: true, force: true })
}
for (const one of missing) console.log(`not had: ${one}`)
console.log(`${passed} passed, ${failures.length} failed, ${missing.length} not tried`)
process.exitCode = failures.length > 0 || passed === 0 ? 1 : 0
