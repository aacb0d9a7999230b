import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { ckpt, commandFolder, temporaryDirectory } from './ckpt.js'
import { document, epochs, makeRun } from './runs.js'

interface GcDocument {
  readonly runs: readonly { readonly run: string; readonly remove: readonly { readonly name: string }[] }[]
  readonly idle: Readonly<
    Record<
      string,
      { readonly lastWrite: number; readonly lastJob: unknown; readonly owner: string; readonly best: object }
    >
  >
  readonly leftAlone: readonly { readonly run: string; readonly reason: string }[]
  readonly touched: number
}

/** Two old runs, and one that was written to an hour ago. */
function lab(): string {
  const root = temporaryDirectory()
  for (const name of ['a', 'b', 'young']) makeRun(epochs(5), join(root, name, 'save'))
  const anHourAgo = Date.now() / 1000 - 3600
  utimesSync(join(root, 'young/save/CKPT+ep005/model.ckpt'), anHourAgo, anHourAgo)
  return root
}

/** A bit of the first storage: only its checksum in the archive tells. */
function flipFirst(bytes: Buffer): void {
  const header = bytes.lastIndexOf('PK\u0003\u0004', bytes.indexOf('/data/0'))
  const at = header + 30 + bytes.readUInt16LE(header + 26) + bytes.readUInt16LE(header + 28)
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
}

const left = (root: string, name: string) => readdirSync(join(root, name, 'save')).sort()

describe('ckpt gc', () => {
  it('moves all but the newest and the best of old runs into the trash; young ones are not looked at', async () => {
    const root = lab()
    const { status, stdout, stderr } = await ckpt(['gc', root, '--older-than', '90d', '--yes'])
    expect(status).toBe(0)
    expect(stdout).toMatch(/RUN +LAST WRITE +LAST JOB +OWNER +BEST +STAY/)
    expect(stdout).toMatch(/moved \d checkpoints of 2 runs to the trash/)
    expect(stderr).toContain('1 run touched within 90d')
    expect(left(root, 'young')).toHaveLength(5)
    // WER falls, so the newest is the best by the first metric too.
    expect(left(root, 'a')).toEqual(['CKPT+ep005'])
    expect((await ckpt(['trash', 'list', join(root, 'a/save')])).stdout).toContain('CKPT+ep001')
  })

  it('names what is damaged and stays, and why; so does prune -r', async () => {
    const root = temporaryDirectory()
    makeRun(
      { ...epochs(4), 'CKPT+ep003': { 'CKPT.yaml': 'unixtime: 1700010800.0\n', 'model.ckpt': '' } },
      join(root, 'a/save'),
    )
    for (const args of [
      ['gc', root, '--older-than', '90d'],
      ['prune', '-r', root, '--keep', '1'],
    ]) {
      const { stderr } = await ckpt([...args, '--dry-run'])
      expect(stderr).toMatch(/a\/save: CKPT\+ep003 is damaged, and stays: .*model\.ckpt.*0 bytes/)
    }
  })

  it('keeps a best that is not the newest, and pinned ones whatever the policy says', async () => {
    const root = temporaryDirectory()
    const run = makeRun(
      Object.fromEntries(
        [5, 3, 4, 6].map((loss, at) => [`CKPT+${at}`, `unixtime: ${1.6e9 + at * 3600}.0\nWER: ${loss}.0\n`]),
      ),
      join(root, 'a/save'),
    )
    const { idle, runs } = await document<GcDocument>(['gc', root, '--older-than', '90d', '--dry-run'])
    expect(idle[run]).toMatchObject({ lastJob: null, best: { metric: 'WER', value: 3, name: 'CKPT+1' } })
    expect(runs[0]?.remove.map(({ name }) => name).sort()).toEqual(['CKPT+0', 'CKPT+2'])
    await ckpt(['pin', join(run, 'CKPT+0')])
    await ckpt(['gc', root, '--older-than', '90d', '--delete', '--yes'])
    expect(left(root, 'a')).toEqual(['CKPT+0', 'CKPT+1', 'CKPT+3'])
    expect((await ckpt(['gc', root, '--older-than', '90d', '--no-protect', '--yes'])).status).toBe(2)
  })

  it('says of which metric the best goes', async () => {
    const { stdout } = await ckpt(['gc', lab(), '--older-than', '90d', '--keep', '1', '--dry-run'])
    expect(stdout).toMatch(/FREES +BEST THAT GOES\n.* loss\n/)
    const kept = await ckpt(['gc', lab(), '--older-than', '90d', '--keep', '1', '--min', 'loss', '--dry-run'])
    expect(kept.stdout).not.toContain('BEST THAT GOES')
  })

  it.each([
    ['', ['CKPT+ep004', 'CKPT+ep005']],
    ['--verify quick', ['CKPT+ep005']],
  ])('reads the newest that stays to its last byte, unless told otherwise: gc %s', async (flags, stay) => {
    const root = lab()
    for (const name of left(root, 'a')) {
      const bytes = readFileSync(fileURLToPath(new URL('../fixtures/torch/torch2/cuda_location.pt', import.meta.url)))
      if (name === 'CKPT+ep005') flipFirst(bytes)
      const path = join(root, 'a/save', name, 'model.ckpt')
      writeFileSync(path, bytes)
      utimesSync(path, 1.6e9, 1.6e9)
    }
    const more = flags.split(' ').filter((word) => word !== '')
    await ckpt(['gc', root, '--older-than', '90d', '--keep', '1', '--yes', ...more])
    expect(left(root, 'a')).toEqual(stay)
  })

  it('goes by the policy that is typed, or by gc: of the nearest ckpt.yaml', async () => {
    const root = lab()
    writeFileSync(join(root, 'b/ckpt.yaml'), 'gc: {keep: 3}\n')
    await ckpt(['gc', root, '--older-than', '90d', '--yes'])
    expect([left(root, 'a').length, left(root, 'b').length]).toEqual([1, 3])
    const typed = lab()
    await ckpt(['gc', typed, '--older-than', '90d', '--keep', '2', '--no-keep-recent', '--min', 'loss', '--yes'])
    expect(left(typed, 'a')).toContain('CKPT+ep003')
  })

  it('leaves runs alone of which Slurm has a job, and tells it', async () => {
    const root = lab()
    const bin = temporaryDirectory()
    cpSync(join(commandFolder(), 'ckpt'), join(bin, 'ckpt'))
    const queue = [
      `4711_3|ada|RUNNING|${join(root, 'a')}|/home/ada/train.sh`,
      `4712|bob|PENDING|/home/bob|x.sh --out=${join(root, 'b/save')}`,
    ]
    writeFileSync(join(bin, 'squeue'), `#!/bin/sh\ncat <<'END'\n${queue.join('\n')}\nEND\n`, { mode: 0o755 })
    const env = { PATH: `${bin}:${process.env['PATH'] ?? ''}` }
    const args = ['gc', root, '--older-than', '90d', '--yes', '--json']
    const { status, stdout } = await ckpt(args, { env })
    const { leftAlone } = JSON.parse(stdout) as GcDocument
    expect(status).toBe(6)
    expect(leftAlone.map(({ reason }) => reason)).toEqual([
      'Slurm has job 4711_3 of it, of ada: RUNNING',
      'Slurm has job 4712 of it, of bob: PENDING',
    ])
    expect(left(root, 'a')).toHaveLength(5)
  })

  it('counts a job that ended lately, and a log beside the checkpoints, as a touch', async () => {
    const root = lab()
    writeFileSync(join(root, 'a/save/train.log'), 'epoch 9')
    const state = join(root, 'b/.ckpt/save')
    mkdirSync(state, { recursive: true })
    chmodSync(join(root, 'b/.ckpt'), 0o700)
    chmodSync(state, 0o700)
    const start = {
      ...{ what: 'start', time: Date.now() / 1000 - 60, attempt: 1, reason: 'first', checkpoint: null, command: ['x'] },
      ...{ host: 'h', pid: 12345, started: '1', job: null },
    }
    writeFileSync(join(state, 'journal.jsonl'), `${JSON.stringify(start)}\n`)
    const { runs, touched } = await document<GcDocument>(['gc', root, '--older-than', '90d', '--dry-run'])
    expect(runs).toEqual([])
    expect(touched).toBe(3)
  })

  it('refuses without --yes where nobody can be asked, and says where there is no run', async () => {
    expect((await ckpt(['gc', lab(), '--older-than', '90d'])).status).toBe(5)
    expect((await ckpt(['gc', temporaryDirectory(), '--older-than', '90d'])).status).toBe(3)
  })
})
