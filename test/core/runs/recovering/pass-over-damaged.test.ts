import { describe, expect, it } from 'vitest'
import type { Finding } from '../../../../src/core/checkpoint.js'
import { firstWhole, requireKeys, type PassedOver } from '../../../../src/core/runs/recovering/pass-over-damaged.js'
import { cutShort } from '../../../../src/core/runs/recovering/save-cut-short.js'
import { checkpointAt } from '../../changes/disposal/runs.js'

const checkpoints = ['c', 'b', 'a'].map((name) => checkpointAt('/run', name))
const damage: Finding[] = [
  { grade: 'corrupt', file: 'model.ckpt', reason: '0 bytes' },
  { grade: 'partial', reason: 'has no file for key optimizer' },
]

describe('a parameter file that is required', () => {
  it('and is there under a similar key: that is named', () => {
    const [checkpoint = checkpointAt('/run', 'c')] = checkpoints
    const file = { key: 'model', path: '/run/c/model.ckpt', size: 1, role: 'weights' } as const
    const [finding] = requireKeys({ ...checkpoint, files: [file] }, ['modle'])
    expect(finding?.reason).toBe('has no file for key modle; did you mean model?')
  })
})

describe('the first whole checkpoint', () => {
  it('is found in the order given, and no further one is looked at', async () => {
    const looked: string[] = []
    const told: PassedOver[] = []
    const found = await firstWhole(
      checkpoints,
      async ({ name }) => {
        looked.push(name)
        return name === 'c' ? damage : []
      },
      (passed) => told.push(passed),
    )
    const passedOver = [{ name: 'c', reasons: ['model.ckpt: 0 bytes', 'has no file for key optimizer'] }]
    expect(found).toEqual({ checkpoint: checkpoints[1], passedOver })
    expect(told).toEqual(passedOver)
    expect(looked).toEqual(['c', 'b'])
  })

  it('is none when there are no checkpoints', async () => {
    expect(await firstWhole([], async () => damage)).toBeNull()
  })

  it('is an error that lists all when some are there and none is whole', async () => {
    const failure = firstWhole(checkpoints, async () => damage)
    await expect(failure).rejects.toMatchObject({ code: 'damaged', exitStatus: 4 })
    await expect(failure).rejects.toThrow(/none of the 3 .*\n {2}c: model.ckpt: 0 bytes; has no .*\n {2}b: .*\n {2}a: /)
  })
})

describe('what the system refused to read', () => {
  const refused: Finding = { grade: 'unreadable', reason: 'permission denied' }

  it('may be whole: nobody is told to move it away', async () => {
    const failure = firstWhole(checkpoints, async ({ name }) => (name === 'b' ? [refused] : damage))
    await expect(failure).rejects.toMatchObject({
      code: 'damaged',
      hint: expect.stringMatching(/nothing was started: .*see to its owner, its mode and the disk/) as string,
    })
  })

  it('is reported as such when it is passed over', async () => {
    const told: [string, boolean][] = []
    const findings: Record<string, Finding[]> = { c: damage, b: [refused] }
    await firstWhole(
      checkpoints,
      async ({ name }) => findings[name] ?? [],
      ({ name }, isUnreadable) => void told.push([name, isUnreadable]),
    )
    expect(told).toEqual([
      ['c', false],
      ['b', true],
    ])
  })

  it('lacks nothing that is known of', () => {
    const closed = checkpointAt('/run', 'b', {
      health: { ...checkpointAt('/run', 'b').health, grade: 'unreadable', findings: [refused] },
    })
    const whole = checkpointAt('/run', 'a', {
      files: [{ key: 'model', path: '/run/a/model.ckpt', size: 1, role: 'weights' }],
    })
    expect(requireKeys(closed, ['model'])).toEqual([])
    expect(cutShort(closed, [closed, whole])).toEqual([])
  })
})

describe('a key that no checkpoint has', () => {
  it('is told once, and where the keys are, for it is mistyped sooner than all are damaged', async () => {
    const files = [{ key: 'model', path: '/run/a/model.ckpt', size: 1, role: 'weights' }] as const
    const checkpoints = ['a', 'b'].map((name) => checkpointAt('/run', name, { files }))
    const asked = firstWhole(checkpoints, (one) => Promise.resolve(requireKeys(one, ['modle'])))
    await expect(asked).rejects.toMatchObject({
      code: 'no-match',
      message: '/run: each of the 2 checkpoints has no file for key modle; did you mean model?',
      hint: 'nothing was started: ask for a key that is there; see which: ckpt show /run/a',
    })
  })
})

describe('required keys', () => {
  const checkpoint = checkpointAt('/run', 'c', {
    files: [{ key: 'model', path: '/run/c/model.ckpt', size: 1, role: 'weights' }],
  })

  it('give one finding for each that has no file', () => {
    expect(requireKeys(checkpoint, ['model', 'optimizer', 'optimizer', 'scaler'])).toEqual([
      { grade: 'partial', reason: 'has no file for key optimizer' },
      { grade: 'partial', reason: 'has no file for key scaler' },
    ])
  })

  it('give none when all are there', () => {
    expect(requireKeys(checkpoint, ['model'])).toEqual([])
    expect(requireKeys(checkpoint, [])).toEqual([])
  })
})
