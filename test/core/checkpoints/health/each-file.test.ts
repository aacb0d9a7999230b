/** Of a checkpoint that several files are, each is needed, or it is said here why not. */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { checkHealth } from '../../../../src/core/checkpoints/health/index.js'
import { findRuns, listFiles } from '../../../../src/core/checkpoints/layouts/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { fixtures, makeFolder } from '../layouts/folders.js'

const storage = localStorage()
const others = fileURLToPath(new URL('../../../fixtures', import.meta.url))

type Way = 'deleted' | 'emptied' | 'cut'

const ways: Readonly<Record<Way, (path: string, size: number) => void>> = {
  deleted: (path) => {
    rmSync(path)
  },
  emptied: (path) => {
    writeFileSync(path, '')
  },
  cut: (path, size) => {
    truncateSync(path, size >> 1)
  },
}

/** Names that may be deleted, emptied or cut, and the checkpoint is as good as before; with the reason. */
type Optional = readonly (readonly [name: RegExp, reason: string, ways: readonly Way[]])[]

const anyWay: readonly Way[] = ['deleted', 'emptied', 'cut']

const orbax: Optional = [
  // Each of these was tried with Orbax 0.12 itself, which restores the same arrays.
  [/(^|\/)commit_success\.txt$/, 'a mark for stores that cannot rename', anyWay],
  [/^_CHECKPOINT_METADATA$/, 'times; one that is broken is passed over', anyWay],
  [/(^|\/)ocdbt\.process_\d+\//, 'merged: nothing that is read leads to it', anyWay],
  [/(^|\/)_sharding$/, 'without it the caller says where the arrays go', ['deleted']],
  [/(^|\/)array_metadatas\//, 'only told when it is there', ['deleted']],
]
const config: Optional = [
  [/^(config|generation_config|tokenizer|tokenizer_config)\.json$/, 'a job makes its model itself', ['deleted']],
  [/^README\.md$/, 'for people', anyWay],
]

interface Case {
  readonly from: string
  /** Of the checkpoint's folder, where `from` is one. */
  readonly as?: string
  readonly name: string
  readonly optional?: Optional
}

const run = (name: string, checkpoint: string, optional: Optional = []): Case => ({
  from: join(fixtures, name, 'run'),
  name: checkpoint,
  optional,
})

const cases: Readonly<Record<string, Case>> = {
  DeepSpeed: run('frameworks/deepspeed', 'global_step30'),
  'DeepSpeed, stage 3': run('frameworks/deepspeed_zero3', 'global_step30'),
  'torch.distributed.checkpoint': run('variants/dcp', 'epoch_2'),
  torchtitan: run('frameworks/torchtitan', 'step-30'),
  Megatron: run('frameworks/megatron', 'iter_0000400'),
  Accelerate: run('frameworks/accelerate', 'checkpoint_4'),
  'Hugging Face, an index of shards': run('frameworks/hf_trainer_sharded', 'checkpoint-6', config),
  'Hugging Face with FSDP': run('variants/hf_trainer-fsdp', 'checkpoint-6', [
    [/^rng_state_1\.pth$/, 'put together: what FSDP wrote there is of one process', ['deleted']],
    [/^scheduler\.pt$/, 'whole without it; it cannot be resumed from, which `resumable` tells', ['deleted']],
  ]),
  'Orbax, with items': run('frameworks/orbax', '500', orbax),
  'Orbax, of flax': run('frameworks/flax_orbax', 'checkpoint_400', orbax),
  'torchtune, an index of shards': run('frameworks/torchtune', 'epoch_2', [
    ...config,
    [/^tokenizer\.model$/, 'a job brings its own', anyWay],
  ]),
  diffusers: run('frameworks/diffusers', 'checkpoint-20', [
    [
      /^(optimizer|scheduler)\.bin$/,
      'whole without it; it cannot be resumed from, which `resumable` tells',
      ['deleted'],
    ],
  ]),
  TensorFlow: run('frameworks/tf_checkpoint', 'ckpt-6'),
  'Composer, a folder': run('variants/composer-folder', 'ep1-ba10'),
  'Lightning, a folder': run('variants/lightning-folders', 'epoch=1-step=8.ckpt'),
  'torchtitan, an export': run('variants/torchtitan-export', 'step-30'),
  'NeMo 2': run('variants/nemo-folders', 'mymodel', [
    [/^context\/io\.json$/, 'how the job was configured', ['deleted']],
    [/^weights\/metadata\.json$/, 'not written with FSDP, and its .metadata is not Megatron’s', ['deleted']],
  ]),
  'Orbax without a database': {
    from: join(fixtures, 'variants/orbax/run/noocdbt'),
    name: '10',
    optional: [...orbax, [/^default\/[^_].*\/\d[.\d]*$/, 'a cut chunk shows when it is unpacked', ['cut']]],
  },
}

const randomState = readFileSync(
  join(fixtures, 'frameworks/accelerate/run/checkpoints/checkpoint_0/random_states_0.pkl'),
)

/** What DeepSpeed and torch.distributed.checkpoint wrote with other options, as a checkpoint of Accelerate has it. */
function within(from: string, folder: string, beside: Readonly<Record<string, string | Uint8Array>> = {}): string {
  const root = makeFolder()
  const checkpoint = join(root, 'checkpoints/checkpoint_3')
  mkdirSync(checkpoint, { recursive: true })
  cpSync(join(others, from), join(checkpoint, folder), { recursive: true })
  for (const [name, content] of Object.entries(beside)) writeFileSync(join(checkpoint, name), content)
  return root
}

async function gradeOf(root: string, name: string): Promise<string> {
  const checkpoints = (await findRuns(storage, root)).flatMap((one) => one.checkpoints)
  const which = checkpoints.filter((one) => basename(one.path) === name)
  const [graded] = await checkHealth(storage, checkpoints, which, 'quick')
  return graded?.health.grade ?? 'not found'
}

/** Does each to each file, and puts it back; what stays whole and is not named as optional is reported. */
async function unnoticed(root: string, name: string, optional: Optional): Promise<string[]> {
  const [checkpoint] = (await findRuns(storage, root))
    .flatMap(({ checkpoints }) => checkpoints)
    .filter((one) => basename(one.path) === name)
  if (checkpoint === undefined) throw new Error(`${name} is not there`)
  const { files } = (await listFiles(storage, [checkpoint])).get(checkpoint) ?? { files: [] }
  const told: string[] = []
  for (const file of files) {
    const content = readFileSync(file.path)
    for (const [way, change] of Object.entries(ways) as [Way, (path: string, size: number) => void][]) {
      if (content.length === 0 && way !== 'deleted') continue
      if (optional.some(([pattern, , which]) => pattern.test(file.name) && which.includes(way))) continue
      change(file.path, content.length)
      if ((await gradeOf(root, name)) === 'whole') told.push(`${file.name} ${way}`)
      mkdirSync(dirname(file.path), { recursive: true })
      writeFileSync(file.path, content)
    }
  }
  return told
}

describe('of a checkpoint that several files are, each is missed and looked at', () => {
  it.each(Object.entries(cases))('%s', async (_, { from, name, optional = [] }) => {
    const root = join(makeFolder(), 'run')
    cpSync(from, root, { recursive: true, preserveTimestamps: true })
    expect(await gradeOf(root, name)).toBe('whole')
    expect(await unnoticed(root, name, optional)).toEqual([])
  })

  it.each(['zero2', 'zero2-bf16', 'zero3', 'zero3-three'])(
    'DeepSpeed in a checkpoint of Accelerate: %s',
    async (stage) => {
      const ranks = readdirSync(join(others, 'deepspeed', stage)).filter((name) => name.includes('optim')).length
      const states = Object.fromEntries(range(ranks).map((rank) => [`random_states_${rank}.pkl`, randomState]))
      const root = within(`deepspeed/${stage}`, 'pytorch_model', { latest: 'pytorch_model', ...states })
      expect(await gradeOf(root, 'checkpoint_3')).toBe('whole')
      expect(await unnoticed(root, 'checkpoint_3', [])).toEqual([])
    },
  )

  it('FSDP of four processes in a checkpoint of Accelerate', async () => {
    const states = Object.fromEntries(range(4).map((rank) => [`random_states_${rank}.pkl`, randomState]))
    const root = within('dcp/four-ranks', 'pytorch_model_fsdp_0', states)
    expect(await gradeOf(root, 'checkpoint_3')).toBe('whole')
    expect(await unnoticed(root, 'checkpoint_3', [])).toEqual([])
  })
})

function range(count: number): number[] {
  return Array.from({ length: count }, (_, index) => index)
}

/** A checkpoint of a Trainer with these files beside what it always has, without one of them. */
async function lacking(names: readonly string[], absent: string): Promise<string | undefined> {
  const root = makeFolder()
  const content = readFileSync(join(fixtures, 'frameworks/hf_trainer/run/checkpoint-6/scheduler.pt'))
  const all: [string, string | Uint8Array][] = [
    ['trainer_state.json', '{"global_step": 6, "log_history": []}'],
    ['model.safetensors', readFileSync(join(fixtures, 'frameworks/hf_trainer/run/checkpoint-6/model.safetensors'))],
    ...names.map((name): [string, Uint8Array] => [name, content]),
  ]
  for (const [name, bytes] of all) {
    if (name === absent) continue
    mkdirSync(dirname(join(root, 'checkpoint-6', name)), { recursive: true })
    writeFileSync(join(root, 'checkpoint-6', name), bytes)
  }
  const { checkpoints = [] } = (await findRuns(storage, root))[0] ?? {}
  const [graded] = await checkHealth(storage, checkpoints, checkpoints, 'quick')
  const [finding] = graded?.health.findings ?? []
  return finding === undefined ? undefined : `${finding.file ?? ''}: ${finding.reason}`
}

describe('numbered files of processes', () => {
  const parts = ['00_000', '00_001', '01_000', '01_001'].flatMap((part) =>
    ['model_optim_rng.pt', 'distrib_optim.pt'].map((name) => `mp_rank_${part}/${name}`),
  )
  const local = range(3).flatMap((rank) => [`pytorch_model_fsdp_0_rank${rank}.bin`, `rng_state_${rank}.pth`])
  const layers = ['01', '02'].flatMap((layer) =>
    range(2).map((rank) => `layer_${layer}-model_0${rank}-model_states.pt`),
  )
  const experts = range(3).map((expert) => `layer_0_expert_${expert}_mp_rank_00_model_states.pt`)

  it.each([
    ['a part of a model of Megatron', parts, 'mp_rank_01_000/model_optim_rng.pt', /4 of 4 parts of the model/],
    ['one of the files of such a part', parts, 'mp_rank_00_001/distrib_optim.pt', /^mp_rank_00_001\/distrib_optim\.pt/],
    ['the last local state of FSDP', local, 'pytorch_model_fsdp_0_rank2.bin', /those of 2 of 3 processes/],
    ['a random state, by the local states', local, 'rng_state_2.pth', /those of 2 of 3 processes/],
    ['a layer of a pipeline', layers, 'layer_02-model_01-model_states.pt', /those of 1 of 2 processes/],
    ['an expert', experts, 'layer_0_expert_1_mp_rank_00_model_states.pt', /those of 2 of 3/],
  ])('tell that %s is missing', async (_, names, absent, reason) => {
    expect(await lacking(names, '')).toBeUndefined()
    expect(await lacking(names, absent)).toMatch(reason)
  })

  it('of another node begin with its own', async () => {
    const second = [4, 5].flatMap((rank) => [`pytorch_model_fsdp_0_rank${rank}.bin`, `rng_state_${rank}.pth`])
    expect(await lacking(second, '')).toBeUndefined()
  })
})
