import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { shell, temporaryDirectory } from './ckpt.js'
import { runJob } from './run-job.js'

const readme = readFileSync(fileURLToPath(new URL('../../README.md', import.meta.url)), 'utf8')
const [, script = ''] = /^```bash\n(.*?)^```$/ms.exec(readme) ?? []

describe('ckpt run', () => {
  it("takes README's script to the tenth epoch though it crashes after each", async () => {
    const cwd = temporaryDirectory()
    writeFileSync(join(cwd, 'train.sh'), script)
    const run = 'ckpt run exp/save --back-off 1ms --keep 2 --min loss --yes -- bash train.sh'
    const got = await shell(`${run} && ckpt log exp/save --json`, { cwd })
    const log = JSON.parse(got.stdout.slice(got.stdout.indexOf('{'))) as {
      attempts: { checkpoints: { epoch: number }[]; end: { ending: string } }[]
    }
    expect(log.attempts.flatMap(({ checkpoints }) => checkpoints.map(({ epoch }) => epoch))).toEqual([
      1, 2, 3, 4, 5, 6, 7, 8, 9, 10,
    ])
    expect(log.attempts.at(-1)?.end.ending).toBe('done')
    expect(readdirSync(join(cwd, 'exp', 'save'))).toHaveLength(2)
  })

  it('a policy that nobody said yes to is refused before anything starts', async () => {
    const got = await shell('ckpt run exp/save --keep 1 -- echo started', { cwd: temporaryDirectory() })
    expect(got).toMatchObject({ status: 5, stdout: '' })
  })

  it('a hang is killed after the grace, and its status is the answer', async () => {
    const cwd = temporaryDirectory()
    const hang = `ckpt run save --retries 0 --stall 1s --grace 100ms -- sh -c 'trap "" TERM; sleep 60 & wait; sleep 60'`
    const got = await shell(hang, { cwd })
    expect(got.status).toBe(137)
    expect(got.stderr).toMatch(/hung/)
  })

  it('kill -9 of the command is a preemption, and it starts again', async () => {
    const cwd = temporaryDirectory()
    mkdirSync(join(cwd, 'save'))
    const got = await shell(`ckpt run save --back-off 1ms -- sh -c '[ "$CKPT_ATTEMPT" = 2 ] || kill -9 $$'`, { cwd })
    expect(got.status).toBe(0)
    expect(got.stderr).toMatch(/preempted \(killed by SIGKILL\)/)
  })

  it('ends with a line that says what came of it', async () => {
    const { stderr } = await runJob('', 'save $next; [ $next = 2 ] || exit 1')
    expect(stderr.trimEnd().split('\n').at(-1)).toMatch(
      /^ckpt: done \(exit status 0\) after 2 starts.*; 2 checkpoints saved, last CKPT\+/,
    )
  })
})
