import { describe, expect, it } from 'vitest'
import { batchScript, callsRun, type BatchRequest } from '../../../../src/core/jobs/schedulers/batch-script.js'

const wrap = { program: ['/usr/bin/node', '/opt/ckpt/run.js'], run: '/data/exp/save', flags: ['--keep=2'] }

function made(script: string, request: Partial<BatchRequest> = {}): string[] {
  return batchScript({ name: 'train.sh', script, options: [], isChained: false, wrap: null, ...request }).split('\n')
}

describe('a script for Slurm', () => {
  it('gets the options that a requeue needs, behind its own', () => {
    expect(made('#!/bin/bash\n#SBATCH --time=1:00:00\n\npython train.py\n')).toEqual([
      '#!/bin/bash',
      '#SBATCH --time=1:00:00',
      '#SBATCH --requeue',
      '#SBATCH --signal=B:USR1@120',
      '#SBATCH --open-mode=append',
      '',
      'python train.py',
      '',
    ])
  })

  it('keeps what it says itself, in any spelling, or what sbatch is told', () => {
    const script = '#!/bin/sh\n# mine\n#SBATCH -Jmine --no-requeue # never\n#SBATCH --signal USR2@60\npython train.py'
    expect(made(script, { options: ['--open-mode=truncate'] })).toEqual(script.split('\n'))
  })

  it('takes no option from below the first command', () => {
    const script = '#!/bin/bash\nset -e\n#SBATCH --requeue --signal=B:USR1@60 --open-mode=append -J x\npython train.py'
    expect(made(script)).toContain('#SBATCH --requeue')
  })

  it('of a chain is not put back into the queue: the next one continues', () => {
    expect(made('#!/bin/bash\ntrue', { isChained: true })).toContain('#SBATCH --no-requeue')
  })

  it('starts itself again under ckpt run, with its own shell and arguments', () => {
    const lines = made('#!/usr/bin/env bash\n#SBATCH -N1\nset -e\npython train.py "$1"', { wrap })
    expect(lines.slice(5)).toEqual([
      '# Added by ckpt submit: what follows runs under ckpt run.',
      'if [ "${CKPT_SUBMITTED:-}" != "$SLURM_JOB_ID" ]; then',
      '  export CKPT_SUBMITTED="$SLURM_JOB_ID"',
      '  exec /usr/bin/node /opt/ckpt/run.js run /data/exp/save --keep=2 -- /usr/bin/env bash "$0" "$@"',
      'fi',
      'set -e',
      'python train.py "$1"',
    ])
  })

  it('gives each task of an array the run with its index, however the path is spelt', () => {
    const lines = made('#!/bin/bash\ntrue', { wrap: { ...wrap, run: "/data/it's/exp-%a/save" } })
    expect(lines.join('\n')).toContain(`run '/data/it'\\''s/exp-'"$SLURM_ARRAY_TASK_ID"/save --keep=2`)
  })

  it('is a shell script, or it is refused', () => {
    expect(() => made('#!/usr/bin/python3\nprint(1)')).toThrow(/not a shell script/)
    expect(() => made('python train.py')).toThrow(/not a shell script/)
  })
})

it('a script may call ckpt run itself', () => {
  expect(callsRun('#!/bin/bash\nexec ckpt run exp -- python train.py')).toBe(true)
  expect(callsRun('#!/bin/bash\n# ckpt run would be nice\npython train.py')).toBe(false)
})
