/** File systems of their own, in the mount namespace that scripts/test-mounts.mjs gives. */
import { spawnSync } from 'node:child_process'
import { mkdirSync, openSync, writeSync, closeSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach } from 'vitest'
import { program, temporaryDirectory, type Outcome } from '../e2e/ckpt.js'

const mounted: string[] = []

afterEach(() => {
  for (const path of mounted.splice(0).reverse()) spawnSync('umount', ['-l', path])
}, 60_000)

/** A file system in memory; `options` as `size=1m,nr_inodes=20`. */
export function tmpfs(options: string, at = join(temporaryDirectory(), 'disk')): string {
  mkdirSync(at, { recursive: true })
  must('mount', ['-t', 'tmpfs', '-o', options, 'none', at])
  mounted.push(at)
  return at
}

export function makeReadOnly(path: string): void {
  must('mount', ['-o', 'remount,ro', path])
}

/** Mounts `from` at `at` too. */
export function bind(from: string, at: string): void {
  must('mount', ['--bind', from, at])
  mounted.push(at)
}

/** Takes what space is left. */
export function fillUp(folder: string): void {
  const fd = openSync(join(folder, 'filler'), 'w')
  const block = Buffer.alloc(4096, 1)
  try {
    for (;;) writeSync(fd, block)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOSPC')) throw error
  } finally {
    closeSync(fd)
  }
}

/** The program without root's power to read everything. */
export function ckptUnprivileged(args: readonly string[]): Outcome {
  const powers = ['-dac_override', '-dac_read_search', '-fowner'].join(',')
  const argv = ['--bounding-set', powers, process.execPath, program, ...args]
  const { status, stdout, stderr } = spawnSync('setpriv', argv, { encoding: 'utf8' })
  return { status: status ?? 1, stdout, stderr }
}

function must(command: string, args: readonly string[]): void {
  const { status, stderr } = spawnSync(command, args, { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
}
