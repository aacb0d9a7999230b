/** Carries a plan out in a clone of the target, so that what does not change is not written anew. */
import { dirname } from 'node:path'
import { CkptError, StorageError } from '../../errors.js'
import {
  FileSink,
  Pace,
  ensureNothingLost,
  ensureCanPublish,
  lossesOf,
  publishFile,
  temporaryPath,
} from '../write/index.js'
import type { OutputTensor, WriteOptions, WrittenOutput } from '../write/index.js'
import type { Storage } from '../../storage/storage.js'
import type { TensorLosses } from '../read/cast-losses.js'
import { isExtent } from '../read/tensor.js'
import { ensureTransferable, type TransferPlan } from './match.js'
import { outputTensor, transfer } from './write.js'

/**
 * As `transfer`, with the target's header and dtypes: clones the target, changes the matched tensors in the clone, syncs
 * it and gives it the name `output` (absolute; the target's own with `force`). Where the file system cannot share
 * blocks all is written as `transfer` writes it, and `sharesBlocks` of the answer is false. Throws as `transfer` does,
 * and CkptError `refused` for a target that is not one safetensors file.
 */
export async function transferInPlace(
  storage: Storage,
  plan: TransferPlan,
  output: string,
  options: Pick<WriteOptions, 'force' | 'onProgress' | 'signal' | 'strictCast'> = {},
): Promise<WrittenOutput> {
  ensureTransferable(plan)
  const { target } = plan
  if (target.format !== 'safetensors') {
    throw new CkptError('refused', `${target.path}: only a single safetensors file can be changed in a clone`, {
      hint: 'leave out --in-place',
    })
  }
  const { force = false } = options
  await ensureCanPublish(storage, output, force)
  const temporary = temporaryPath(output)
  try {
    if (!(await storage.cloneFile(target.path, temporary))) {
      const written = await transfer(storage, plan, output, { ...options, format: 'safetensors' })
      return { ...written, sharesBlocks: false }
    }
    const losses = await amend(storage, plan, temporary, options)
    await plan.source.ensureUnchanged()
    await target.ensureUnchanged()
    if (options.strictCast === true) ensureNothingLost(losses)
    await publishFile(storage, temporary, output, force)
    return {
      path: output,
      files: [output],
      bytes: target.byteLength,
      sharesBlocks: true,
      ...(losses.length === 0 ? {} : { losses }),
    }
  } catch (error) {
    await storage.unlink(temporary).catch(() => undefined)
    throw sayOf(output, temporary, error)
  }
}

async function amend(
  storage: Storage,
  plan: TransferPlan,
  path: string,
  options: Pick<WriteOptions, 'onProgress' | 'signal'>,
): Promise<TensorLosses[]> {
  const written: OutputTensor[] = []
  const stored = plan.matched.filter((pair) => !plan.ties.has(pair.target.name))
  const total = stored.reduce((sum, pair) => sum + pair.target.bytes, 0)
  const pace = new Pace(total, options)
  const handle = await storage.amend(path)
  try {
    const sink = new FileSink(handle, pace)
    for (const pair of stored) {
      if (pair.target.bytes === 0) continue
      const extent = await plan.target.dataOf(pair.target)
      if (!isExtent(extent)) throw new RangeError(`${pair.target.name} does not lie together`)
      await sink.flush()
      handle.moveTo(extent.position)
      const tensor = outputTensor(plan, pair.target, pair, undefined)
      written.push(tensor)
      await tensor.writeTo(sink)
    }
    await sink.flush()
    await handle.sync()
  } catch (error) {
    await handle.close().catch(() => undefined)
    throw error
  }
  await handle.close()
  return lossesOf(written)
}

function sayOf(output: string, temporary: string, error: unknown): unknown {
  if (!(error instanceof StorageError) || error.path !== temporary) return error
  return new StorageError(output, error.errno, error.message.replaceAll(temporary, output), {
    cause: error,
    hint: `nothing was left in ${dirname(output)}`,
  })
}
