/** `ckpt run --on-checkpoint` and `--on-exit`. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { outcomeOf, shell, start, temporaryDirectory } from './ckpt.js'
import { endsOf, logOf, runJob } from './run-job.js'

const told = (stderr: string, prefix: string) => stderr.split('\n').filter((line) => line.startsWith(prefix))

describe('--on-checkpoint', () => {
  it('is run for each, the oldest first though several appear between two looks, with its variables', async () => {
    const hook = `echo "hook $CKPT_NAME $CKPT_META_EPOCH $CKPT_META_WER $CKPT_ATTEMPT $(cat "$CKPT_FILE_MODEL")"`
    const { cwd, status, stdout, stderr } = await runJob(
      `--on-checkpoint '${hook}; test -d "$CKPT_RUN"'`,
      'save 1 WER=30; save 2 WER=20; save 3 WER=10; echo trained',
    )
    expect([status, stdout]).toEqual([0, 'trained\n'])
    expect(told(stderr, 'hook')).toEqual([
      'hook CKPT+ep001 1 30 1 weights 1',
      'hook CKPT+ep002 2 20 1 weights 2',
      'hook CKPT+ep003 3 10 1 weights 3',
    ])
    expect((await logOf(cwd))[0]?.checkpoints.map(({ epoch }) => epoch)).toEqual([1, 2, 3])
  })

  it('is not run for what was there before', async () => {
    const { cwd } = await runJob('', 'save 1')
    const { stderr } = await runJob("--on-checkpoint 'echo hook $CKPT_NAME'", 'save 2', cwd)
    expect(told(stderr, 'hook')).toEqual(['hook CKPT+ep002'])
  })

  it('has its checkpoint before the policy takes it', async () => {
    const cwd = temporaryDirectory()
    const hook = 'sleep 0.2; cat "$CKPT_FILE_MODEL" >> copies'
    await runJob(`--keep 1 --yes --on-checkpoint '${hook}'`, 'save 1; save 2; save 3', cwd)
    expect(readFileSync(join(cwd, 'copies'), 'utf8')).toBe('weights 1\nweights 2\nweights 3\n')
    expect((await shell('ls save', { cwd })).stdout).toBe('CKPT+ep003\n')
  })

  it('that fails is reported, and changes nothing', async () => {
    const { cwd, status, stderr } = await runJob(`--on-checkpoint 'echo no room; exit 7'`, 'save 1')
    expect(status).toBe(0)
    expect(stderr).toContain('no room\nckpt: --on-checkpoint ended with exit status 7\n')
    expect(await endsOf(cwd)).toEqual(['done: exit status 0 -> nothing'])
  })

  it('that takes its time holds nothing else off', async () => {
    const { status, stderr } = await runJob(
      `--stop-when 'epoch == 2' --on-checkpoint 'sleep 2'`,
      'save 1; sleep 1.5; save 2; sleep 60',
    )
    expect(status).toBe(0)
    expect(stderr).toContain('asking it to end: nothing more to gain')
  })

  it('is cut off when the job is ended and the grace is over, and those behind it are left out', async () => {
    const cwd = temporaryDirectory()
    const hook = 'trap "" TERM; echo begun; sleep 60 & wait; sleep 60'
    const script =
      'mkdir -p "$CKPT_RUN"; cd "$CKPT_RUN"; for e in 1 2; do mkdir CKPT+$e; echo "epoch: $e" > CKPT+$e/CKPT.yaml; done'
    const flags = ['--grace', '1s', '--on-checkpoint', hook, '--on-exit', 'echo over']
    const child = start(['run', 'save', ...flags, '--', 'bash', '-c', `${script}; sleep 60`], { cwd })
    child.stderr.on('data', (part: Buffer) => {
      if (part.toString().includes('begun')) child.kill('SIGTERM')
    })
    const { status, stderr } = await outcomeOf(child)
    expect(status).toBe(143)
    expect(stderr).toContain('--on-checkpoint was killed by SIGKILL: there was no time left')
    expect(stderr).toContain('--on-checkpoint was left out: there is no time left')
    expect(stderr).toContain('--on-exit was left out: there is no time left')
  })
})

describe('--on-exit', () => {
  it('is run after each end, which it is told of, with the checkpoint that the start was from', async () => {
    const hook = 'echo "hook $CKPT_ATTEMPT $CKPT_REASON $CKPT_EXIT $CKPT_NEXT from ${CKPT_NAME:-nothing}"'
    const { status, stdout, stderr } = await runJob(
      `--min-uptime 0s --on-exit '${hook}; exit 3'`,
      'save $next; [ $next = 1 ] && exit 9; [ $next = 2 ] && kill -9 $$; exit 0',
    )
    expect([status, stdout]).toEqual([0, ''])
    expect(told(stderr, 'hook')).toEqual([
      'hook 1 failed 9 restart from nothing',
      'hook 2 preempted 137 restart from CKPT+ep001',
      'hook 3 done 0 nothing from CKPT+ep002',
    ])
    expect(told(stderr, 'ckpt: --on-exit ended with exit status 3')).toHaveLength(3)
  })

  it('may leave something running that it has sent away', async () => {
    const { status, cwd } = await runJob(`--on-exit '(sleep 1; touch late) > /dev/null 2>&1 &'`, 'true')
    await shell('until [ -e late ]; do sleep 0.1; done', { cwd })
    expect(status).toBe(0)
  })
})
