/** Runs of the Hugging Face Trainer made for one test. */
import { mkdirSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { temporaryDirectory } from './ckpt.js'

export interface HfCheckpoint {
  readonly step: number
  /** Minutes since it was written; an hour, when left out. */
  readonly age?: number
  /** Of trainer_state.json, beside the step. */
  readonly state?: Readonly<Record<string, unknown>>
  /** Left out: a model and all that resuming needs. */
  readonly files?: readonly string[]
}

export const allFiles = ['model.safetensors', 'optimizer.pt', 'scheduler.pt', 'rng_state.pth', 'training_args.bin']

/** Writes a run `out` in a folder of its own; gives its path. Its files are text, which quick health does not take. */
export function makeHfRun(checkpoints: readonly HfCheckpoint[], run = join(temporaryDirectory(), 'out')): string {
  for (const checkpoint of checkpoints) addHfCheckpoint(run, checkpoint)
  return run
}

function addHfCheckpoint(run: string, { step, age = 60, state = {}, files = allFiles }: HfCheckpoint): void {
  const folder = join(run, `checkpoint-${step}`)
  mkdirSync(folder, { recursive: true })
  const time = Date.now() / 1000 - age * 60
  const facts = { global_step: step, epoch: step / 100, log_history: [], ...state }
  const write = (name: string, bytes: string | Uint8Array) => {
    writeFileSync(join(folder, name), bytes)
    utimesSync(join(folder, name), time, time)
  }
  for (const name of files) write(name, name.endsWith('.safetensors') ? emptyModel(step) : pickleOf(step))
  write('trainer_state.json', JSON.stringify(facts))
}

/** A safetensors file with one number. */
function emptyModel(step: number): Uint8Array {
  const header = JSON.stringify({ w: { dtype: 'F32', shape: [1], data_offsets: [0, 4] } })
  const bytes = Buffer.alloc(8 + header.length + 4)
  bytes.writeBigUInt64LE(BigInt(header.length))
  bytes.write(header, 8)
  bytes.writeFloatLE(step, 8 + header.length)
  return bytes
}

/** What `pickle.dumps` writes of a small number. */
function pickleOf(step: number): Uint8Array {
  return Uint8Array.from([0x80, 2, 0x4d, step & 255, (step >> 8) & 255, 0x2e])
}
