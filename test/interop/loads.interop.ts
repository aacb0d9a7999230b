import { execFileSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { ckpt, temporaryDirectory } from '../e2e/ckpt.js'

const script = fileURLToPath(new URL('loads_side.py', import.meta.url))

function ask(task: Readonly<Record<string, unknown>>): unknown {
  const python = process.env['CKPT_TEST_PYTHON']
  if (python === undefined) throw new Error('run this with npm run test:interop')
  return JSON.parse(execFileSync(python, [script], { input: JSON.stringify(task), encoding: 'utf8' }))
}

async function run(...args: string[]): Promise<void> {
  const { status, stderr } = await ckpt(args)
  expect(status, stderr).toBe(0)
}

describe('{"model": …, "optimizer": …, "epoch": …} as ckpt writes it', () => {
  it('is taken strictly by the model and its optimizer, with weights_only, tied weights in one storage', async () => {
    const folder = temporaryDirectory()
    ask({ do: 'make', folder })
    const [first, second] = [join(folder, '0.pt'), join(folder, '1.pt')]
    await run('average', first, second, '-o', join(folder, 'mean.pt'))
    await run('average', first, second, '-o', join(folder, 'mean-bare.pt'), '--weights-only')
    await run('transfer', first, second, '-o', join(folder, 'init.pt'))
    await run('convert', first, '--to', 'torch', '-o', join(folder, 'bare.pt'))
    const sound = { same: true, tied: true }
    expect(ask({ do: 'load', folder, name: 'mean.pt', key: 'model' })).toEqual({ ...sound, epoch: 1 })
    expect(ask({ do: 'load', folder, name: 'mean-bare.pt', key: null })).toEqual({ ...sound, epoch: null })
    expect(ask({ do: 'load', folder, name: 'init.pt', key: 'model' })).toEqual({ ...sound, epoch: 1 })
    expect(ask({ do: 'load', folder, name: 'bare.pt', key: null })).toEqual({ ...sound, epoch: null })
  })
})
