/** How attempts end under `ckpt run`, and what follows. */
import { existsSync, mkdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { commandFolder, shell, temporaryDirectory } from './ckpt.js'
import { endsOf, logOf, runJob } from './run-job.js'
import { document, epochs, makeRun, nameOf } from './runs.js'

describe('--simulate', () => {
  it.each([
    ['preempt', 'preempted', 'SIGTERM'],
    // The job does not catch the warning signal, so it never gets one.
    ['timeout', 'timed-out', 'SIGTERM'],
    ['crash', 'failed', 'SIGKILL'],
    ['oom', 'out-of-memory', 'SIGKILL'],
  ])('%s is %s, once, which the journal says is simulated', async (what, ending, signal) => {
    const { cwd, status, stdout } = await runJob(
      `--simulate ${what}@300ms`,
      'save $next; echo "$CKPT_REASON"; [ $next = 2 ] || sleep 60',
    )
    expect([status, stdout]).toEqual([0, `first\n${ending}\n`])
    expect(await endsOf(cwd)).toEqual([
      `${ending}: simulated; killed by ${signal} -> restart`,
      'done: exit status 0 -> nothing',
    ])
  })

  it('several come one after the other, one a start, and spend what real ones would', async () => {
    const flags = '--simulate oom@200ms --simulate crash@100ms --retries failed=1,out-of-memory=0'
    const { cwd, status } = await runJob(flags, 'sleep 60')
    expect(status).toBe(137)
    expect((await logOf(cwd)).map(({ end }) => end?.ending)).toEqual(['failed', 'out-of-memory'])
  })

  it.each(['boom@1s', 'crash', 'crash@', 'crash@5', 'crash@soon'])('%s is a mistake', async (text) => {
    const { status, stderr } = await runJob(`--simulate ${text}`, 'true')
    expect(status).toBe(2)
    expect(stderr).toContain('for example preempt@60s')
  })
})

/** A control group with 256 MB of memory, in which nothing is swapped; null where we may not make one. */
function makeGroup(): string | null {
  for (const [parent, limits] of [
    ['/sys/fs/cgroup/memory', { 'memory.limit_in_bytes': '256M' }],
    ['/sys/fs/cgroup', { 'memory.max': '256M', 'memory.swap.max': '0' }],
  ] as const) {
    const group = join(parent, `ckpt-test-${process.pid}`)
    try {
      mkdirSync(group)
      groups.push(group)
      for (const [file, value] of Object.entries(limits)) writeFileSync(join(group, file), value)
      return group
    } catch {
      // No such controller here, or no right to it.
    }
  }
  return null
}

const groups: string[] = []
const group = makeGroup()

afterAll(() => {
  for (const path of groups) if (existsSync(path)) rmdirSync(path)
})

// `tail` keeps all that it reads until there is a line's end.
const hog = 'tail /dev/zero'

describe('a job that takes more memory than there is', () => {
  it.runIf(group !== null)(
    `is out of memory when the kernel kills it in its control group${group === null ? ' (SKIPPED: none can be made here)' : ''}`,
    async () => {
      const script = `echo $$ > '${group}/cgroup.procs'; [ $CKPT_ATTEMPT = 2 ] && { echo "$CKPT_REASON"; exit 0; }; exec ${hog}`
      const { cwd, status, stdout } = await runJob('', script)
      expect([status, stdout]).toEqual([0, 'out-of-memory\n'])
      expect((await endsOf(cwd))[0]).toBe('out-of-memory: killed by SIGKILL; the system was out of memory -> restart')
    },
  )

  it.runIf(group !== null)('is so too when a worker of it was killed, and ckpt is in the same group', async () => {
    const cwd = temporaryDirectory()
    const run = `ckpt run save --retries 0 -- sh -c '${hog}; exit 3'`
    const { status } = await shell(`echo $$ > '${group}/cgroup.procs'; ${run}`, { cwd })
    expect(status).toBe(3)
    expect(await endsOf(cwd)).toEqual(['out-of-memory: exit status 3; the system was out of memory -> nothing'])
  })

  it('has failed where a limit of its shell refuses the memory, for it may have told so itself', async () => {
    const { cwd, status } = await runJob('--min-uptime 0s --retries 0', `ulimit -v 50000; ${hog} 2> /dev/null`)
    expect(status).toBe(1)
    expect(await endsOf(cwd)).toEqual(['failed: exit status 1 -> nothing'])
  })
})

describe('--stall', () => {
  /** Eight times as long as the job is silent: a busy machine may keep it from its turn. */
  const silent = '--stall 2s --grace 10s --retries 0'

  it('is not reached while stdout grows, where that is a file', async () => {
    const cwd = temporaryDirectory()
    const loop = 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i; sleep 0.25; done'
    const { status } = await shell(`ckpt run save ${silent} -- bash -c '${loop}' > out`, { cwd })
    expect(status).toBe(0)
  })

  it('is reached where stdout is not a file, however much is written', async () => {
    const { cwd, status } = await runJob(silent, 'while :; do echo alive; sleep 0.25; done')
    expect(status).toBe(143)
    expect((await endsOf(cwd))[0]).toMatch(/^hung: no activity for [2-9](\.\d)? s, then killed by SIGTERM -> nothing$/)
  })

  it.each(['logs/train.log', 'logs'])('is not reached while %s changes, which --watch names', async (path) => {
    const { status } = await runJob(
      `${silent} --watch '${path}'`,
      'mkdir logs; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo $i >> logs/train.log; sleep 0.25; done',
    )
    expect(status).toBe(0)
  })
})

describe('an exit status', () => {
  it('of --no-retry-on is final', async () => {
    const { cwd, status, stderr } = await runJob('--no-retry-on 2,64', 'exit 64')
    expect(status).toBe(64)
    expect(stderr).toContain('exit status 64 is not retried')
    expect(await logOf(cwd)).toHaveLength(1)
  })

  it.each([
    ['', 85],
    ['--requeue-on 17,18', 18],
  ])('asks for another start: %s %i', async (flags, asked) => {
    const { cwd, status } = await runJob(
      `${flags} --retries 0,requeue=1`.replace('0,', ''),
      `[ $CKPT_ATTEMPT = 2 ] || exit ${asked}`,
    )
    expect(status).toBe(0)
    expect((await endsOf(cwd))[0]).toBe(`requeue: exit status ${asked} -> restart`)
  })

  it('within --min-uptime and without a checkpoint is that of a job that never started', async () => {
    const ends = async (flags: string, script: string) => (await endsOf((await runJob(flags, script)).cwd)).at(-1)
    const flags = '--retries never-started=0,failed=0'
    expect(await ends(flags, 'exit 1')).toBe('never-started: exit status 1 -> nothing')
    expect(await ends(flags, 'save 1; exit 1')).toBe('failed: exit status 1 -> nothing')
    expect(await ends(`${flags} --min-uptime 100ms`, 'sleep 0.3; exit 1')).toBe('failed: exit status 1 -> nothing')
  })

  it('of a command that is not there is tried once, and is a shell’s', async () => {
    const { status, stderr } = await shell('ckpt run save -- no-such-command', { cwd: temporaryDirectory() })
    expect(status).toBe(127)
    expect(stderr).toContain('never started (no such command)')
  })

  it('spends a retry, of which all are given back with a new checkpoint', async () => {
    const flags = '--min-uptime 0s --retries failed=1'
    const { cwd, status, stderr } = await runJob(
      flags,
      '[ $CKPT_ATTEMPT = 2 ] && save 1; [ $CKPT_ATTEMPT = 3 ] && exit 5; exit 1',
    )
    expect(status).toBe(5)
    expect(await logOf(cwd)).toHaveLength(3)
    expect(stderr).toContain('its one retry is used up')
  })
})

describe('the wait before a retry', () => {
  it('is reported, and lies between half of what it would be and all of it', async () => {
    const flags = '--back-off 400ms --max-back-off 600ms --min-uptime 0s'
    const { stderr } = await runJob(flags, 'exit 1')
    const waits = [...stderr.matchAll(/starting again in ([\d.]+) s \(attempt/g)].map(([, seconds]) => Number(seconds))
    expect(waits).toHaveLength(3)
    for (const [index, full] of [0.4, 0.6, 0.6].entries()) {
      expect(waits[index]).toBeGreaterThanOrEqual(full / 2)
      expect(waits[index]).toBeLessThanOrEqual(full)
    }
  })
})

describe('early stopping', () => {
  /** Goes on when ckpt has seen the last one. */
  const seen = `--on-checkpoint 'touch seen$CKPT_META_EPOCH'`
  const accuracies = `i=0; for acc in 9 5 5.4 5.5; do
    i=$((i + 1)); save $i ACC=$acc; until [ -e seen$i ]; do sleep 0.1; done; sleep 0.3
  done; sleep 60; exit 1`

  it('by --stop-max with --min-delta and --warmup asks the job to stop, and that is done', async () => {
    const flags = '--patience 2 --stop-max ACC --min-delta 0.5 --warmup 1 --stop-signal INT'
    const { cwd, status, stderr } = await runJob(`${flags} ${seen}`, accuracies)
    expect(status).toBe(0)
    expect(stderr).toContain(
      'asking it to end: nothing more to gain: no improvement in the last 2 checkpoints since ACC 5 of CKPT+ep002',
    )
    const [only, ...others] = await logOf(cwd)
    expect([only?.end?.ending, only?.checkpoints.map(({ epoch }) => epoch), others]).toEqual(['done', [1, 2, 3, 4], []])
    const answers = await shell(
      `ckpt stalled save --max ACC --patience 2 --min-delta 0.5 --warmup 1; echo $?; ckpt stalled save --max ACC --patience 9; echo $?`,
      { cwd },
    )
    expect(answers.stdout.match(/^\d$/gm)).toEqual(['0', '3'])
  })

  it('by a stop file lets the job end when it likes, and takes the file away', async () => {
    const waits = 'save 1 WER=3; save 2 WER=4; until [ -e enough ]; do sleep 0.1; done; echo saw it'
    const { cwd, status, stdout } = await runJob('--patience 1 --stop-min WER --stop-file enough', waits)
    expect([status, stdout]).toEqual([0, 'saw it\n'])
    expect(existsSync(join(cwd, 'enough'))).toBe(false)
  })
})

describe('a checkpoint from which starts bring nothing', () => {
  it('is set aside, which list shows; the job goes on from the one before, and prune keeps it', async () => {
    const run = makeRun(epochs(3))
    const script = `[ "$CKPT_NAME" = ${nameOf(3)} ] && exit 1; cp -r ${nameOf(1)} CKPT+ep009; sed -i 's/^epoch.*/epoch: 9/; s/^unix.*/unixtime: 1800000000.0/' CKPT+ep009/CKPT.yaml`
    const path = `${commandFolder()}:${process.env['PATH'] ?? ''}`
    const { status, stderr } = await shell(
      `ckpt run . --back-off 1ms --set-aside-after 2 --min-uptime 0s -- bash -c "$script"`,
      { cwd: run, env: { script, PATH: path } },
    )
    expect(status).toBe(0)
    expect(stderr).toContain(`${nameOf(3)} is set aside: 2 starts from it saved no new checkpoint`)
    const { checkpoints } = await document(['list', run])
    expect(checkpoints.find(({ name }) => name === nameOf(3))?.marks).toContain('set aside')
    expect((await shell(`ckpt list .`, { cwd: run })).stdout).toMatch(
      new RegExp(`${nameOf(3).replace('+', '\\+')}.*set aside`),
    )
    const pruned = await shell('ckpt prune . --keep 1 --yes', { cwd: run })
    expect(pruned.stdout).toMatch(/ep003.*set aside: 2 starts from it saved no new checkpoint/)
    expect((await document(['list', run])).checkpoints.map(({ name }) => name)).toEqual(['CKPT+ep009', nameOf(3)])
  })
})

describe('ckpt stop --after-next-checkpoint', () => {
  it('ends the job soon after the next checkpoint, from another shell', async () => {
    const cwd = temporaryDirectory()
    const job = runJob('', 'touch ready; until [ -e asked ]; do sleep 0.1; done; save 1; sleep 60', cwd)
    const asks =
      'until [ -e ready ]; do sleep 0.1; done; ckpt stop save --after-next-checkpoint --no-wait && touch asked'
    expect((await shell(asks, { cwd })).status).toBe(0)
    expect((await job).status).toBe(143)
    expect(await endsOf(cwd)).toEqual(['stopped: ckpt stop, then killed by SIGTERM -> nothing'])
  })
})
