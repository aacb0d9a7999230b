/**
 * Loaded before the built program (`node --require`): it kills itself with SIGKILL just before its n-th call that
 * changes the file system (DIE_AT=n). With DIE_AT=0 it lives, and writes the count of its calls into COUNT_CALLS_IN.
 */
'use strict'
const fs = require('node:fs')

const { DIE_AT, COUNT_CALLS_IN } = process.env
let calls = 0

function wrap(object, name, isChanging = () => true) {
  const call = object[name]
  object[name] = (...args) => {
    if (isChanging(...args) && (calls += 1) === Number(DIE_AT)) {
      process.kill(process.pid, 'SIGKILL')
      for (;;);
    }
    return call.apply(object, args)
  }
}

const whole = 'renameSync unlinkSync rmdirSync mkdirSync linkSync symlinkSync utimesSync fsyncSync'
for (const name of whole.split(' ')) wrap(fs, name)
wrap(fs.promises, 'copyFile')
wrap(fs, 'openSync', (_, flags) => flags === 'wx' || flags === 'r+')
wrap(fs, 'writeSync', (fd) => fd > 2)
const { writeFileSync } = fs
process.once('exit', () => Number(DIE_AT) === 0 && writeFileSync(COUNT_CALLS_IN, String(calls)))
