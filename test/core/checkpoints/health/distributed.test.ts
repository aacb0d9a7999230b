import { createHash } from 'node:crypto'
import { cpSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { isResumable } from '../../../../src/core/checkpoint.js'
import { checkHealth } from '../../../../src/core/checkpoints/health/index.js'
import { loadRun } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { copyFixture, makeFolder, write } from '../layouts/folders.js'

const storage = localStorage()
const fixtures = fileURLToPath(new URL('../../../fixtures', import.meta.url))
/** Of four files of 1,622 bytes, as torch 2 wrote it on four ranks. */
const metadata = readFileSync(join(fixtures, 'dcp/metadata-of-four-ranks'))

/** Checkpoints of a Trainer, each with these files beside its state. */
function makeTrainer(steps: readonly number[], files: Readonly<Record<string, string | Uint8Array>>): string {
  const root = makeFolder()
  for (const step of steps) {
    const own = { 'trainer_state.json': `{"global_step": ${step}, "log_history": []}`, 'config.json': '{}', ...files }
    for (const [name, content] of Object.entries(own)) {
      write(root, { [`checkpoint-${step}/${name.replace('STEP', String(step))}`]: content })
    }
  }
  return root
}

const sharded = Object.fromEntries([
  ['pytorch_model_fsdp_0/.metadata', metadata],
  ...[0, 1, 2, 3].map((rank) => [`pytorch_model_fsdp_0/__${rank}_0.distcp`, Buffer.alloc(1622, 7)]),
]) as Record<string, Uint8Array>

function makeDeepSpeed(stage: 'zero2' | 'zero3'): string {
  const root = makeTrainer([200], { latest: 'global_step200' })
  cpSync(join(fixtures, 'deepspeed', stage), join(root, 'checkpoint-200/global_step200'), { recursive: true })
  return root
}

async function gradedIn(root: string, wanted: string, level: 'quick' | 'deep' = 'quick') {
  const { checkpoints } = await loadRun(storage, root)
  const which = checkpoints.filter(({ name }) => name === wanted)
  const [graded] = await checkHealth(storage, checkpoints, which, level)
  return graded
}

async function findings(root: string, step: number, level: 'quick' | 'deep' = 'quick') {
  return (await gradedIn(root, `checkpoint-${step}`, level))?.health.findings.map(
    ({ grade, file, reason }) => `${grade} ${file ?? ''}: ${reason}`,
  )
}

describe('shards of torch.distributed.checkpoint', () => {
  it('are all there, or .metadata tells which are not: those of FSDP that stayed on another node', async () => {
    const root = makeTrainer([100, 200], sharded)
    expect(await findings(root, 200)).toEqual([])
    rmSync(join(root, 'checkpoint-200/pytorch_model_fsdp_0/__2_0.distcp'))
    rmSync(join(root, 'checkpoint-200/pytorch_model_fsdp_0/__3_0.distcp'))
    const why = 'not there, though pytorch_model_fsdp_0/.metadata names it; 2 of its 4 files are'
    expect(await findings(root, 200)).toEqual(
      [2, 3].map((rank) => `partial pytorch_model_fsdp_0/__${rank}_0.distcp: ${why}`),
    )
    expect(await findings(root, 100)).toEqual([])
  })

  it('have their full length', async () => {
    const root = makeTrainer([100], sharded)
    truncateSync(join(root, 'checkpoint-100/pytorch_model_fsdp_0/__1_0.distcp'), 1621)
    expect(await findings(root, 100)).toEqual([
      'corrupt pytorch_model_fsdp_0/__1_0.distcp: ends early: 1621 of at least 1622 bytes, as pytorch_model_fsdp_0/.metadata says',
    ])
  })

  it('whose .metadata was cut are corrupt', async () => {
    const root = makeTrainer([100], sharded)
    truncateSync(join(root, 'checkpoint-100/pytorch_model_fsdp_0/.metadata'), 700)
    expect((await findings(root, 100))?.[0]).toMatch(/^corrupt pytorch_model_fsdp_0\/\.metadata: /)
  })

  it('say of how many processes there must be a random state', async () => {
    const states = Object.fromEntries([0, 1, 2].map((rank) => [`rng_state_${rank}.pth`, 'x']))
    const root = makeTrainer([100], { ...sharded, ...states })
    expect(await findings(root, 100)).toEqual([
      'partial rng_state_3.pth: not there; there are those of 3 of 4 processes',
    ])
  })
})

describe('random states', () => {
  it('have no gap; on a second node they begin with its own', async () => {
    const gap = makeTrainer([100], { 'model.safetensors': '', 'rng_state_0.pth': 'x', 'rng_state_2.pth': 'x' })
    expect(await findings(gap, 100)).toContain(
      'partial rng_state_1.pth: not there; there are those of 2 of 3 processes',
    )
    const second = makeTrainer([100], { 'pytorch_model.bin': 'x', 'rng_state_8.pth': 'x', 'rng_state_9.pth': 'x' })
    expect(await findings(second, 100)).toEqual([])
  })
})

describe('random states of Accelerate', () => {
  const statesOf = (...ranks: readonly number[]) => ranks.map((rank) => `random_states_${rank}.pkl`)
  const makeAccelerate = (saves: readonly (readonly string[])[]): string => {
    const root = makeFolder()
    saves.forEach((states, save) => {
      for (const file of ['model.safetensors', 'optimizer.bin', 'scheduler.bin', ...states])
        write(root, { [`checkpoint_${save}/${file}`]: file.endsWith('safetensors') ? emptyTensors : 'x' })
    })
    return root
  }
  const emptyTensors = Buffer.concat([Buffer.from([2, 0, 0, 0, 0, 0, 0, 0]), Buffer.from('{}')])
  const found = async (root: string, save: number) =>
    (await gradedIn(root, `checkpoint_${save}`))?.health.findings.map(({ file }) => file)

  it('are fewer after a start with fewer processes, and those of more are left where a folder is saved into again', async () => {
    const root = makeAccelerate([statesOf(0, 1, 2), statesOf(0, 1, 2), statesOf(0, 1), statesOf(0, 2), statesOf(0)])
    for (const save of [2, 3, 4]) expect(await found(root, save)).toEqual([])
  })

  it('lack those of the main process where the save was cut', async () => {
    const root = makeAccelerate([statesOf(0, 1, 2), statesOf(0, 1, 2), statesOf(1, 2)])
    expect(await found(root, 2)).toContain('random_states_0.pkl')
  })
})

describe('a finished save of the model alone', () => {
  it('lacks nothing, whatever the others have, also in folders; it cannot be resumed from', async () => {
    const model = { 'pytorch_model_fsdp_0/.metadata': 'x', 'training_args.bin': 'x' }
    const rest = { 'optimizer_0/.metadata': 'x', 'scheduler.pt': 'x', 'rng_state.pth': 'x' }
    const root = makeTrainer([100, 200], { ...model, ...rest })
    const add = (name: string, files: object) =>
      write(root, Object.fromEntries(Object.entries(files).map(([file, text]) => [`${name}/${file}`, String(text)])))
    add('checkpoint-300', { ...model, 'trainer_state.json': '{"global_step": 300}' })
    expect(await findings(root, 300)).not.toContainEqual(expect.stringMatching(/optimizer|scheduler|rng/))
    expect(await gradedIn(root, 'checkpoint-300')).toMatchObject({ resumable: false })
    add('checkpoint-300', { 'scheduler.pt': 'x' })
    expect(await findings(root, 300)).toContainEqual(expect.stringMatching(/^partial optimizer_0/))
  })
})

describe('a folder with a number in its name', () => {
  const parts = { 'pytorch_model.bin': 'x', '1_Pooling/config.json': '{}', '2_Dense/pytorch_model.bin': 'x' }

  it('is there also in the checkpoint of that step: 2_Dense/ of sentence-transformers', async () => {
    const root = makeTrainer([1, 2, 3, 4], parts)
    const about = async (step: number) => (await findings(root, step))?.filter((one) => one.includes('/'))
    for (const step of [1, 2, 3, 4]) expect(await about(step)).toEqual([])
    rmSync(join(root, 'checkpoint-2/2_Dense/pytorch_model.bin'))
    expect(await about(2)).toEqual([expect.stringMatching(/^partial 2_Dense\/pytorch_model\.bin: not there, and each/)])
    expect(await about(3)).toEqual([])
  })
})

describe('random states of the Trainer', () => {
  const statesOf = (count: number) =>
    Object.fromEntries(Array.from({ length: count }, (_, rank) => [`rng_state_${rank}.pth`, 'x']))
  const model = { 'pytorch_model.bin': 'x' }
  /** As transformers 5 wrote them on two ranks. */
  const args = readFileSync(join(fixtures, 'ranks/training_args-of-two-processes.bin'))
  const lost = ['partial rng_state_1.pth: not there; there are those of 1 of 2 processes']

  it('are of as many processes as its arguments say', async () => {
    const both = { 'rng_state_0.pth': 'x', 'rng_state_1.pth': 'x', 'training_args.bin': args }
    expect(await findings(makeTrainer([100], { ...model, ...both }), 100)).toEqual([])
    const one = { 'rng_state_0.pth': 'x', 'training_args.bin': args }
    expect(await findings(makeTrainer([100], { ...model, ...one }), 100)).toEqual(lost)
    const other = { 'rng_state_1.pth': 'x', 'training_args.bin': args }
    expect(await findings(makeTrainer([100], { ...model, ...other }), 100)).toEqual([
      'partial rng_state_0.pth: not there; there are those of 1 of 2 processes',
    ])
  })

  it('are fewer, or more, after a start with as many processes, whatever the checkpoints before it have', async () => {
    const root = makeTrainer([100, 200], { ...model, ...statesOf(4) })
    const add = (step: number, files: Readonly<Record<string, string | Uint8Array>>) => {
      for (const [name, content] of Object.entries({ 'trainer_state.json': `{"global_step": ${step}}`, ...files }))
        write(root, { [`checkpoint-${step}/${name}`]: content })
    }
    add(300, { ...model, 'config.json': '{}', ...statesOf(2), 'training_args.bin': args })
    expect(await findings(root, 300)).toEqual([])
    const alone = { ...model, 'config.json': '{}', 'rng_state.pth': 'x', 'training_args.bin': args }
    add(300, alone)
    expect(await findings(root, 300)).toEqual([])
    add(400, { ...model, 'config.json': '{}', 'rng_state_0.pth': 'x', 'training_args.bin': args })
    expect(await findings(root, 400)).toContainEqual(lost[0])
    add(500, { ...model, 'config.json': '{}', 'training_args.bin': args })
    expect((await findings(root, 500))?.join('\n')).toMatch(/partial rng_state_0\.pth: not there, and each of/)
  })

  it('are more than the first alone, which has a number where there are several', async () => {
    expect(await findings(makeTrainer([100], { ...model, 'rng_state_0.pth': 'x' }), 100)).toEqual(lost)
    expect(await findings(makeTrainer([100], { ...model, 'rng_state.pth': 'x' }), 100)).toEqual([])
  })
})

describe('what DeepSpeed writes', () => {
  it.each(['zero2', 'zero3'] as const)('has a file of every rank: %s', async (stage) => {
    const root = makeDeepSpeed(stage)
    expect(await findings(root, 200)).toEqual([])
    rmSync(join(root, 'checkpoint-200/global_step200/zero_pp_rank_1_mp_rank_00_optim_states.pt'))
    expect(await findings(root, 200)).toEqual([
      expect.stringMatching(/^partial global_step200\/zero_pp_rank_1_.*: not there; .* dp_world_size is 2 and/),
    ])
  })

  it('is counted by the parts of the optimizer where no state of the model is left', async () => {
    const root = makeDeepSpeed('zero2')
    rmSync(join(root, 'checkpoint-200/global_step200/mp_rank_00_model_states.pt'))
    rmSync(join(root, 'checkpoint-200/global_step200/zero_pp_rank_1_mp_rank_00_optim_states.pt'))
    expect((await findings(root, 200))?.join()).toContain('zero_pp_rank_1_mp_rank_00_optim_states.pt')
  })

  it('tells no more parts than machines have processes, whatever number a name has', async () => {
    const root = makeDeepSpeed('zero2')
    const folder = join(root, 'checkpoint-200/global_step200')
    rmSync(join(folder, 'mp_rank_00_model_states.pt'))
    rmSync(join(folder, 'zero_pp_rank_1_mp_rank_00_optim_states.pt'))
    writeFileSync(join(folder, 'zero_pp_rank_99999_mp_rank_999999999_optim_states.pt'), '')
    expect((await findings(root, 200))?.join()).toContain('more files like mp_rank_00_model_states.pt are not there')
  })

  it('is found by its latest, which must be there and name a folder that is', async () => {
    const root = makeDeepSpeed('zero2')
    writeFileSync(join(root, 'checkpoint-200/latest'), 'global_step100')
    expect(await findings(root, 200)).toEqual(['partial latest: names "global_step100", which is not there'])
    rmSync(join(root, 'checkpoint-200/latest'))
    expect((await findings(root, 200))?.[0]).toMatch(/^partial latest: not there; DeepSpeed writes it when all ranks/)
  })
})

describe('files of two saves of DeepSpeed in one folder', () => {
  const ofRank = (rank: number, kind: string): string => `zero_pp_rank_${rank}_mp_rank_00_${kind}_states.pt`

  async function mixed(stage: string, file: string): Promise<unknown[] | undefined> {
    const root = copyFixture(`frameworks/${stage}/run`)
    expect((await gradedIn(root, 'global_step30'))?.health.findings).toEqual([])
    cpSync(join(root, 'global_step10', file), join(root, 'global_step30', file))
    const graded = await gradedIn(root, 'global_step30')
    return graded?.health.findings.map(({ grade, file: of, reason }) => `${grade} ${of ?? ''}: ${reason}`)
  }

  it.each([
    ['deepspeed', 'optim'],
    ['deepspeed_zero3', 'optim'],
    ['deepspeed_zero3', 'model'],
  ])('are told by the steps that they count: %s, the %s states of one rank', async (stage, kind) => {
    for (const [rank, other] of [
      [0, 1],
      [1, 0],
    ] as const) {
      const reason = `another save's: it is of step 10, and ${ofRank(other, kind)} of step 30`
      expect(await mixed(stage, ofRank(rank, kind))).toEqual([`corrupt ${ofRank(rank, kind)}: ${reason}`])
    }
  })
})

describe('a universal checkpoint of DeepSpeed', () => {
  const make = (name: string): string => {
    const root = makeFolder()
    for (const tag of ['global_step2', 'global_step2_universal']) {
      const from = tag.endsWith('universal') ? `${name}-universal` : name
      cpSync(join(fixtures, 'deepspeed', from), join(root, tag), { recursive: true })
    }
    return root
  }
  const graded = async (root: string) => {
    const { checkpoints } = await loadRun(storage, root)
    const found = await checkHealth(storage, checkpoints, checkpoints, 'deep')
    return Object.fromEntries(found.map(({ name, health }) => [name, health.findings.map(({ reason }) => reason)]))
  }

  it.each(['zero2-bf16', 'zero3-three'])('is whole without the states of each process: %s', async (name) => {
    const root = make(name)
    expect(await graded(root)).toEqual({ global_step2: [], global_step2_universal: [] })
    truncateSync(join(root, 'global_step2_universal/zero/embed.weight/fp32.pt'), 900)
    expect((await graded(root))['global_step2_universal']).toEqual([expect.stringContaining('900 bytes')])
  })

  it('is not gone on from before what its settings need nothing more for', async () => {
    const { checkpoints } = await loadRun(storage, make('zero2-bf16'))
    expect(checkpoints.filter(isResumable).map(({ name }) => name)).toEqual(['global_step2'])
  })
})

describe('what Megatron lists in integrity.json', () => {
  const sum = (text: string) => createHash('sha256').update(text).digest('hex')

  it('is there, and when every byte is read it is what was written', async () => {
    const list = { algorithm: 'sha256', files: { 'metadata.json': sum('{}'), 'common.pt': sum('state') } }
    const files = { 'w/metadata.json': '{}', 'w/common.pt': 'state', 'w/integrity.json': JSON.stringify(list) }
    const root = makeTrainer([100], files)
    expect(await findings(root, 100, 'deep')).toEqual([])
    writeFileSync(join(root, 'checkpoint-100/w/common.pt'), 'State')
    expect(await findings(root, 100)).toEqual([])
    expect(await findings(root, 100, 'deep')).toEqual([
      expect.stringMatching(/^corrupt w\/common\.pt: has the SHA-256 .*, and integrity\.json lists /),
    ])
    rmSync(join(root, 'checkpoint-100/w/common.pt'))
    expect(await findings(root, 100)).toEqual(['partial w/common.pt: not there, though w/integrity.json lists it'])
  })
})

describe('a file in a folder of a checkpoint', () => {
  const files = { 'pytorch_model.bin': 'x', 'global_stepSTEP/engine.pt': 'x', 'parts/model.bin': 'x' }

  it('is missed where those nearest have it, also in a folder that is named after the step', async () => {
    const root = makeTrainer([100, 200, 300], { ...files, latest: 'global_stepSTEP' })
    expect(await findings(root, 300)).toEqual([])
    rmSync(join(root, 'checkpoint-300/global_step300/engine.pt'))
    rmSync(join(root, 'checkpoint-300/parts'), { recursive: true })
    const why = 'not there, and each of the 2 checkpoints nearest to it has it'
    expect(await findings(root, 300)).toEqual([
      `partial global_step300/engine.pt: ${why}`,
      `partial parts/model.bin: ${why}`,
    ])
  })

  it('is not missed where two lack it, or where it comes and goes', async () => {
    const root = makeTrainer([100, 200, 300], { 'pytorch_model.bin': 'x', 'more/scaler.pt': 'x', 'more/ema.bin': 'x' })
    rmSync(join(root, 'checkpoint-300/more/scaler.pt'))
    for (const step of [200, 300]) rmSync(join(root, `checkpoint-${step}/more/ema.bin`))
    expect(await findings(root, 300)).toEqual([])
  })
})
