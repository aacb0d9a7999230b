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

const root = path.join(__dirname, '..')
const bundle = path.join(root, 'dist', 'cli.cjs')

/** Where compiled code is kept; undefined when there is no place for it. */
function cacheFile(stat) {
  const home = process.env.XDG_CACHE_HOME || (process.env.HOME && path.join(process.env.HOME, '.cache'))
  if (!home || !path.isAbsolute(home)) return undefined
  const key = [process.version, process.arch, stat.size, Math.trunc(stat.mtimeMs)].join('-')
  return path.join(home, 'ckpt', `code-${key}`)
}

function readIfThere(file) {
  try {
    return file && fs.readFileSync(file)
  } catch {
    return undefined
  }
}

/** Written beside and renamed, for another ckpt may read it meanwhile. Without a cache ckpt works too, so in silence. */
function keep(file, script) {
  try {
    fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 })
    for (const name of fs.readdirSync(path.dirname(file))) {
      if (name.startsWith('code-')) fs.unlinkSync(path.join(path.dirname(file), name))
    }
    const draft = `${file}.${process.pid}`
    fs.writeFileSync(draft, script.createCachedData())
    fs.renameSync(draft, file)
  } catch {
    // See above.
  }
}

/** Parts of Node that take long to load and that most commands never come to: loaded when something in them is used. */
const deferred = new Set([
  ...['child_process', 'crypto', 'fs/promises', 'readline', 'readline/promises'],
  ...['stream', 'stream/promises', 'timers/promises', 'v8', 'zlib'],
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

function loadBundle() {
  const file = cacheFile(fs.statSync(bundle))
  const cachedData = readIfThere(file)
  const source = `(function (exports, require, module, __filename, __dirname) {${fs.readFileSync(bundle, 'utf8')}\n})`
  const script = new vm.Script(source, {
    filename: bundle,
    cachedData,
    importModuleDynamically: vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  })
  if (file && (cachedData === undefined || script.cachedDataRejected)) process.once('exit', () => keep(file, script))
  const module = { exports: {} }
  script.runInThisContext()(module.exports, requireLate, module, bundle, path.dirname(bundle))
  return module.exports
}

async function start() {
  if (!fs.existsSync(bundle)) {
    process.stderr.write(`ckpt: not built yet: run "npm ci && npm run build" in ${root}\n`)
    process.exitCode = 1
    return
  }
  const ran = await loadBundle().main(process.argv.slice(2), root)
  if (ran) return
  const { execute } = await import('@oclif/core')
  await execute({ dir: root })
}

void start()
