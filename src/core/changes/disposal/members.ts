/** Where the files lie that only together are a checkpoint: most in one folder, those of ranks in a folder of each. */
import { dirname, join, relative, sep } from 'node:path'
import type { Checkpoint, Member } from '../../checkpoint.js'

type Located = Pick<Member, 'path'>

/** The deepest folder that all of these (absolute, at least one) lie below. */
export function commonFolder(members: readonly Located[]): string {
  let folder = dirname(members[0]?.path ?? '')
  while (!members.every(({ path }) => path.startsWith(folder === sep ? sep : folder + sep))) folder = dirname(folder)
  return folder
}

/** The same with their paths below that folder, by which they lie wherever the checkpoint is moved to. */
export function placed<T extends Located>(members: readonly T[]): readonly (T & { readonly place: string })[] {
  const folder = commonFolder(members)
  return members.map((member) => ({ ...member, place: relative(folder, member.path) }))
}

/** The folders that they lie in. */
export function foldersOf(members: readonly Located[]): string[] {
  return [...new Set(members.map(({ path }) => dirname(path)))]
}

/** Those that they lie in once they are moved to the folder `at`, outermost first, itself among them. */
export function foldersOfGroup(at: string, members: readonly Located[]): string[] {
  const below = placed(members).flatMap(({ place }) =>
    place
      .split('/')
      .slice(0, -1)
      .map((_, index, parts) => parts.slice(0, index + 1)),
  )
  return [...new Set([at, ...below.map((parts) => join(at, ...parts))])]
}

/** The folder whose entries are a checkpoint's parts: itself, or the one that its files lie in. */
export function folderOfParts({ kind, path, members }: Pick<Checkpoint, 'kind' | 'path' | 'members'>): string {
  return kind === 'directory' ? path : commonFolder(members)
}
