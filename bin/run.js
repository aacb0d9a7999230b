#!/usr/bin/env node
'use strict'
/*
 * Starts ckpt. A known command runs from one bundled file whose compiled code is kept in the user's cache: that takes
 * half the time of plain oclif. Everything else (help, a mistyped command, shell completion) goes through oclif and
 * its plugins.
 */
const fs = require('node:fs')
const path = require('node:path')
const vm = require('node:vm')

// The warning of a batch system reaches all that a job runs; Node would open a port for debuggers.
process.on('SIGUSR1', () => undefined)

const root = path.join(__dirname, '..')
const bundle = path.join(root, 'dist', 'cli.cjs')

/** One for each command, of one and two megabytes; those of other versions of Node and of ckpt count too. */
const mostCaches = 24

/**
 * Where compiled code is kept; undefined when there is no place for it. `build` names the bundle's contents. Each command
 * has its own: what others need would be read for nothing, and what it needs would be missing.
 */
function cacheFile(build, command) {
  const home = process.env.XDG_CACHE_HOME || (process.env.HOME && path.join(process.env.HOME, '.cache'))
  if (!home || !path.isAbsolute(home) || build === undefined || !/^[a-z]+$/.test(command)) return undefined
  return path.join(home, 'ckpt', `code-${process.version}-${process.arch}-${build}-${command}`)
}

/** Only what is ours and what nobody else may write: it will be run. */
function readCache(file) {
  try {
    const fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NONBLOCK)
    try {
      const stat = fs.fstatSync(fd)
      const isOurs = process.getuid === undefined || (stat.uid === process.getuid() && (stat.mode & 0o022) === 0)
      return stat.isFile() && isOurs ? soundHalf(fs.readFileSync(fd)) : undefined
    } finally {
      fs.closeSync(fd)
    }
  } catch {
    return undefined
  }
}

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
    const draft = `${file}.${process.pid}`
    const code = script.createCachedData()
    fs.writeFileSync(draft, Buffer.concat([code, code]), { flag: 'wx', mode: 0o600 })
    fs.renameSync(draft, file)
    const caches = fs.readdirSync(folder).filter((name) => name.startsWith('code-'))
    const aged = caches.map((name) => ({ name, time: fs.lstatSync(path.join(folder, name)).mtimeMs }))
    aged.sort((a, b) => b.time - a.time)
    for (const { name } of aged.slice(mostCaches)) fs.unlinkSync(path.join(folder, name))
  } catch {
    // See above.
  }
}

function makeFolder(folder) {
  if (!fs.existsSync(folder)) fs.mkdirSync(folder, { mode: 0o700 })
}

/** Parts of Node that take long to load and that most commands never come to: loaded when something in them is used. */
const deferred = new Set([
  ...['child_process', 'crypto', 'fs/promises', 'module', 'net', 'readline', 'readline/promises'],
  ...['stream', 'stream/promises', 'string_decoder', 'timers/promises', 'tty', 'v8', 'worker_threads', 'zlib'],
])

/** It is its own prototype: so that copies of it (what a bundler makes of `import * as`) are late too. */
function requireLate(id) {
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
  const file = cacheFile(/^\/\/ ([0-9a-f]{32})\n/.exec(text)?.[1], command)
  const cachedData = file && readCache(file)
  const script = new vm.Script(`(function (exports, require, module, __filename, __dirname) {${text}\n})`, {
    filename: bundle,
    cachedData,
    importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
  const module = { exports: {} }
  script.runInThisContext()(module.exports, requireLate, module, bundle, path.dirname(bundle))
  const isKept = cachedData !== undefined && !script.cachedDataRejected
  return { ...module.exports, keep: file && !isKept ? () => keepCache(file, script) : () => undefined }
}

/** oclif's own listener ends the program with a stack trace when the disk behind a redirection is full. */
function tellBrokenOutput() {
  process.stdout.removeAllListeners('error')
  process.stdout.on('error', (error) => {
    if (error.code === 'EPIPE') return
    process.exitCode = 1
    process.stderr.write(`error: the output could not be written: ${error.message}\n`)
  })
}

/** Only what has been run is compiled. With these exit statuses all was: it went well, found damage, or did a part. */
const toTheEnd = new Set([0, 4, 6])

async function start() {
  if (!fs.existsSync(bundle)) {
    process.stderr.write(`ckpt: not built yet: run "npm ci && npm run build" in ${root}\n`)
    process.exitCode = 1
    return
  }
  const args = process.argv.slice(2)
  const { main, keep } = loadBundle(args[0] ?? '')
  const ran = await main(args, root)
  if (ran) {
    if (toTheEnd.has(process.exitCode ?? 0)) keep()
    process.exit()
  }
  const { execute } = await import('@oclif/core')
  tellBrokenOutput()
  await execute({ dir: root })
}

void start()
