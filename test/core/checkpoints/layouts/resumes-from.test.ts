/** What a framework resumes from by itself; `npm run test:frameworks` holds the same against the real ones. */
import { describe, expect, it } from 'vitest'
import { findLayout, type OwnStart, type Standing } from '../../../../src/core/checkpoints/layouts/index.js'

function folder(name: string, meta: Readonly<Record<string, number>> = {}, more: Partial<Standing> = {}): Standing {
  return { name, kind: 'directory', meta: new Map(Object.entries(meta)), modified: 0, ...more }
}

function file(name: string, modified: number): Standing {
  return { name, kind: 'file', meta: new Map(), modified }
}

function callbackWith(lastPath: string): Standing['meta'] {
  return new Map([['callbacks', new Map([['ModelCheckpoint', new Map([['last_model_path', lastPath]])]])]])
}

function startsOf(layout: string, there: readonly Standing[]): readonly Omit<OwnStart, 'by'>[] {
  const starts = findLayout(layout)?.resumesFrom?.(there) ?? []
  return starts.map(({ takes, stumblesOver }) => ({ takes, stumblesOver }))
}

describe('SpeechBrain resumes by itself from', () => {
  it('the largest unixtime, whatever the names and the times of the files say', () => {
    const there = [
      folder('CKPT+b', { unixtime: 1 }, { modified: 9 }),
      folder('CKPT+a', { unixtime: 3 }),
      folder('CKPT+c', { unixtime: 2 }),
    ]
    expect(startsOf('speechbrain', there)).toEqual([{ takes: 'CKPT+a', stumblesOver: [] }])
  })

  it('none, once it stumbles over a meta that it cannot read or that has no unixtime', () => {
    const there = [folder('CKPT+a', { unixtime: 3 }), folder('CKPT+old'), folder('CKPT+odd', { epoch: 3 })]
    expect(startsOf('speechbrain', there)).toEqual([{ takes: 'CKPT+a', stumblesOver: ['CKPT+old', 'CKPT+odd'] }])
  })

  it('no folder without a CKPT.yaml', () => {
    const there = [folder('CKPT+a', { unixtime: 3 }), folder('CKPT+b', {}, { isLeftover: true })]
    expect(startsOf('speechbrain', there)).toEqual([{ takes: 'CKPT+a', stumblesOver: [] }])
    expect(startsOf('speechbrain', [])).toEqual([{ takes: null, stumblesOver: [] }])
  })
})

describe('the Trainer resumes by itself from', () => {
  it('the largest number in a name, also of an empty folder', () => {
    const there = [
      folder('checkpoint-500'),
      folder('checkpoint-1000'),
      folder('checkpoint-1500', {}, { isLeftover: true }),
      folder('tmp-checkpoint-2000', {}, { isLeftover: true }),
      file('checkpoint-3000', 0),
    ]
    expect(startsOf('hf-trainer', there)).toEqual([{ takes: 'checkpoint-1500', stumblesOver: [] }])
  })
})

describe('by the largest number in a name', () => {
  it.each([
    ['orbax', ['9', '10', 'ckpt_8'], '10'],
    ['torchtitan', ['step-9', 'step-10', 'step-x'], 'step-10'],
    ['accelerate', ['checkpoint_9', 'checkpoint_10', 'checkpoint-20'], 'checkpoint_10'],
    ['diffusers', ['checkpoint-9', 'checkpoint-10'], 'checkpoint-10'],
    ['torchtune', ['epoch_9', 'epoch_10', 'step_3000'], 'epoch_10'],
    ['torchtune', ['step_9', 'step_10'], 'step_10'],
    ['torchtune', ['dist_epoch_0', 'dist_epoch_1', 'epoch_2'], 'dist_epoch_1'],
  ])('%s resumes by itself', (layout, names, takes) => {
    expect(
      startsOf(
        layout,
        names.map((one) => folder(one)),
      ),
    ).toEqual([{ takes, stumblesOver: [] }])
    expect(startsOf(layout, [])).toEqual([{ takes: null, stumblesOver: [] }])
  })

  it.each([
    ['coqui', ['checkpoint_9.pth', 'best_model_10.pth', 'best_model.pth'], 'best_model_10.pth'],
    ['coqui', ['best_model_24.pth', 'checkpoint_24.pth', 'checkpoint_20.pth'], 'checkpoint_24.pth'],
    ['flax', ['checkpoint_9', 'checkpoint_10', 'checkpoint_tmp'], 'checkpoint_10'],
  ])('%s resumes by itself, of files', (layout, names, takes) => {
    expect(
      startsOf(
        layout,
        names.map((one) => file(one, 0)),
      ),
    ).toEqual([{ takes, stumblesOver: [] }])
  })
})

describe('NeMo resumes by itself from', () => {
  it('the one that is called last, and stumbles over several', () => {
    const there = [folder('m--step=9'), folder('m--step=19'), folder('m--step=19-last')]
    expect(startsOf('nemo', there)).toEqual([{ takes: 'm--step=19-last', stumblesOver: [] }])
    const two = [...there, folder('m--step=9-last')]
    expect(startsOf('nemo', two)).toEqual([{ takes: null, stumblesOver: ['m--step=19-last', 'm--step=9-last'] }])
    expect(startsOf('nemo', [folder('m--step=9')])).toEqual([{ takes: null, stumblesOver: [] }])
  })
})

describe('by one name', () => {
  it.each([
    ['fairseq', 'checkpoint_last.pt', 'checkpoint9.pt'],
    ['fairseq', 'checkpoint_last-exp1.pt', 'checkpoint9-exp1.pt'],
    ['ultralytics', 'last.pt', 'epoch9.pt'],
  ])('%s resumes by itself, and that is made to stand for the chosen one', (layout, last, other) => {
    const there = [file(last, 1), file(other, 2)]
    const pointers = (chosen: string, all: readonly Standing[]) =>
      findLayout(layout)?.pointersTo?.(file(chosen, 0), all)
    expect(startsOf(layout, there)).toEqual([{ takes: last, stumblesOver: [] }])
    expect(startsOf(layout, [file(other, 2)])).toEqual([{ takes: null, stumblesOver: [] }])
    expect(pointers(other, there)).toEqual([{ name: last, to: other }])
    expect(pointers(last, there)).toEqual([])
    expect(pointers(other, [file(other, 2)])).toEqual([])
  })
})

describe('Lightning resumes by itself from', () => {
  const last = (there: readonly Standing[]) => startsOf('lightning', there)[0]
  const hpc = (there: readonly Standing[]) => startsOf('lightning', there)[1]

  it('the name that begins with last and was written last, of those in the folder itself', () => {
    const there = [file('last.ckpt', 5), file('last-v1.ckpt', 7), file('epoch=9.ckpt', 9), file('below/last.ckpt', 9)]
    expect(last(there)).toEqual({ takes: 'last-v1.ckpt', stumblesOver: [] })
    expect(last([file('epoch=9.ckpt', 9), file('epoch=9-last.ckpt', 9)])).toEqual({ takes: null, stumblesOver: [] })
  })

  it('what the callback for failures has saved, where it is newer than the last', () => {
    const there = [file('last.ckpt', 5), file('on_exception.ckpt', 7), file('epoch=9.ckpt', 9)]
    const exception = (all: readonly Standing[]) => startsOf('lightning', all)[2]
    expect(exception(there)).toEqual({ takes: 'on_exception.ckpt', stumblesOver: [] })
    expect(exception([...there, file('last-v1.ckpt', 8)])?.takes).toBe('last-v1.ckpt')
    expect(exception([file('last.ckpt', 5)])).toBeUndefined()
  })

  it('the largest number of hpc_ckpt_, whatever the times say, and stumbles over one without a number', () => {
    const there = [file('hpc_ckpt_2.ckpt', 9), file('hpc_ckpt_10.ckpt', 5), file('epoch=9.ckpt', 20)]
    expect(hpc(there)).toEqual({ takes: 'hpc_ckpt_10.ckpt', stumblesOver: [] })
    expect(hpc([...there, file('hpc_ckpt_.ckpt', 1)])?.stumblesOver).toEqual(['hpc_ckpt_.ckpt'])
  })

  it('last.ckpt, which can be made to stand for the chosen one where there is one', () => {
    const pointers = (chosen: Standing, there: readonly Standing[]) =>
      findLayout('lightning')?.pointersTo?.(chosen, there)
    const there = [file('last.ckpt', 1), file('epoch=9.ckpt', 9)]
    expect(pointers(file('epoch=9.ckpt', 9), there)).toEqual([{ name: 'last.ckpt', to: 'epoch=9.ckpt' }])
    expect(pointers(file('last.ckpt', 1), there)).toEqual([])
    expect(pointers(file('epoch=9.ckpt', 9), [file('epoch=9.ckpt', 9)])).toEqual([])
  })

  it.each([
    ['the one name that a callback gives its last, and what begins so', ['final.ckpt', 'final.ckpt'], 'final-v1.ckpt'],
    ['none by a name with a count in it, which Lightning does not find', ['epoch=1-final.ckpt', ''], null],
    ['none where that name is another each time', ['a.ckpt', 'b.ckpt'], null],
  ] as const)('with another CHECKPOINT_NAME_LAST, %s', (_, [one, other], takes) => {
    const there = [
      { ...file('epoch=1.ckpt', 9), meta: callbackWith(one) },
      { ...file('epoch=0.ckpt', 8), meta: callbackWith(other) },
      file('final.ckpt', 5),
      file('final-v1.ckpt', 6),
      file('epoch=1-final.ckpt', 7),
    ]
    expect(startsOf('lightning', there)[0]).toMatchObject({ takes })
  })

  it('a last name that was lost, where a callback tells that it has saved one', () => {
    const saved = (name: string, lastPath: string, modified = 1): Standing => ({
      ...file(name, modified),
      meta: callbackWith(lastPath),
    })
    const pointers = (chosen: Standing, ...beside: readonly Standing[]) =>
      findLayout('lightning')?.pointersTo?.(chosen, [chosen, ...beside])
    const [first, second] = [saved('epoch=0.ckpt', ''), saved('epoch=1.ckpt', '/old/machine/last.ckpt')]
    expect(pointers(second)).toEqual([{ name: 'last.ckpt', to: 'epoch=1.ckpt' }])
    expect(pointers(first, second)).toEqual([{ name: 'last.ckpt', to: 'epoch=0.ckpt' }])
    expect(pointers(saved('epoch=1.ckpt', 'C:\\runs\\last-v1.ckpt'))).toEqual([
      { name: 'last-v1.ckpt', to: 'epoch=1.ckpt' },
    ])
    expect(pointers(first)).toEqual([])
    expect(pointers(saved('epoch=1.ckpt', '/runs/epoch=1-last.ckpt'))).toEqual([])
    expect(pointers(saved('below/epoch=1.ckpt', '/runs/below/last.ckpt'))).toEqual([])
  })
})
