/** Sets file times to the nanosecond; Node's own calls round them to a quarter of a microsecond. */
import { execFile } from 'node:child_process'
import type { FolderHandle } from '../core/storage/storage.js'

/**
 * Gives `to`, a name in the folder or `.` for the folder itself, the modification time of `from`, as POSIX's touch does;
 * false where there is no such program. It is started in the folder that is held open, and follows no link there.
 */
export async function copyTime(from: string, folder: FolderHandle, to: string): Promise<boolean> {
  return new Promise((resolve) => {
    const options = { cwd: folder.way }
    execFile('touch', ['-c', '-h', '-m', '-r', from, '--', to], options, (error) => resolve(error === null))
  })
}
