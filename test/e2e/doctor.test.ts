/** `ckpt doctor`: how ckpt is, and what is wrong with a run. */
import { mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, temporaryDirectory } from './ckpt.js'
import { epochs, makeRun, snapshot } from './runs.js'

describe('ckpt doctor', () => {
  it('finds nothing wrong with a sound run, and leaves it as it was', async () => {
    const run = makeRun(epochs(2))
    const before = snapshot(run)
    const { status, stdout } = await ckpt(['doctor', run])
    expect(status).toBe(0)
    expect(stdout).toContain('no problems found')
    expect(stdout).toMatch(/file system +\S+.*locks.*sync/)
    expect(snapshot(run)).toEqual(before)
  })

  it('names damaged checkpoints, and the command that mends it', async () => {
    const run = makeRun({ ...epochs(2), 'CKPT+cut': { 'CKPT.yaml': '' } })
    const { status, stdout } = await ckpt(['doctor', run])
    expect(status).toBe(4)
    expect(stdout).toContain('1 checkpoint not whole: CKPT+cut')
    expect(stdout).toContain(`ckpt verify ${run}`)
  })

  it('tells mistakes in settings of every command, with their places', async () => {
    const run = makeRun(epochs(2))
    const file = join(run, 'ckpt.yaml')
    writeFileSync(file, 'prune: {kep: 2}\nlist: {limit: many}\n')
    const { status, stdout } = await ckpt(['doctor', run])
    expect(stdout).toContain(`problem: ${file}:1:9: "kep" is not a flag of prune\n  did you mean keep?`)
    expect(stdout).toContain(`problem: ${file}:2:15: --limit takes a whole number, not many`)
    expect(status).toBe(4)
    writeFileSync(file, 'prun: {keep: 2}\n')
    const leftOut = await ckpt(['doctor', run])
    expect(leftOut.stdout).toMatch(
      /problem: .*ckpt\.yaml is left out: line 1, column 1: "prun".*\n {2}did you mean prune or run\?/,
    )
    expect(leftOut.status).toBe(4)
  })

  it('says what verify says of what saves left behind', async () => {
    const run = makeRun(epochs(2))
    mkdirSync(join(run, 'CKPT+without'))
    writeFileSync(join(run, 'CKPT+without', 'model.ckpt'), 'x')
    const { stdout: said } = await ckpt(['verify', run])
    const { status, stdout } = await ckpt(['doctor', run])
    expect(said).toContain('CKPT+without')
    expect(stdout).toMatch(/problem: CKPT\+without: .*\n {2}ckpt verify /)
    expect(status).toBe(4)
  })

  it('says where completion is set up, and else how', async () => {
    const home = temporaryDirectory()
    const look = async () => (await ckpt(['doctor', home], { env: { HOME: home, SHELL: '/bin/bash' } })).stdout
    writeFileSync(join(home, '.bashrc'), "# source <(ckpt completion bash)\nPS1='$ '\n")
    expect(await look()).toMatch(/^completion +not set up for bash: echo 'source <\(ckpt completion bash\)' >> ~/m)
    writeFileSync(join(home, '.bashrc'), 'source <(/opt/ckpt completion bash)\n')
    expect(await look()).toContain(`set up for bash, in ${join(home, '.bashrc')}`)
  })

  it('refuses a folder that is not there, and tells of a file that is no run', async () => {
    const folder = temporaryDirectory()
    const { status, stderr } = await ckpt(['doctor', join(folder, 'absent')])
    expect([status, stderr]).toEqual([3, expect.stringContaining('absent: no such folder')])
    writeFileSync(join(folder, 'file'), '')
    const { stdout } = await ckpt(['doctor', join(folder, 'file')])
    expect(stdout).toMatch(/run +not looked at: .*is a file, not a folder/)
    expect(stdout).toMatch(/file system .*locks: yes, syncs: yes/)
  })

  it('answers where there is no run', async () => {
    const { status, stdout } = await ckpt(['doctor', temporaryDirectory()])
    expect(status).toBe(0)
    expect(stdout).toContain('none here')
  })

  it('looks at the machine where several runs lie below the folder too', async () => {
    const root = dirname(dirname(makeRun(epochs(2))))
    const other = makeRun(epochs(2))
    renameSync(dirname(other), join(root, 'other'))
    const { status, stdout } = await ckpt(['doctor', root])
    expect(status).toBe(0)
    expect(stdout).toMatch(/run +not looked at: /)
  })

  it('gives the caches 20 MB together', async () => {
    const { stdout } = await ckpt(['doctor', temporaryDirectory(), '--json'])
    const { cache, scans } = JSON.parse(stdout) as Record<'cache' | 'scans', { most: number }>
    expect(cache.most + scans.most).toBe(20e6)
  })

  it('--clear-cache deletes compiled code, what scans remember, and nothing else', async () => {
    const cache = temporaryDirectory()
    mkdirSync(join(cache, 'ckpt', 'scan'), { recursive: true, mode: 0o700 })
    for (const name of ['code-v20-find', 'scan/0123.scan', 'scan/notes', 'other'])
      writeFileSync(join(cache, 'ckpt', name), 'x')
    const { status, stdout } = await ckpt(['doctor', temporaryDirectory(), '--clear-cache'], {
      env: { XDG_CACHE_HOME: cache },
    })
    expect([status, stdout.includes('cleared')]).toEqual([0, true])
    expect(readdirSync(join(cache, 'ckpt'))).not.toContain('code-v20-find')
    expect(readdirSync(join(cache, 'ckpt'))).toContain('other')
    expect(readdirSync(join(cache, 'ckpt', 'scan'))).toEqual(['notes'])
  })
})
