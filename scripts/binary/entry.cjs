'use strict'
/* eslint-disable @typescript-eslint/no-require-imports -- bun compiles CommonJS to bytecode */
/* Where the one-file executable begins (scripts/build-binary.mjs): bin/run.js, with everything inside. */

// The warning of a batch system reaches all that a job runs.
process.on('SIGUSR1', () => undefined)

const { dirname } = require('node:path')
const { start } = require('../../bin/start.js')

void start({
  args: process.argv.slice(2),
  root: dirname(process.execPath),
  version: require('../../package.json').version,
  readPages: () => require('../../dist/help.json'),
  readSpec: () => require('../../dist/completion.json'),
  loadProgram: () => ({ ...require('../../dist/binary/cli.cjs'), keep: () => undefined }),
})
