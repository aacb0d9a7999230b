/** Pinning and unpinning, and telling of pins whose checkpoint is gone. */
import { join } from 'node:path'
import type { Run } from '../../checkpoint.js'
import { CkptError } from '../../errors.js'
import { guardRun } from '../../changes/disposal/index.js'
import {
  otherStatesOf,
  readDistrustedPins,
  readPins,
  stateFolderOf,
  writePins,
  type LockOptions,
  type Pin,
  type StateFolder,
} from '../../changes/state/index.js'
import { quoteWord } from '../../formats/text/shell-words.js'
import type { Storage } from '../../storage/storage.js'
import { holding } from './holding.js'
import { pinsElsewhere } from './protecting-pins.js'
import type { StateLocation } from '../opening/run-with-state.js'

export interface PinRequest {
  readonly names: readonly string[]
  readonly note: string
  /** Unix seconds: when they end by themselves; absent: never. */
  readonly until?: number | undefined
}

/** Pins checkpoints of the run; one that is pinned gets the new note. Throws CkptError `refused`, `damaged`. */
export async function pin(
  storage: Storage,
  run: string,
  { names, note, until }: PinRequest,
  options: LockOptions & StateLocation,
): Promise<Pin[]> {
  const made = names.map((name): Pin => ({
    name,
    note,
    time: options.now(),
    goneTold: false,
    ...(until === undefined ? {} : { until }),
  }))
  guardRun(storage, run)
  const state = await stateFolderOf(storage, run, options.stateDirectory)
  await holding(storage, state, options, 'pin', async () => {
    await rewritePins(storage, state, (pins) => {
      for (const one of made) pins.set(one.name, one)
    })
  })
  return made
}

/**
 * Takes pins away, wherever they protect. Throws CkptError `refused` where one lies in a folder that is not trusted, or
 * that another `--state` named: there nothing is changed.
 */
export async function unpin(
  storage: Storage,
  run: string,
  names: readonly string[],
  options: LockOptions & StateLocation,
): Promise<void> {
  guardRun(storage, run)
  const state = await stateFolderOf(storage, run, options.stateDirectory)
  const { trusted, distrusted } = await otherStatesOf(storage, run, state)
  if (distrusted !== null && state.moved === undefined) await refuseDistrusted(storage, distrusted, names)
  await refuseElsewhere(storage, run, state, names)
  for (const folder of [state, ...trusted]) {
    const pins = await readPins(storage, folder)
    if (!names.some((name) => pins.has(name))) continue
    await holding(storage, folder, options, 'unpin', async () => {
      await rewritePins(storage, folder, (found) => {
        for (const name of names) found.delete(name)
      })
    })
  }
}

async function refuseElsewhere(storage: Storage, run: string, state: StateFolder, names: readonly string[]) {
  for (const [folder, pins] of await pinsElsewhere(storage, run, state)) {
    const pinned = names.find((name) => pins.has(name))
    if (pinned === undefined) continue
    throw new CkptError('refused', `${pinned} is pinned in ${folder}, which --state named`, {
      hint: `ckpt unpin ${quoteWord(join(run, pinned))} --state ${quoteWord(folder)}`,
    })
  }
}

async function refuseDistrusted(storage: Storage, folder: StateFolder, names: readonly string[]): Promise<void> {
  const pins = await readDistrustedPins(storage, folder)
  const pinned = names.find((name) => pins.has(name))
  if (pinned === undefined) return
  const path = join(folder.path, 'pins.json')
  throw new CkptError(
    'refused',
    `${pinned} is pinned in ${path}, and ckpt changes nothing in a folder that is not trusted`,
    {
      hint: 'make the folder one that is (a warning says why it is not), or take the pin out of that file by hand',
    },
  )
}

/** Under the lock of that folder. Throws CkptError `damaged`, `refused`, StorageError. */
async function rewritePins(
  storage: Storage,
  state: StateFolder,
  change: (pins: Map<string, Pin>) => void,
): Promise<void> {
  const pins = new Map(await readPins(storage, state))
  change(pins)
  await writePins(storage, state, pins.values())
}

/** The pins whose checkpoint is not there and not yet reported; given once they are remembered as reported. */
export async function takeGonePins(
  storage: Storage,
  run: Run,
  pins: ReadonlyMap<string, Pin>,
  options: LockOptions & StateLocation,
): Promise<Pin[]> {
  const there = new Set(run.checkpoints.map(({ name }) => name))
  const newlyGone = [...pins.values()].filter((one) => !there.has(one.name) && !one.goneTold)
  const back = [...pins.values()].filter((one) => there.has(one.name) && one.goneTold)
  if (newlyGone.length === 0 && back.length === 0) return []
  try {
    const state = await stateFolderOf(storage, run.path, options.stateDirectory)
    await holding(storage, state, options, 'update the pins', () =>
      rewritePins(storage, state, (current) => {
        for (const one of [...newlyGone, ...back]) {
          const known = current.get(one.name)
          if (known !== undefined) current.set(one.name, { ...known, goneTold: !there.has(one.name) })
        }
      }),
    )
  } catch (error) {
    // It cannot be remembered, so it is reported again: better than never.
    if (!(error instanceof CkptError)) throw error
  }
  return newlyGone
}
