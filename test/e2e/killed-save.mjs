/**
 * Runs a command of the built library in this process, which kills itself with SIGKILL at the n-th changing call of
 * the file system: `node killed-save.mjs N RUN FILE` saves FILE into RUN. With N = 0 it lives, and prints the count.
 */
import { mkdirSync } from 'node:fs'
import { localStorage, saveCheckpoint, toPyMeta, toPyValues } from 'ckpt'

const [n = '0', run = '', file = ''] = process.argv.slice(2)
const changing = new Set(
  `create makeDirectory rename unlink removeDirectory hardLink symbolicLink copyFile setTimes syncFile syncDirectory
   write sync close`.split(/\s+/),
)
let calls = 0

function mortal(target) {
  return new Proxy(target, {
    get(inner, name) {
      const method = inner[name]
      if (typeof method !== 'function') return method
      return async (...args) => {
        if (changing.has(name) && (calls += 1) === Number(n)) process.kill(process.pid, 'SIGKILL')
        const answer = await method.apply(inner, args)
        return name === 'create' ? mortal(answer) : answer
      }
    },
  })
}

mkdirSync(run, { recursive: true })
await saveCheckpoint(
  mortal(localStorage()),
  {
    run,
    stamp: '2024-01-31+23-59-59',
    meta: toPyMeta(toPyValues({ loss: 15.5 }), { unixtime: 1, endOfEpoch: true }),
    files: new Map([['model', { kind: 'path', path: file }]]),
  },
  { placement: 'move', wait: () => Promise.resolve() },
)
console.log(calls)
