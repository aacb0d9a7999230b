/** Entry of the bundle: runs a known command without loading oclif's plugins, manifest or package files. */
import type { Worker } from 'node:worker_threads'
import type { Config } from '@oclif/core'
import { loadCommand } from './commands/load.js'
import { isHangupIgnored } from './hangup.js'

/**
 * Runs the command that `argv` names; false when it names none, or asks for help. `thread` is a thread that was started
 * to help with reading.
 */
export async function main(argv: string[], root: string, thread?: Worker): Promise<boolean> {
  const { id, rest } = nameOf(argv)
  if (!Object.hasOwn(loadCommand, id) || asksForHelp(rest)) return false
  if (isHangupIgnored()) process.on('SIGHUP', () => undefined)
  if (thread !== undefined) (await import('./core/storage/sweep-threads.js')).lendThread(thread)
  const { default: command } = await loadCommand[id as keyof typeof loadCommand]()
  const config = { root, name: 'ckpt', bin: 'ckpt', scopedEnvVarKeys: () => [] } satisfies Partial<Config>
  command.id = id
  await new command(rest, config as unknown as Config).execute()
  return true
}

/** Commands of a topic have names of two words, `trash list`, and ids with a colon. */
function nameOf(argv: readonly string[]): { readonly id: string; readonly rest: string[] } {
  const [first = '', second] = argv
  const topical = `${first}:${second ?? ''}`
  if (Object.hasOwn(loadCommand, topical)) return { id: topical, rest: argv.slice(2) }
  return { id: first, rest: argv.slice(1) }
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--')
  const own = end === -1 ? argv : argv.slice(0, end)
  return own.some((argument) => argument === '--help' || argument === '-h')
}
