import { describe, expect, it } from 'vitest'
import { removalError, type RemovalResult } from '../../../../src/core/changes/disposal/index.js'
import { CkptError, StorageError } from '../../../../src/core/errors.js'
import { checkpointAt } from './runs.js'

const nothing: RemovalResult = {
  removed: [],
  failed: [],
  remaining: [],
  freedBytes: 0,
  leftovers: [],
  finished: { count: 0, freedBytes: 0 },
}
const names = Array.from({ length: 10_000 }, (_, index) => `CKPT+${index}`)

describe('what a removal that did not do all says', () => {
  it('says once what a full disk says of ten thousand checkpoints, and what to do', () => {
    const failed = names.map((name, index) => {
      const path = `/state/trash/${index}.json.new`
      return { name, error: new StorageError(path, 'ENOSPC', `${path}: no space left on the device`) }
    })
    const failure = removalError({ ...nothing, failed })
    expect(failure?.message.split('\n')).toEqual([
      'removed 0, and 10000 stay',
      '  CKPT+0 stays: /state/trash/0.json.new: no space left on the device',
      '  CKPT+1 stays: /state/trash/1.json.new: no space left on the device',
      '  CKPT+2 stays: /state/trash/2.json.new: no space left on the device',
      '  and 9997 more, for the same reason',
    ])
    expect(failure?.hint).toContain('without --trash')
  })

  it('says once what stays for a signal, and all that a few say', () => {
    const remaining = names.map((name) => checkpointAt('/run', name))
    const failed = ['a', 'b'].map((name) => ({ name, error: new CkptError('refused', `${name}: changed`) }))
    const failure = removalError({ ...nothing, failed, remaining })
    expect(failure?.code).toBe('interrupted')
    expect(failure?.message.split('\n')).toEqual([
      'removed 0, and 10002 stay',
      '  a stays: changed',
      '  b stays: changed',
      '  CKPT+0 stays: interrupted before its turn',
      '  CKPT+1 stays: interrupted before its turn',
      '  CKPT+2 stays: interrupted before its turn',
      '  and 9997 more, for the same reason',
    ])
  })
})
