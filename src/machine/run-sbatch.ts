/** Handing a job script to Slurm. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CkptError } from '../core/errors.js'

export interface Submission {
  /** The job's, and the script's for people. */
  readonly name: string
  readonly script: string
  readonly options: readonly string[]
  readonly args: readonly string[]
}

/** Gives the job's id. Throws CkptError `system` with sbatch's own words. */
export async function runSbatch({ name, script, options, args }: Submission): Promise<string> {
  // sbatch takes a copy: the file need not stay. From a pipe it would take no arguments for the script.
  const folder = await mkdtemp(join(tmpdir(), 'ckpt-submit-'))
  try {
    const path = join(folder, name)
    await writeFile(path, script)
    return await sbatch(['--parsable', ...options, path, ...args])
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function sbatch(words: readonly string[]): Promise<string> {
  const { execa } = await import('execa')
  const { failed, code, stdout, stderr } = await execa('sbatch', words, { reject: false, stdin: 'ignore' })
  if (code === 'ENOENT') {
    throw new CkptError('system', 'sbatch: there is no such command here', {
      hint: "submit where Slurm's commands are, on a login node; without Slurm, ckpt run runs it here",
    })
  }
  // `4711;cluster` where there are several clusters.
  const [id = ''] = stdout.trim().split(';')
  if (failed || !/^\d+$/.test(id)) throw new CkptError('system', stderr.trim() || 'sbatch: no id of a job')
  return id
}
