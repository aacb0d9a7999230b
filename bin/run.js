#!/usr/bin/env node
'use strict'
/*
 * Starts ckpt. Help and the version are answered at once (quick.js). All else runs from bundled files whose compiled
 * code is kept in the user's cache, which halves the time that it takes.
 */
const fs = require('node:fs')
const path = require('node:path')

// The warning of a batch system reaches all that a job runs; Node would open a port for debuggers. `ckpt run` takes up
// what came while it was still being loaded.
const early = process.argv[2] === 'run' ? new Set() : undefined
if (early === undefined) process.on('SIGUSR1', () => undefined)
else for (const signal of ['SIGUSR1', 'SIGUSR2']) process.on(signal, () => early.add(signal))

/*
 * V8 compiles a function anew after it has run for a while; most of ckpt's work is over soon after. With eight times the
 * usual patience `find` in a run of 10,000 checkpoints takes a fifth less of the processor (docs/performance.md). Later
 * versions do not know the flag, and would complain on stderr. What sets it takes longer to load than a short command
 * can gain: so it is set when a command first stands aside for events (core/storage/yield-to-events.ts). A timer for
 * that would have Node compile what it keeps its timers with.
 */
const patience = { flag: '--interrupt-budget=1000000', usual: '--interrupt-budget=67584' }
function bePatientWhenLong() {
  const { setImmediate } = globalThis
  globalThis.setImmediate = (callback, ...args) => {
    globalThis.setImmediate = setImmediate
    return setImmediate(() => {
      tune(patience)
      callback(...args)
    })
  }
}

/*
 * V8 lets its heap grow to a multiple of what is in use before it looks for garbage in all of it: of a run of a hundred
 * thousand checkpoints most of a gigabyte would be garbage. So it looks after a third more, which takes a tenth more of
 * the processor.
 */
const thrift = { flag: '--heap-growing-percent=30', usual: '--heap-growing-percent=0' }

/** Flags of V8 that are set at the moment. */
const tuned = new Set()

/** Node 20's V8 alone is known to have these flags; another would complain on stderr. */
function tune(flags) {
  if (tuned.has(flags) || !process.version.startsWith('v20.')) return
  require('node:v8').setFlagsFromString(flags.flag)
  tuned.add(flags)
}

/** Code that was compiled under other flags than the usual would be refused at the next start. */
function asUsual(work) {
  if (tuned.size === 0) return work()
  const { setFlagsFromString } = require('node:v8')
  for (const { usual } of tuned) setFlagsFromString(usual)
  try {
    return work()
  } finally {
    for (const { flag } of tuned) setFlagsFromString(flag)
  }
}

const root = path.join(__dirname, '..')
const dist = path.join(root, 'dist')
const bundle = path.join(dist, 'cli.cjs')

/** Bytes of all caches together; there is one for each command, and those of other versions of Node and of ckpt count. */
const mostCached = 12e6
/** Milliseconds. */
const anHour = 3_600_000

/**
 * Where compiled code is kept; undefined when there is no place for it. `build` names the bundle's contents. Each command
 * has its own: what others need would be read for nothing, and what it needs would be missing.
 */
function cacheFile(build, command) {
  const home = process.env.XDG_CACHE_HOME || (process.env.HOME && path.join(process.env.HOME, '.cache'))
  if (!home || !path.isAbsolute(home) || build === undefined || !/^[a-z_]+$/.test(command)) return undefined
  return path.join(home, 'ckpt', `code-${process.version}-${process.arch}-${build}-${command}`)
}

/**
 * The parts by the names of their files; none where there is no cache. Only what is ours, in a folder that nobody else
 * may change: it will be run. It is read through the descriptor that was looked at, and no link is followed.
 */
function readCache(file) {
  try {
    if (!isPrivate(path.dirname(file))) return {}
    const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK | fs.constants.O_NOFOLLOW)
    try {
      const stat = fs.fstatSync(fd)
      if (!stat.isFile() || !isOurs(stat)) return {}
      const parts = partsOf(soundHalf(fd, stat.size / 2))
      markUsed(fd, stat)
      return parts
    } finally {
      fs.closeSync(fd)
    }
  } catch {
    return {}
  }
}

/** Its time says when it was last used, to the hour. */
function markUsed(fd, { mtimeMs }) {
  const now = Date.now()
  if (now - mtimeMs < anHour) return
  try {
    fs.futimesSync(fd, now / 1000, now / 1000)
  } catch {
    // Where that cannot be written, nothing is dropped either.
  }
}

const user = process.geteuid?.()
const othersMayWrite = 0o022
const sticky = 0o1000

/** The user's own, and nobody else may write it. */
function isOurs(stat) {
  return user === undefined || (stat.uid === user && (stat.mode & othersMayWrite) === 0)
}

/** A real folder of the user's alone, in whose place nobody else can put another. */
function isPrivate(folder) {
  if (user === undefined) return true
  const stat = fs.lstatSync(folder)
  return stat.isDirectory() && isOurs(stat) && isFixed(folder)
}

/**
 * Each folder and link on the way there belongs to the user or to root, and others may write in these folders only
 * where they cannot rename what is not theirs.
 */
function isFixed(folder) {
  const left = folder.split(path.sep)
  let at = path.sep
  for (let links = 0; left.length > 0 && links < mostLinks;) {
    const next = path.join(at, left.shift())
    const stat = fs.lstatSync(next)
    if (stat.uid !== user && stat.uid !== 0) return false
    if (stat.isSymbolicLink()) {
      links += 1
      left.unshift(...fs.readlinkSync(next).split(path.sep))
      if (left[0] === '') at = path.sep
    } else if ((stat.mode & othersMayWrite) !== 0 && (stat.mode & sticky) === 0) return false
    else at = next
  }
  return left.length === 0
}

/** As many as the system follows (path_resolution(7)). */
const mostLinks = 40

/**
 * V8 runs a damaged cache as it is, and crashes. So it is kept twice: to compare the halves takes a tenth of the time
 * of the fastest checksum that is there without loading anything. The second is read piece by piece into the same
 * memory, which is cheaper than new. Throws where they differ, or the file has changed its size.
 */
function soundHalf(fd, length) {
  const half = Buffer.allocUnsafeSlow(length)
  if (fs.readSync(fd, half, 0, length, 0) !== length) throw new Error('it has become shorter')
  const piece = Buffer.allocUnsafeSlow(Math.min(length, pieceLength))
  for (let at = 0; at < length; at += pieceLength) {
    const end = Math.min(at + pieceLength, length)
    const count = fs.readSync(fd, piece, 0, end - at, length + at)
    if (half.compare(piece, 0, count, at, end) !== 0) throw new Error('the halves differ')
  }
  return half
}

/** Bytes. */
const pieceLength = 1 << 16

/** V8 copies what does not begin at a multiple of so many bytes. */
const alignment = 8

/** A line of JSON, the parts' names and lengths, then these one behind the other. Throws where it is something else. */
function partsOf(bytes) {
  const line = bytes.subarray(0, bytes.indexOf('\n') + 1)
  let at = line.length
  const cut = ([name, length]) => [name, bytes.subarray(at, (at += length))]
  const parts = JSON.parse(line.toString('latin1')).map(cut)
  return Object.fromEntries(parts)
}

function packed(parts) {
  const lengths = parts.map(([name, code]) => [name, code.length])
  const line = JSON.stringify(lengths)
  const padding = alignment - 1 - (line.length % alignment)
  return [Buffer.from(`${line}${' '.repeat(padding)}\n`), ...parts.map(([, code]) => code)]
}

function aligned(code) {
  return Buffer.concat([code], Math.ceil(code.length / alignment) * alignment)
}

/** Written beside and renamed, for another ckpt may read it meanwhile. Without a cache ckpt works too, so in silence. */
function keepCache(file, parts) {
  try {
    const folder = path.dirname(file)
    // Not recursive: Node never comes back from /proc, where some services have their home.
    makeFolder(path.dirname(folder))
    makeFolder(folder)
    if (!isPrivate(folder)) return
    const draft = `${file}.${process.pid}`
    const code = packed(Object.entries(parts))
    fs.writeFileSync(draft, Buffer.concat([...code, ...code]), { flag: 'wx', mode: 0o600 })
    fs.renameSync(draft, file)
    dropOldest(folder)
  } catch {
    // See above.
  }
}

/** The caches that were used last stay, as many as the bound allows. */
function dropOldest(folder) {
  const caches = fs.readdirSync(folder).filter((name) => name.startsWith('code-'))
  const known = caches.map((name) => {
    const { mtimeMs, size } = fs.lstatSync(path.join(folder, name))
    return { name, size, time: mtimeMs }
  })
  known.sort((a, b) => b.time - a.time)
  let total = 0
  for (const { name, size } of known) {
    total += size
    if (total > mostCached) fs.unlinkSync(path.join(folder, name))
  }
}

/** In folders of the user's or root's alone: the superuser leaves nothing in somebody's home. */
function makeFolder(folder) {
  if (fs.existsSync(folder)) return
  if (user === undefined || isFixed(path.dirname(folder))) fs.mkdirSync(folder, { mode: 0o700 })
}

/** Parts of Node that take long to load and that most commands never come to: loaded when something in them is used. */
const deferred = new Set([
  ...['child_process', 'crypto', 'fs/promises', 'http', 'module', 'net', 'os', 'readline', 'readline/promises'],
  ...['stream', 'stream/promises', 'string_decoder', 'timers/promises', 'tty', 'v8', 'worker_threads', 'zlib'],
])

/** It is its own prototype: so that copies of it (what a bundler makes of `import * as`) are late too. */
function builtIn(id) {
  if (!deferred.has(id.startsWith('node:') ? id.slice(5) : id)) return require(id)
  let loaded
  // Asked for tens of thousands of times: Node looks such a name up anew each time.
  const load = () => (loaded ??= require(id))
  const late = new Proxy(
    {},
    {
      get: (_, name) => load()[name],
      has: (_, name) => name in load(),
      getPrototypeOf: () => late,
    },
  )
  return late
}

/** The files of the program (scripts/bundle.mjs). What else lies beside them is mostly data. */
const isOfProgram = (id) => id === './cli.cjs' || id.startsWith('./part-')

/** The bundle's exports, and how to keep its compiled code for the next start; nothing to keep where it was kept. */
function loadBundle(command) {
  const text = readText(bundle)
  // Its first line names the build's contents, and its version.
  const [, build, version = ''] = text.slice(0, text.indexOf('\n')).split(' ')
  const file = cacheFile(build, command)
  const cached = file === undefined ? {} : readCache(file)
  const scripts = {}
  const modules = {}
  const load = (id) => {
    if (!id.startsWith('./')) return builtIn(id)
    if (!isOfProgram(id)) return require(path.join(dist, id))
    if (modules[id] !== undefined) return modules[id].exports
    const module = (modules[id] = { exports: {} })
    const filename = path.join(dist, id)
    const script = compile(id === './cli.cjs' ? text : readText(filename), filename, cached[id])
    if (cached[id] === undefined || script.cachedDataRejected) scripts[id] = script
    script.runInThisContext()(module.exports, load, module, filename, dist)
    return module.exports
  }
  const exported = load('./cli.cjs')
  const keep = () => {
    const made = asUsual(() => Object.entries(scripts).map(([id, script]) => [id, aligned(script.createCachedData())]))
    if (file !== undefined && made.length > 0) keepCache(file, { ...cached, ...Object.fromEntries(made) })
  }
  return { main: exported.main, build, version, keep }
}

/** ASCII only (scripts/bundle.mjs), which is read fastest as what it is. */
function readText(file) {
  return fs.readFileSync(file, 'latin1')
}

function compile(text, filename, cachedData) {
  const vm = require('node:vm')
  const importModuleDynamically = vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER
  return asUsual(() => new vm.Script(text, { filename, cachedData, importModuleDynamically }))
}

function readJson(name) {
  return JSON.parse(fs.readFileSync(path.join(root, name), 'utf8'))
}

/** A reader that went away is not a mistake; a full disk behind a redirection is. */
function tellBrokenOutput() {
  process.stdout.on('error', (error) => {
    if (error.code === 'EPIPE') return
    process.exitCode = 1
    process.stderr.write(`error: the output could not be written: ${error.message}\n`)
  })
}

function print(text) {
  tellBrokenOutput()
  process.stdout.write(text)
}

/** Whether quick.js can have the answer: it is not loaded for nothing. */
function asksForHelp(args) {
  return ['--version', '-V', 'help'].includes(args[0]) || args.includes('--help') || args.includes('-h')
}

/** Only what has been run is compiled. With these exit statuses all was: it went well, found damage, or did a part. */
const toTheEnd = new Set([0, 4, 6])

/**
 * From the arguments to an answer, also in the one-file executable (scripts/binary). `readVersion`, `readPages` and
 * `readSpec` give the package's version, dist/help.json and dist/completion.json; `loadProgram` gives `main` of
 * dist/cli.cjs for a command, `version`, `build`, the name of its contents where it has one, and `keep`, which keeps its
 * compiled code for the next start. `spareMemory` has less of it used from then on, where that can be.
 */
async function start({ args, root, readVersion, readPages, readSpec, loadProgram, spareMemory }) {
  if (asksForHelp(args)) {
    const answer = require('./quick.js').quickAnswer(args, readVersion(), readPages)
    if (answer !== undefined) return print(answer)
  }
  const { main, version, build, keep } = loadProgram(args[0] ?? 'here')
  if (!(await main(args, { root, version, build, readSpec, early, spareMemory }))) {
    const { helpPage } = require('./quick.js')
    return print(helpPage(args, version, readPages) ?? helpPage([], version, readPages))
  }
  if (toTheEnd.has(process.exitCode ?? 0)) keep()
  process.exit()
}

function startInstalled() {
  if (process.version.startsWith('v20.')) bePatientWhenLong()
  return start({
    args: process.argv.slice(2),
    root,
    readVersion: () => readJson('package.json').version,
    readPages: () => readJson('dist/help.json'),
    readSpec: () => readJson('dist/completion.json'),
    loadProgram: loadBundle,
    spareMemory: () => tune(thrift),
  })
}

exports.start = start
exports.builtIn = builtIn

if (require.main === module) {
  if (fs.existsSync(bundle)) void startInstalled()
  else {
    process.stderr.write(`ckpt: not built yet: run "npm ci && npm run build" in ${root}\n`)
    process.exitCode = 1
  }
}
