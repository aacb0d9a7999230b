import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { shellWord } from '../../src/core/formats/text/shell-words.js'
import { ckpt, temporaryDirectory, type Outcome } from './ckpt.js'

/** A folder with a job script, and an sbatch that keeps what it is given: the words, and the script. */
function site(answer = 'echo 4711', script = '#!/bin/bash\n#SBATCH -t 60\npython train.py "$1"\n') {
  const folder = temporaryDirectory()
  const bin = join(folder, 'bin')
  mkdirSync(bin)
  const [words, submitted] = ['words', 'submitted'].map((name) => shellWord(join(folder, name)))
  const keep = `echo "$*" >>${words}; for last; do [ -f "$last" ] && cp "$last" ${submitted}; done`
  writeFileSync(join(bin, 'sbatch'), `#!/bin/sh\n${keep}\n${answer}\n`, { mode: 0o755 })
  writeFileSync(join(folder, 'train.sh'), script)
  const submit = (...args: string[]): Promise<Outcome> =>
    ckpt(['submit', ...args], { cwd: folder, env: { PATH: `${bin}:${process.env['PATH'] ?? ''}` } })
  const read = (name: string) => readFileSync(join(folder, name), 'utf8')
  return { folder, submit, read }
}

describe('ckpt submit', () => {
  it('gives Slurm the script with what it lacks, under ckpt run, and prints the id', async () => {
    const { folder, submit, read } = site()
    const args = ['train.sh', 'exp/save', '--retries', '3', '--min=loss', '--sbatch', '-p gpu', '--', 'a b', '{path}']
    expect(await submit(...args)).toEqual({ status: 0, stdout: '4711\n', stderr: '' })
    expect(read('words')).toMatch(/^--parsable -p gpu .+\/train\.sh a b \{path\}\n$/)
    const submitted = read('submitted')
    expect(submitted).toContain('#SBATCH --requeue\n#SBATCH --signal=B:USR1@120\n#SBATCH --open-mode=append\n')
    expect(submitted).toContain(
      `run ${shellWord(`${folder}/exp/save`)} --retries 3 --min=loss -- /bin/bash "$0" "$@"\n`,
    )
    expect(submitted).toMatch(/^#!\/bin\/bash\n#SBATCH -t 60\n/)
    expect(submitted).toMatch(/\nfi\npython train\.py "\$1"\n$/)
  })

  it('shows the script and submits nothing with --dry-run', async () => {
    const { submit, read } = site()
    const { status, stdout } = await submit('train.sh', '--dry-run')
    expect([status, stdout]).toEqual([0, expect.stringContaining('#SBATCH --requeue')])
    expect(() => read('words')).toThrow()
  })

  it('makes a chain of jobs, each after the one before it', async () => {
    const { submit, read } = site()
    const { status, stdout } = await submit('train.sh', 'exp', '--chain', '3')
    expect([status, stdout]).toEqual([0, '4711\n4711\n4711\n'])
    const [first, second, third] = read('words').split('\n')
    expect(first).not.toContain('--dependency')
    for (const next of [second, third]) expect(next).toContain('--dependency=afterany:4711 /')
    expect(read('submitted')).toContain('#SBATCH --no-requeue')
  })

  it('gives each task of a job array a run of its own, and refuses one for all', async () => {
    const { folder, submit, read } = site()
    expect((await submit('train.sh', 'exp-%a/save', '--array', '1-9')).status).toBe(0)
    expect(read('words')).toContain('--array=1-9')
    expect(read('submitted')).toContain(`run ${shellWord(`${folder}/exp-`)}"$SLURM_ARRAY_TASK_ID"/save --`)
    const { status, stderr } = await submit('train.sh', 'exp/save', '--array', '1-9')
    expect([status, stderr]).toEqual([2, expect.stringContaining('exp-%a/save')])
  })

  it('only completes a script that calls ckpt run itself', async () => {
    const own = '#!/bin/bash\nexec ckpt run exp/save -- python train.py\n'
    const { submit, read } = site(undefined, own)
    expect((await submit('train.sh')).status).toBe(0)
    expect(read('submitted').replaceAll(/#SBATCH .*\n/g, '')).toBe(own)
    const { status, stderr } = await submit('train.sh', '--retries', '3')
    expect([status, stderr]).toEqual([2, expect.stringContaining('calls ckpt run itself')])
  })

  it('says what sbatch says, and what was submitted before', async () => {
    const { submit } = site('echo "sbatch: error: invalid partition" >&2; exit 1')
    const refused = await submit('train.sh')
    expect([refused.status, refused.stderr]).toEqual([1, 'error: sbatch: error: invalid partition\n'])
    const once = site(
      '[ -e "$0.once" ] && { echo "sbatch: error: too many jobs" >&2; exit 1; }; echo 4711 >"$0.once"; echo 4711',
    )
    const partly = await once.submit('train.sh', '--chain', '2')
    expect(partly.status).toBe(6)
    expect(partly.stderr).toMatch(/submitted 4711, and then: sbatch: error: too many jobs/)
  })

  it('without Slurm, without a script or for another kind of script says so', async () => {
    const { folder, submit } = site()
    const nowhere = await ckpt(['submit', 'train.sh'], { cwd: folder, env: { PATH: '/nowhere' } })
    expect([nowhere.status, nowhere.stderr]).toEqual([1, expect.stringContaining('sbatch: there is no such command')])
    expect((await submit('none.sh')).status).toBe(3)
    writeFileSync(join(folder, 'train.py'), 'print(1)\n')
    expect((await submit('train.py')).status).toBe(2)
  })
})
