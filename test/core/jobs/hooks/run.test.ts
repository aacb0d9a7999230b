import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import * as library from 'yaml'
import { parseConfig } from '../../../../src/cli/settings/settings-file.js'
import { CkptError } from '../../../../src/core/errors.js'
import { chooseHook, parseHooks, produce, runHook, type ChosenHook } from '../../../../src/core/jobs/hooks/index.js'
import { localStorage } from '../../../../src/core/storage/local.js'
import { runHookProcess } from '../../../../src/machine/run-hook.js'
import { temporaryDirectory } from '../../changes/disposal/runs.js'

/** The save hook of this text, in a folder with a file to save. */
function place(hook: string) {
  const folder = temporaryDirectory()
  const source = join(folder, 'a file; rm *')
  writeFileSync(source, 'some bytes')
  mkdirSync(join(folder, 'staging'))
  const target = join(folder, 'staging', 'made')
  const { yaml, hooks } = parseConfig(`hooks:\n  - {key: k, ${hook}}\n`, join(folder, 'ckpt.yaml'), [], library)
  const chosen = chooseHook(parseHooks(yaml, hooks), { key: 'k', name: 'k.ckpt' }, 'save')
  if (chosen === null) throw new Error('no hook')
  return { folder, chosen, values: { source, target, key: 'k' } }
}

async function make({ chosen, values }: ReturnType<typeof place>, signal?: AbortSignal): Promise<string> {
  await produce(localStorage(), runHookProcess, chosen, values, signal)
  return readFileSync(values.target, 'utf8')
}

async function failureOf(hook: string): Promise<CkptError> {
  const error: unknown = await make(place(hook)).then(
    () => null,
    (reason: unknown) => reason,
  )
  if (error instanceof CkptError) return error
  throw new Error(`expected a CkptError, got ${String(error)}`)
}

describe('a hook', () => {
  it('gets its values as single arguments', async () => {
    expect(await make(place('save: "cp -- {source} {target}"'))).toBe('some bytes')
  })

  it('in a shell gets them as variables, and never as text of the shell', async () => {
    const text = String.raw`save: "tr s S < \"$CKPT_SOURCE\" > \"$CKPT_TARGET\" && printf ' %s' \"$CKPT_KEY\" >> \"$CKPT_TARGET\"", shell: true`
    expect(await make(place(text))).toBe('Some byteS k')
  })

  it('runs in the folder of the file that it stands in', async () => {
    const at = place('save: "./tool {target}"')
    writeFileSync(join(at.folder, 'tool'), '#!/bin/sh\npwd > "$1"\n', { mode: 0o755 })
    expect(await make(at)).toBe(`${at.folder}\n`)
  })

  it('that fails is reported with its place, the command as it was run, its status and its output', async () => {
    const error = await failureOf(String.raw`save: "echo out; echo err >&2; exit 7", shell: true`)
    expect([error.code, error.exitStatus]).toEqual(['hook-failed', 1])
    expect(error.message).toMatch(
      /ckpt\.yaml:2:20: the save hook failed with exit status 7: sh -c 'echo out; echo err >&2; exit 7'\n {2}out\n {2}err$/,
    )
    const quiet = await failureOf('save: "false {source}"')
    expect(quiet.message).toMatch(/failed with exit status 1: false '\/.*a file; rm \*'\n {2}\(it printed nothing\)$/)
  })

  it('that prints much is reported with the last lines', async () => {
    const { message } = await failureOf('save: "seq 1 50000; exit 1", shell: true')
    expect(message.split('\n')).toHaveLength(22)
    expect(message).toMatch(/the last 20 lines\n {2}49981\n[^]*\n {2}50000$/)
  })

  it.each([
    ['save: "kill -9 $$", shell: true', 'was killed by SIGKILL'],
    ['save: "no-such-program-here {source}"', 'could not be started (ENOENT): no-such-program-here'],
    ['save: "true"', 'exited 0 and made nothing'],
    ['save: "touch {target}"', 'exited 0 and made an empty file'],
    ['save: "sleep 60", timeout: 20ms', 'was stopped after its timeout of 0.02 s'],
  ])('that goes wrong says how: %s', async (hook, message) => {
    const error = await failureOf(hook)
    expect(error.message).toContain(message)
    expect(error.code).toBe('hook-failed')
  })

  it('ends with all that it started: nothing goes on writing into what was made', async () => {
    const at = place(
      String.raw`save: "echo made > \"$CKPT_TARGET\"; (sleep 0.2; echo later >> \"$CKPT_TARGET\") &", shell: true`,
    )
    expect(await make(at)).toBe('made\n')
    await new Promise((resolve) => setTimeout(resolve, 400))
    expect(readFileSync(at.values.target, 'utf8')).toBe('made\n')
  })

  it('is stopped when the work is', async () => {
    const stop = new AbortController()
    const making = make(place('save: "sleep 60"'), stop.signal)
    setTimeout(() => stop.abort(), 20)
    await expect(making).rejects.toMatchObject({ code: 'interrupted' })
  })

  it('may make a folder', async () => {
    const at = place('save: "cp -r . {target}"')
    mkdirSync(join(at.folder, 'sub'))
    await produce(localStorage(), runHookProcess, copyOf(at.chosen, join(at.folder, 'sub')), at.values)
    expect(readdirSync(at.values.target)).toEqual([])
  })

  it('needs the values that it names', async () => {
    const { chosen } = place('save: "cp {source} {key}"')
    await expect(runHook(runHookProcess, chosen, { source: '/a' })).rejects.toMatchObject({ code: 'usage' })
  })
})

function copyOf(chosen: ChosenHook, folder: string): ChosenHook {
  return { ...chosen, hook: { ...chosen.hook, folder: { path: folder, identity: null } } }
}
