/** Which processes the signals of `ckpt run` reach, and what becomes of those that are left. */
import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { env as environment } from 'node:process'
import { setTimeout } from 'node:timers/promises'
import { describe, expect, it } from 'vitest'
import { hasSignal } from '../../src/machine/signal-set.js'
import { outcomeOf, shell, start, temporaryDirectory } from './ckpt.js'
import { hasScript, onTerminal } from './on-terminal.js'
import { logOf, runJob } from './run-job.js'

const hasProc = existsSync('/proc/self/environ')
const hasSetsid = spawnSync('setsid', ['true'], { stdio: 'ignore' }).status === 0

/** Says its name and what it gets; lives on unless it was told to end. */
const process = (name: string, more = '') =>
  `trap 'echo ${name} USR1' USR1; trap 'echo ${name} TERM; exit 0' TERM; ${more} echo ${name} ready; while :; do sleep 0.1; done`

const isAlive = (pid: string) => spawnSync('sh', ['-c', `ps -o stat= -p ${pid} | grep -qv Z`]).status === 0

describe.runIf(hasProc && hasSetsid)('a signal', () => {
  it('reaches every process: children, theirs, and one in a session of its own whose parent is dead', async () => {
    const orphan = `bash -c "setsid bash -c \\"\\$ORPHAN\\" & exit 0";`
    const child = start(['run', 'save', '--', 'bash', '-c', process('top', `${orphan} bash -c "$MIDDLE" &`)], {
      cwd: temporaryDirectory(),
      env: { MIDDLE: process('middle', 'bash -c "$DEEP" &'), DEEP: process('deep'), ORPHAN: process('orphan') },
    })
    let output = ''
    const times = (text: RegExp) => output.match(text)?.length ?? 0
    let sent = 0
    child.stdout.on('data', (part: Buffer) => {
      output += part.toString()
      if (sent === 0 && times(/ready/g) === 4) sent = Number(child.kill('SIGUSR1'))
      if (sent === 1 && times(/USR1/g) === 4) sent += Number(child.kill('SIGTERM'))
    })
    const { status, stdout } = await outcomeOf(child)
    expect(status).toBe(0)
    expect(stdout.trim().split('\n').sort()).toEqual(
      ['deep', 'middle', 'orphan', 'top'].flatMap((name) => [`${name} TERM`, `${name} USR1`, `${name} ready`]),
    )
  })
})

it('a warning that comes while the batch system is still being asked about the job is not lost', async () => {
  const cwd = temporaryDirectory()
  const asked = '[ -e asked ] || { touch asked; kill -USR1 $PPID; sleep 0.3; }; exit 1'
  writeFileSync(join(cwd, 'scontrol'), `#!/bin/sh\n${asked}\n`, { mode: 0o755 })
  const script = 'trap "echo saved; exit 0" USR1; for turn in $(seq 300); do sleep 0.1; done'
  const env = { SLURM_JOB_ID: '7', SLURM_PROCID: '0', PATH: `${cwd}:${environment['PATH'] ?? ''}` }
  const { stdout, stderr } = await outcomeOf(start(['run', 'save', '--', 'bash', '-c', script], { cwd, env }))
  expect(stdout).toBe('saved\n')
  expect(stderr).toContain('SIGUSR1: the time limit is near')
})

describe.runIf(hasProc && hasSetsid)('what a command leaves behind', () => {
  // The last one has the mark until it is what it shall be.
  const leaves = `[ $CKPT_ATTEMPT = 1 ] || exit 0
    sleep 61 > /dev/null 2>&1 & echo $! > same
    setsid sleep 62 > /dev/null 2>&1 & echo $! > session
    env -u CKPT_JOB setsid sleep 63 > /dev/null 2>&1 & echo $! > released
    until grep -qa ^sleep /proc/$!/cmdline; do sleep 0.05; done
    exit 1`
  const left = (cwd: string) =>
    Object.fromEntries(
      ['same', 'session', 'released'].map((name) => {
        const pid = readFileSync(join(cwd, name), 'utf8').trim()
        const alive = isAlive(pid)
        spawnSync('kill', [pid])
        return [name, alive]
      }),
    )

  it('is ended before the next start, in other sessions too; what gave its mark back is not', async () => {
    const { cwd, status, stderr } = await runJob('', leaves)
    expect(status).toBe(0)
    expect(stderr).toContain('some of its processes are still there: ending them')
    expect(left(cwd)).toEqual({ same: false, session: false, released: true })
  })

  it.runIf(hasScript)('on a terminal too, where the group is shared with others', async () => {
    const cwd = temporaryDirectory()
    const script = `sleep 64 & ckpt run save --back-off 1ms -- bash -c '${leaves}'; kill $! && echo beside`
    const { screen } = await onTerminal(script, { cwd })
    expect(screen).toContain('beside')
    expect(left(cwd)).toEqual({ same: false, session: false, released: true })
  })

  it('may have saved once more: the next start is from that, and it counts', async () => {
    const late = "trap 'save 1; exit' TERM; touch listens; while :; do sleep 0.1; done"
    const script = `[ $next = 1 ] || exit 0; (${late}) > /dev/null 2>&1 & until [ -e listens ]; do sleep 0.1; done; exit 1`
    const { cwd, status } = await runJob('--min-uptime 0s', script)
    const [first, second] = await logOf(cwd)
    expect([status, first?.checkpoints.map(({ epoch }) => epoch), second?.from]).toEqual([0, [1], 'CKPT+ep001'])
  })

  it('stays where there is no other start', async () => {
    const { cwd, status } = await runJob('--no-retry-on 1', leaves)
    expect(status).toBe(1)
    expect(left(cwd)).toEqual({ same: true, session: true, released: true })
  })
})

/**
 * A job that tells of each SIGINT and ends of none. It is one process that waits for nothing: a shell that waits for a
 * child which dies of SIGINT has rules of its own. It is ready when ckpt is: signals are blocked while a process is
 * being started, and two that came then would be one.
 */
function withStubbornJob(): { readonly cwd: string; readonly job: readonly string[] } {
  const cwd = temporaryDirectory()
  const script = `import { readFileSync } from 'node:fs'
    process.on('SIGINT', () => console.log('interrupted'))
    process.on('SIGTERM', () => console.log('asked to end'))
    const look = setInterval(() => {
      try {
        if (!readFileSync('.ckpt/save/journal.jsonl', 'utf8').includes('start')) return
      } catch {
        return
      }
      clearInterval(look)
      setInterval(() => undefined, 60_000)
      console.log('ready under ' + process.ppid + '.')
    }, 20)`
  writeFileSync(join(cwd, 'stubborn.mjs'), script)
  return { cwd, job: ['run', 'save', '--grace', '20s', '--', globalThis.process.execPath, 'stubborn.mjs'] }
}

/** By the second signal, not at the end of the grace that the first one began. All at once, for what was told explains. */
function expectKilled(status: number | null, told: string): void {
  expect({ status, told }).toEqual({
    status: 137,
    told: expect.stringContaining('stopped (SIGINT, then killed by SIGKILL)') as unknown,
  })
  expect(told).not.toMatch(/did not end within|asked to end/)
}

/** A signal that comes while the same one waits for a process to have its turn is lost (signal(7)). */
async function untilTaken(pid: number, signal: NodeJS.Signals): Promise<void> {
  while (hasSignal(pid, 'ShdPnd', signal)) await setTimeout(5)
}

describe.runIf(hasProc)('a SIGHUP that is ignored', () => {
  /** Ends when it is told to by a file, well only where the hang-up passed it by too. */
  const job = `echo $$ > job; until [ -e over ]; do sleep 0.1; done; touch done`
  const script = `until [ -s job ]; do sleep 0.1; done
    kill -HUP $ckpt $(cat job); sleep 0.5; touch over; wait $ckpt; echo "status $?"; ls done`
  const run = `ckpt run save -- sh -c '${job}'`
  const ways = {
    'by nohup': `nohup ${run} < /dev/null & ckpt=$!`,
    'by a shell that ignores it': `(trap '' HUP; ${run} & echo $! > ckpt; wait) & until [ -s ckpt ]; do sleep 0.1; done; ckpt=$(cat ckpt); wait() { while kill -0 $1 2> /dev/null; do sleep 0.1; done; }`,
    'by nohup, whose input alone tells of it': `(trap '' HUP; unset _; exec env -u _ ${run} 0> /dev/null) & ckpt=$!`,
    'of a command that recover starts': `nohup ckpt recover save -- sh -c '${job}' < /dev/null & ckpt=$!`,
  }
  it.each(Object.entries(ways))('%s passes by, also by the job', async (_, way) => {
    const { stdout } = await shell(`${way}; ${script}`, { cwd: temporaryDirectory() })
    expect(stdout).toBe('status 0\ndone\n')
  })

  it('and that is not ends it', async () => {
    const { stdout } = await shell(`${run} & ckpt=$!; ${script}`, { cwd: temporaryDirectory() })
    expect(stdout).toBe('status 129\n')
  })
})

describe.runIf(hasScript)('on a terminal', () => {
  it('the command has it, and nothing is written to it before the command ends', async () => {
    const cwd = temporaryDirectory()
    const { status, screen } = await onTerminal(
      `ckpt run save -- bash -c 'test -t 0 && test -t 1 && read -r -p "name? " n && echo "hello $n"'`,
      {
        cwd,
        answer(screen, type) {
          if (screen.endsWith('name? ')) type('Ada\r')
        },
      },
    )
    expect(status).toBe(0)
    expect(screen.replaceAll('\r', '')).toBe(
      `ckpt: no checkpoint yet in ${cwd}/save: a first start\nname? Ada\nhello Ada\nckpt: done (exit status 0) after 1 start; no checkpoint saved\n`,
    )
  })

  it.runIf(hasProc)('a Ctrl-C comes once to the command, and a second one kills', async () => {
    const { cwd, job } = withStubbornJob()
    let keys = 0
    const { status, screen } = await onTerminal(`exec ckpt ${job.join(' ')}`, {
      cwd,
      answer(screen, type) {
        const supervisor = /ready under (\d+)\./.exec(screen)?.[1]
        if (supervisor === undefined || keys > 1 || (keys === 1 && !screen.includes('interrupted'))) return
        keys += 1
        void untilTaken(Number(supervisor), 'SIGINT').then(() => type('\u0003'))
      },
    })
    expectKilled(status, screen)
    // The second one may have come through before the kill.
    expect(screen.match(/interrupted/g)?.length, screen).toBeLessThanOrEqual(2)
  })

  it.runIf(hasProc)('a Ctrl-C reaches a job that was started in the background and fetched to the front', async () => {
    const job = `trap 'echo interrupted; exit 7' INT; while :; do sleep 0.1; done`
    const waits = 'until grep -qs start .ckpt/save/journal.jsonl; do sleep 0.1; done'
    let isTyped = false
    const { screen } = await onTerminal(
      `set -m; ckpt run save --grace 20s -- bash -c "${job}" & ${waits}; echo "pid $!."; fg; echo status $?`,
      {
        cwd: temporaryDirectory(),
        answer(screen, type) {
          const pid = /^pid (\d+)\./m.exec(screen)?.[1]
          if (isTyped || pid === undefined) return
          isTyped = true
          void untilForeground(pid).then(() => type('\u0003'))
        },
      },
    )
    expect(screen).toMatch(/interrupted\r?$/m)
    expect(screen).toContain('status 7')
  })
})

/** Its group is the terminal's foreground group (proc(5), fields 5 and 8 of stat). */
async function untilForeground(pid: string): Promise<void> {
  for (;;) {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[2] === fields[5]) return
    await setTimeout(5)
  }
}

describe('a second SIGINT', () => {
  it('kills without a terminal too', async () => {
    const { cwd, job } = withStubbornJob()
    const child = start(job, { cwd })
    let [output, sent] = ['', 0]
    child.stdout.on('data', (part: Buffer) => {
      output += part.toString()
      // The command has it from ckpt, which has had its turn then.
      const isDue = output.includes(sent === 0 ? 'ready' : 'interrupted')
      if (isDue && sent < 2) sent += Number(child.kill('SIGINT'))
    })
    const { status, stdout, stderr } = await outcomeOf(child)
    expectKilled(status, stdout + stderr)
    expect((await shell('ckpt log save', { cwd })).stdout).toContain('stopped: SIGINT, then killed by SIGKILL')
  })
})
