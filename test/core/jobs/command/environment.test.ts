import { describe, expect, it } from 'vitest'
import { OpaqueValue, type MetaValue } from '../../../../src/core/checkpoint.js'
import { environmentOf, jobEnvironment } from '../../../../src/core/jobs/command/environment.js'
import { checkpointAt } from '../../changes/disposal/runs.js'

function withMeta(...entries: [string, MetaValue][]) {
  return checkpointAt('/run', 'CKPT+x', { meta: new Map(entries) })
}

describe('the environment of a job', () => {
  it('names path, name, meta and files', () => {
    const checkpoint = checkpointAt('/run', 'CKPT+x', {
      meta: new Map<string, MetaValue>([
        ['epoch', 3],
        ['valid/loss', 0.5],
        ['end-of-epoch', true],
      ]),
      files: [{ key: 'dataloader-TRAIN', path: '/run/CKPT+x/dataloader-TRAIN.ckpt', size: null, role: 'loop' }],
    })
    expect(environmentOf(checkpoint)).toEqual({
      CKPT_PATH: '/run/CKPT+x',
      CKPT_NAME: 'CKPT+x',
      CKPT_META_EPOCH: '3',
      CKPT_META_VALID_LOSS: '0.5',
      CKPT_META_END_OF_EPOCH: 'true',
      CKPT_FILE_DATALOADER_TRAIN: '/run/CKPT+x/dataloader-TRAIN.ckpt',
    })
  })

  it('has step and epoch where they are known, whatever the meta has', () => {
    const counted = checkpointAt('/run', 'CKPT+x', { step: 1200, epoch: 2.5, meta: new Map([['epoch', 7]]) })
    expect(environmentOf(counted)).toMatchObject({ CKPT_STEP: '1200', CKPT_EPOCH: '2.5', CKPT_META_EPOCH: '7' })
    expect(Object.keys(jobEnvironment({ CKPT_STEP: '3', CKPT_EPOCH: '1' }, null))).toEqual([])
  })

  it.each<[MetaValue, string]>([
    ['text as it is', 'text as it is'],
    [0.1, '0.1'],
    [1e-7, '1e-7'],
    [-0, '-0'],
    [NaN, 'NaN'],
    [-Infinity, '-Infinity'],
    [2n ** 64n, '18446744073709551616'],
    [false, 'false'],
    [null, 'null'],
    [[1, 'a', null, NaN], '[1,"a",null,"NaN"]'],
    [new Map<string, MetaValue>([['__proto__', [2n ** 60n]]]), '{"__proto__":[1152921504606846976]}'],
    [new OpaqueValue('decimal.Decimal', "Decimal('1.50')"), "Decimal('1.50')"],
    ['a\0b', 'a\uFFFDb'],
    ['line\nbreak', 'line\nbreak'],
  ])('writes %s', (value, text) => {
    expect(environmentOf(withMeta(['k', value]))['CKPT_META_K']).toBe(text)
  })

  it('has one underscore for each letter that is not ASCII letter or digit', () => {
    const names = Object.keys(environmentOf(withMeta(['λ-2.é', 1], ['😀', 2], ['', 3])))
    expect(names).toEqual(expect.arrayContaining(['CKPT_META___2__', 'CKPT_META__', 'CKPT_META_']))
  })

  it('leaves out what would make it larger than the system starts a process with', () => {
    const many = Array.from({ length: 40 }, (_, index): [string, MetaValue] => [`k${index}`, 'x'.repeat(100_000)])
    const environment = environmentOf(withMeta(...many, ['last', 'short']))
    expect(JSON.stringify(environment).length).toBeLessThan(1 << 20)
    expect(environment).toMatchObject({ CKPT_PATH: '/run/CKPT+x', CKPT_META_LAST: 'short' })
  })

  it('refuses two keys that give one variable, naming both', () => {
    expect(() => environmentOf(withMeta(['valid/loss', 1], ['valid_loss', 2]))).toThrow(
      /"valid\/loss" and "valid_loss"/,
    )
    expect(() => environmentOf(withMeta(['wer', 1], ['WER', 2]))).toThrow(
      expect.objectContaining({ code: 'usage' }) as Error,
    )
    const files = ['a-b', 'a.b'].map((key) => ({ key, path: `/${key}`, size: null, role: 'weights' as const }))
    expect(() => environmentOf(checkpointAt('/run', 'x', { files }))).toThrow(/"a-b" and "a.b"/)
  })

  it('leaves out what the system would refuse to start a process with', () => {
    const names = Object.keys(environmentOf(withMeta(['long', 'x'.repeat(131_072)], ['short', 'x'])))
    expect(names).toEqual(['CKPT_PATH', 'CKPT_NAME', 'CKPT_META_SHORT'])
  })

  it('passes the inherited one on, without what an outer ckpt had set', () => {
    const inherited = {
      HOME: '/h',
      CKPT_PATH: '/old',
      CKPT_META_WER: '1',
      CKPT_FILE_X: '/x',
      CKPT_NAME: 'old',
      CKPT_STATE: 's',
      NONE: undefined,
    }
    expect(jobEnvironment(inherited, null)).toEqual({ HOME: '/h', CKPT_STATE: 's' })
    expect(jobEnvironment(inherited, withMeta())).toEqual({
      HOME: '/h',
      CKPT_STATE: 's',
      CKPT_PATH: '/run/CKPT+x',
      CKPT_NAME: 'CKPT+x',
    })
  })
})
