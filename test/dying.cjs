/**
 * Loaded before the built program (`node --require`): it kills itself with SIGKILL just before its n-th call that
 * may change the file system (DIE_AT=n). Where it lives (DIE_AT=0, or there are fewer calls) it writes the numbers of
 * those that did change it into CALLS_IN, as JSON. To die before any other call is to leave what the next of these finds: one that fails, for
 * what it would make is there or what it would remove is not; and a sync, without which a process that is killed
 * loses nothing (test/faults.test.ts stops and fails at those too).
 */
'use strict'
const fs = require('node:fs')

const { DIE_AT, CALLS_IN } = process.env
let calls = 0
const changing = new Set()

function wrap(object, name, isChanging = () => true) {
  const call = object[name]
  object[name] = (...args) => {
    if (!isChanging(...args)) return call.apply(object, args)
    const number = (calls += 1)
    if (number === Number(DIE_AT)) {
      process.kill(process.pid, 'SIGKILL')
      for (;;);
    }
    const result = call.apply(object, args)
    changing.add(number)
    // Of a promise it is not known yet.
    if (result instanceof Promise) result.catch(() => changing.delete(number))
    return result
  }
}

const whole = 'renameSync unlinkSync rmdirSync mkdirSync linkSync symlinkSync utimesSync lutimesSync lchownSync'
for (const name of whole.split(' ')) wrap(fs, name)
wrap(fs.promises, 'copyFile')
// As on a file system that shares blocks: what is done with a clone is tried too.
const { copyFile } = fs.promises
fs.promises.copyFile = (from, to, mode) => copyFile(from, to, mode & ~fs.constants.COPYFILE_FICLONE_FORCE)
const { O_RDWR, O_WRONLY } = fs.constants
wrap(fs, 'openSync', (_, flags) => flags === 'wx' || (flags & (O_RDWR | O_WRONLY)) !== 0)
wrap(fs, 'writeSync', (fd) => fd > 2)
const { writeFileSync } = fs
process.once('exit', () => writeFileSync(CALLS_IN, JSON.stringify([...changing])))
