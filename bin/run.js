#!/usr/bin/env node
'use strict'
/*
 * Starts ckpt. Help and the version are answered at once (quick.js). All else runs from one bundled file whose compiled
 * code is kept in the user's cache, which halves the time that it takes.
 */
const fs = require('node:fs')
const path = require('node:path')
const vm = require('node:vm')
const { start } = require('./start.js')

// The warning of a batch system reaches all that a job runs; Node would open a port for debuggers.
process.on('SIGUSR1', () => undefined)

/*
 * V8 compiles a function anew after it has run for a while; most of ckpt's work is over soon after. With eight times the
 * usual patience `find` in a run of 10,000 checkpoints takes a fifth less of the processor (docs/performance.md). Later
 * versions do not know the flag, and would complain on stderr.
 */
if (process.version.startsWith('v20.')) require('node:v8').setFlagsFromString('--interrupt-budget=1000000')

const root = path.join(__dirname, '..')
const bundle = path.join(root, 'dist', 'cli.cjs')

/** Bytes of all caches together; there is one for each command, and those of other versions of Node and of ckpt count. */
const mostCached = 20e6

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
 * Only what is ours, in a folder that nobody else may change: it will be run. It is read through the descriptor that was
 * looked at, and no link is followed.
 */
function readCache(file) {
  try {
    if (!isPrivate(path.dirname(file))) return undefined
    const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK | fs.constants.O_NOFOLLOW)
    try {
      const stat = fs.fstatSync(fd)
      return stat.isFile() && isOurs(stat) ? soundHalf(fs.readFileSync(fd)) : undefined
    } finally {
      fs.closeSync(fd)
    }
  } catch {
    return undefined
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
  let at = path.parse(folder).root
  for (let links = 0; left.length > 0 && links < mostLinks;) {
    const next = path.join(at, left.shift())
    const stat = fs.lstatSync(next)
    if (stat.uid !== user && stat.uid !== 0) return false
    if (stat.isSymbolicLink()) {
      links += 1
      left.unshift(...fs.readlinkSync(next).split(path.sep))
      if (left[0] === '') at = path.parse(folder).root
    } else if ((stat.mode & othersMayWrite) !== 0 && (stat.mode & sticky) === 0) return false
    else at = next
  }
  return left.length === 0
}

/** As many as the system follows (path_resolution(7)). */
const mostLinks = 40

/**
 * V8 runs a damaged cache as it is, and crashes. So it is kept twice: to compare the halves takes a tenth of the time
 * of the fastest checksum that is there without loading anything.
 */
function soundHalf(bytes) {
  const half = bytes.subarray(0, bytes.length / 2)
  return half.equals(bytes.subarray(half.length)) ? half : undefined
}

/** Written beside and renamed, for another ckpt may read it meanwhile. Without a cache ckpt works too, so in silence. */
function keepCache(file, script) {
  try {
    const folder = path.dirname(file)
    // Not recursive: Node never comes back from /proc, where some services have their home.
    makeFolder(path.dirname(folder))
    makeFolder(folder)
    if (!isPrivate(folder)) return
    const draft = `${file}.${process.pid}`
    const code = script.createCachedData()
    fs.writeFileSync(draft, Buffer.concat([code, code]), { flag: 'wx', mode: 0o600 })
    fs.renameSync(draft, file)
    dropOldest(folder)
  } catch {
    // See above.
  }
}

/** The caches that were written last stay, as many as the bound allows. */
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
  ...['child_process', 'crypto', 'fs/promises', 'http', 'module', 'net', 'readline', 'readline/promises'],
  ...['stream', 'stream/promises', 'string_decoder', 'timers/promises', 'tty', 'v8', 'worker_threads', 'zlib'],
])

/** It is its own prototype: so that copies of it (what a bundler makes of `import * as`) are late too. */
function requireLate(id) {
  // Beside the bundle.
  if (id.startsWith('./')) return require(path.join(root, 'dist', id))
  if (!deferred.has(id.replace(/^node:/, ''))) return require(id)
  const late = new Proxy(
    {},
    {
      get: (_, name) => require(id)[name],
      has: (_, name) => name in require(id),
      getPrototypeOf: () => late,
    },
  )
  return late
}

/** The bundle's exports, and how to keep its compiled code for the next start; nothing to keep where it was kept. */
function loadBundle(command) {
  // ASCII only (scripts/bundle.mjs), which is read fastest as what it is. It begins with the build's name.
  const text = fs.readFileSync(bundle, 'latin1')
  const build = /^\/\/ ([0-9a-f]{32})\n/.exec(text)?.[1]
  const file = cacheFile(build, command)
  const cachedData = file && readCache(file)
  const script = new vm.Script(`(function (exports, require, module, __filename, __dirname) {${text}\n})`, {
    filename: bundle,
    cachedData,
    importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
  const module = { exports: {} }
  script.runInThisContext()(module.exports, requireLate, module, bundle, path.dirname(bundle))
  const isKept = cachedData !== undefined && !script.cachedDataRejected
  return { ...module.exports, build, keep: file && !isKept ? () => keepCache(file, script) : () => undefined }
}

function readJson(name) {
  return JSON.parse(fs.readFileSync(path.join(root, name), 'utf8'))
}

if (fs.existsSync(bundle)) {
  void start({
    args: process.argv.slice(2),
    root,
    version: readJson('package.json').version,
    readPages: () => readJson('dist/help.json'),
    readSpec: () => readJson('dist/completion.json'),
    loadProgram: loadBundle,
  })
} else {
  process.stderr.write(`ckpt: not built yet: run "npm ci && npm run build" in ${root}\n`)
  process.exitCode = 1
}
