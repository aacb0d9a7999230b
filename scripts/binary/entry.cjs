'use strict'
/* eslint-disable @typescript-eslint/no-require-imports -- bun compiles CommonJS to bytecode */
/* Where the one-file executable begins (scripts/build-binary.mjs): bin/run.js, with everything inside. */

const { dirname } = require('node:path')
const { start } = require('../../bin/run.js')
const { version } = require('../../package.json')

void start({
  args: process.argv.slice(2),
  root: dirname(process.execPath),
  readVersion: () => version,
  readPages: () => require('../../dist/help.json'),
  readSpec: () => require('../../dist/completion.json'),
  loadProgram: () => ({ main: require('../../dist/binary/cli.cjs').main, version, keep: () => undefined }),
})
