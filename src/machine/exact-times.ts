/** Times to the nanosecond, which Node's own calls round to a quarter of a microsecond. */
import { execFile } from 'node:child_process'

/** Gives `to` the modification time of `from`, as POSIX's touch does; false where there is no such program. */
export async function copyTime(from: string, to: string): Promise<boolean> {
  return new Promise((resolve) => {
    execFile('touch', ['-c', '-m', '-r', from, '--', to], (error) => resolve(error === null))
  })
}
