/** Files that only together are a checkpoint leave their names together, and get them back together. */
import { dirname, join, relative, sep } from 'node:path'
import type { Checkpoint, Member } from '../../checkpoint.js'
import { CkptError, isUnreadable, StorageError, UntrustedError } from '../../errors.js'
import type { Storage } from '../../storage/storage.js'
import { patiently, type Wait } from '../../storage/retry.js'
import {
  forgetGroupMove,
  quietly,
  readGroupMoves,
  removeGroupDrafts,
  writeGroupMove,
  type GroupMove,
  type StateFolder,
} from '../state/index.js'
import { errorAsValue } from './error-as-value.js'
import type { Fingerprint } from './fingerprint.js'
import { foldersOf, foldersOfGroup, placed } from './members.js'
import { quoteWord } from '../../formats/text/shell-words.js'

/** True where one rename cannot take all of it. */
export function isGroup({ members }: Pick<Checkpoint, 'members'>): boolean {
  return members.length > 1
}

/** Where the members of a group lie while they have no names in the run. */
export interface GroupLocation {
  readonly run: string
  readonly state: StateFolder
  /** Absolute; made here. */
  readonly at: string
}

/**
 * Each member leaves its name by one rename, into the folder `at`. A record that is written before the first one, and
 * goes when all lie there for good, tells the ckpt that comes after a kill to give back what has left. Throws CkptError; then
 * they are where they were, or the record is there still.
 */
export async function moveGroup(
  storage: Storage,
  { run, state, at }: GroupLocation,
  { name, members }: Pick<Checkpoint, 'name' | 'members'>,
  print: Fingerprint,
  wait: Wait,
): Promise<void> {
  const move = moveOf({ run, state, at }, name, members, (place) => print.get(place)?.inode)
  const written = await errorAsValue(() => writeGroupMove(storage, state, move))
  if (written instanceof CkptError) {
    throw new CkptError(
      'refused',
      `${name}: ${members.length} files that only together are a checkpoint cannot be moved: what is under way must ` +
        `be remembered in ${state.path}: ${written.message}`,
      { hint: 'name a folder that can be written: --state DIR', cause: written },
    )
  }
  try {
    for (const folder of foldersOfGroup(at, members)) await storage.makeDirectory(folder, 0o700)
    for (const { path, place } of placed(members)) await moveMember(storage, path, { at, place }, print, wait)
    for (const folder of [dirname(at), ...foldersOfGroup(at, members), ...foldersOf(members)]) {
      await storage.syncDirectory(folder)
    }
  } catch (error) {
    if (!(error instanceof CkptError)) throw error
    await errorAsValue(() => putBackGroup(storage, run, state, move))
    throw error
  }
  await forgetGroupMove(storage, state, name)
}

/** The same the other way: from the folder `at` to their names. Throws CkptError; then the record may be there still. */
export async function returnGroup(
  storage: Storage,
  location: GroupLocation,
  { name, members }: Pick<Checkpoint, 'name' | 'members'>,
): Promise<void> {
  const places = placed(members).map(({ place }) => place)
  const stats = await storage.lstat(places.map((place) => join(location.at, place)))
  const inodes = new Map(
    places.flatMap((place, index) => {
      const stat = stats[index]
      return stat?.ok === true ? [[place, stat.value.inode]] : []
    }),
  )
  const move = moveOf(location, name, members, (place) => inodes.get(place))
  await writeGroupMove(storage, location.state, move)
  await putBackGroup(storage, location.run, location.state, move)
}

/**
 * What a kill left between two names gets its names back. Under the run's lock. Never fails for one group's sake: gives
 * the folders (absolute) of those that it could not give back, of which nothing may be removed. Throws StorageError where
 * the records cannot be read.
 */
export async function putBackGroups(storage: Storage, run: string, state: StateFolder): Promise<readonly string[]> {
  const pending: string[] = []
  for (const move of await movesOf(storage, state)) {
    const failure = await errorAsValue(() => putBackGroup(storage, run, state, move))
    if (failure instanceof CkptError) pending.push(join(move.isBeside ? run : state.path, move.at))
  }
  await removeGroupDrafts(storage, state)
  return pending
}

/** In a state folder that is not believed there are none: nothing in it is removed either. */
async function movesOf(storage: Storage, state: StateFolder): Promise<readonly GroupMove[]> {
  try {
    return await readGroupMoves(storage, state)
  } catch (error) {
    if (error instanceof UntrustedError) return []
    if (!(error instanceof StorageError) || !isUnreadable(error.errno)) throw error
    throw new CkptError('refused', `what ckpt keeps in ${state.path} cannot be read: ${error.message}`, {
      hint: `see who may read it: ls -ld ${quoteWord(state.path)}; nothing is changed meanwhile`,
      cause: error,
    })
  }
}

/** True for a folder in which something waits to be given back. */
export function holdsPending(path: string, pending: readonly string[]): boolean {
  return pending.some((one) => one === path || one.startsWith(path + sep))
}

/** Never over something that has taken a name meanwhile: what is left then goes the way that it was on. */
async function putBackGroup(storage: Storage, run: string, state: StateFolder, move: GroupMove): Promise<void> {
  const at = join(move.isBeside ? run : state.path, move.at)
  const members = placed(move.members.map(({ name, inode }) => ({ path: join(run, name), inode })))
  for (const { path, place, inode } of members) {
    const from = join(at, place)
    const [there, taken] = await storage.lstat([from, path])
    if (there?.ok !== true || there.value.inode.toString() !== inode) continue
    if (taken?.ok === true) continue
    await storage.move(from, path, there.value)
  }
  for (const folder of foldersOf(members)) await storage.syncDirectory(folder)
  for (const folder of foldersOfGroup(at, members).reverse()) await quietly(() => storage.removeDirectory(folder))
  await forgetGroupMove(storage, state, move.name)
}

async function moveMember(
  storage: Storage,
  from: string,
  { at, place }: { readonly at: string; readonly place: string },
  print: Fingerprint,
  wait: Wait,
): Promise<void> {
  const mark = print.get(place)
  const identity = { device: mark?.device ?? 0n, inode: mark?.inode ?? 0n }
  if (await patiently(wait, () => storage.move(from, join(at, place), identity))) return
  throw new StorageError(from, 'ESTALE', `${from}: changed since the plan was made: it was replaced`)
}

/** `inodeOf` goes by the file's place (members.ts). */
function moveOf(
  location: GroupLocation,
  name: string,
  members: readonly Member[],
  inodeOf: (place: string) => bigint | undefined,
): GroupMove {
  return {
    ...whereIs(location),
    name,
    members: placed(members).map(({ path, place }) => ({
      name: relative(location.run, path),
      inode: String(inodeOf(place) ?? 0n),
    })),
  }
}

function whereIs({ run, state, at }: GroupLocation): Pick<GroupMove, 'at' | 'isBeside'> {
  const isBeside = !at.startsWith(state.path + sep)
  return { at: relative(isBeside ? run : state.path, at), isBeside }
}
