/** ckpt report: one page whose numbers are those of list, plot, du and prune. */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { ckpt, isOneFile, copyFixture, temporaryDirectory } from './ckpt.js'
import { document, epochs, makeRun, nameOf } from './runs.js'
import type { ReportData } from '../../src/render/report/data.js'

interface Listed {
  readonly run: string
  readonly checkpoints: readonly (Record<string, unknown> & {
    readonly path: string
    readonly files: Readonly<Record<string, { readonly size: number | null }>>
  })[]
}

async function pageOf(args: readonly string[]): Promise<{ html: string; data: ReportData }> {
  const output = join(temporaryDirectory(), 'report.html')
  const { status, stderr } = await ckpt(['report', ...args, '--output', output])
  expect([status, stderr]).toEqual([0, expect.anything()])
  const html = readFileSync(output, 'utf8')
  const [, json = ''] = /<script type="application\/json" id="data">(.*?)<\/script>/s.exec(html) ?? []
  return { html, data: JSON.parse(json) as ReportData }
}

/** A row of list, as the page has it. */
function asOnPage(checkpoint: Listed['checkpoints'][number]) {
  const { files } = checkpoint
  return {
    ...checkpoint,
    path: undefined,
    files: Object.fromEntries(Object.entries(files).map(([key, { size }]) => [key, size])),
  }
}

describe('the page of ckpt report', () => {
  it.each(['asr_run', 'asr_run_damaged', 'frameworks/hf_trainer/run', 'frameworks/lightning/run'])(
    'has the numbers of list --json: %s',
    async (name) => {
      const run = copyFixture(`runs/${name}`)
      const { data } = await pageOf([run])
      const listed = await document<Listed>(['list', run])
      expect(data.runs.map((one) => one.run)).toEqual([listed.run])
      expect(data.runs[0]?.checkpoints).toEqual(listed.checkpoints.map(asOnPage))
    },
  )

  it('has those of every run below a folder', async () => {
    const root = join(copyFixture('runs/frameworks/hf_trainer'))
    const { data } = await pageOf(['-r', root])
    const listed = await document<{ runs: Listed[] }>(['list', '-r', root])
    expect(data.runs.map(({ run, checkpoints }) => ({ run, checkpoints }))).toEqual(
      listed.runs.map(({ run, checkpoints }) => ({ run, checkpoints: checkpoints.map(asOnPage) })),
    )
  })

  it('draws what plot draws: a log where there is one, and NaN as a gap', async () => {
    const trainer = copyFixture('runs/frameworks/hf_trainer/run')
    const speech = makeRun({ ...epochs(3), 'CKPT+nan': 'epoch: 4\nWER: .nan\nunixtime: 1700099999.0\n' })
    for (const [run, key] of [
      [trainer, 'eval_loss'],
      [speech, 'WER'],
    ] as const) {
      const { data } = await pageOf([run])
      const { x, curves } = await document<{
        x: string
        curves: { points: { x: number; y: number }[]; checkpoints: { x: number }[]; logs: string[] }[]
      }>(['plot', run, key])
      const drawn = data.runs[0]?.curves.find((one) => one.key === key && one.axis === x)
      expect(drawn?.x).toEqual(curves[0]?.points.map((point) => point.x))
      expect(drawn?.y).toEqual(curves[0]?.points.map((point) => point.y))
      expect(drawn?.logs).toEqual(curves[0]?.logs)
      expect(drawn?.marks.x).toEqual(curves[0]?.checkpoints.map((point) => point.x))
    }
  })

  it('tells what du tells, and what prune would keep and why', async () => {
    // A damaged newest is not what stays.
    const run = makeRun({ ...epochs(5), [nameOf(6)]: { 'CKPT.yaml': 'epoch: 6\nWER: 1.0\n', 'model.ckpt': '' } })
    const { data } = await pageOf([run, '--keep', '1', '--min', 'WER'])
    const du = await document<{ runs: { bytes: object }[] }>(['du', run])
    expect(data.runs[0]?.bytes).toEqual(du.runs[0]?.bytes)
    const plan = await document<{ keep: { name: string; reasons: string[] }[]; freedBytes: number }>([
      ...['prune', run, '--keep', '1', '--min', 'WER', '--dry-run'],
    ])
    const stays = data.runs[0]?.checkpoints.filter((one) => one.stays === true)
    expect(stays?.map(({ name, why }) => ({ name, reasons: why }))).toEqual(
      plan.keep.map(({ name, reasons }) => ({ name, reasons })),
    )
    expect(data.runs[0]?.plan).toMatchObject({
      policy: '--keep 1 --min WER',
      source: null,
      freedBytes: plan.freedBytes,
    })
  })

  it('reads the newest that stays to its last byte, as prune does', async () => {
    const run = copyFixture('runs/asr_run')
    const newest = join(
      run,
      readdirSync(run)
        .filter((name) => name.startsWith('CKPT'))
        .toSorted()
        .at(-1) ?? '',
    )
    const bytes = readFileSync(join(newest, 'model.ckpt'))
    const at = bytes.length >> 1
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at)
    writeFileSync(join(newest, 'model.ckpt'), bytes)
    const { data } = await pageOf([run, '--keep', '2', '--min', 'WER'])
    const plan = await document<{ keep: { name: string }[] }>([
      ...['prune', run, '--keep', '2', '--min', 'WER', '--dry-run'],
    ])
    const stays = data.runs[0]?.checkpoints.filter((one) => one.stays === true).map(({ name }) => name)
    expect(stays).toEqual(plan.keep.map(({ name }) => name))
    expect(stays).toHaveLength(4)
  })

  it("takes the policy of the run's ckpt.yaml where none is typed, and changes nothing", async () => {
    const run = makeRun(epochs(4))
    const file = join(run, 'ckpt.yaml')
    writeFileSync(file, 'prune: {keep: 2, yes: true, trash: true}\n')
    const { data } = await pageOf([run])
    expect(data.runs[0]?.plan).toMatchObject({ policy: '--keep 2', source: file, keep: 2, remove: 2 })
    expect(existsSync(join(run, nameOf(1)))).toBe(true)
    const without = await pageOf([run, '--no-config'])
    expect(without.data.runs[0]?.plan).toBeNull()
  })

  it('tells why a policy cannot be asked, and of the rest all the same', async () => {
    const { data } = await pageOf([makeRun(epochs(3)), '--max-total', '1B'])
    expect(data.runs[0]?.plan?.failure).toMatch(/space target/)
    expect(data.runs[0]?.checkpoints).toHaveLength(3)
  })

  it('lets nothing that a file says become markup', async () => {
    const wild = '</script><img src=x onerror=alert(1)>"\u202e'
    const meta = `epoch: 1\n${JSON.stringify(wild)}: ${JSON.stringify(wild)}\nunixtime: 1.0\n`
    const { html, data } = await pageOf([makeRun({ 'CKPT+<script>alert(1)<': meta })])
    expect(html.split('<script')).toHaveLength(3)
    expect(html).not.toContain('<img')
    expect(data.runs[0]?.checkpoints[0]?.meta[wild]).toBe(wild)
  })

  it('is not written over another file, nor without being told where', async () => {
    const run = makeRun(epochs(1))
    const output = join(temporaryDirectory(), 'there.html')
    writeFileSync(output, 'mine')
    expect((await ckpt(['report', run, '-o', output])).status).toBe(5)
    expect(readFileSync(output, 'utf8')).toBe('mine')
    expect((await ckpt(['report', run])).status).toBe(2)
    expect((await ckpt(['report', temporaryDirectory(), '-o', output])).status).toBe(3)
  })
})

it.skipIf(isOneFile)('plot draws a PNG of the size that was asked for, with text in it', async () => {
  const output = join(temporaryDirectory(), 'wer.png')
  const { status, stderr } = await ckpt(['plot', makeRun(epochs(5)), 'WER', '-o', output, '--width', '500'])
  expect(status, stderr).toBe(0)
  const bytes = readFileSync(output)
  expect(bytes.subarray(0, 8).toString('latin1')).toBe('\u0089PNG\r\n\u001a\n')
  expect(bytes.readUInt32BE(16)).toBe(500)
})
