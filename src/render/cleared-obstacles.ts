/** What stood in a start's way, and where it is now. */
import { isUnreadable, type Checkpoint, type Run } from '../core/checkpoint.js'
import { describeObstacle, type BeginsAnew, type Cleared, type Unled } from '../core/runs/index.js'
import { printable } from './printable.js'
import { quoteWord } from '../core/formats/text/shell-words.js'

/** One line for each. `isTold`: the command has what was chosen among its arguments, whatever its framework would find. */
export function clearedLines(
  { moved, pointed, unled, standing, beginsAnew }: Cleared,
  run: Run,
  chosen: Checkpoint | null,
  isNamed: boolean,
): string[] {
  const before = chosen === null ? '' : ` before ${chosen.name}`
  return [
    ...moved.map((one) => {
      const { name, path } = one.checkpoint
      return `moved to the trash: ${name}: ${describeObstacle(one)}; to undo it: ckpt trash restore ${quoteWord(path)}`
    }),
    ...pointed.map((name) => `${name} now stands for ${chosen?.name ?? ''}`),
    ...unled.map((one) => describeUnled(one, chosen)),
    ...standing.map((one) => {
      const { name } = one.checkpoint
      if (one.why === null) return `${name} is whole and stays, but ${one.how}${before}`
      const stays = one.why === '--leave-damaged' ? 'stays, for --leave-damaged says so' : `stays: ${one.why}`
      const help = isUnreadable(one.checkpoint)
        ? 'no flag removes it: see to its owner, its mode and the disk'
        : `ckpt prune ${quoteWord(run.path)} --remove-damaged removes it`
      return `${name} is in the way and ${stays}: ${describeObstacle(one)}; ${help}`
    }),
    ...(isNamed || beginsAnew === null ? [] : [nothingFound(beginsAnew, run)]),
  ].map(printable)
}

function describeUnled({ name, why, isLost }: Unled, chosen: Checkpoint | null): string {
  if (why !== null) return `${name} could not be made to stand for ${chosen?.name ?? ''}: ${why}`
  if (!isLost) return `${name} does not stand for ${chosen?.name ?? ''} and stays so, for --leave-damaged says so`
  return `${name} is not there and is not made, for --leave-damaged says so: a framework that goes by it begins anew`
}

function nothingFound({ by, looksElsewhere }: BeginsAnew, { path }: Run): string {
  const where = looksElsewhere ? `not in ${path} but in its own start's folder, unless it names this one` : `in ${path}`
  const help = 'it goes on where it reads CKPT_PATH, or with {path} among its arguments'
  return `a job that leaves it to ${by.join(', or ')} looks ${where}, finds nothing and begins anew; ${help}`
}
